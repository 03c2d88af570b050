"""Lambda: errors, concurrency, processes, code, what may be imported."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

import hashlib
import os
import shlex
import sys
import tempfile
import threading
import time
import types
import zipfile
from pathlib import Path
from typing import Any

import ministack
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from .registry import Json, expect, expect_source, patch, replace

LAMBDA_PROCESSES = int(os.environ.get("CALLSCRIBE_LAMBDA_PROCESSES", "20"))
_TURN_WAIT_S = 120.0
_HANDLER_ERROR = "callscribe:handler-error"


@patch
def handler_errors_keep_their_name() -> None:
    """A Lambda handler's exception reaches the caller by its class name, and the process lives on.

    Emulator: every exception is reported as `Runtime.HandlerError`, so a Step Functions Retry or Catch by name never
    fires, and the warm process is killed. AWS: `errorType` is the class's name, `Error` of the task is that name, and
    the execution environment goes on to the next invocation.
    """
    expect_source(lambda_svc._execute_function_warm, 'error_type = "Runtime.HandlerError"', "worker.invoke(")
    expect_source(lambda_runtime.Worker._spawn, "_detect_runtime_binary(runtime)")
    before = (
        '            _real_stdout.write(json.dumps({"status": "error", "error": str(e),'
        ' "trace": traceback.format_exc()}) + "\\n")'
    )
    after = (
        "            traceback.print_exc()\n"
        '            _real_stdout.write(json.dumps({"status": "ok", "result": {"' + _HANDLER_ERROR + '": {\n'
        '                "errorMessage": str(e), "errorType": type(e).__name__,\n'
        '                "stackTrace": traceback.format_tb(e.__traceback__)}}}) + "\\n")'
    )
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    expect(script.count(before) == 1, "one place in the worker script that reports a handler's exception")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(before, after)
    expect(_HANDLER_ERROR in lambda_runtime._detect_runtime_binary("python3.13")[1], "the worker script to be used")

    def make(original: Any) -> Any:
        def execute(func: Json, event: Json, request_id: str) -> Json:
            result = original(func, event, request_id)
            body = result.get("body")
            if isinstance(body, dict) and _HANDLER_ERROR in body:
                error = {**body[_HANDLER_ERROR], "requestId": request_id}
                return {"body": error, "error": True, "function_error": "Unhandled", "log": result.get("log", "")}
            return result

        return execute

    replace(lambda_svc, "_execute_function_warm", make)


@patch
def lambdas_wait_for_their_turn() -> None:
    """An invocation above the account's concurrency waits for a free place.

    Emulator: it is refused at once, which makes a Step Functions task fail as `Lambda.Unknown`, an SQS batch stay
    invisible until its visibility time-out, and an asynchronous event be lost after two retries. AWS retries throttled
    asynchronous events for six hours and throttled batches by itself, at a limit a hundred times higher than what a
    laptop can hold. Reserved concurrency still throttles at once, as on AWS.
    """
    expect_source(lambda_svc._execute_function, "slot, limit = _acquire_execution_slot(func, config)")
    expect_source(lambda_svc._acquire_execution_slot, 'return None, "account"')
    turn = threading.Condition()

    def make_acquire(original: Any) -> Any:
        def acquire(func: Json, config: Json) -> Any:
            deadline = time.monotonic() + _TURN_WAIT_S
            with turn:
                while True:
                    slot, limit = original(func, config)
                    left_s = deadline - time.monotonic()
                    if limit != "account" or left_s <= 0:
                        return slot, limit
                    turn.wait(left_s)

        return acquire

    def make_release(original: Any) -> Any:
        def release(key: str) -> None:
            with turn:
                original(key)
                turn.notify_all()

        return release

    replace(lambda_svc, "_acquire_execution_slot", make_acquire)
    replace(lambda_svc, "_release_execution_slot", make_release)


@patch
def lambda_processes_are_bounded() -> None:
    """The number of Lambda processes has a limit; past it the one idle for longest ends.

    Emulator: each function keeps as many processes as it ever had at once (25 parallel jobs: 65 processes, 3.8 GB),
    and the first one of each function for ever. AWS: not the operator's memory.
    """
    expect_source(lambda_runtime.acquire_worker, 'return worker, "spawn"', "worker.last_used = time.time()")
    expect(lambda_svc.acquire_worker is lambda_runtime.acquire_worker, "lambda_svc to import acquire_worker")

    def make(original: Any) -> Any:
        def acquire(*args: Any, **kwargs: Any) -> Any:
            worker, reason = original(*args, **kwargs)
            doomed = _take_surplus_workers() if reason == "spawn" else []
            if doomed:
                threading.Thread(target=lambda_runtime.kill_workers, args=(doomed,), daemon=True).start()
            return worker, reason

        return acquire

    replace(lambda_svc, "acquire_worker", make)


def _take_surplus_workers() -> list[Any]:
    """Remove the idle workers above the limit from their pools, longest idle first, and return them."""
    with lambda_runtime._lock:
        pools = lambda_runtime._workers
        surplus = sum(map(len, pools.values())) - LAMBDA_PROCESSES
        idle = [(worker.last_used, key, worker) for key, pool in pools.items() for worker in pool if not worker.in_use]
        idle.sort(key=lambda entry: entry[0])
        doomed = idle[: max(0, surplus)]
        for _, key, worker in doomed:
            pools[key].remove(worker)
    return [worker for _, _, worker in doomed]


@patch
def unpacked_code_is_shared() -> None:
    """Each layer and function package is unpacked once, not once per process.

    Emulator: every process gets its own copy of all layers (a hundred megabytes and about a second each), and keeps
    the archives beside them. AWS: code is mounted read-only, start-up does not pay for its size.
    """
    expect_source(
        lambda_runtime.Worker._spawn, "zf.extractall(code_dir)", "lzf.extractall(layer_dir)", "os.makedirs(layer_dir)"
    )
    expect(lambda_runtime.zipfile is zipfile, "lambda_runtime to use the zipfile module")
    shim = types.ModuleType("zipfile")
    shim.__dict__.update(zipfile.__dict__)
    shim.__dict__["ZipFile"] = _SharedZip
    lambda_runtime.zipfile = shim
    expect(lambda_runtime.zipfile.ZipFile is _SharedZip, "zipfile to be replaceable")


_unpack_lock = threading.Lock()


class _SharedZip(zipfile.ZipFile):
    """A zip whose `extractall` makes the folder a link to one shared copy, and that is deleted when closed."""

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
        """Unpack into the shared copy unless it is there, and link `path`, an empty folder, to it."""
        shared = Path(tempfile.gettempdir(), "unpacked", _content_key(self))
        with _unpack_lock:
            if not shared.is_dir():
                partial = shared.with_suffix(".part")
                super().extractall(partial, members, pwd)
                partial.rename(shared)
        folder = Path(path)
        folder.rmdir()
        folder.symlink_to(shared)

    def __exit__(self, *exc: Any) -> None:
        """Close and delete the archive: the emulator keeps its own copy in memory."""
        super().__exit__(*exc)
        if isinstance(self.filename, str):
            Path(self.filename).unlink()


def _content_key(archive: zipfile.ZipFile) -> str:
    """A name for the archive's content, from its directory of names, sizes and checksums."""
    digest = hashlib.sha256()
    for entry in archive.infolist():
        digest.update(f"{entry.filename}\0{entry.file_size}\0{entry.CRC}\n".encode())
    return digest.hexdigest()[:32]


