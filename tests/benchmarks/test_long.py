"""The benchmark `long`: a transcript that lacks something is no result, and memory is never less than it was."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import long as bench
from benchmarks.long import CountingEngine, Incomplete, require_whole
from benchmarks.memory import PeakWatch, most_bytes
from benchmarks.speech_files import write_long_call
from callscribe.domain.audio import AudioLimits
from callscribe.domain.transcripts import Segment
from callscribe.engines.base import Hints, Recognised
from callscribe.media.decode import decode
from callscribe.media.inspect import inspect
from local.recordings import demo_recording


def segment(start_s: float, end_s: float) -> Segment:
    return Segment("said", start_s, end_s, 0, None, None)


WHOLE = [segment(second, second + 4) for second in range(0, 100, 5)]


def test_a_transcript_that_covers_its_recording_is_whole() -> None:
    require_whole(WHOLE, 100.0, pause_s=1.0)


@pytest.mark.parametrize(
    "segments",
    [[], WHOLE[:10], WHOLE[10:], WHOLE[:5] + WHOLE[15:], [*WHOLE[1:], WHOLE[0]], [*WHOLE, segment(101, 102)]],
    ids=["none", "no end", "no beginning", "no middle", "no order", "beyond the end"],
)
def test_a_transcript_without_a_part_is_not_whole(segments: list[Segment]) -> None:
    with pytest.raises(Incomplete):
        require_whole(segments, 100.0, pause_s=1.0)


def test_a_long_call_repeats_its_recording_to_the_end(tmp_path: Path) -> None:
    call = demo_recording()
    path = write_long_call(tmp_path / "long.wav", call, 2.5 * call.duration_s)
    facts = inspect(path, AudioLimits())
    assert (facts.codec, facts.channels) == ("pcm_mulaw", 2)
    assert facts.duration_s == pytest.approx(2.5 * call.duration_s, abs=0.001)
    samples = decode(path, facts)
    once = round(call.duration_s * 16_000)
    assert abs(samples[:, 1_000 : once // 4] - samples[:, once + 1_000 : once + once // 4]).max() < 0.01


def test_a_few_minutes_pass_through_the_transcriber_in_a_process_of_its_own(tmp_path: Path) -> None:
    outcome = bench.through_transcriber(tmp_path, 1 / 30)
    assert 0.6 * 120 < outcome.speech_s <= 120
    assert outcome.words > 100
    assert 0.05 < outcome.peak_gb["transcriber"] < bench.GOAL_TRANSCRIBER_GB
    assert [goal.met for goal in bench.goals({"transcriber": outcome})] == [True]
    assert not bench.goals({"transcriber": replace(outcome, peak_gb={"transcriber": 2.1})})[0].met


def test_words_that_the_engine_heard_and_the_transcript_lacks_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(CountingEngine):
        def transcribe(self, chunks, *, language, hints: Hints):  # type: ignore[no-untyped-def]  # as its base
            heard = list(super().transcribe(chunks, language=language, hints=hints))
            return [Recognised(one.text, one.words[:-1], one.language) for one in heard]

    monkeypatch.setattr(bench, "CountingEngine", Forgetful)
    path = write_long_call(tmp_path / "long.wav", demo_recording().as_mono(), 60)
    with pytest.raises(Incomplete, match="the engine heard"):
        bench.transcribe(path)


def test_memory_that_was_given_back_counts_all_the_same() -> None:
    hungry = "hoard = bytearray(200_000_000); del hoard; print('done', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hungry], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with PeakWatch({"hungry": lambda: [process.pid], "nobody": list}) as watch:
            process.stdout.readline()
        process.kill()
    assert 200e6 < watch.peak_bytes["hungry"] < 300e6
    assert watch.peak_bytes["nobody"] == 0
    assert most_bytes(process.pid) == 0
    assert most_bytes(os.getpid()) > 10e6
