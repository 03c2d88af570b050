"""The worker's process: loads its engine once, then drains the work queue. The same on a laptop, a server or a GPU."""

import argparse
import logging
import os
import signal
import threading
import time
from types import FrameType

from callscribe import wiring
from callscribe.services.drain import Drain

log = logging.getLogger("callscribe.worker")

_PARENT_CHECK_S = 0.5


def end_with_parent(parent_pid: int) -> None:
    """Once `parent_pid` is no longer the parent, end at once, the engine's processes included; the job is redone."""
    while os.getppid() == parent_pid:
        time.sleep(_PARENT_CHECK_S)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)  # not a group of its own: its engine's processes leave when their input ends


def stop_when_told_to(drain: Drain) -> None:
    """SIGTERM or SIGINT: finish within the grace what is in hand; a second one: give it back now."""
    told = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        drain.stop(grace_s=0 if told else None)
        told = True

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def main() -> None:
    """Run until SIGTERM or SIGINT, until idle for `--idle-s`, or until the parent is gone (`--parent-pid`)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle-s", type=float, default=None, help="leave after so many seconds without work")
    parser.add_argument("--parent-pid", type=int, default=None, help="leave once this process is not the parent")
    arguments = parser.parse_args()
    if arguments.parent_pid is not None:
        threading.Thread(target=end_with_parent, args=(arguments.parent_pid,), daemon=True).start()
    wiring.configure_logging()
    settings = wiring.worker_settings(idle_s=arguments.idle_s)
    deps = wiring.aws_deps("store", "uploads", "results", "task_reports")
    queue, transcriber = wiring.work_queue(), wiring.transcriber()
    interrupted = wiring.spot_notice() if settings.spot_notice else None
    drain = Drain(deps, queue, transcriber, settings, worker_id=wiring.worker_id(), interrupted=interrupted)
    stop_when_told_to(drain)
    log.info("worker ready: %d recordings at a time", settings.slots)
    try:
        drain.run()
    finally:
        transcriber.close()
    log.info("worker stopped")


if __name__ == "__main__":
    main()
