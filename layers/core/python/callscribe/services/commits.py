"""Committing where losing a race is no error: whoever lost reads again and decides again."""

from callscribe.domain.records import Step
from callscribe.errors import Conflict
from callscribe.ports import Deps


def committed(deps: Deps, *steps: Step) -> bool:
    """Whether the steps were written; False when somebody else was first. Raises Exhausted and Unavailable."""
    try:
        deps.store.commit(*steps)
    except Conflict:
        return False
    return True
