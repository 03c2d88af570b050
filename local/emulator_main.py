"""The emulator's entry point: patch it, prove the patches, run it.

Runs inside `.venv-cloud` and nowhere else: the standard library and the emulator only, nothing of this project but
the `patches` module that lies beside it.
"""

# mypy: disable-error-code="import-not-found, import-untyped"
# (the emulator lives in an environment of its own; `patches` is found beside this file)

import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

import patches

PARENT_PID_VARIABLE = "CALLSCRIBE_PARENT_PID"


def stop_with_parent(parent_pid: int, orphaned: threading.Event) -> None:
    """End this process in an orderly way once its parent is gone, so that a killed runner leaves no emulator."""
    while os.getppid() == parent_pid:
        time.sleep(0.5)
    orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)


def clear_up() -> None:
    """Do what the parent can no longer do: delete the temporary folder, end the Lambda processes and this one."""
    shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Apply every patch, then serve until SIGTERM. Exits 3, naming the patch, when one does not fit."""
    try:
        applied = patches.apply_all()
    except patches.PatchDoesNotFit as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(3) from error
    logging.getLogger("callscribe").warning("emulator patches applied: %s", ", ".join(applied))
    orphaned = threading.Event()
    parent_pid = int(os.environ.pop(PARENT_PID_VARIABLE))
    threading.Thread(target=stop_with_parent, args=(parent_pid, orphaned), daemon=True).start()
    from ministack.app import main as serve

    sys.argv = ["ministack"]
    try:
        serve()
    finally:
        if orphaned.is_set():
            clear_up()


if __name__ == "__main__":
    main()
