"""Keeps a whole process from the addresses that the guard refuses, whichever library opens the connection.

For code that has a network of its own, which no connector of ours can be put under. Python asks every hook of this
kind before it connects a socket, to the address that was resolved; a hook cannot be taken away again. What a library
in C connects by itself is not seen: none is among those that the fetcher of videos has.
"""

import sys
from typing import Any, ClassVar

from callscribe.adapters.web.guard import LOOPBACK, Rule, check_address
from callscribe.errors import OutboundRefused

_CONNECTING = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg"))
_STARTING = frozenset(
    ("os.system", "os.exec", "os.spawn", "os.posix_spawn")
)  # beside subprocess, which names its program


class NotPublic(PermissionError):
    """A connection was refused; an OSError, so that any library takes it for one that failed."""

    WORDS: ClassVar[str] = "the address is not public"

    def __init__(self) -> None:
        super().__init__(self.WORDS)


class Fence:
    """Lets this process connect to public addresses, or (`loopback_port`) to that one port of 127.0.0.1 only.

    `programs` are the only ones that it may start.
    """

    def __init__(self, *, loopback_port: int | None = None, programs: frozenset[str] = frozenset()) -> None:
        self._loopback_port = loopback_port
        self._programs = programs

    def put_up(self) -> None:
        """From now on, for good."""
        sys.addaudithook(self._judge)

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTING and not self._may_connect(arguments[1]):
            raise NotPublic
        is_other = event == "subprocess.Popen" and str(arguments[0]) not in self._programs
        if is_other or event in _STARTING:
            raise PermissionError("no other program is started")

    def _may_connect(self, address: object) -> bool:
        match address:
            case (str(host), int(port), *_):
                return self._is_allowed(host, port)
            case None:  # of a socket that is connected
                return True
            case _:
                return False

    def _is_allowed(self, host: str, port: int) -> bool:
        if self._loopback_port is not None:
            return (host, port) == (LOOPBACK, self._loopback_port)
        try:
            check_address(host)
        except OutboundRefused:
            return False
        return True


def not_public() -> OutboundRefused:
    """What whoever asked for the connection is told."""
    return OutboundRefused(Rule.ADDRESS, "the link led to an address that is not public")
