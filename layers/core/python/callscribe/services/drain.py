"""A worker: drains the work queue until it is told to go, is idle, or its machine is taken away.

Up to `slots` recordings are open at a time, each read and reported by a thread of its own; the transcriber lets them
share the engine's batches. No more is received than there are free slots, so nothing lies in this worker's memory that
another one could begin with.

Tenants: which message comes next is the queue's decision (SQS fair queues put a tenant with little in work before one
with much), and whose speech comes next is the transcriber's. Between them this worker adds no rule of its own: it can
neither ask the queue for another tenant's message nor learn whether there is one, and a message that is handed back for
the sake of another one has lost one of its few tries. A slot is free again when the shortest recording in hand is done.

Nothing is lost: a message leaves the queue only when its work is reported. Nothing is done twice in effect: see `work`.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from callscribe import names
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import CallscribeError, Stopped, Unavailable
from callscribe.ports import Deps, SpeechPipeline, WorkMessage, WorkQueue
from callscribe.services import work
from callscribe.services.heartbeats import Heartbeat, Totals
from callscribe.services.in_hand import Held, InHand
from callscribe.services.repeating import repeating

log = logging.getLogger(__name__)

_RECEIVE_AT_MOST = 10  # messages in one request; the queue's own limit
_RECEIVE_WAIT_S = 2  # so long a stop may have to wait for a worker with free slots; a queue would allow 20
_EMPTY_PAUSE_S = 0.01  # after an empty answer, for a queue that does not wait
_OUTAGE_PAUSE_S = 1.0  # after the queue did not answer
_LOOK_S = 0.5  # so often it is seen that a stop was asked for
_RETRY_DELAY_S = 10  # after a try that failed, and so much longer after each further one
_END_S = 3.0  # how long recordings may take to notice that they were stopped
_SPOT_LOOK_S = 5.0
_SPOT_GRACE_S = 90.0  # of the two minutes that a spot machine has left
_LEAVE_MARGIN_S = 10.0  # to be gone before the time by which this worker was told to go
_LEAST_FAILURES = 8  # jobs in a row, at least, that show that it is not the recordings


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What an operator may choose. Raises ValueError for settings that make no sense.

    `slots`: recordings open at a time; enough that their speech fills the engine's batches, and each takes a decoding
    process. `idle_s`: go after so long without work, so that no machine is paid for nothing; None: never by itself.
    `grace_s`: how long a stop lets what is in hand go on; a few seconds less than the container's own grace.
    `spot_notice`: whether to ask the machine if it is about to be taken away.
    """

    slots: int = 1
    idle_s: float | None = None
    grace_s: float = 20.0
    spot_notice: bool = False

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise ValueError("a worker has at least 1 slot")
        if self.grace_s < 0 or (self.idle_s is not None and self.idle_s < 0):
            raise ValueError("grace_s and idle_s are not negative")


