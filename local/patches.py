"""Corrections to the emulator, each asserted before it is made.

Runs inside `.venv-cloud` with the standard library and the emulator only. Every patch is one function: its docstring
says what the emulator does wrong and what AWS does; its body first checks that the code it changes still looks as it
did in the pinned version, so that a new version fails at start-up, loudly and by the patch's name.
"""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

import base64
import binascii
import hashlib
import inspect
import json
import os
import random
import secrets
import shlex
import string
import sys
import tempfile
import threading
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ministack
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import apigateway, lambda_svc, secretsmanager, sqs, stepfunctions
from ministack.services.cloudformation import provisioners

Json = dict[str, Any]

LAMBDA_PROCESSES = int(os.environ.get("CALLSCRIBE_LAMBDA_PROCESSES", "20"))
CLIENT_ADDRESS_HEADER = "x-callscribe-client-address"
SKIPPED_PATCHES = frozenset(filter(None, os.environ.get("CALLSCRIBE_SKIP_PATCHES", "").split(",")))
_ANY_PORT = "4566"  # stands in queue URLs only; SDKs go to AWS_ENDPOINT_URL
_TURN_WAIT_S = 120.0
_STREAM_THREAD = "callscribe-streams"
_HANDLER_ERROR = "callscribe:handler-error"
_TOKEN_PREFIX = "callscribe-"

PATCHES: dict[str, Callable[[], None]] = {}


class PatchDoesNotFit(RuntimeError):
    """Raised at start-up when the emulator no longer looks as a patch expects; the message names the patch."""


def patch(function: Callable[[], None]) -> Callable[[], None]:
    """Register a patch under its function's name; they are applied in the order they are written."""
    PATCHES[function.__name__] = function
    return function


def apply_all() -> list[str]:
    """Apply every patch but those named in CALLSCRIBE_SKIP_PATCHES (tests only); return the names applied.

    Raises PatchDoesNotFit.
    """
    unknown = SKIPPED_PATCHES - PATCHES.keys()
    if unknown:
        raise PatchDoesNotFit(f"CALLSCRIBE_SKIP_PATCHES names unknown patches: {', '.join(sorted(unknown))}")
    names = [name for name in PATCHES if name not in SKIPPED_PATCHES]
    for name in names:
        try:
            PATCHES[name]()
        except PatchDoesNotFit as error:
            raise PatchDoesNotFit(f"emulator patch {name} does not fit this version: {error}") from error
        except Exception as error:
            raise PatchDoesNotFit(f"emulator patch {name} failed: {type(error).__name__}: {error}") from error
    return names


def expect(condition: object, expectation: str) -> None:
    """Raise PatchDoesNotFit unless `condition` holds."""
    if not condition:
        raise PatchDoesNotFit(f"expected {expectation}")


def expect_source(function: Callable[..., Any], *snippets: str) -> None:
    """Raise PatchDoesNotFit unless every snippet stands in the function's source."""
    source = inspect.getsource(function)
    for snippet in snippets:
        expect(snippet in source, f"{snippet!r} in {function.__qualname__}")


