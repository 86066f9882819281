"""How the tests start a dockerd of their own, so that nothing of the machine is touched and nothing is left.

Its data, exec root, pid file, key and socket are below one folder, its mounts in a mount namespace, its containers below a
cgroup that has its name. Its bridges, rules and settings are of the network namespace that it is started in."""

import contextlib
import os

CGROUPS = "/sys/fs/cgroup"
NEEDS = ("dockerd", "ip", "iptables", "nsenter", "setpriv", "unshare")
WITH_US = ("setpriv", "--pdeathsig", "TERM")  # what a run that is killed has started ends by itself

# A host name of its own, which is what Swarm calls the node, and an /etc/docker, where it keeps its key.
PREPARE = 'hostname "$0"; mkdir -p "$1" /etc/docker; mount --bind "$1" /etc/docker; shift; exec "$@"'


def command(name, folder, *flags):
    """To be run in a network namespace of its own; the process becomes the dockerd. Its socket is FOLDER/docker.sock."""
    return ["unshare", "--uts", "--mount", "sh", "-c", PREPARE, name, f"{folder}/etc", *WITH_US,
            "dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid",
            "-H", f"unix://{folder}/docker.sock", "--cgroup-parent", f"/{name}", *flags]


def remove_cgroups(name):
    """True when none is left: a process that was killed is in its cgroup for a moment longer."""
    tops = [f"{CGROUPS}/{name}", *(f"{CGROUPS}/{kind}/{name}" for kind in os.listdir(CGROUPS))]
    for top in filter(os.path.isdir, tops):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
    return not any(map(os.path.isdir, tops))