class Drain:
    """One worker. `run` returns when it is done; `stop` may be called meanwhile, from any thread or signal handler.

    `interrupted` answers whether this machine is about to be taken away; it is asked where `spot_notice` says so.
    """

    def __init__(
        self,
        deps: Deps,
        queue: WorkQueue,
        transcriber: SpeechPipeline,
        settings: WorkerSettings,
        *,
        worker_id: str | None = None,
        interrupted: Callable[[], bool] | None = None,
    ) -> None:
        self._deps = deps
        self._queue = queue
        self._transcriber = transcriber
        self._settings = settings
        self._interrupted = interrupted if settings.spot_notice else None
        self._visibility_s = deps.settings.work_visibility_s
        self._hands = InHand(queue, visibility_s=self._visibility_s)
        self._heartbeat = Heartbeat(deps, worker_id or deps.random_bytes(16).hex())
        self._count = threading.Lock()
        self._totals = Totals()
        self._failed_in_a_row: Counter[str] = Counter()  # tries, by job id
        self._out_of_order = False
        self._gone_by_s: list[float] = []  # only ever appended to: takes no lock, so a signal handler may do it

    def stop(self, *, grace_s: float | None = None) -> None:
        """Receive no more; after `grace_s` (None: as set) give back what is not done, and return from `run`.

        Of several stops the one counts whose grace ends first.
        """
        self._gone_by_s.append(time.monotonic() + (self._settings.grace_s if grace_s is None else grace_s))

    def run(self) -> None:
        """Drain the queue. Raises Unavailable when try after try failed: this worker is then of no use."""
        keep_hidden, hidden_s = self._hands.keep_hidden, self._visibility_s / 3
        with ExitStack() as beside:
            beside.callback(self._heartbeat.end)
            beside.enter_context(repeating(self._beat, every_s=names.WORKER_BEAT_S, name="heartbeat", at_once=True))
            beside.enter_context(repeating(keep_hidden, every_s=hidden_s, name="keeping messages hidden"))
            if self._interrupted is not None:
                beside.enter_context(repeating(self._look_for_notice, every_s=_SPOT_LOOK_S, name="spot notice"))
            beside.callback(self._end)
            self._receive_until_told()
        if self._out_of_order:
            raise Unavailable(f"{self._failed_in_a_row.total()} tries in a row failed: this worker is out of order")

    def _receive_until_told(self) -> None:
        busy_at_s = time.monotonic()
        while not self._gone_by_s:
            room = self._hands.wait_for_room(self._settings.slots, at_most_s=_LOOK_S)
            messages = self._receive(room) if room else []
            for message in messages:
                self._begin(message)
            if messages or len(self._hands):
                busy_at_s = time.monotonic()
            elif self._settings.idle_s is not None and time.monotonic() - busy_at_s > self._settings.idle_s:
                log.info("no work for %g s", self._settings.idle_s)
                return

    def _receive(self, room: int) -> list[WorkMessage]:
        try:
            messages = self._queue.receive(max_messages=min(room, _RECEIVE_AT_MOST), wait_s=_RECEIVE_WAIT_S)
        except CallscribeError:
            log.exception("could not receive")
            time.sleep(_OUTAGE_PAUSE_S)
            return []
        if not messages:
            time.sleep(_EMPTY_PAUSE_S)
        return messages

    def _begin(self, message: WorkMessage) -> None:
        held = self._hands.take(message)
        if held is None:
            log.warning("job %s: came again while it is in hand", message.job_id)
        elif self._gone_by_s:  # told to go while the queue was asked
            self._hands.give_back(held, delay_s=0)
        else:
            name = f"job {message.job_id}"
            threading.Thread(target=self._work, args=(held,), name=name, daemon=True).start()

    def _end(self) -> None:
        """Let what is in hand go on until the grace is over, if a stop gave one; then give back the rest."""
        while self._gone_by_s and time.monotonic() < min(self._gone_by_s):
            if self._hands.wait_for_end(at_most_s=min(_LOOK_S, max(0.0, min(self._gone_by_s) - time.monotonic()))):
                return
        if len(self._hands):
            log.info("giving back what is not done: %d jobs", len(self._hands))
            self._transcriber.stop()
            self._hands.wait_for_end(at_most_s=_END_S)
            self._hands.give_all_back()

    def _work(self, held: Held) -> None:
        """All that is done about one message, in a thread of its own."""
        job_id = held.message.job_id
        try:
            self._wait_for_turn(held)
            log.info("job %s: begun (received %d times)", job_id, held.message.received_count)
            figures = work.transcribe(self._deps, held.message, self._transcriber)
            self._hands.delete(held)
            self._succeeded(figures)
            log.info("job %s: done%s", job_id, _in_words(figures))
        except Stopped:
            log.info("job %s: given back", job_id)
            self._hands.give_back(held, delay_s=0)
            self.stop(grace_s=0)  # of a transcriber that was stopped nothing more can be expected
        except Exception:
            log.exception("job %s: another try is needed", job_id)
            self._hands.give_back(held, delay_s=_RETRY_DELAY_S * held.message.received_count)
            self._failed(job_id)
        finally:
            self._hands.let_go(held)

    def _wait_for_turn(self, held: Held) -> None:
        while not held.turn.wait(_LOOK_S):
            if self._gone_by_s and time.monotonic() > min(self._gone_by_s):
                raise Stopped("this worker ends before its turn came")

    def _succeeded(self, figures: WorkFigures | None) -> None:
        with self._count:
            self._totals = self._totals.plus(figures)
            self._failed_in_a_row.clear()

    def _failed(self, job_id: str) -> None:
        """A broken engine would fail all that waits, one after the other: better leave it to another worker."""
        with self._count:
            self._failed_in_a_row[job_id] += 1
            # One broken batch may fail all that are open at the time.
            many = len(self._failed_in_a_row) >= max(_LEAST_FAILURES, 2 * self._settings.slots)
            # With little work it is the same few again and again, until they have no tries left. Nothing succeeded
            # between two tries of this one, and nothing is in hand that might: then the next try is another worker's.
            again = self._failed_in_a_row[job_id] > 1 and not len(self._hands)
            self._out_of_order |= many or again
        if self._out_of_order:
            self.stop(grace_s=0)

    def _beat(self) -> None:
        leave_by_ms = self._heartbeat.beat(self._totals, in_hand=len(self._hands))
        if leave_by_ms is not None and not self._gone_by_s:
            log.info("told to leave")
            left_s = (leave_by_ms - self._deps.now_ms()) / 1000 - _LEAVE_MARGIN_S
            self.stop(grace_s=max(0.0, left_s))

    def _look_for_notice(self) -> None:
        if self._interrupted is not None and not self._gone_by_s and self._interrupted():
            log.warning("this machine is about to be taken away")
            self.stop(grace_s=_SPOT_GRACE_S)


def _in_words(figures: WorkFigures | None) -> str:
    """What a job cost, as name=value, for whoever counts log lines. `rtfx`: seconds of audio per second of engine."""
    if figures is None:
        return ", nothing was transcribed"
    fill = "-" if figures.batch_fill is None else f"{figures.batch_fill:.3f}"
    rtfx = f"{figures.audio_s / figures.device_s:.1f}" if figures.device_s else "-"
    return (
        f" audio_s={figures.audio_s:.3f} speech_s={figures.speech_s:.3f} device_s={figures.device_s:.3f} "
        f"fill={fill} worker_s={figures.worker_s:.3f} rtfx={rtfx}"
    )
