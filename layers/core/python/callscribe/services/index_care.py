"""What keeps a tenant's index in order beside taking changes in (see `services.indexed_months`)."""

import logging

from callscribe.domain.indexed_months import IndexedMonth
from callscribe.domain.records import update
from callscribe.domain.task_marks import TASKS
from callscribe.errors import Unreadable
from callscribe.ports import Deps
from callscribe.services import commits, indexed_months, indexing

log = logging.getLogger(__name__)


def keep(deps: Deps, tenant_id: str, *, longest_s: float = indexing.LONGEST_S) -> None:
    """All that a tenant's index is asked for: `indexing.fold_in`, then `tend`."""
    until_ms = deps.now_ms() + round(1000 * longest_s)
    indexing.fold_in(deps, tenant_id, longest_s=longest_s)
    tend(deps, tenant_id, until_ms=until_ms)


def tend(deps: Deps, tenant_id: str, *, until_ms: int) -> None:
    """Make months anew that cannot be read, and forget the words of those that are over.

    None is begun after `until_ms`: then the index is asked for again. Raises Conflict as `indexing.rebuild` does; the
    sweeper finds what was not done.
    """
    for month in deps.store.children(IndexedMonth, tenant_id, TASKS):
        if not _needs_care(deps, month):
            continue
        if deps.now_ms() >= until_ms:
            indexing.ask(deps, tenant_id)
            return
        _tend_month(deps, month)


def look(deps: Deps, listed: IndexedMonth) -> str:
    """The sweeper's: a month that needs care has its tenant's index asked for; what was done."""
    month = deps.store.get(IndexedMonth, listed.tenant_id, listed.list_name, listed.month)
    if month is None or month.due_at_ms is None or deps.now_ms() < month.due_at_ms:
        return "ended_meanwhile"
    if not _needs_care(deps, month):
        deps.store.commit(update(month, due_at_ms=indexed_months.next_look_ms(deps, month.month)))
        return "month_kept"
    deps.store.commit(update(month, due_at_ms=deps.now_ms() + 1000 * deps.settings.recheck_s))
    indexing.ask(deps, month.tenant_id)
    return "index_asked"


def _needs_care(deps: Deps, month: IndexedMonth) -> bool:
    return month.unreadable or (month.due_at_ms is not None and indexed_months.is_over(deps, month.month))


def _tend_month(deps: Deps, known: IndexedMonth) -> None:
    tenant_id, month = known.tenant_id, known.month
    if known.unreadable:
        indexing.rebuild_month(deps, tenant_id, month)
    is_over = indexed_months.is_over(deps, month)
    if is_over:
        _drop_words(deps, tenant_id, month)
    due_at_ms = None if is_over else indexed_months.next_look_ms(deps, month)
    commits.committed(deps, update(known, due_at_ms=due_at_ms, unreadable=False))  # else there is more to be done


def _drop_words(deps: Deps, tenant_id: str, month: str) -> None:
    try:
        deps.task_index.drop_words(tenant_id, month)
    except Unreadable:
        indexing.rebuild_month(deps, tenant_id, month)
        deps.task_index.drop_words(tenant_id, month)
    log.info("tenant %s: forgot what was said in %s", tenant_id, month)
