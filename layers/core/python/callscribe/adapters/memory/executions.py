"""Executions that are only written down."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from callscribe.ports import ExecutionState

Payload = dict[str, str | int | float]
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True)
class Start:
    """One execution that was really started."""

    name: str
    payload: Payload


class MemoryExecutions:
    """One state machine that runs nothing: `starts` says what was started, `set_state` tells how it went."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starts: dict[str, Start] = {}
        self._states: dict[str, ExecutionState] = {}

    def start(self, name: str, payload: Mapping[str, str | int | float]) -> bool:
        """See `ports.Executions.start`. Raises ValueError for a name that Step Functions would refuse."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name for an execution: {name!r}")
        with self._lock:
            if name in self._starts:
                return self._repeated(name, dict(payload))
            self._starts[name] = Start(name, dict(payload))
            self._states[name] = ExecutionState.RUNNING
            return True

    def state(self, name: str) -> ExecutionState | None:
        """See `ports.Executions.state`."""
        return self._states.get(name)

    def set_state(self, name: str, state: ExecutionState) -> None:
        """How a started execution stands from now on. Raises KeyError for a name that was never started."""
        with self._lock:
            if name not in self._states:
                raise KeyError(name)
            self._states[name] = state

    @property
    def starts(self) -> list[Start]:
        """What was started, in order, each name once."""
        with self._lock:
            return list(self._starts.values())

    def _repeated(self, name: str, payload: Payload) -> bool:
        # As Step Functions: the same start again, while it runs, is answered like the first one.
        return self._states[name] is ExecutionState.RUNNING and self._starts[name].payload == payload
