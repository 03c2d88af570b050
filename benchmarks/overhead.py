"""What the system adds to the engine: from the accepted upload to the received callback, less the engine's own time.

One job on a warm laptop cloud, then many distinct ones at once; every callback is verified and nothing may be lost.
The engine's own time is that in which it worked on batches, as the worker noted it on the job: decoding and finding
speech count as what is added. Many at once must not add more than as many one by one: it grows linearly, at most.
Run: `make bench NAME=overhead` for single jobs, `make bench NAME=load` for 25 at once and the memory they take.
"""

import argparse
import math
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import report
from benchmarks.memory import PeakWatch, everybody, proportional_bytes
from benchmarks.report import Goal
from callscribe.client import Client
from callscribe.services import jobs
from local.receiver import Receiver, verify_callback
from local.recordings import Recording, distinct_recordings
from local.system import LocalSystem, SystemSettings

GOAL_ONE_JOB_S = 3.0
GOAL_MEMORY_GB = 3.0
_TIMEOUT_S = 900.0  # what a busy machine takes is not lost
_REPEATS = 5
_LATE_S = 2.0  # so long a second callback for the same job may still come


class BenchmarkFailed(RuntimeError):
    """Raised when a figure would be wrong: a callback without words, a job without the engine's time."""


@dataclass(frozen=True)
class Measured:
    """One job that came back: seconds from accepted upload to callback, the engine's share, and the epoch second of
    the upload.
    """

    request_id: str
    total_s: float
    engine_s: float
    accepted_at_s: float = 0.0

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
    def elapsed_s(self) -> float:
        """From the first upload to the last callback; not a number where none came."""
        ends = [one.accepted_at_s + one.total_s for one in self.measured]
        return max(ends) - min(one.accepted_at_s for one in self.measured) if ends else math.nan

    @property
    def overhead_per_job_s(self) -> float:
        """Of jobs at once, whose engine works on one after the other: what is not the engine's, by their number."""
        engine_s = sum(one.engine_s for one in self.measured)
        return (self.elapsed_s - engine_s) / len(self.measured) if self.measured else math.nan

    @property
    def is_complete(self) -> bool:
        """Whether there was one callback for every job."""
        return not self.lost and not self.duplicated

    def goal(self) -> Goal:
        """That it is."""
        return Goal("callbacks lost, or sent more than once", len(self.lost) + len(self.duplicated), 0)


def main() -> int:
    """Print the figures beside their goals; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="1: one after the other; more: so many at once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LocalSystem(SystemSettings(port=0), report=_say) as system:
        recordings = write_recordings(Path(folder), arguments.jobs)
        with Receiver() as receiver:
            run(system, receiver, recordings[:1])  # warms every function
            one = _merged([run(system, receiver, recordings[:1]) for _ in range(_REPEATS)])
            _report_one(one)
            if arguments.jobs == 1:
                return report.conclude("overhead", asdict(one), [one_goal(one), one.goal()])
            with PeakWatch({"all": everybody}, bytes_of=proportional_bytes) as memory:
                many = run(system, receiver, recordings)
    _report_many(many)
    goals = [linear_goal(one, many), one.goal(), many.goal(), memory_goal(memory.peak_bytes["all"])]
    return report.conclude("load", {"one": asdict(one), "many": asdict(many)}, goals)


def write_recordings(folder: Path, count: int) -> list[Path]:
    """Distinct recordings of 10 s, two channels each, as WAV files."""
    made = distinct_recordings(count)
    return [Recording(samples, ()).write_wav(folder / f"{number}.wav") for number, samples in enumerate(made)]


def median_overhead_s(outcome: Outcome) -> float:
    """Of single jobs; not a number where none came back."""
    return statistics.median([one.overhead_s for one in outcome.measured] or [math.nan])


def one_goal(one: Outcome) -> Goal:
    """What a single job takes beside the engine's own time."""
    return Goal("one job, warm: seconds beside the engine's own", median_overhead_s(one), GOAL_ONE_JOB_S)


def linear_goal(one: Outcome, many: Outcome) -> Goal:
    """What a job of many at once takes, as a share of what a single one takes."""
    share = many.overhead_per_job_s / median_overhead_s(one)
    return Goal(f"{len(many.measured)} at once: seconds per job beside the engine's / those of one job", share, 1)


def memory_goal(peak_bytes: int) -> Goal:
    """Proportional set size of emulator, Lambdas, worker, its engine, and this process, which is front, clients and
    receiver in one.
    """
    return Goal("GB of memory at the peak, of all processes", peak_bytes / 1e9, GOAL_MEMORY_GB)


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
    total_s = received.arrived_at_s - accepted_s
    return Measured(request_id, total_s, engine_seconds(system, request_id), accepted_s)


def engine_seconds(system: LocalSystem, request_id: str) -> float:
    """What the worker noted on the job: seconds in which the engine worked on it. Raises BenchmarkFailed without it."""
    job = jobs.find(system.deps(), tenant_id=system.credentials.tenant_id, job_id=request_id)
    if job.work is None:
        raise BenchmarkFailed(f"job {request_id} does not say how long the engine worked")
    return job.work.device_s


def _merged(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(
        measured=[one for outcome in outcomes for one in outcome.measured],
        lost=[one for outcome in outcomes for one in outcome.lost],
        duplicated=[one for outcome in outcomes for one in outcome.duplicated],
    )


def _report_one(outcome: Outcome) -> None:
    overheads = sorted(one.overhead_s for one in outcome.measured)
    engine_s = statistics.median([one.engine_s for one in outcome.measured] or [math.nan])
    shown = ", ".join(f"{overhead_s:.2f}" for overhead_s in overheads)
    print(f"one job, warm, {_REPEATS} times: {shown} s beside the engine's {engine_s:.2f} s")


def _report_many(outcome: Outcome) -> None:
    engine_s = sum(one.engine_s for one in outcome.measured)
    jobs_count = len(outcome.measured) + len(outcome.lost)
    print(
        f"{jobs_count} at once: {len(outcome.measured)} verified callbacks in {outcome.elapsed_s:.1f} s, engine"
        f" {engine_s:.1f} s, beside it {outcome.overhead_per_job_s:.2f} s per job"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
