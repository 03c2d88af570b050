"""What the system adds to the engine: from the accepted upload to the received callback, less the engine's own time.

One job on a warm laptop cloud, then many distinct ones at once; every callback is verified and nothing may be lost.
Run: `make bench NAME=overhead` for single jobs, `make bench NAME=load` for 25 at once and the memory they take.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import MemoryWatch
from callscribe.client import Client
from callscribe.services import jobs
from local.receiver import Receiver, verify_callback
from local.recordings import Recording, distinct_recordings
from local.system import LocalSystem, SystemSettings

GOAL_ONE_JOB_S = 3.0
GOAL_MEMORY_GB = 3.0
_TIMEOUT_S = 300.0
_REPEATS = 5
_LATE_S = 2.0  # so long a second callback for the same job may still come


class BenchmarkFailed(RuntimeError):
    """Raised when a figure would be wrong: a callback without words, a job without the engine's time."""


@dataclass(frozen=True)
class Measured:
    """One job that came back: from accepted upload to callback, and the engine's share of it."""

    request_id: str
    total_s: float
    engine_s: float

    @property
    def overhead_s(self) -> float:
        """What is not the engine's."""
        return self.total_s - self.engine_s


@dataclass(frozen=True)
class Outcome:
    """What became of the jobs: those that came back, and the ids of those that did not, or came twice."""

    measured: Sequence[Measured]
    lost: Sequence[str]
    duplicated: Sequence[str]

    @property
    def is_complete(self) -> bool:
        """Whether there was one callback for every job."""
        return not self.lost and not self.duplicated


def main() -> int:
    """Print the figures beside their goals; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="1: one after the other; more: so many at once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LocalSystem(SystemSettings(port=0), report=_say) as system:
        recordings = write_recordings(Path(folder), arguments.jobs)
        with Receiver() as receiver:
            run(system, receiver, recordings[:1])  # warms every function
            good = (
                report_many(system, receiver, recordings)
                if arguments.jobs > 1
                else report_one(system, receiver, recordings[0])
            )
    return 0 if good else 1


def write_recordings(folder: Path, count: int) -> list[Path]:
    """Distinct recordings of 10 s, two channels each, as WAV files."""
    made = distinct_recordings(count)
    return [Recording(samples, ()).write_wav(folder / f"{number}.wav") for number, samples in enumerate(made)]


def report_one(system: LocalSystem, receiver: Receiver, recording: Path) -> bool:
    """The overhead of single jobs, one after the other."""
    outcome = _merged([run(system, receiver, [recording]) for _ in range(_REPEATS)])
    _report_callbacks(outcome)
    measured = outcome.measured
    if not measured:
        return False
    overheads = sorted(one.overhead_s for one in measured)
    median_s = statistics.median(overheads)
    print(
        f"one job, warm, {_REPEATS} times: overhead median {median_s:.2f} s, "
        f"{overheads[0]:.2f} to {overheads[-1]:.2f} s (goal: at most {GOAL_ONE_JOB_S:g} s); "
        f"engine {statistics.median(one.engine_s for one in measured):.2f} s"
    )
    return outcome.is_complete and median_s <= GOAL_ONE_JOB_S


def report_many(system: LocalSystem, receiver: Receiver, recordings: Sequence[Path]) -> bool:
    """Many jobs at once: each must come back once, verified, and all within the memory goal."""
    with MemoryWatch() as memory:
        started_s = time.monotonic()
        outcome = run(system, receiver, recordings)
        elapsed_s = time.monotonic() - started_s
    _report_callbacks(outcome)
    engine_s = sum(one.engine_s for one in outcome.measured)
    print(
        f"all at once in {elapsed_s:.1f} s; engine {engine_s:.1f} s, "
        f"overhead {(elapsed_s - engine_s) / len(recordings):.2f} s per job"
    )
    peak_gb = memory.peak_bytes / 1e9
    print(
        f"peak memory {peak_gb:.2f} GB (goal: at most {GOAL_MEMORY_GB:g} GB): proportional set size of emulator, "
        "Lambdas, worker, its engine, and this process, which is front, clients and receiver in one"
    )
    return outcome.is_complete and peak_gb <= GOAL_MEMORY_GB


def run(system: LocalSystem, receiver: Receiver, recordings: Sequence[Path]) -> Outcome:
    """Upload all recordings at once, wait for all callbacks and verify them, then look for any that came twice."""
    barrier = threading.Barrier(len(recordings), timeout=_TIMEOUT_S)

    def one(path: Path) -> tuple[str, Measured | None]:
        made = system.credentials
        with Client(system.base_url, made.app_id, made.api_key) as client:
            upload = client.create_upload("audio/wav", callback_url=receiver.url)
            barrier.wait()
            client.upload(upload.url, path, "audio/wav")
        return upload.request_id, _await(system, receiver, upload.request_id, time.time())

    with ThreadPoolExecutor(len(recordings)) as pool:
        ended = dict(pool.map(one, recordings))
    time.sleep(_LATE_S)
    return Outcome(
        measured=[measured for measured in ended.values() if measured],
        lost=[request_id for request_id, measured in ended.items() if not measured],
        duplicated=[request_id for request_id in ended if len(receiver.requests_for(request_id)) > 1],
    )


def _await(system: LocalSystem, receiver: Receiver, request_id: str, accepted_s: float) -> Measured | None:
    """The job as it came back, or None where it did not. Raises BenchmarkFailed, CallbackNotVerified."""
    try:
        received = receiver.wait_for(request_id, _TIMEOUT_S)
    except TimeoutError:
        return None
    body = verify_callback(system.credentials.webhook_secret, received.headers, received.body)
    if not body["transcription"]:
        raise BenchmarkFailed(f"job {request_id} came back without words: {body}")
    return Measured(request_id, received.arrived_at_s - accepted_s, engine_seconds(system, request_id))


def engine_seconds(system: LocalSystem, request_id: str) -> float:
    """What the worker noted on the job: seconds from decoding to transcript. Raises BenchmarkFailed without it."""
    job = jobs.find(system.deps(), tenant_id=system.credentials.tenant_id, job_id=request_id)
    if job.work_s is None:
        raise BenchmarkFailed(f"job {request_id} does not say how long the engine worked")
    return job.work_s


def _merged(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(
        measured=[one for outcome in outcomes for one in outcome.measured],
        lost=[one for outcome in outcomes for one in outcome.lost],
        duplicated=[one for outcome in outcomes for one in outcome.duplicated],
    )


def _report_callbacks(outcome: Outcome) -> None:
    print(
        f"{len(outcome.measured) + len(outcome.lost)} recordings: {len(outcome.measured)} verified callbacks, "
        f"{len(outcome.lost)} lost, {len(outcome.duplicated)} more than once"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
