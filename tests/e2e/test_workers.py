"""Workers with several recordings open, on the laptop cloud: interrupted, and with processes that the kernel ends."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.memory import descendants
from callscribe.client import Client
from callscribe.domain.jobs import Job
from callscribe.domain.work import POOL, WorkerSeen
from local.receiver import Receiver, verify_callback
from local.recordings import Recording, distinct_recordings
from local.system import LocalSystem
from tests.e2e.integrator import WAIT_S, executions_of, job_of, wait_for, worker_log

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

WORK_S = 4 * WAIT_S  # two recordings, twice, on a machine that does other things as well


def write_calls(folder: Path, *, times: int) -> list[Path]:
    """Two recordings that a worker has open at the same time: ten seconds of two voices, so often."""
    return [
        Recording(np.tile(samples, times), ()).write_wav(folder / f"{number}.wav")
        for number, samples in enumerate(distinct_recordings(2))
    ]


def send(client: Client, receiver: Receiver, call: Path) -> str:
    upload = client.create_upload("audio/wav", callback_url=receiver.url)
    client.upload(upload.url, call, "audio/wav")
    return upload.request_id


def send_and_await_both_begun(system: LocalSystem, client: Client, receiver: Receiver, calls: list[Path]) -> list[str]:
    sent = [send(client, receiver, call) for call in calls]
    wait_for(lambda: all(f"{one}: begun" in worker_log(system) for one in sent), "the worker to have both in hand")
    assert not any(f"{one}: done" in worker_log(system) for one in sent)
    return sent


def assert_each_came_back_once(system: LocalSystem, receiver: Receiver, sent: list[str]) -> list[Job]:
    for request_id in sent:
        received = receiver.wait_for(request_id, WORK_S)
        assert verify_callback(system.credentials.webhook_secret, received.headers, received.body)["transcription"]
        assert {one.headers["webhook-id"] for one in receiver.requests_for(request_id)} == {f"msg_{request_id}"}
        assert executions_of(system, request_id) == [request_id]
    return [job_of(system, request_id) for request_id in sent]


def test_a_worker_that_is_interrupted_gives_back_at_once_what_it_has_in_hand_and_the_next_one_does_it(
    system: LocalSystem, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    # Long enough that no engine is done with it within the grace of a stop.
    sent = send_and_await_both_begun(system, client, receiver, write_calls(tmp_path, times=2))
    victim = system.workers[0].process
    victim.stop()
    given_back = [one for one in sent if f"{one}: given back" in worker_log(system)]
    assert given_back, "the recordings were too short for this test"
    keep_workers_until(system, lambda: system.workers[0].process is not victim)
    ended = assert_each_came_back_once(system, receiver, sent)
    assert all(f"{one}: another try is needed" not in worker_log(system) for one in sent)
    assert [job.work is not None and job.work.audio_s == 40.0 for job in ended] == [True, True]


def test_a_worker_whose_processes_the_kernel_ends_for_want_of_memory_tries_again(
    system: LocalSystem, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    keep_workers_until(system, lambda: system.workers[0].process.status() is None)
    worker = system.workers[0].process
    sent = send_and_await_both_begun(system, client, receiver, write_calls(tmp_path, times=1))
    helpers = [pid for pid in descendants(worker.pid) if pid != worker.pid]
    assert helpers, "an engine's process or a decoder's"
    for pid in helpers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: any(f"{one}: another try is needed" in worker_log(system) for one in sent), "it to be noticed")
    assert_each_came_back_once(system, receiver, sent)
    assert worker.status() is None, "the worker itself goes on"


def test_a_worker_is_seen_in_the_table_and_a_stopped_one_is_not(system: LocalSystem) -> None:
    keep_workers_until(system, lambda: len(workers_seen(system)) == 1)
    (before,) = workers_seen(system)
    victim = system.workers[0].process
    victim.stop()
    assert workers_seen(system) == []
    keep_workers_until(system, lambda: len(workers_seen(system)) == 1)
    assert workers_seen(system)[0].id != before.id


def workers_seen(system: LocalSystem) -> list[WorkerSeen]:
    """Those that said within the last minute that they live; a killed one stays in the table for a while."""
    table = system.emulator.client("dynamodb")
    rows = table.scan(TableName=system.outputs["TableName"])["Items"]
    ids = [row["id"]["S"] for row in rows if row.get("kind", {}).get("S") == "WorkerSeen"]
    seen = [system.deps().store.get(WorkerSeen, POOL, one) for one in ids]
    return [one for one in seen if one is not None and one.seen_at_ms > 1000 * (time.time() - 25)]


def keep_workers_until(system: LocalSystem, condition: Callable[[], bool]) -> None:
    """Look after the workers as `make serve` does."""

    def met() -> bool:
        system.keep_workers()
        return condition()

    wait_for(met, "the worker")
