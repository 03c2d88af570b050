"""How a runner is told to end: Ctrl-C, SIGTERM, and SIGHUP from a terminal that is closed."""

import signal
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_when_told_to_end() -> None:
    """From now on the first of these signals raises KeyboardInterrupt, and no other disturbs the clearing up.

    One that is ignored already (`nohup`) stays ignored.
    """
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    signal.default_int_handler(number, frame)
