"""The beds that there are. FARMD_TEST_ENGINE chooses: without it those that need no daemon (processes, and containers and
services on the fake Engine), `real` a private dockerd, `swarm` a private Swarm."""

import contextlib
import os

import beds
import dockerlib
import swarm_bed

CHOSEN = {
    None: ["process", "docker-1.41", "docker-1.44", "swarm-fake"],
    "real": ["docker-real"],
    "swarm": ["swarm-real"],
}
KINDS = CHOSEN[os.environ.get("FARMD_TEST_ENGINE")]


@contextlib.contextmanager
def open_bed(kind):
    with contextlib.ExitStack() as stack:
        if kind == "process":
            bed = beds.ProcessBed()
        elif kind == "docker-real":
            bed = beds.DockerBed(stack.enter_context(dockerlib.an_engine()))
        elif kind == "swarm-real":
            bed = stack.enter_context(swarm_bed.open_real())
        elif kind == "swarm-fake":
            bed = stack.enter_context(swarm_bed.open_fake())
        else:
            bed = beds.FakeDockerBed(stack.enter_context(dockerlib.an_engine(kind.partition("-")[2])))
        try:
            yield bed
            bed.end_shared()
        finally:
            bed.discard_shared()
