"""As many workers as the measured work wants: one look at the stage, one decision, and what follows from it.

The decision is stored by compare-and-swap before anything is asked of the pool. So of two looks at the same time one
acts, and one that dies in between leaves places that lapse, or that the jobs of the pool take which it still asked for.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from callscribe import names
from callscribe.domain import pool
from callscribe.domain.measuring import load_of, measured
from callscribe.domain.pool import Look, PoolState, PoolWorker, brought_up_to_date, resized
from callscribe.domain.records import Change, insert, update
from callscribe.domain.scaling import Decision, Load, Reason, ScalingSettings, decide
from callscribe.domain.work import NOTHING_ARRIVED, POOL, WorkerSeen
from callscribe.errors import Unavailable
from callscribe.ports import Deps, QueueDepth
from callscribe.services import arrivals
from callscribe.services.commits import committed

log = logging.getLogger(__name__)

WORKER_NAME = f"{names.SERVICE}-worker"
LEAVE_S = 900  # how long a worker that is told to go may finish what it has in hand
OVERDUE_S = 120  # and how much later it is ended
FULL_LOOK_MINUTES = 15  # so often at rest too: a worker that nobody knows of costs money
_SUBMIT_WITHIN_MS = pool.LISTS_LAG_MS // 3  # later its places may have lapsed, and others been asked for
_NOTHING = Load(waiting_s=0, oldest_s=0, arriving=0, rate=None, alive=0, starting=0)


def tick(deps: Deps, settings: ScalingSettings) -> Decision | None:
    """Look, decide, act; None where another look was faster. Raises Unavailable: nothing was decided.

    At rest (nothing waits, no worker is known) it costs one read and one question to the queue.
    """
    stored = deps.store.get(PoolState, POOL)
    depth = deps.work_gauge.depth()
    state = stored or PoolState()
    if state.rests and not depth.waiting + depth.in_work and not _is_time_for_a_full_look(deps.now_ms()):
        return _said(Decision(0, Reason.EMPTY), _NOTHING)
    look = _look(deps, state, depth)
    state = measured(brought_up_to_date(state, look), look)
    load = load_of(state, look)
    decision = decide(load, settings)
    state = resized(state, decision.workers, look, max_workers=settings.max_workers)
    if not _kept(deps, stored, state):
        log.info("another look at the workers was faster")
        return None
    _said(decision, load)
    asked = 0 if stored is None else stored.asked
    _ask_for(deps, [worker for worker in state.workers if worker.id is None and worker.number > asked])
    for worker in state.workers:
        if worker.going and worker.id is not None:
            _send_away(deps, worker.id, worker, look)
    return decision


def _is_time_for_a_full_look(now_ms: int) -> bool:
    return now_ms // 60_000 % FULL_LOOK_MINUTES == 0


def _look(deps: Deps, state: PoolState, depth: QueueDepth) -> Look:
    # Starting ones first: a worker that begins to run meanwhile is then in both lists, not in none.
    starting, running = deps.worker_pool.starting(), deps.worker_pool.running()
    ids = sorted(running.union(worker.id for worker in state.workers if worker.id is not None) - starting)
    seen = {one: deps.store.get(WorkerSeen, POOL, one) for one in ids}
    matters = bool(starting or ids or depth.waiting + depth.in_work)
    return Look(
        at_ms=deps.now_ms(),
        waiting=depth.waiting,
        in_work=depth.in_work,
        starting=starting,
        running=running,
        seen={one: worker for one, worker in seen.items() if worker is not None},
        arrived=arrivals.recent(deps) if matters else NOTHING_ARRIVED,
    )


def _kept(deps: Deps, stored: PoolState | None, state: PoolState) -> bool:
    """Whether this look's state is what is stored now; what has not changed is not written."""
    if state == (stored or PoolState()):
        return True
    if stored is None:
        return committed(deps, insert(state))
    return committed(deps, Change(stored, replace(state, version=stored.version + 1)))


def _said(decision: Decision, load: Load) -> Decision:
    figures = (decision.workers, load.alive, load.starting, math.ceil(load.waiting_s), decision.reason)
    log.info(names.SCALING_LOG, *figures)
    return decision


def _ask_for(deps: Deps, places: Sequence[PoolWorker]) -> None:
    """One job of the pool for each place. Their ids are of no use before the pool lists them, and so not noted here.

    An answer that does not come may mean a job. Then the next looks will see it; or its place lapses.
    """
    for place in places:
        if deps.now_ms() - place.starting_at_ms >= _SUBMIT_WITHIN_MS:
            return
        try:
            deps.worker_pool.submit(f"{WORKER_NAME}-{place.number}")
        except Unavailable:
            log.warning("the pool did not take worker %d of %s", place.number, [one.number for one in places])
            return


def _send_away(deps: Deps, worker_id: str, worker: PoolWorker, look: Look) -> None:
    """Ask a worker that may have something in hand to go, and end any other. Again at every look, until it is gone."""
    seen = look.seen.get(worker_id)
    if pool.is_lost(worker, look):
        log.warning("worker %s fell silent or never spoke; ending it", worker_id)
        _end(deps, worker_id, "it is silent")
    elif worker.heard_at_ms is None:
        _end(deps, worker_id, "it is not needed")
    elif seen is None:
        log.info("worker %s leaves by itself", worker_id)
    elif seen.leave_by_ms is None:
        _tell_to_go(deps, seen, by_ms=look.at_ms + 1000 * LEAVE_S)
    elif look.at_ms > seen.leave_by_ms + 1000 * OVERDUE_S:
        log.warning("worker %s was told to go and did not; ending it", worker_id)
        _end(deps, worker_id, "it did not go")


def _end(deps: Deps, worker_id: str, reason: str) -> None:
    deps.worker_pool.end(worker_id, reason=f"{names.SENT_AWAY}{reason}")


def _tell_to_go(deps: Deps, seen: WorkerSeen, *, by_ms: int) -> None:
    """By its own record, which it reads at every beat, and writes."""
    if not committed(deps, update(seen, leave_by_ms=by_ms)):
        log.info("worker %s spoke just now; it is told to go at the next look", seen.id)
