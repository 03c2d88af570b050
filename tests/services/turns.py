"""Several people's work in small steps, one at a time, in an order that a test chooses."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from callscribe.adapters.memory.faults import Moment, When

_MOST_STEPS = 1_000


@dataclass
class Actor:
    """Somebody who does `work` in a thread of their own, and stops before each call of these methods of a port that has
    `pause`.
    """

    work: Callable[[], object]
    methods: frozenset[str]
    raised: BaseException | None = None
    done: bool = False
    _mine: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _back: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _thread: threading.Thread | None = None

    def pause(self, moment: Moment) -> None:
        """A plan for `faults.faulty`: let the others go on, until it is this one's turn again."""
        if moment.when is When.BEFORE and moment.method in self.methods:
            self._back.release()
            self._mine.acquire()

    def step(self) -> None:
        """Go on to the next pause, or to the end."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._mine.release()
        self._back.acquire()

    def _run(self) -> None:
        try:
            self.work()
        except BaseException as error:  # noqa: BLE001 - told to the test, which raises it
            self.raised = error
        self.done = True
        self._back.release()


def play(actors: Sequence[Actor], order: Iterable[int], *, after_each: Callable[[], None]) -> None:
    """Let the actors go on in this order, by their numbers, then one after the other to their ends.

    Who is done already is left out. Raises what one of them raised.
    """
    for number in chain(order, *(repeat(number, _MOST_STEPS) for number in range(len(actors)))):
        actor = actors[number]
        if actor.done:
            continue
        actor.step()
        after_each()
        if actor.raised is not None:
            raise actor.raised
