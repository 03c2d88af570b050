"""The messages that a worker has in hand: how many, by which receipt, and that they stay hidden from other workers."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from callscribe.errors import CallscribeError
from callscribe.ports import WorkMessage, WorkQueue

log = logging.getLogger(__name__)

# In all, from its receipt on. A queue lets nobody keep a message for longer than 12 h, counts from when it answered,
# and refuses what would be a moment too long: hence a little less.
SUSPECT_FROM = 3  # times received; of those who were in hand with the culprit, each is then tried by itself
LONGEST_HIDDEN_S = 43_100


@dataclass(slots=True, eq=False)
class Held:
    """One message in hand, by its newest receipt. `turn` is set once no other message of its job is before it.

    `hiding` is held while the queue is asked to hide or to show it, so that nothing hides it after it was given back.
    """

    message: WorkMessage
    since_s: float
    turn: threading.Event = field(default_factory=threading.Event)
    hiding: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_suspect(self) -> bool:
        """It may be what ended the workers that had it: then it shall not take others along once more."""
        return self.message.received_count >= SUSPECT_FROM


class InHand:
    """What is in hand, safe under threads. A message that left it is no longer touched by this worker."""

    def __init__(self, queue: WorkQueue, *, visibility_s: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._visibility_s = visibility_s
        self._now_s = now_s
        self._held: list[Held] = []
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, message: WorkMessage) -> Held | None:
        """Take a message in hand, or None where it is in hand already: then only its newest receipt is remembered.

        It is the same message if it reports to the same task. Another one of the same job, which an execution that was
        started anew has sent, gets its turn when those before it are out of hand.
        """
        with self._changed:
            for held in self._held:
                if held.message.task_token == message.task_token:
                    held.message, held.since_s = message, self._now_s()
                    return None
            held = Held(message, self._now_s())
            self._held.append(held)
            self._give_turns()
            return held

    def let_go(self, held: Held) -> None:
        """Nothing more is done about it. Letting go twice is harmless."""
        with self._changed, suppress(ValueError):
            self._held.remove(held)
            self._give_turns()
            self._changed.notify_all()

    def delete(self, held: Held) -> None:
        """The work is done. Raises Unavailable, and the message is still in hand."""
        self._queue.delete(held.message)

    def give_back(self, held: Held, *, delay_s: int) -> None:
        """Let the message be received again in so many seconds, and let go. Nothing is done about one that is gone."""
        with held.hiding:
            try:
                if held in self._all():
                    self._extend(held, delay_s, else_say="comes back when its visibility runs out")
            finally:
                self.let_go(held)

    def give_all_back(self) -> None:
        """Let every message in hand be received again at once."""
        with ExitStack() as each:  # what goes wrong with one is no reason not to try the others
            for held in self._all():
                each.callback(self.give_back, held, delay_s=0)

    def keep_hidden(self) -> None:
        """Hide every message in hand for the visibility, counted anew; call it every third of that.

        One that the queue would not hide any longer comes back, and may then be received again, by us as well.
        """
        with ExitStack() as each:  # as above
            for held in self._all():
                each.callback(self._keep_one_hidden, held)

    def wait_for_room(self, slots: int, *, at_most_s: float) -> int:
        """How many of so many slots are free, waiting for the first; none while a suspect is in hand."""
        with self._changed:
            self._changed.wait_for(lambda: self._room(slots) > 0, at_most_s)
            return self._room(slots)

    def wait_for_end(self, *, at_most_s: float) -> bool:
        """Whether nothing is in hand, waiting for it."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._held, at_most_s)

    def _all(self) -> list[Held]:
        with self._changed:
            return list(self._held)

    def _keep_one_hidden(self, held: Held) -> None:
        with held.hiding:
            left_s = LONGEST_HIDDEN_S - (self._now_s() - held.since_s)
            if left_s >= 1 and held in self._all():
                self._extend(held, min(self._visibility_s, int(left_s)), else_say="could not be kept hidden")

    def _room(self, slots: int) -> int:
        return 0 if any(held.is_suspect for held in self._held) else max(0, slots - len(self._held))

    def _give_turns(self) -> None:
        """Of each job's messages the first has its turn, and a suspect has it alone."""
        for held in reversed({one.message.job_id: one for one in reversed(self._held)}.values()):
            working = [one for one in self._held if one.turn.is_set()]
            if not working or not any(one.is_suspect for one in (held, *working)):
                held.turn.set()

    def _extend(self, held: Held, visibility_s: int, *, else_say: str) -> None:
        try:
            self._queue.extend(held.message, visibility_s=visibility_s)
        except CallscribeError:
            log.warning("job %s: its message %s", held.message.job_id, else_say)
