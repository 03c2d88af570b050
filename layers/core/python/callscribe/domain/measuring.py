"""From what a look finds to the `Load` that the policy decides by. Pure.

The rate is what one worker does in a second of useful time. While work lay in the queue from one look to the next, a
worker had all that it can hold, and all of that time was useful: decoding, downloads and the engine together set its
pace. Otherwise only the time in which its engine worked is known to have been useful. That is too little where
something else is slower than the engine, and so the rate too high; then there will be too few workers, work stays in
the queue, and the next looks measure the truth. The other way round, from the time in which a worker had anything in
hand, workers with little to do would look slow, and their number would never fall.
"""

import math
from dataclasses import replace

from callscribe.domain.pool import Counted, Look, PoolState, PoolWorker, Standing, standing, staying
from callscribe.domain.scaling import Load
from callscribe.domain.work import WorkerSeen

RECORDING_S = 480.0  # by channel, until something arrived: a call of four minutes, two channels
MEMORY = 0.99  # of what was measured, from one look that measured something to the next
LEAST_S = 60.0  # of useful time, before what was measured counts


def measured(state: PoolState, look: Look) -> PoolState:
    """With this look's measurements: since when there is (no) work, how long recordings are, what workers do."""
    busy = look.messages > 0
    known = replace(
        _rated(state, look),
        left_waiting=look.waiting > 0,
        work_since_ms=(state.work_since_ms or look.at_ms) if busy else None,
        empty_since_ms=(state.empty_since_ms or look.at_ms) if state.workers and not busy else None,
    )
    if not look.arrived.recordings:
        return known
    return replace(known, recording_s=look.arrived.audio_s / look.arrived.recordings)


def load_of(state: PoolState, look: Look) -> Load:
    """What the policy decides by; `state` is this look's."""
    stay = staying(state, look)
    alive = sum(standing(worker, look) is Standing.ALIVE for worker in stay)
    return Load(
        waiting_s=look.messages * (state.recording_s or RECORDING_S),
        oldest_s=_seconds_since(state.work_since_ms, look),
        arriving=look.arrived.audio_s / look.arrived.over_s,
        rate=state.measured_audio_s / state.measured_s if state.measured_s >= LEAST_S else None,
        alive=alive,
        starting=len(stay) - alive,
        empty_s=_seconds_since(state.empty_since_ms, look),
        since_change_s=math.inf if state.changed_at_ms is None else _seconds_since(state.changed_at_ms, look),
    )


def _rated(state: PoolState, look: Look) -> PoolState:
    had_enough = state.left_waiting and look.waiting > 0
    looks = [_counted(worker, look, had_enough=had_enough) for worker in state.workers]
    audio_s, useful_s = sum(audio for _, audio, _ in looks), sum(useful for _, _, useful in looks)
    known = replace(state, workers=tuple(worker for worker, _, _ in looks))
    if not useful_s:
        return known
    return replace(
        known,
        measured_audio_s=MEMORY * state.measured_audio_s + audio_s,
        measured_s=MEMORY * state.measured_s + useful_s,
    )


def _counted(worker: PoolWorker, look: Look, *, had_enough: bool) -> tuple[PoolWorker, float, float]:
    """The worker, counted up to now; the audio that it did since it was last counted, and the useful time of that."""
    seen = look.seen.get(worker.id or "")
    # Until its first recordings are done, what a worker holds is not full, and its totals say nothing.
    if standing(worker, look) is Standing.GOING or worker.heard_at_ms is None or seen is None or not seen.jobs:
        return replace(worker, counted=None), 0.0, 0.0
    up_to_now = replace(worker, counted=Counted(seen.audio_s, seen.device_s, seen.seen_at_ms))
    since = worker.counted
    if since is None or seen.started_at_ms > since.at_ms:
        return up_to_now, 0.0, 0.0
    audio_s, useful_s = seen.audio_s - since.audio_s, _useful_s(seen, since, had_enough=had_enough)
    if audio_s > 0 and useful_s > 0:
        return up_to_now, audio_s, useful_s
    return (worker if had_enough else up_to_now), 0.0, 0.0  # a long recording ends in a later look


def _useful_s(seen: WorkerSeen, since: Counted, *, had_enough: bool) -> float:
    return (seen.seen_at_ms - since.at_ms) / 1000 if had_enough else seen.device_s - since.device_s


def _seconds_since(moment_ms: int | None, look: Look) -> float:
    return 0.0 if moment_ms is None else max(0.0, (look.at_ms - moment_ms) / 1000)
