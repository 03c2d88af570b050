"""Word error rate of a speech engine on genuine clips, and words invented where nobody speaks.

`python -m benchmarks.accuracy [ENGINE]`. Exit status 1 when a goal is missed.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from callscribe.domain.audio import AudioLimits
from callscribe.domain.transcripts import Transcript
from callscribe.engines import load_engine
from callscribe.engines.pipeline import make_transcriber
from callscribe.media.inspect import inspect
from callscribe.ports import Transcriber, TranscriptionOptions
from local.recordings import CLIPS, Recording, demo_recording, not_speech, reference
from local.word_errors import count_errors, words_of

POOLED = ("librivox-0870", "librivox-0880", "librivox-0890", "jfk", "pv-diar")
GOAL = 0.32
DEMO_GOAL = 0.45


@dataclass(frozen=True, slots=True)
class Score:
    """Errors against the words of a reference."""

    errors: int
    words: int

    @property
    def rate(self) -> float:
        """Word error rate."""
        return self.errors / self.words


def main(arguments: list[str]) -> int:
    """Measure one engine, print, and say whether the goals are met."""
    engine = load_engine(arguments[0] if arguments else "pocketsphinx")
    transcribe = make_transcriber(engine)
    print(f"engine {engine.info.name}, model {engine.info.model}, on {engine.info.device}\n")
    try:
        pooled = _pool([_clip(transcribe, name) for name in POOLED])
        with tempfile.TemporaryDirectory() as folder:
            demo = _demo(transcribe, Path(folder))
            invented = _invented(transcribe, Path(folder))
    finally:
        engine.close()
    met = pooled.rate <= GOAL and demo.rate <= DEMO_GOAL and invented == 0
    print(
        f"\npooled {pooled.errors}/{pooled.words} = {pooled.rate:.1%} (goal ≤ {GOAL:.0%}), demo {demo.rate:.1%} "
        f"(goal ≤ {DEMO_GOAL:.0%}), invented words {invented} (goal 0): {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


def _clip(transcribe: Transcriber, name: str) -> Score:
    transcript = _transcribe(transcribe, CLIPS / f"{name}.flac", name)
    return _score(name, reference(name), transcript.text)


def _demo(transcribe: Transcriber, folder: Path) -> Score:
    recording = demo_recording()
    transcript = _transcribe(transcribe, recording.write_wav(folder / "demo.wav"), "demo")
    scores = []
    for channel, text in enumerate(recording.texts):
        heard = " ".join(segment.text for segment in transcript.segments if segment.channel == channel)
        scores.append(_score(f"demo, channel {channel}", text, heard))
    return _pool(scores)


def _invented(transcribe: Transcriber, folder: Path) -> int:
    invented = 0
    for name, samples in not_speech().items():
        path = Recording(samples, ("",)).write_wav(folder / f"{name}.wav")
        heard = words_of(_transcribe(transcribe, path, name).text)
        print(f"{name:20} {len(heard)} words")
        invented += len(heard)
    return invented


def _transcribe(transcribe: Transcriber, path: Path, name: str) -> Transcript:
    facts = inspect(path, AudioLimits())
    started_s = time.perf_counter()
    transcript = transcribe(path, facts, TranscriptionOptions(language="en")).transcript
    took_s = time.perf_counter() - started_s
    print(f"{name:20} {facts.duration_s:6.1f} s of audio, {transcript.speech_s:5.1f} s of speech, took {took_s:5.1f} s")
    for warning in transcript.warnings:
        print(f"{'':20} warning: {warning}")
    return transcript


def _score(name: str, wanted: str, heard: str) -> Score:
    score = Score(count_errors(words_of(wanted), words_of(heard)), len(words_of(wanted)))
    print(f"{name:20} {score.rate:6.1%} ({score.errors}/{score.words})  {heard}")
    return score


def _pool(scores: list[Score]) -> Score:
    return Score(sum(score.errors for score in scores), sum(score.words for score in scores))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
