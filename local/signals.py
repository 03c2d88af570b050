"""How a runner is told to end: Ctrl-C, SIGTERM, and SIGHUP from a terminal that is closed."""

import signal
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_unheeded: list[int] = []  # the signal that came, until `end_if_told` has said so


def interrupt_when_told_to_end() -> None:
    """From now on the first of these signals raises KeyboardInterrupt, and no other disturbs the clearing up.

    One that is ignored already (`nohup`) stays ignored.
    """
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def end_if_told() -> None:
    """Raises KeyboardInterrupt, once, if one of these signals came; call it now and then while nothing is cleared up.

    Python drops what a handler raises while a destructor or a callback of the collector runs.
    """
    if _unheeded:
        _unheeded.clear()
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    _unheeded.append(number)
    signal.default_int_handler(number, frame)
