"""What tests of every runtime wait for and look at, by the API alone."""

import datetime

from farmlib import wait_for

# Told in between, by one runtime or another.
BESIDES = {"BackOff", "Healthy", "Unhealthy", "NotReady", "PutRight"}


def when(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def wait_back(farm, server_id, before):
    """Until a server runs that was started after its entry `before`; its entry then."""
    def back():
        entry = farm.server(server_id)
        return entry if entry["status"] == "running" and entry["started_at"] != before["started_at"] else None

    return wait_for(back, what=f"server {server_id} running again")


def wait_answer(farm, server_id):
    def answers():
        try:
            return farm.worker(server_id).status == 200
        except OSError:
            return False

    wait_for(answers, what=f"an answer of server {server_id}")


def reasons(farm, server_id, since):
    return [event["reason"] for event in farm.events(since, server_id=server_id) if event["reason"] not in BESIDES]


def most_down_at_once(farm, since):
    """From the end of a server until it is ready again."""
    down, most = set(), 0
    for event in farm.events(since):
        if event["reason"] == "Stopped":
            down.add(event["server_id"])
        elif event["reason"] == "Ready":
            down.discard(event["server_id"])
        most = max(most, len(down))
    return most
