"""Faults on purpose: any port, wrapped so that a plan may raise before a call or after it took effect.

trace = Trace()
run(faulty_deps(memory_deps(), trace))                       # learn the moments of a good run
for index in range(len(trace.moments)):
    run(faulty_deps(memory_deps(), RaiseAt(index, Crash())))  # die at each of them, then repair and judge
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar, cast

from callscribe.ports import Deps

P = TypeVar("P")

PORTS = (
    "store",
    "uploads",
    "results",
    "transcriptions",
    "redeliveries",
    "callback_queue",
    "fetch_queue",
    "video_queue",
    "index_queue",
    "task_index",
    "task_reports",
    "work_gauge",
    "worker_pool",
    "webhooks",
    "downloader",
    "inspector",
    "captcha",
)


class Crash(BaseException):
    """The process died here. Not an Exception, so that no use case can catch it."""


class When(StrEnum):
    """Before the call reaches the port, or after it took effect (and its answer is lost)."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time at which a fault can strike."""

    port: str
    method: str
    when: When


Plan = Callable[[Moment], None]


class Trace:
    """A plan that lets everything pass and remembers the `moments`."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def __call__(self, moment: Moment) -> None:
        """Remember the moment."""
        self.moments.append(moment)


class RaiseAt:
    """A plan that raises once, at the moment with this index (0 is the first), counted over all its ports."""

    def __init__(self, index: int, error: BaseException) -> None:
        self._lock = threading.Lock()
        self._left = index
        self._error = error
        self.struck: Moment | None = None

    def __call__(self, moment: Moment) -> None:
        """Raise if this is the moment."""
        with self._lock:
            self._left -= 1
            if self._left != -1:
                return
            self.struck = moment
        raise self._error


def faulty(port: P, plan: Plan, *, name: str = "") -> P:
    """The port, with `plan` called before and after every call; whatever the plan raises, the caller gets."""
    return cast(P, _Faulty(port, plan, name or type(port).__name__))


def faulty_deps(deps: Deps, plan: Plan) -> Deps:
    """The same dependencies with one plan round all ports, each named as its field in Deps."""
    return replace(deps, **{name: faulty(getattr(deps, name), plan, name=name) for name in PORTS})


class _Faulty:
    def __init__(self, port: Any, plan: Plan, name: str) -> None:
        self._port = port
        self._plan = plan
        self._name = name

    def __getattr__(self, method: str) -> Any:
        target = getattr(self._port, method)
        return self._wrapped(method, target) if callable(target) else target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._wrapped("__call__", self._port)(*args, **kwargs)

    def _wrapped(self, method: str, target: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._plan(Moment(self._name, method, When.BEFORE))
            answer = target(*args, **kwargs)
            self._plan(Moment(self._name, method, When.AFTER))
            return answer

        return call