def replace(module: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(original)` in the place of `module.name` and check that it is there."""
    replacement = make(getattr(module, name))
    setattr(module, name, replacement)
    expect(getattr(module, name) is replacement, f"{name} to be replaceable")


# --- Lambda ------------------------------------------------------------------------------------------------------


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


@patch
def gateway_hides_handler_errors() -> None:
    """An HTTP API answers a failed Lambda with 500 and a fixed body.

    Emulator: 502 with the exception's text and stack. AWS: 500 `{"message":"Internal Server Error"}`, and 503
    `{"message":"Service Unavailable"}` for a time-out or a throttle.
    """
    shaping = lambda_svc.lambda_execute_result_to_api_proxy_response
    expect_source(shaping, '"statusCode": 502', 'exec_result.get("throttle")')

    def make(original: Any) -> Any:
        def shape(result: Json) -> tuple[Json | None, str | None]:
            if not result.get("error"):
                return original(result)
            body = result.get("body")
            timed_out = isinstance(body, dict) and body.get("errorType") == "Sandbox.Timedout"
            unavailable = timed_out or result.get("throttle")
            status, text = (503, "Service Unavailable") if unavailable else (500, "Internal Server Error")
            headers = {"Content-Type": "application/json"}
            return {"statusCode": status, "headers": headers, "body": json.dumps({"message": text})}, None

        return shape

    replace(lambda_svc, "lambda_execute_result_to_api_proxy_response", make)


@patch
def client_address_comes_from_the_front() -> None:
    """`sourceIp` of an HTTP API event is the address our loopback front saw.

    Emulator: always 127.0.0.1. AWS: the address of the connection to the gateway. The front drops the header when a
    client sends it; whoever speaks to the emulator's own port can say what they like.
    """
    expect_source(
        apigateway._invoke_lambda_proxy,
        '"sourceIp": "127.0.0.1"',
        "run_reentrant(lambda_svc._execute_function_with_config_scope, exec_record, event",
    )

    def make(original: Any) -> Any:
        def execute(func: Json, event: Json) -> Json:
            if isinstance(event, dict) and event.get("version") == "2.0" and isinstance(event.get("headers"), dict):
                address = event["headers"].pop(CLIENT_ADDRESS_HEADER, None)
                if address:
                    event["requestContext"]["http"]["sourceIp"] = address
            return original(func, event)

        return execute

    replace(lambda_svc, "_execute_function_with_config_scope", make)


# --- DynamoDB streams --------------------------------------------------------------------------------------------


@patch
def stream_batches_are_retried_as_configured() -> None:
    """A failing stream batch is bisected, retried a bounded number of times, then sent to the failure destination.

    Emulator: `BisectBatchOnFunctionError`, `MaximumRetryAttempts` and `ReportBatchItemFailures` are accepted and
    ignored for streams: one bad record is retried for ever and stops everything behind it, and records that the
    function reports as failed are lost. AWS: all three are honoured.
    """
    expect_source(
        lambda_svc._poll_dynamodb_streams,
        'event = {"Records": batch}\n            result = _execute_function(func_rec, event)',
    )
    expect_source(lambda_svc._send_ddb_stream_failure_record, '"DDBStreamBatchInfo"')

    def make(original: Any) -> Any:
        def execute(func: Json, event: Json) -> Json:
            if threading.current_thread().name != _STREAM_THREAD:
                return original(func, event)
            return _StreamBatch(func, event["Records"], original).run()

        return execute

    replace(lambda_svc, "_execute_function", make)


class _StreamBatch:
    """One batch of stream records and the way AWS brings it to a function."""

    def __init__(self, func: Json, records: list[Json], execute: Callable[[Json, Json], Json]) -> None:
        self.func, self.records, self.execute = func, records, execute
        self.mapping = _stream_mapping(func, records[0]["eventSourceARN"])
        self.attempts_left = int(self.mapping.get("MaximumRetryAttempts", -1))

    def run(self) -> Json:
        """Deliver all records; return an error only when the mapping retries for ever (the poller then does so)."""
        return self._deliver(self.records, self.attempts_left)

    def _deliver(self, records: list[Json], retries_left: int) -> Json:
        pause_s = 0.2
        while True:
            result = self.execute(self.func, {"Records": records})
            done = self._count_done(records, result)
            if done == len(records):
                return {"body": None, "log": result.get("log", "")}
            records = records[done:]
            if self.mapping.get("BisectBatchOnFunctionError") and len(records) > 1:
                middle = len(records) // 2
                first = self._deliver(records[:middle], retries_left)
                if first.get("error"):
                    return first
                records = records[middle:]
                continue
            if retries_left == 0:
                source = records[0]["eventSourceARN"]
                lambda_svc._send_ddb_stream_failure_record(
                    self.mapping, self.func, records, source, result, "RetryAttemptsExhausted"
                )
                return {"body": None, "log": result.get("log", "")}
            if retries_left < 0:
                return {**result, "error": True}
            retries_left -= 1
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)

    def _count_done(self, records: list[Json], result: Json) -> int:
        """How many leading records are done with: all, none after an error, or those before the first failure."""
        if result.get("error"):
            return 0
        body = result.get("body")
        if "ReportBatchItemFailures" not in self.mapping.get("FunctionResponseTypes", []) or not isinstance(body, dict):
            return len(records)
        failed = {item.get("itemIdentifier") for item in body.get("batchItemFailures") or []}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        return next((index for index, number in enumerate(numbers) if number in failed), len(records))


def _stream_mapping(func: Json, source_arn: str) -> Json:
    """The event source mapping that joins a function to a stream."""
    name = (func.get("config") or func).get("FunctionName")
    for _, _, mapping in lambda_svc._iter_all_esms():
        if mapping.get("EventSourceArn") == source_arn and mapping.get("FunctionName") == name:
            return dict(mapping)
    return {}


@patch
def streams_do_not_hold_up_queues() -> None:
    """DynamoDB streams are polled by a thread of their own.

    Emulator: one thread polls all event sources and runs a stream's function itself, so a slow one stops every queue.
    AWS: event source mappings do not know of one another.
    """
    expect_source(lambda_svc._poll_loop, "_poll_sqs()", "processed = _poll_dynamodb_streams() or processed")
    running = threading.Lock()
    asked_meanwhile = threading.Event()

    def make(original: Any) -> Any:
        def run() -> None:
            found = False
            try:
                while original():
                    found = True
            finally:
                running.release()
            if found or asked_meanwhile.is_set():
                asked_meanwhile.clear()
                lambda_svc._esm_wake.set()

        def poll() -> bool:
            if running.acquire(blocking=False):
                threading.Thread(target=run, daemon=True, name=_STREAM_THREAD).start()
            else:
                asked_meanwhile.set()
            return False

        return poll

    replace(lambda_svc, "_poll_dynamodb_streams", make)


@patch
def stream_positions_do_not_outlive_the_stream() -> None:
    """After a restart a stream's event source starts at the stream's beginning.

    Emulator: it keeps the position but not the records, so that as many records as there were before pass unseen.
    AWS: both are kept. (What was in the stream when the emulator stopped is lost; the sweeper finds it.)
    """
    expect_source(lambda_svc._restore_state, '_restore_esm_positions(_dynamodb_stream_positions, data.get("dynamodb')

    def make(original: Any) -> Any:
        def restore(positions: Any, kept: Any) -> None:
            if positions is not lambda_svc._dynamodb_stream_positions:
                original(positions, kept)

        return restore

    replace(lambda_svc, "_restore_esm_positions", make)


@patch
def queue_urls_do_not_name_the_port() -> None:
    """A queue's URL stays the same when the emulator is started again on another port.

    Emulator: queues are kept under URLs with the port they were made at, so after a restart elsewhere no event source
    finds its queue, and what a stack was told of them is wrong. AWS: a queue's URL never changes.
    """
    expect_source(sqs._queue_url_for_account, "{DEFAULT_HOST}:{DEFAULT_PORT}/{account_id}/{name}")
    replace(sqs, "DEFAULT_PORT", lambda _port: _ANY_PORT)
    replace(sqs, "_CANONICAL_NETLOC", lambda _netloc: f"{sqs.DEFAULT_HOST}:{_ANY_PORT}")
    replace(sqs, "_HOST_EXPLICIT", lambda _explicit: True)
    expect(f":{_ANY_PORT}/" in sqs._queue_url_for_account("000000000000", "name"), "the port to be used")


# --- Roles and policies (AUTH on) --------------------------------------------------------------------------------


@patch
def loopback_counts_as_tls() -> None:
    """`aws:SecureTransport` is true.

    Emulator: false for plain HTTP, and also for what S3 itself sends to a queue, so buckets and queues that demand
    TLS refuse everything. AWS: its endpoints speak TLS, and services deliver over it. That the policies demand TLS is
    asserted on the template.
    """
    expect_source(iam_evaluator._resolve_condition_key, 'if k == "aws:securetransport":')
    expect_source(iam_evaluator._conditions_met, "_resolve_condition_key(")

    def make(original: Any) -> Any:
        def resolve(key: str, context: Any) -> Any:
            return "true" if key.lower() == "aws:securetransport" else original(key, context)

        return resolve

    replace(iam_evaluator, "_resolve_condition_key", make)


# --- Step Functions ----------------------------------------------------------------------------------------------


@patch
def task_tokens_name_their_state_machine() -> None:
    """Each attempt of a waiting task has a token of its own, and the token says which state machine it belongs to.

    Emulator: all attempts share one token, so a late answer to the first completes the second; and with AUTH on,
    `states:SendTaskSuccess`, `SendTaskFailure` and `SendTaskHeartbeat` are checked against the resource `*`, so a
    grant scoped to a state machine is refused. AWS: a token is good for one attempt, and such a grant is honoured.
    """
    expect_source(
        stepfunctions._execute_task,
        "effective = _apply_parameters(state_def, _apply_input_path(state_def, raw_input, ctx), ctx)",
        'resource, effective, ctx["Task"]["Token"], state_def)',
    )
    expect_source(iam_actions.extract_resource_arn, 'if service == "states":', '"stateMachineArn"')

    def make_parameters(original: Any) -> Any:
        def apply(state_def: Json, data: Any, ctx: Json | None = None) -> Any:
            if ctx is not None and ".waitForTaskToken" in str(state_def.get("Resource")):
                ctx["Task"] = {"Token": _make_token(ctx["StateMachine"]["Id"])}
            return original(state_def, data, ctx)

        return apply

    def make_extract(original: Any) -> Any:
        signature = inspect.signature(original)

        def extract(*args: Any, **kwargs: Any) -> str:
            given = signature.bind(*args, **kwargs).arguments
            if given["service"] == "states":
                token = iam_actions._safe_json_field(given["body"], "taskToken")
                if token:
                    return _state_machine_of(token)
            return str(original(*args, **kwargs))

        return extract

    replace(stepfunctions, "_apply_parameters", make_parameters)
    replace(iam_actions, "extract_resource_arn", make_extract)
    expect(_state_machine_of(_make_token("arn:aws:x")) == "arn:aws:x", "a token to name its state machine")


def _make_token(state_machine_arn: str) -> str:
    text = json.dumps([state_machine_arn, stepfunctions.new_uuid()])
    return _TOKEN_PREFIX + base64.urlsafe_b64encode(text.encode()).decode()


def _state_machine_of(token: str) -> str:
    """The ARN of the state machine that a token belongs to; `*` for a token that is not ours."""
    try:
        return str(json.loads(base64.urlsafe_b64decode(token.removeprefix(_TOKEN_PREFIX)))[0])
    except (binascii.Error, ValueError, IndexError, TypeError):
        return "*"


@patch
def retries_honour_their_limit_and_jitter() -> None:
    """`MaxDelaySeconds` bounds the pause between retries, and `JitterStrategy: FULL` draws it from 0 to that.

    Emulator: both are ignored (a pause is at most 60 s). AWS: both are honoured.
    """
    expect_source(stepfunctions._execute_task, 'retrier.get("IntervalSeconds", 1)', 'retrier.get("BackoffRate", 2.0)')

    def make(original: Any) -> Any:
        def find(retriers: Any, error: str, retry_counts: Json) -> Any:
            retrier, index = original(retriers, error, retry_counts)
            if retrier is None:
                return retrier, index
            pause_s = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retry_counts.get(index, 0)
            pause_s = min(pause_s, retrier.get("MaxDelaySeconds", pause_s))
            if retrier.get("JitterStrategy") == "FULL":
                pause_s = random.uniform(0, pause_s)  # noqa: S311 (a pause is no secret)
            return {**retrier, "IntervalSeconds": pause_s, "BackoffRate": 1.0}, index

        return find

    replace(stepfunctions, "_find_matching_retrier", make)


# --- CloudFormation ----------------------------------------------------------------------------------------------


@patch
def a_secret_is_referred_to_by_its_arn() -> None:
    """`Ref` of an `AWS::SecretsManager::Secret` gives the secret's ARN.

    Emulator: its name, so a policy that CDK writes with `Ref` as its resource matches nothing. AWS: its ARN.
    """
    expect_source(provisioners._sm_secret_create, 'return name, {"Id": arn, "Arn": arn}')
    expect_source(provisioners._sm_secret_update, "_sm._secrets.get(physical_id)")
    expect_source(provisioners._sm_secret_delete, "_sm._secrets.get(physical_id)")
    entry = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    expect(entry["create"] is provisioners._sm_secret_create, "the registered create handler")

    def create(*args: Any) -> Any:
        return _with_arn(provisioners._sm_secret_create(*args))

    def update(physical_id: str, *args: Any, **kwargs: Any) -> Any:
        return _with_arn(provisioners._sm_secret_update(_secret_name(physical_id), *args, **kwargs))

    def delete(physical_id: str, *args: Any) -> Any:
        return provisioners._sm_secret_delete(_secret_name(physical_id), *args)

    entry |= {"create": create, "update": update, "delete": delete}
    expect(provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["create"] is create, "handlers to be used")


def _with_arn(result: Any) -> Any:
    """A provisioner's result with the secret's ARN for its physical id."""
    name, attributes, *rest = result
    return (secretsmanager._secrets[name]["ARN"], attributes, *rest)


def _secret_name(physical_id: str) -> str:
    """The name of the secret with this ARN, or the id itself for one made before the patch."""
    for name, secret in secretsmanager._secrets.items():
        if secret["ARN"] == physical_id:
            return str(name)
    return physical_id


@patch
def generated_secrets_follow_their_options() -> None:
    """`GenerateSecretString` makes a secret even without options, and heeds all of them.

    Emulator: `{}`, which CDK writes by default, gives an empty secret, and the `Exclude…` switches are ignored. AWS:
    32 characters of letters, digits and punctuation, less what is excluded.
    """
    expect_source(provisioners._sm_secret_create, "secret_string = _sm_secret_string(props)")
    expect_source(provisioners._sm_secret_string, "if gen and not secret_string:")

    def make(original: Any) -> Any:
        def secret_string(properties: Json) -> str:
            options = properties.get("GenerateSecretString")
            if options is None or properties.get("SecretString"):
                return str(original(properties))
            return _generated_secret(options)

        return secret_string

    replace(provisioners, "_sm_secret_string", make)
    expect(len(provisioners._sm_secret_string({"GenerateSecretString": {}})) == 32, "32 characters by default")


_SECRET_ALPHABETS = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}


def _generated_secret(options: Json) -> str:
    alphabet = "".join(part for switch, part in _SECRET_ALPHABETS.items() if not options.get(switch))
    alphabet += " " if options.get("IncludeSpace") else ""
    alphabet = "".join(set(alphabet) - set(options.get("ExcludeCharacters", "")))
    password = "".join(secrets.choice(alphabet) for _ in range(int(options.get("PasswordLength", 32))))
    if "SecretStringTemplate" not in options:
        return password
    return json.dumps({**json.loads(options["SecretStringTemplate"]), options["GenerateStringKey"]: password})
