"""Committing where losing a race is no error: whoever lost reads again and decides again."""

from typing import Final

from callscribe.domain.records import Step
from callscribe.errors import Conflict
from callscribe.ports import Deps

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.25


def committed(deps: Deps, *steps: Step) -> bool:
    """Whether the steps were written; False when somebody else was first. Raises Exhausted and Unavailable."""
    try:
        deps.store.commit(*steps)
    except Conflict:
        return False
    return True


def pause_s(deps: Deps, attempt: int) -> float:
    """How long to wait before the try number `attempt` (from 1): anything up to a bound that doubles with each."""
    longest_s = min(_FIRST_PAUSE_S * (1 << attempt), _LONGEST_PAUSE_S)
    return longest_s * int.from_bytes(deps.random_bytes(2), "big") / 65_535
