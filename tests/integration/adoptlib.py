"""What the tests of adoption share: the state that a farmd leaves behind, and what must be the same under the next one."""

import os

import farmd_process
from farmlib import wait_for

# What goes on when the process does.
KEPT = ("pid", "port", "started_at", "restarts", "last_exit", "limits", "limits_configured", "oom_kills")


def records(farm):
    """{server id: {word: value}} of the state file; None while there is none, or it is being made."""
    try:
        text = (farm.state_dir / "state").read_text()
    except FileNotFoundError:
        return None
    found = {}
    for line in text.splitlines():
        if line.startswith("server "):
            words, _, error = line.partition(" error=")
            _, server_id, group, wanted, *rest = words.split()
            found[int(server_id)] = {
                "group": group, "wanted": wanted, "error": error, **dict(word.split("=") for word in rest),
            }
    return found


def is_recorded(farm, by_pid=True):
    """Whether the state file tells what the API does; it is written soon after each change."""
    found = records(farm) or {}
    entries = farm.servers()
    words = {"running": "running", "paused": "paused", "stopped": "stopped", "failed": "failed", "backoff": "restarting"}
    return set(found) == set(entries) and all(
        found[i]["wanted"] == words.get(entry["status"])
        and (not by_pid or found[i].get("pid") == (entry["pid"] and str(entry["pid"])))
        and int(found[i]["restarts"]) == entry["restarts"]
        and int(found[i]["limits"].split(",")[1]) == entry["limits_configured"]["memory_mb"] * 2**20
        for i, entry in entries.items()
    )


def kill(farm):
    """Kills farmd when it has written everything down; the entries of its servers as they were."""
    wait_for(lambda: is_recorded(farm), what="the state being recorded")
    entries = farm.servers()
    farm.kill()
    return entries


def start(farm):
    """Starts farmd and waits until it has taken over what is there: not every server needs to run."""
    mark = len(farm.output()) if (farm.directory / "out").exists() else 0
    farm.start(wait=False)

    def is_up():
        if farm.process.poll() is not None:
            raise AssertionError(f"farmd ended with {farm.process.returncode}\n{farm.errors()}")
        return "  ready       " in farm.output()[mark:]

    wait_for(is_up, what="the farm being up")
    farm.note_slices()
    return farm.output()[mark:]


def goes_on(before, after):
    """Asserts that a server is the same as under the farmd before."""
    for key in KEPT:
        assert after[key] == before[key], (before["id"], key)
    assert after["uptime_seconds"] >= before["uptime_seconds"]


def change_state(farm, change):
    """Rewrites the state file of a farmd that was killed, line by line."""
    path = farm.state_dir / "state"
    path.write_text("".join(change(line) + "\n" for line in path.read_text().splitlines()))


def slices(farm):
    """Every cgroup directory of this farm's slices in all hierarchies: {slice: [leaves]}."""
    names = {directory.name for directory in farm.slices}
    found = {}
    for _, mount, _ in farmd_process.cgroup_mounts():
        for place, directories, _ in os.walk(mount):
            found.update({f"{place}/{name}": os.listdir(f"{place}/{name}") for name in directories if name in names})
    return {place: [leaf for leaf in inside if os.path.isdir(f"{place}/{leaf}")] for place, inside in found.items()}
