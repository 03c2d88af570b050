"""DynamoDB streams as event sources."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from .registry import Json, expect_source, patch, replace

_STREAM_THREAD = "callscribe-streams"


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
