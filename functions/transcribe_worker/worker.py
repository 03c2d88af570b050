"""The worker: loads its engine once, then drains the work queue. The same process on a laptop, a server or a GPU."""

import argparse
import logging
import os
import signal
import threading
import time
from types import FrameType

from callscribe import wiring
from callscribe.errors import CallscribeError
from callscribe.ports import Deps, Transcriber, WorkMessage, WorkQueue
from callscribe.services import work

log = logging.getLogger("callscribe.worker")

_RECEIVE_WAIT_S = 2  # so long a stop may have to wait for an idle worker; a queue would allow 20
_RETRY_VISIBILITY_S = 10  # after an error of ours, before another try
_PARENT_CHECK_S = 0.5


class KeptHidden:
    """While this context lasts, a message stays hidden from other workers."""

    def __init__(self, queue: WorkQueue, message: WorkMessage, *, visibility_s: int) -> None:
        self._queue = queue
        self._message = message
        self._visibility_s = visibility_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._extend, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _extend(self) -> None:
        while not self._done.wait(self._visibility_s / 3):
            try:
                self._queue.extend(self._message, visibility_s=self._visibility_s)
            except CallscribeError:
                log.warning("could not extend the visibility of job %s", self._message.job_id)


class Worker:
    """Takes one message at a time until told to stop, or idle for `idle_s` (None: never by itself)."""

    def __init__(
        self,
        deps: Deps,
        queue: WorkQueue,
        transcriber: Transcriber,
        *,
        idle_s: float | None = None,
    ) -> None:
        self._deps = deps
        self._queue = queue
        self._transcriber = transcriber
        self._visibility_s = deps.settings.work_visibility_s
        self._idle_s = idle_s
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Finish the message at hand, then return from `run`."""
        self._stopping.set()

    def run(self) -> None:
        """Drain the queue."""
        last_work_s = time.monotonic()
        while not self._stopping.is_set():
            if self._drain_once():
                last_work_s = time.monotonic()
            elif self._idle_s is not None and time.monotonic() - last_work_s > self._idle_s:
                return

    def _drain_once(self) -> bool:
        try:
            messages = self._queue.receive(max_messages=1, wait_s=_RECEIVE_WAIT_S)
        except CallscribeError:
            log.exception("could not receive")
            self._stopping.wait(1)
            return False
        for message in messages:
            self._work(message)
        return bool(messages)

    def _work(self, message: WorkMessage) -> None:
        log.info("job %s: begun (received %d times)", message.job_id, message.received_count)
        try:
            with KeptHidden(self._queue, message, visibility_s=self._visibility_s):
                work.transcribe(self._deps, message, self._transcriber)
            self._queue.delete(message)
        except Exception:
            log.exception("job %s: another try is needed", message.job_id)
            self._give_back(message)
        else:
            log.info("job %s: done", message.job_id)

    def _give_back(self, message: WorkMessage) -> None:
        try:
            self._queue.extend(message, visibility_s=_RETRY_VISIBILITY_S * message.received_count)
        except CallscribeError:
            log.warning("job %s comes back when its visibility runs out", message.job_id)


def end_with_parent(parent_pid: int) -> None:
    """Once `parent_pid` is no longer the parent, end at once, the engine's processes included; the job is redone."""
    while os.getppid() == parent_pid:
        time.sleep(_PARENT_CHECK_S)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)  # not a group of its own: its engine's processes leave when their input ends


def main() -> None:
    """Run until SIGTERM or SIGINT, until idle for `--idle-s`, or until the parent is gone (`--parent-pid`)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle-s", type=float, default=None, help="leave after so many seconds without work")
    parser.add_argument("--parent-pid", type=int, default=None, help="leave once this process is not the parent")
    arguments = parser.parse_args()
    if arguments.parent_pid is not None:
        threading.Thread(target=end_with_parent, args=(arguments.parent_pid,), daemon=True).start()
    wiring.configure_logging()
    deps = wiring.aws_deps("store", "uploads", "results", "task_reports")
    worker = Worker(deps, wiring.work_queue(), wiring.transcriber(), idle_s=arguments.idle_s)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    log.info("worker ready")
    worker.run()
    log.info("worker stopped")


if __name__ == "__main__":
    main()
