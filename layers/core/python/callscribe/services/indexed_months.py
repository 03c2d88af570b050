"""Which months of a tenant's index need care: those whose words outlive the transcripts, and those that broke.

What was said is kept in the index as long as transcripts are kept (`Settings.results_retention_days`), counted from
the end of the month: then the words of the whole month go. A month that somebody could not read is made anew. Both are
done by `services.index_care`; here is noted what is to be done.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from callscribe.domain.indexed_months import IndexedMonth
from callscribe.domain.records import insert, update
from callscribe.domain.task_marks import TASKS
from callscribe.domain.tasks import DAY_MS, end_of_month_ms
from callscribe.errors import Conflict, Unreadable
from callscribe.ports import Deps

_LONGEST_MS: Final = 7 * DAY_MS  # until somebody looks again: an operator may choose to keep less


def note(deps: Deps, tenant_id: str, month: str) -> None:
    """To be called before words of a month are taken in, so that they are surely forgotten. Raises Conflict."""
    known = deps.store.get(IndexedMonth, tenant_id, TASKS, month)
    if known is None:
        deps.store.commit(insert(IndexedMonth(tenant_id, TASKS, month, next_look_ms(deps, month))))
    elif known.due_at_ms is None:
        deps.store.commit(update(known, due_at_ms=next_look_ms(deps, month)))


@contextmanager
def mended_later(deps: Deps, tenant_id: str) -> Iterator[None]:
    """Notes of which months an Unreadable tells that comes out of it, and lets it go on: the sweeper will find them."""
    try:
        yield
    except Unreadable as error:
        for month in error.months:
            with suppress(Conflict):  # somebody else noted it, or looks after it now
                _note_unreadable(deps, tenant_id, month)
        raise


def is_over(deps: Deps, month: str) -> bool:
    """Whether the words of a month are to be forgotten."""
    return deps.now_ms() >= _over_at_ms(deps, month)


def next_look_ms(deps: Deps, month: str) -> int:
    """When to look at a month that can be read and has words."""
    return min(_over_at_ms(deps, month), deps.now_ms() + _LONGEST_MS)


def _over_at_ms(deps: Deps, month: str) -> int:
    return end_of_month_ms(month) + DAY_MS * deps.settings.results_retention_days


def _note_unreadable(deps: Deps, tenant_id: str, month: str) -> None:
    known = deps.store.get(IndexedMonth, tenant_id, TASKS, month)
    if known is None:
        deps.store.commit(insert(IndexedMonth(tenant_id, TASKS, month, deps.now_ms(), unreadable=True)))
    elif not known.unreadable:
        deps.store.commit(update(known, due_at_ms=deps.now_ms(), unreadable=True))
