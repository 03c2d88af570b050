"""One child process per audio file: nothing but the file's bytes goes in, nothing but messages comes out.

The child (`callscribe.media.child`) confines itself before it touches the first byte; this side gives it an
empty environment, watches that it keeps reporting, and turns every way of dying into a JobFailed. Pipes and
`subprocess` only: Lambda has no /dev/shm, so `multiprocessing` fails there.
"""

import contextlib
import fcntl
import json
import logging
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from callscribe.errors import FailureCode, JobFailed, TooSlow, Unavailable
from callscribe.media import confine, messages

CHILD_MODULE = "callscribe.media.child"
PIPE_BYTES = 1024 * 1024
STALL_S = 120.0  # a child that works reports every few seconds of audio
ENDING_S = 5.0  # from its last byte on: it has nothing more to say
MAX_MESSAGE_CHARS = 300

log = logging.getLogger(__name__)

Request = Mapping[str, str | int | float | bool]


class _Ended(Exception):
    """The child closed its pipe."""


def run(
    request: Request,
    audio: BinaryIO,
    *,
    module: str = CHILD_MODULE,
    stall_s: float = STALL_S,
    within_s: float | None = None,
) -> Iterator[messages.Message]:
    """The child's messages about the open file `audio`, the last one included, ALIVE ones left out.

    Time that the caller takes between two messages does not count as a stall. Closing the iterator kills the child.
    Raises JobFailed: what the child reported, or audio_unreadable where it crashed, hung or hit a limit;
    TooSlow where it has not ended `within_s` of its start; Unavailable where it never started.
    """
    until_s = math.inf if within_s is None else time.monotonic() + within_s
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", "-S", "-m", module, json.dumps(dict(request))],
        stdin=audio,
        stdout=subprocess.PIPE,
        env=environment(),
        cwd="/",
    )
    _widen(_pipe(process))
    try:
        yield from _until_last(process, stall_s, until_s)
    finally:
        process.kill()
        process.wait()
        _pipe(process).close()


def environment() -> dict[str, str]:
    """What Python needs to find the same packages and libraries, and nothing else: no credentials, no PATH."""
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path and Path(path).is_absolute()),
        "LD_LIBRARY_PATH": str(Path(sys.base_prefix) / "lib"),  # Lambda's interpreter finds libpython by it
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _widen(pipe: BinaryIO) -> None:
    """A pipe that holds most of a block: twenty times fewer switches between the processes."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # no more than a wish: a user's pipes have a quota
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _until_last(process: subprocess.Popen[bytes], stall_s: float, until_s: float) -> Iterator[messages.Message]:
    started = False
    while True:
        try:
            kind, payload = messages.receive(lambda size: _read(process, size, stall_s, until_s))
        except _Ended:
            raise _death(process, started=started) from None
        except messages.Garbled:
            raise _unreadable("the file broke its decoder") from None
        if kind == messages.FAILED:
            raise _reported(payload)
        started = True
        if kind != messages.ALIVE:
            yield kind, payload
        if kind in (messages.FACTS, messages.END):
            return


def _read(process: subprocess.Popen[bytes], size: int, stall_s: float, until_s: float) -> bytearray:
    """Exactly `size` bytes from the child's pipe, before the moment `until_s` of the monotonic clock."""
    descriptor = _pipe(process).fileno()
    whole, stalled_s = bytearray(size), time.monotonic() + stall_s
    missing = memoryview(whole)
    while missing:
        now_s = time.monotonic()
        if now_s >= until_s:
            raise TooSlow("looking into the audio takes longer than its caller can wait")
        readable, _, _ = select.select([descriptor], [], [], max(0.0, min(stalled_s, until_s) - now_s))
        if not readable and until_s < stalled_s:
            continue
        if not readable:
            raise _unreadable(f"decoding made no progress for {stall_s:g} s")
        count = os.readv(descriptor, [missing])
        if not count:
            raise _Ended
        missing = missing[count:]
    return whole


def _pipe(process: subprocess.Popen[bytes]) -> BinaryIO:
    assert process.stdout is not None  # noqa: S101  # stdout=PIPE above; tells mypy so
    return process.stdout  # type: ignore[return-value]  # typeshed says IO[bytes]; it is a BufferedReader


def _death(process: subprocess.Popen[bytes], *, started: bool) -> Exception:
    """Why the child ended without a last message: its file's fault only once it had started, and nobody killed it."""
    try:
        status, cpu_s = _waited(process)
    except TimeoutError:
        log.warning("decoder did not end: %s", _request(process))
        return _unreadable("decoding did not end")
    log.warning("decoder died: status %d, %.2f s of processor time, %s", status, cpu_s, _request(process))
    if not started:
        return Unavailable(f"the audio decoder did not start (exit status {status})")
    if status == -signal.SIGKILL:  # no limit of its own does that: the machine lacks memory, or somebody did it
        return Unavailable("the audio decoder was killed")
    if status == -signal.SIGXCPU and cpu_s < confine.BASE_CPU_S - 1:  # some kernels count otherwise than they tell
        return Unavailable(f"the audio decoder was ended after {cpu_s:.1f} s of processor time")
    if status == -signal.SIGXCPU:
        return _unreadable("decoding took more processor time than audio of its length needs")
    return _unreadable("the file broke its decoder")


def _request(process: subprocess.Popen[bytes]) -> str:
    """As the child was given it: nothing in it comes out of the file."""
    return str(process.args[-1]) if isinstance(process.args, list) else ""


def _waited(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Exit status as Popen has it, and the processor time that it took in seconds. Raises TimeoutError."""
    until_s = time.monotonic() + ENDING_S
    while time.monotonic() < until_s:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_utime + usage.ru_stime
        time.sleep(0.005)
    raise TimeoutError


def _reported(payload: bytearray) -> JobFailed:
    """The failure that the child names. The child read hostile bytes, so its words are checked too."""
    try:
        report = json.loads(payload)
        code, message = FailureCode(report["code"]), str(report["message"])
    except (ValueError, KeyError, TypeError):
        return _unreadable("the file broke its decoder")
    return JobFailed(code, "".join(filter(str.isprintable, message))[:MAX_MESSAGE_CHARS])


def _unreadable(message: str) -> JobFailed:
    return JobFailed(FailureCode.AUDIO_UNREADABLE, message)
