"""local/workers.py: worker processes that are awaited, kept alive and ended."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from local import workers
from local.workers import KeptWorker, WorkerError, WorkerProcess

WAIT_S = 20.0

# A worker that is ready when it says so, with an engine process of its own.
POLITE_WORKER = """
import signal, subprocess, sys
engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
signal.signal(signal.SIGTERM, lambda *_: (print("finished the work at hand", flush=True), sys.exit(0)))
print("worker ready", flush=True)
signal.pause()
"""
DEAF_WORKER = POLITE_WORKER.replace(
    'lambda *_: (print("finished the work at hand", flush=True), sys.exit(0))', "signal.SIG_IGN"
)

SILENT_WORKER = "import time; print('loading', flush=True); time.sleep(600)"
BROKEN_WORKER = "import sys; print('no model found', flush=True); sys.exit(7)"


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], WorkerProcess]]:
    """Starts a worker with this source."""
    monkeypatch.setattr(workers, "ROOT", tmp_path)
    script = tmp_path / "functions" / "transcribe_worker" / "worker.py"
    script.parent.mkdir(parents=True)
    begun = []

    def worker(source: str) -> WorkerProcess:
        script.write_text(source)
        begun.append(WorkerProcess(os.environ, log_of(tmp_path)))
        return begun[-1]

    yield worker
    for one in begun:
        one.kill()


@pytest.fixture
def start(begin: Callable[[str], WorkerProcess]) -> Callable[[str], WorkerProcess]:
    """Starts a worker with this source and returns once it is ready."""

    def ready(source: str) -> WorkerProcess:
        worker = begin(source)
        worker.wait_until_ready(WAIT_S)
        return worker

    return ready


def log_of(folder: Path) -> Path:
    return folder / "logs" / "worker.log"


def test_a_worker_that_is_stopped_ends_its_work_and_leaves_no_process(
    start: Callable[[str], WorkerProcess], tmp_path: Path
) -> None:
    worker = start(POLITE_WORKER)
    assert _group_lives(worker.pid)
    worker.stop()
    _wait_for(lambda: not _group_lives(worker.pid))
    assert "finished the work at hand" in log_of(tmp_path).read_text()
    worker.stop()  # harmless


def test_a_worker_that_does_not_listen_is_ended_all_the_same(
    start: Callable[[str], WorkerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "GRACE_S", 0.2)
    worker = start(DEAF_WORKER)
    worker.stop()
    _wait_for(lambda: not _group_lives(worker.pid))


def test_a_killed_worker_leaves_no_process_and_finishes_nothing(
    start: Callable[[str], WorkerProcess], tmp_path: Path
) -> None:
    worker = start(POLITE_WORKER)
    worker.kill()
    _wait_for(lambda: not _group_lives(worker.pid))
    assert "finished" not in log_of(tmp_path).read_text()


def test_a_worker_that_ends_before_it_is_ready_is_an_error_with_the_end_of_its_log(
    begin: Callable[[str], WorkerProcess], tmp_path: Path
) -> None:
    log_of(tmp_path).parent.mkdir()
    log_of(tmp_path).write_text("worker ready\n")  # said by one before it
    with pytest.raises(WorkerError, match=r"status 7 .*\n.*no model found"):
        begin(BROKEN_WORKER).wait_until_ready(WAIT_S)


def test_a_worker_that_says_nothing_is_an_error_after_a_while(begin: Callable[[str], WorkerProcess]) -> None:
    with pytest.raises(WorkerError, match=r"not ready within 0\.5 s"):
        begin(SILENT_WORKER).wait_until_ready(0.5)


def test_a_killed_worker_is_followed_by_another(begin: Callable[[str], WorkerProcess], tmp_path: Path) -> None:
    clock = Clock()
    said: list[str] = []
    kept = KeptWorker(lambda: begin(POLITE_WORKER), report=said.append, now_s=clock)
    kept.process.wait_until_ready(WAIT_S)
    first = kept.process
    kept.keep()
    assert kept.process is first
    first.kill()
    clock.now_s += 60
    kept.keep()
    assert kept.process is not first
    kept.process.wait_until_ready(WAIT_S)
    assert said == [
        f"worker {first.pid} ended with status -9; a new one starts in 0 s",
        f"a new worker runs as process {kept.process.pid}",
    ]


def test_a_worker_that_ends_at_once_again_and_again_is_started_ever_later() -> None:
    clock = Clock()
    starts: list[float] = []
    kept = KeptWorker(lambda: stillborn(starts, clock), report=lambda _line: None, now_s=clock)
    for _ in range(200):
        kept.keep()
        clock.now_s += 1
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    # A second until the end is noticed, but for the first, which is noticed at once.
    assert pauses[:5] == [1, 1 + 2, 1 + 4, 1 + 8, 1 + 16]
    assert set(pauses[5:]) == {1 + 30}


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Stillborn:
    """A process that has ended as soon as it was started."""

    name = "worker"
    pid = 1

    def status(self) -> int:
        return 1

    def kill(self) -> None:
        pass


def stillborn(starts: list[float], clock: Clock) -> WorkerProcess:
    starts.append(clock.now_s)
    return cast("WorkerProcess", Stillborn())


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.02)
