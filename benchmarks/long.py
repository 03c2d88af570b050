"""Long recordings within stated memory: 3 h in stereo through the laptop cloud, 12 h in mono through the pipeline.

The first is uploaded, inspected, transcribed by the tiny Whisper of the tests (so that it takes minutes) and fetched
as a client does. The second is read by the real decoder, voice activity, chunk pool, diarizer and assembly, with an
engine that only counts. Both transcripts must cover their recording to its end, in order. Run: `make bench NAME=long`
(about a quarter of an hour); `--only transcriber --hours 1` for a part of it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.memory import PeakWatch, descendants, everybody
from benchmarks.report import Goal
from benchmarks.speech_files import write_long_call
from callscribe.client import Client
from callscribe.domain.audio import AudioLimits
from callscribe.domain.transcripts import Segment, Transcript, Word
from callscribe.engines.base import Chunk, EngineInfo, Hints, Recognised
from callscribe.engines.pipeline import make_transcriber
from callscribe.media.inspect import inspect
from callscribe.services import jobs
from local.engine import ChosenEngine
from local.receiver import Receiver, verify_callback
from local.recordings import DEMO_TURNS, demo_recording
from local.system import LocalSystem, SystemSettings

LAPTOP_HOURS, TRANSCRIBER_HOURS = 3.0, 12.0
GOAL_WORKER_GB = 1.0
GOAL_OTHERS_GB = 4.0  # set after 3.2 was measured, mostly of the emulator, whose objects are in memory (on AWS: S3)
GOAL_TRANSCRIBER_GB = 2.0
TINY_WHISPER = Path(__file__).parents[1] / "tests" / "fixtures" / "tiny_whisper_ct2"
_TIMEOUT_S = 3_600.0
_WORD_S = 0.4
_LONGEST_SEGMENT_S = 30.0
_SPEECH_SHARE = (0.85, 1.3)  # of what is said, that voice activity takes for speech, padding included


class Incomplete(RuntimeError):
    """Raised when a transcript lacks a part of its recording, or is not in order."""


class CountingEngine:
    """Hears a numbered word every 0.4 s, in batches as a Whisper takes them."""

    info = EngineInfo("counting", "none", None, word_times=True, max_chunk_s=30.0, device="cpu", joins_spans=True)

    def __init__(self) -> None:
        self.words = 0

    def transcribe(self, chunks: Sequence[Chunk], *, language: str | None, hints: Hints) -> Iterator[Recognised]:
        """See `base.Engine`."""
        del hints
        for chunk in chunks:
            words = tuple(self._words(chunk.duration_s))
            yield Recognised(" ".join(word.text for word in words), words, language)

    def close(self) -> None:
        """See `base.Engine`."""

    def _words(self, duration_s: float) -> Iterator[Word]:
        for place in range(int(duration_s / _WORD_S)):
            self.words += 1
            yield Word(f"word{self.words}", place * _WORD_S, (place + 1) * _WORD_S, 0.9)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a long recording: how long it took, peak memory by whose it is, and what the transcript holds."""

    hours: float
    took_s: float
    peak_gb: dict[str, float]
    segments: int
    words: int
    speech_s: float

    def __str__(self) -> str:
        memory = ", ".join(f"{name} {peak_gb:.2f} GB" for name, peak_gb in self.peak_gb.items())
        return (
            f"{self.hours:g} h in {self.took_s:.0f} s ({3_600 * self.hours / self.took_s:.0f} × real time): {memory}; "
            f"{self.segments:,} segments, {self.words:,} words, {self.speech_s / 3_600:.2f} h of speech"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was measured beside the goals; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("laptop", "transcriber"))
    parser.add_argument("--hours", type=float, help="another length than 3 h and 12 h")
    parser.add_argument("--transcribe", type=Path, help="transcribe one file in this process and report; for itself")
    chosen = parser.parse_args(arguments)
    if chosen.transcribe:
        print(json.dumps(transcribe(chosen.transcribe)))
        return 0
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        if chosen.only != "laptop":
            outcomes["transcriber"] = through_transcriber(Path(folder), chosen.hours or TRANSCRIBER_HOURS)
            print(f"transcriber alone, mono: {outcomes['transcriber']}")
        if chosen.only != "transcriber":
            outcomes["laptop"] = through_laptop(Path(folder), chosen.hours or LAPTOP_HOURS)
            print(f"laptop cloud, stereo: {outcomes['laptop']}")
    return report.conclude("long", {name: asdict(one) for name, one in outcomes.items()}, goals(outcomes))


def goals(outcomes: dict[str, Outcome]) -> list[Goal]:
    """Peak memory, for as much as was run."""
    limits = {
        "laptop": {"worker": GOAL_WORKER_GB, "others": GOAL_OTHERS_GB},
        "transcriber": {"transcriber": GOAL_TRANSCRIBER_GB},
    }
    return [
        Goal(f"{outcomes[place].hours:g} h, {place}: peak memory of {who}, GB", outcomes[place].peak_gb[who], limit)
        for place, of_place in limits.items()
        if place in outcomes
        for who, limit in of_place.items()
    ]


