"""Many recordings at once: a pool of threads, a row of progress for each on stderr, and Ctrl-C that stops them all."""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from callscribe.cli.session import Session
from callscribe.client import Client
from callscribe.errors import CallscribeError
from callscribe.exports.text import clean

AT_ONCE = 16  # recordings under way
UPLOADS_AT_ONCE = 4

T = TypeVar("T")


class Stopped(CallscribeError):
    """The person at the keyboard has had enough."""


class Row:
    """The progress of one recording. Without a terminal each change of status is one line."""

    def __init__(self, board: "Board", name: str) -> None:
        self.name = name
        self._board = board
        self._status = ""
        self._uploading = False
        self._task = board.progress.add_task(clean(name), total=None, status="waiting")

    def begin_upload(self, size_bytes: int) -> None:
        """Wait for one of the places to upload, and show the bar."""
        self._board.upload_places.acquire()
        self._uploading = True
        self._board.progress.update(self._task, total=size_bytes, completed=0)
        self.status("uploading")

    def sent(self, sent_bytes: int) -> None:
        """So many bytes are sent. Raises Stopped."""
        self._board.check()
        self._board.progress.update(self._task, completed=sent_bytes)

    def status(self, status: str) -> None:
        """What is happening to the recording now."""
        if self._uploading and status != "uploading":
            self.end_upload()
        if status == self._status:
            return
        self._status = status
        self._board.progress.update(self._task, status=status)
        if not self._board.console.is_terminal:
            self._board.console.print(f"{clean(self.name)}: {status}", markup=False, highlight=False, soft_wrap=True)

    def end_upload(self) -> None:
        """Give the place to upload to the next; does nothing a second time."""
        if self._uploading:
            self._uploading = False
            self._board.upload_places.release()


class Board:
    """All rows. A context manager: shown until it ends."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.upload_places = threading.Semaphore(UPLOADS_AT_ONCE)
        self._stop = threading.Event()
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            TimeElapsedColumn(),
            console=self.console,
            redirect_stdout=False,  # results go to stdout, wherever that leads
            redirect_stderr=False,
            disable=not self.console.is_terminal,
        )

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past a stop. Raises Stopped."""
        self._stop.wait(seconds)
        self.check()

    def check(self) -> None:
        """Raises Stopped once `stop` was called."""
        if self._stop.is_set():
            raise Stopped("stopped")

    def stop(self) -> None:
        """Make every thread end at its next step."""
        self._stop.set()


def run_all(
    session: Session,
    names: Sequence[str],
    work: Callable[[Client, int, Row], T],
    failed: Callable[[str, CallscribeError], T],
) -> Generator[T, None, None]:
    """The outcomes of `work(client, number, row)` in the order of the names, as soon as each is there.

    Close it to stop what is still under way.
    """
    board = Board()

    def one(number: int) -> T:
        row = Row(board, names[number])
        try:
            return work(client, number, row)
        except CallscribeError as problem:
            row.status("stopped" if isinstance(problem, Stopped) else "failed")
            return failed(names[number], problem)
        finally:
            row.end_upload()

    with session.client(board.sleep) as client, board.progress, ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            futures: list[Future[T]] = [pool.submit(one, number) for number in range(len(names))]
            for future in futures:
                yield future.result()
        finally:
            board.stop()
            pool.shutdown(cancel_futures=True)
