"""What the system adds to the engine: from the accepted upload to the received callback, less the engine's own time.

One job on a warm laptop cloud, then many distinct ones at once; every callback is verified and nothing may be lost.
Run: `make bench NAME=overhead` (one job and 25), `make bench NAME=load` for the 25 with the memory they take.
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
from benchmarks.recordings import Recording, distinct_recordings
from callscribe.client import Client
from callscribe.services import jobs
from local.receiver import Receiver, verify_callback
from local.system import LocalSystem, SystemSettings

GOAL_ONE_JOB_S = 3.0
GOAL_MEMORY_GB = 3.0
_TIMEOUT_S = 300.0
_REPEATS = 5


@dataclass(frozen=True)
class Measured:
    """Seconds of one job: from accepted upload to callback, and the engine's share of it."""

    total_s: float
    engine_s: float

    @property
    def overhead_s(self) -> float:
        """What is not the engine's."""
        return self.total_s - self.engine_s


def main() -> int:
    """Print the figures beside their goals; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=25)
    parser.add_argument("--only-load", action="store_true")
    arguments = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder, LocalSystem(SystemSettings(port=0), report=_say) as system:
        recordings = write_recordings(Path(folder), arguments.jobs)
        with Receiver() as receiver:
            run(system, receiver, recordings[:1])  # warms every function
            if not arguments.only_load:
                good &= report_one(system, receiver, recordings[0])
            good &= report_many(system, receiver, recordings)
    return 0 if good else 1


def write_recordings(folder: Path, count: int) -> list[Path]:
    """Distinct recordings of 10 s, two channels each, as WAV files."""
    made = distinct_recordings(count)
    return [Recording(samples, ()).write_wav(folder / f"{number}.wav") for number, samples in enumerate(made)]


def report_one(system: LocalSystem, receiver: Receiver, recording: Path) -> bool:
    """The overhead of single jobs, one after the other."""
    measured = [run(system, receiver, [recording])[0] for _ in range(_REPEATS)]
    overheads = sorted(one.overhead_s for one in measured)
    median_s = statistics.median(overheads)
    print(
        f"one job, warm, {_REPEATS} times: overhead median {median_s:.2f} s, "
        f"{overheads[0]:.2f} to {overheads[-1]:.2f} s (goal: at most {GOAL_ONE_JOB_S:g} s); "
        f"engine {statistics.median(one.engine_s for one in measured):.2f} s"
    )
    return median_s <= GOAL_ONE_JOB_S


def report_many(system: LocalSystem, receiver: Receiver, recordings: Sequence[Path]) -> bool:
    """Many jobs at once: all must come back, verified, within the memory goal."""
    with MemoryWatch() as memory:
        started_s = time.monotonic()
        measured = run(system, receiver, recordings)
        elapsed_s = time.monotonic() - started_s
    engine_s = sum(one.engine_s for one in measured)
    peak_gb = memory.peak_bytes / 1e9
    print(
        f"{len(recordings)} recordings at once: {len(measured)} verified callbacks, 0 lost, in {elapsed_s:.1f} s; "
        f"engine {engine_s:.1f} s, overhead {(elapsed_s - engine_s) / len(measured):.2f} s per job"
    )
    print(f"peak memory of the laptop cloud and its worker: {peak_gb:.2f} GB (goal: at most {GOAL_MEMORY_GB:g} GB)")
    return peak_gb <= GOAL_MEMORY_GB


def run(system: LocalSystem, receiver: Receiver, recordings: Sequence[Path]) -> list[Measured]:
    """Upload all recordings at once and wait for all callbacks. Raises TimeoutError for one that does not come."""
    made = system.credentials
    barrier = threading.Barrier(len(recordings))

    def one(path: Path) -> Measured:
        with Client(system.base_url, made.app_id, made.api_key) as client:
            upload = client.create_upload("audio/wav", callback_url=receiver.url)
            barrier.wait()
            client.upload(upload.url, path, "audio/wav")
        accepted_s = time.time()
        received = receiver.wait_for(upload.request_id, _TIMEOUT_S)
        body = verify_callback(made.webhook_secret, received.headers, received.body)
        if not body["transcription"]:
            raise RuntimeError(f"job {upload.request_id} came back without words: {body}")
        return Measured(received.arrived_at_s - accepted_s, engine_seconds(system, upload.request_id))

    with ThreadPoolExecutor(len(recordings)) as pool:
        return list(pool.map(one, recordings))


def engine_seconds(system: LocalSystem, request_id: str) -> float:
    """What the worker noted on the job: seconds from decoding to transcript."""
    deps = system.deps()
    job = jobs.find(deps, tenant_id=system.credentials.tenant_id, job_id=request_id)
    return job.work_s or 0.0


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