def through_transcriber(folder: Path, hours: float) -> Outcome:
    """A mono recording through the speech pipeline in a process of its own. Raises Incomplete, CalledProcessError."""
    path = write_long_call(folder / "long.wav", demo_recording().as_mono(), 3_600 * hours)
    started_s = time.monotonic()
    command = (sys.executable, "-m", "benchmarks.long", "--transcribe", str(path))
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        PeakWatch({"transcriber": lambda: (process.pid, *descendants(process.pid))}) as watch,
    ):
        said, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    path.unlink()
    return Outcome(hours, time.monotonic() - started_s, _gigabytes(watch), **json.loads(said.splitlines()[-1]))


def transcribe(path: Path) -> dict[str, Any]:
    """Read one recording with the counting engine. Raises Incomplete."""
    engine = CountingEngine()
    pipeline = make_transcriber(engine)
    found = pipeline(path, inspect(path, AudioLimits())).transcript
    pipeline.close()
    pause_s = 2 * _longest_pause_s(found.segments[:1_000])  # what one hears of the recording, one hears of its repeats
    require_whole(found.segments, found.duration_s, pause_s=pause_s)
    counted = _counted(found)
    if counted["words"] != engine.words:
        raise Incomplete(f"the engine heard {engine.words} words, the transcript has {counted['words']}")
    return counted


def through_laptop(folder: Path, hours: float) -> Outcome:
    """A stereo recording from the presigned URL to the verified callback and the result. Raises Incomplete."""
    call = demo_recording()
    path = write_long_call(folder / "long.wav", call, 3_600 * hours)
    settings = SystemSettings(port=0, engine=ChosenEngine("faster-whisper", TINY_WHISPER))
    with LocalSystem(settings, report=_say) as system, Receiver() as receiver:
        groups = {"worker": lambda: _workers(system), "others": lambda: _others(system)}
        with PeakWatch(groups) as watch:
            started_s = time.monotonic()
            found = run_job(system, receiver, path)
            took_s = time.monotonic() - started_s
    for channel in (0, 1):
        of_channel = [segment for segment in found.segments if segment.channel == channel]
        require_whole(of_channel, found.duration_s, pause_s=call.duration_s)
    said_s = sum(turn.end_s - turn.start_s for turn in DEMO_TURNS) * 3_600 * hours / call.duration_s
    if not _SPEECH_SHARE[0] <= found.speech_s / said_s <= _SPEECH_SHARE[1]:
        raise Incomplete(f"the engine was given {found.speech_s:.0f} s of speech; {said_s:.0f} s are said")
    return Outcome(hours, took_s, _gigabytes(watch), **_counted(found))


def run_job(system: LocalSystem, receiver: Receiver, path: Path) -> Transcript:
    """Upload, wait for the callback, verify it, ask for the result; the stored one. Raises Incomplete, TimeoutError.

    The contract of the dialect has no channels in its answer, so what is looked at is the transcript behind it.
    """
    made = system.credentials
    with Client(system.base_url, made.app_id, made.api_key) as client:
        upload = client.create_upload("audio/wav", callback_url=receiver.url)
        client.upload(upload.url, path, "audio/wav")
        received = receiver.wait_for(upload.request_id, _TIMEOUT_S)
        verify_callback(made.webhook_secret, received.headers, received.body)
        result = client.result(upload.request_id)
    if result.transcript is None:
        raise Incomplete(f"the recording has no transcript: {result.status}, {result.error}")
    deps = system.deps()
    stored = jobs.transcript(deps, jobs.find(deps, tenant_id=made.tenant_id, job_id=upload.request_id))
    if len(result.transcript.segments) != len(stored.segments):
        raise Incomplete(f"{len(stored.segments)} segments are stored, {len(result.transcript.segments)} came")
    return stored


def require_whole(segments: Sequence[Segment], duration_s: float, *, pause_s: float) -> None:
    """Segments in order, inside the recording, without a pause of more than `pause_s`. Raises Incomplete."""
    edges = [0.0, *(segment.start_s for segment in segments), duration_s]
    if edges != sorted(edges):
        raise Incomplete("the segments are not in order, or not inside the recording")
    if max(later - earlier for earlier, later in pairwise(edges)) > pause_s + _LONGEST_SEGMENT_S:
        raise Incomplete(f"nothing is said for more than {pause_s:.0f} s")


def _longest_pause_s(segments: Sequence[Segment]) -> float:
    return max(later.start_s - earlier.end_s for earlier, later in pairwise(segments))


def _counted(found: Transcript) -> dict[str, Any]:
    words = sum(len(segment.words) for segment in found.segments)
    return {"segments": len(found.segments), "words": words, "speech_s": found.speech_s}


def _workers(system: LocalSystem) -> Iterable[int]:
    for worker in system.workers:
        yield from (worker.process.pid, *descendants(worker.process.pid))


def _others(system: LocalSystem) -> set[int]:
    """The emulator with its Lambdas, and this process: front, client and receiver in one."""
    return set(everybody()) - set(_workers(system))


def _gigabytes(watch: PeakWatch) -> dict[str, float]:
    return {name: peak_bytes / 1e9 for name, peak_bytes in watch.peak_bytes.items()}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
