"""The door beside the laptop cloud: `functions/door` as a process, behind the front as behind a load balancer."""

from collections.abc import Mapping
from pathlib import Path

from callscribe import names, wiring
from local.emulator import Emulator, aws_environment, free_port, scrubbed_environment
from local.front import DoorWay
from local.workers import WorkerProcess

_GRACE_S = 3


class DoorProcess(WorkerProcess):
    """The door on 127.0.0.1:`port`."""

    name = "door"
    script = "functions/door/app.py"
    ready_line = b"door ready"

    def __init__(self, environment: Mapping[str, str], log_file: Path, *, port: int) -> None:
        """Start it; see `wait_until_ready`."""
        super().__init__(environment, log_file, "--port", str(port), "--grace-s", str(_GRACE_S))


def door_environment(emulator: Emulator, outputs: Mapping[str, str]) -> dict[str, str]:
    """What the door is told: the stage, and that exactly one proxy stands before it, which is our front.

    It has all rights, whatever the emulator enforces: its own role is in a stack that the emulator cannot make.
    """
    environment = scrubbed_environment() | aws_environment(emulator.endpoint_url) | wiring.environment_of(outputs)
    environment |= {names.ENV_STAGE: "local", names.ENV_DOOR_TRUSTED_PROXIES: "1"}
    # As for workers: what a killed one leaves of a recording goes with the cloud's own temporary files.
    return environment | {"TMPDIR": str(emulator.temp_dir)}


def door_way() -> DoorWay:
    """Where a door of this stage will listen, and what the front hands to it."""
    waiting = frozenset(names.OTHER_PATHS["aivoco"])  # who comes again joins the same job; elsewhere it makes another
    return DoorWay(free_port(), max_body_bytes=names.DOOR_MAX_BODY_BYTES, wait_s=names.DOOR_WAIT_S, waiting=waiting)
