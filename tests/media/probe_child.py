"""Stands in for the decoding child: confines itself in the same way, then misbehaves as its request says."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from callscribe.media import confine, messages


def _tell(kind: bytes, payload: bytes = b"") -> None:
    os.write(1, messages.pack(kind, len(payload)) + payload)


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def report() -> None:
    facts = {
        "environment": sorted(os.environ),
        "refused": {
            "tcp socket": _refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
            "unix socket": _refused(lambda: socket.socket(socket.AF_UNIX)),
            "read": _refused(lambda: Path("/etc/hostname").read_bytes()),
            "write": _refused(lambda: Path("/tmp/callscribe-probe").touch()),
            "pipe": _refused(os.pipe),
        },
    }
    _tell(messages.FACTS, json.dumps(facts).encode())


def eat_memory() -> None:
    hoard = [bytearray(16 * 1024 * 1024) for _ in range(64)]
    _tell(messages.FACTS, str(len(hoard)).encode())


def spin() -> None:
    confine.Allowance(base_s=1.0).grant(audio_s=0.0)
    while True:
        pass


def start_slowly() -> None:
    """Its modules have cost more than a file may."""
    _burn(0.5)
    _tell(messages.FACTS, b"{}")


def _burn(cpu_s: float) -> None:
    until_s = time.process_time() + cpu_s
    while time.process_time() < until_s:
        pass


def crash() -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def be_ended_early() -> None:
    os.kill(os.getpid(), signal.SIGXCPU)


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def vanish() -> None:
    sys.exit(0)


def hang() -> None:
    time.sleep(3600)


def go_on() -> None:
    while True:
        _tell(messages.ALIVE)


def fall_silent() -> None:
    os.close(1)
    time.sleep(3600)


def babble() -> None:
    os.write(1, b"no message at all, but text")


def lie() -> None:
    _tell(messages.FAILED, b'{"code": "made_up", "message": "trust me"}')


def shout() -> None:
    text = {"code": "audio_unreadable", "message": "\x1b[31m" + "x" * 9_000}
    _tell(messages.FAILED, json.dumps(text).encode())


if __name__ == "__main__":
    how = json.loads(sys.argv[1])["mode"]
    if how == start_slowly.__name__:
        confine.BASE_CPU_S = 1.0
        _burn(2.0)
    confine.confine(max_audio_s=3600.0)
    _tell(messages.ALIVE)
    ends = (spin, crash, be_ended_early, be_killed, vanish, hang, fall_silent, eat_memory)
    modes = (report, start_slowly, go_on, babble, lie, shout, *ends)
    {each.__name__: each for each in modes}[how]()