@patch
def lambdas_see_boto3_only() -> None:
    """A Lambda imports the standard library, boto3 and what its package and layers hold.

    Emulator: a Lambda also sees every package of the emulator's environment (PyYAML, h11 …), which hides a dependency
    missing from a layer. AWS: the Python runtimes hold boto3 with its own dependencies, nothing else.
    """
    expect_source(lambda_runtime.Worker._spawn, "[binary, worker_path]")
    expect(lambda_runtime._detect_runtime_binary("python3.13")[0] == sys.executable, "Lambdas to run on this Python")
    launcher = _write_launcher()

    def make(original: Any) -> Any:
        def detect(runtime: str) -> tuple[str, str]:
            binary, script = original(runtime)
            return (launcher if runtime.startswith("python") else binary), script

        return detect

    replace(lambda_runtime, "_detect_runtime_binary", make)


_LAMBDA_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")


def _write_launcher() -> str:
    """Write a script that runs Python without its site packages but with boto3's; return its path."""
    packages = Path(ministack.__file__).parent.parent
    folder = Path(tempfile.gettempdir(), "lambda-runtime")
    folder.mkdir()
    for name in _LAMBDA_PACKAGES:
        expect((packages / name).exists(), f"{name} beside the emulator")
        (folder / name).symlink_to(packages / name)
    launcher = Path(tempfile.gettempdir(), "lambda-python")
    path, python = shlex.quote(str(folder)), shlex.quote(sys.executable)
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {python} -S "$@"\n')
    launcher.chmod(0o700)
    return str(launcher)
