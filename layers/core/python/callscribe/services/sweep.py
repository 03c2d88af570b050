"""The sweeper: finds what got stuck (a lost event, a dead execution, a lost callback) and moves it on."""

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from callscribe.domain.callbacks import Callback, CallbackState
from callscribe.domain.credits import Hold
from callscribe.domain.exchanges import Exchange
from callscribe.domain.indexed_months import IndexedMonth
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import update
from callscribe.domain.task_marks import DirtyTask
from callscribe.errors import CallscribeError, Conflict, FailureCode
from callscribe.ports import Deps, ExecutionState
from callscribe.services import callbacks, creation, exchanges, index_care, indexing, jobs, ledger, leftovers
from callscribe.services.callbacks import Renderer

log = logging.getLogger(__name__)

_DAY_MS = 86_400_000

RendererOf = Callable[[str], Renderer]  # a dialect's name → its callback renderer
Each = Callable[[Callable[[Any], str], Iterable[Any]], Iterable[str]]  # `map`, or one that takes several at once


def sweep(
    deps: Deps, *, renderer_of: RendererOf, limit: int = 200, longest_s: float = 0, threads: int = 1
) -> dict[str, int]:
    """Look at every record that is due, `limit` of each kind at a time; what was done, counted by name.

    While there may be more the next ones follow, as long as no more than `longest_s` have passed. With `threads`
    above 1 so many records of a kind are looked at side by side. Raises what kept it from finding the records of a
    kind, after it has been through the other kinds.
    """
    until_ms = deps.now_ms() + round(1000 * longest_s)
    look = _Look(deps, renderer_of, limit)
    with ThreadPoolExecutor(threads) as pool:
        each = map if threads == 1 else pool.map
        while look.at_all(each) >= limit and deps.now_ms() < until_ms:
            continue
    if look.errors:
        raise look.errors[0]
    return dict(look.done)


class _Look:
    """What one run of the sweeper looks for, has done, and could not find."""

    def __init__(self, deps: Deps, renderer_of: RendererOf, limit: int) -> None:
        self.done: Counter[str] = Counter()
        self.errors: list[Exception] = []
        self._deps = deps
        self._limit = limit
        self._actions: dict[type[Any], Callable[[Any], str]] = {
            Exchange: partial(exchanges.expire, deps),  # first: its end was promised to be soon
            Job: lambda job: _sweep_job(deps, job, renderer_of),
            Callback: partial(_sweep_callback, deps),
            Hold: partial(_sweep_hold, deps),
            DirtyTask: partial(_sweep_change, deps, set()),
            IndexedMonth: partial(index_care.look, deps),
        }

    def at_all(self, each: Each) -> int:
        """One look at every kind; how many records were due of the kind that has the most."""
        now_ms = self._deps.now_ms()
        return max(self._at(kind, action, each, now_ms) for kind, action in self._actions.items())

    def _at(self, kind: type[Any], action: Callable[[Any], str], each: Each, now_ms: int) -> int:
        """A kind that cannot be looked at must not keep the sweeper from the kinds after it."""
        try:
            due = self._deps.store.due(kind, now_ms=now_ms, limit=self._limit)
        except Exception as error:
            log.exception("the sweeper could not find what is due of the kind %s", kind.__name__)
            self.errors.append(error)
            return 0
        self.done.update(each(lambda record: _guarded(self._deps, record, partial(action, record)), due))
        return len(due)


def _guarded(
    deps: Deps, record: Job | Callback | Hold | Exchange | DirtyTask | IndexedMonth, action: Callable[[], str]
) -> str:
    """What was done. One record's trouble must not keep the sweeper from the others: it is looked at again later."""
    try:
        return action()
    except Conflict:
        return "raced"
    except Exception:
        log.exception("the sweeper could not move a record on")
    with contextlib.suppress(CallscribeError):
        deps.store.commit(update(record, due_at_ms=deps.now_ms() + 1000 * deps.settings.recheck_s))
    return "error"


def _sweep_job(deps: Deps, listed: Job, renderer_of: RendererOf) -> str:
    job = deps.store.get(Job, listed.tenant_id, listed.id)  # the index may lag behind
    if job is None:
        return "ended_meanwhile"
    if job.finished:
        return _sweep_ended(deps, job)
    render = renderer_of(job.dialect)
    if deps.now_ms() >= job.deadline_at_ms:
        return _fail(deps, job, render, FailureCode.DEADLINE_EXCEEDED)
    if job.state is JobState.AWAITING_UPLOAD:
        return _sweep_upload(deps, job, render)
    return _sweep_execution(deps, job, render)


