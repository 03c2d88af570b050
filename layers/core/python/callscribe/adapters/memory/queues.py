"""A queue: at least once, in no promised order, hidden while somebody works on it; if it is FIFO, equal ones once."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callscribe import names
from callscribe.ports import QueueDepth, WorkMessage

Body = dict[str, str | int | float]
_log = logging.getLogger(__name__)
_EQUAL_MS = 300_000


@dataclass(slots=True, eq=False)
class _Entry:
    body: Body
    visible_at_ms: int
    receipts: list[str] = field(default_factory=list)  # one for each time it was handed out


class MemoryQueue:
    """Both ends of a queue and its gauge: `Sender`, `WorkQueue`, `QueueGauge`; `take` does what a trigger does.

    Messages come `delay_s` after they were sent. `equal_once`: of equal ones of five minutes the first alone is taken,
    even where it is gone by then, as a FIFO queue does by its messages' content.
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        *,
        visibility_s: int = names.WORK_MESSAGE_VISIBILITY_S,
        max_receives: int | None = None,
        delay_s: int = 0,
        equal_once: bool = False,
    ) -> None:
        self._now_ms = now_ms
        self._visibility_ms = visibility_s * 1000
        self._max_receives = max_receives
        self._delay_ms = delay_s * 1000
        self._equal_once = equal_once
        self._sent_ms: dict[str, int] = {}
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._receipts = 0
        self.dead_letters: list[Body] = []

    def send(self, message: Mapping[str, str | int | float]) -> None:
        """See `ports.Sender.send`."""
        with self._lock:
            if self._equal_once and self._known(dict(message)):
                return
            self._entries.append(_Entry(dict(message), self._now_ms() + self._delay_ms))

    def receive(self, *, max_messages: int, wait_s: int) -> list[WorkMessage]:
        """See `ports.WorkQueue.receive`; never waits. A message that is no work stays until it is a dead letter."""
        if not (1 <= max_messages <= 10 and 0 <= wait_s <= 20):
            raise ValueError("a queue hands out 1 to 10 messages and waits 0 to 20 s")
        with self._lock:
            self._bury()
            handed_out = [(entry, self._hand_out(entry)) for entry in self._visible()[:max_messages]]
        return [message for entry, receipt in handed_out if (message := _work(entry, receipt))]

    def extend(self, message: WorkMessage, *, visibility_s: int) -> None:
        """See `ports.WorkQueue.extend`; an outdated receipt changes nothing."""
        with self._lock:
            for entry in self._held(message):
                entry.visible_at_ms = self._now_ms() + visibility_s * 1000

    def delete(self, message: WorkMessage) -> None:
        """See `ports.WorkQueue.delete`; an outdated receipt deletes nothing."""
        with self._lock:
            for entry in self._held(message):
                self._entries.remove(entry)

    def take(self) -> list[Body]:
        """Remove every visible message and answer their bodies: a trigger whose function succeeds."""
        with self._lock:
            taken = self._visible()
            self._entries = [entry for entry in self._entries if entry not in taken]
        return [entry.body for entry in taken]

    def depth(self) -> QueueDepth:
        """See `ports.QueueGauge.depth`."""
        with self._lock:
            waiting = len(self._visible())
            return QueueDepth(waiting, len(self._entries) - waiting)

    @property
    def bodies(self) -> list[Body]:
        """The bodies of all messages that are neither deleted nor dead, hidden ones included."""
        with self._lock:
            return [entry.body for entry in self._entries]

    def _known(self, body: Body) -> bool:
        key, now_ms = json.dumps(body), self._now_ms()
        known = now_ms - self._sent_ms.get(key, -_EQUAL_MS) < _EQUAL_MS
        if not known:
            self._sent_ms[key] = now_ms
        return known

    def _visible(self) -> list[_Entry]:
        return [entry for entry in self._entries if entry.visible_at_ms <= self._now_ms()]

    def _hand_out(self, entry: _Entry) -> str:
        self._receipts += 1
        entry.receipts.append(f"receipt-{self._receipts}")
        entry.visible_at_ms = self._now_ms() + self._visibility_ms
        return entry.receipts[-1]

    def _held(self, message: WorkMessage) -> list[_Entry]:
        return [entry for entry in self._entries if entry.receipts and entry.receipts[-1] == message.receipt]

    def _bury(self) -> None:
        limit = self._max_receives
        spent = [entry for entry in self._visible() if limit is not None and len(entry.receipts) >= limit]
        self.dead_letters.extend(entry.body for entry in spent)
        self._entries = [entry for entry in self._entries if entry not in spent]


def _work(entry: _Entry, receipt: str) -> WorkMessage | None:
    tenant_id, job_id, task_token = (entry.body.get(name) for name in ("tenant_id", "job_id", "task_token"))
    if not (isinstance(tenant_id, str) and isinstance(job_id, str) and isinstance(task_token, str)):
        _log.error("a message on the work queue is no work; it is left to become a dead letter")
        return None
    return WorkMessage(receipt, tenant_id, job_id, task_token, len(entry.receipts))