def _sweep_ended(deps: Deps, job: Job) -> str:
    """What nobody wants any more goes, and once more at the deadline, after which nothing can come late."""
    if job.due_at_ms is None or deps.now_ms() < job.due_at_ms:
        return "ended_meanwhile"
    if job.state is JobState.COMPLETED and not job.kept:
        leftovers.erase_contents(deps, job)
    else:
        leftovers.clear(deps, job)
    leftovers.note_cleared(deps, job)
    return "cleared_up"


def _sweep_upload(deps: Deps, job: Job, render: Renderer) -> str:
    """An upload whose event was lost is taken up; one that never came ends the job."""
    info = deps.uploads.head(job.audio_key)
    if info is not None:
        jobs.uploaded(deps, tenant_id=job.tenant_id, job_id=job.id, version_id=info.version_id)
        return "upload_found"
    deadline_ms = job.created_at_ms + 1000 * deps.settings.upload_deadline_s
    if deps.now_ms() >= deadline_ms:
        code = FailureCode.SOURCE_UNREACHABLE if job.source else FailureCode.UPLOAD_EXPIRED
        return _fail(deps, job, render, code)
    if job.source:  # the message that asked for its audio may be lost
        deps.store.commit(update(job, due_at_ms=creation.next_ask_ms(deps, job)))
        creation.ask_for(deps, job)
        return "fetch_enqueued"
    deps.store.commit(update(job, due_at_ms=deadline_ms))
    return "upload_awaited"


def _sweep_execution(deps: Deps, job: Job, render: Renderer) -> str:
    """A running execution is left alone, one that never started is started, a dead one is replaced."""
    state = deps.transcriptions.state(job.execution_name)
    if state in (ExecutionState.SUCCEEDED, ExecutionState.FAILED):
        if job.failure is not None or job.run + 1 >= deps.settings.max_runs:
            return _fail(deps, job, render, FailureCode.INTERNAL)
        job = _later(deps, job, run=job.run + 1)
        jobs.start(deps, job)
        return "restarted"
    job = _later(deps, job)
    if state is None:
        jobs.start(deps, job)
        return "started"
    return "running"


def _later(deps: Deps, job: Job, **fields: int) -> Job:
    change = update(job, due_at_ms=deps.now_ms() + 1000 * deps.settings.recheck_s, **fields)
    deps.store.commit(change)
    moved: Job = change.after
    return moved


def _fail(deps: Deps, job: Job, render: Renderer, code: FailureCode) -> str:
    jobs.fail(deps, tenant_id=job.tenant_id, job_id=job.id, render=render, code=code)
    return f"failed_{code}"


def _sweep_callback(deps: Deps, listed: Callback) -> str:
    """A callback whose next attempt did not come is put into the queue again."""
    callback = deps.store.get(Callback, listed.tenant_id, listed.job_id, listed.replay)
    if callback is None or callback.state is not CallbackState.PENDING:
        return "ended_meanwhile"
    if deps.now_ms() >= callback.deadline_at_ms:
        callbacks.expire(deps, callback)
        return "callback_expired"
    deps.store.commit(update(callback, due_at_ms=deps.now_ms() + 1000 * deps.settings.recheck_s))
    callbacks.enqueue(
        deps,
        tenant_id=callback.tenant_id,
        job_id=callback.job_id,
        replay=callback.replay,
        attempt=callback.attempts + 1,
    )
    return "callback_enqueued"


def _sweep_hold(deps: Deps, listed: Hold) -> str:
    """A hold whose deadline has passed is released, unless its job goes on and will end it."""
    job = deps.store.get(Job, listed.tenant_id, listed.id)
    if job is not None and not job.finished:
        deps.store.commit(update(listed, due_at_ms=deps.now_ms() + 1000 * deps.settings.recheck_s))
        return "hold_awaits_its_job"
    ledger.release(deps, tenant_id=listed.tenant_id, hold_id=listed.id)
    return "hold_released"


def _sweep_change(deps: Deps, asked: set[str], row: DirtyTask) -> str:
    """A change that the index did not take in has the index asked for again, once for each tenant of a run.

    Each row moves on, or a tenant with thousands of them would hide the others'. The longer one is left the longer it
    waits for the next look: an index that cannot be written costs a few writes of each row and not one every look.
    """
    now_ms = deps.now_ms()
    if row.tenant_id not in asked:
        indexing.ask(deps, row.tenant_id)
        asked.add(row.tenant_id)
    wait_ms = min(max(now_ms - row.created_at_ms, 1000 * deps.settings.recheck_s), _DAY_MS)
    deps.store.commit(update(row, due_at_ms=now_ms + wait_ms))
    return "index_asked"
