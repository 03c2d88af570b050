import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from callscribe.domain.transcripts import Transcript
from callscribe.engines import load_engine
from callscribe.engines.base import Chunk, Hints
from callscribe.engines.pocketsphinx import PocketSphinx
from callscribe.errors import FailureCode, Invalid, JobFailed, Unavailable
from local.recordings import demo_recording, read_clip, reference
from local.word_errors import word_error_rate
from tests.engines.conftest import Run

PHRASE = Chunk(read_clip("librivox-0880"))
LONGER = Chunk(read_clip("librivox-0890"))


def heard(engine: PocketSphinx, *chunks: Chunk) -> list[str]:
    return [found.text for found in engine.transcribe(chunks, language=None, hints=Hints())]


def children() -> list[int]:
    """Process ids of the recognisers that this process started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status.rpartition(")")[2].split()[1]) == os.getpid() and b"pocketsphinx_child" in command:
            found.append(int(folder.name))
    return found


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")


def test_clear_speech_is_recognised(sphinx: PocketSphinx, run: Run) -> None:
    transcript = run(sphinx, read_clip("librivox-0890")[None])
    assert word_error_rate(reference("librivox-0890"), transcript.text) <= 0.36
    assert (transcript.engine, transcript.language, transcript.language_probability) == ("pocketsphinx", "en", None)
    assert "@sha256:" in transcript.model
    assert transcript.warnings == ()


def test_the_demo_recording_is_recognised_with_both_speakers(demo: Transcript) -> None:
    recording = demo_recording()
    assert 30 <= recording.duration_s <= 60
    assert {segment.speaker for segment in demo.segments} == {"0", "1"}
    for channel, text in enumerate(recording.texts):
        said = " ".join(segment.text for segment in demo.segments if segment.channel == channel)
        assert word_error_rate(text, said) <= 0.45


def test_every_word_has_a_time_and_a_posterior_and_no_marker(demo: Transcript) -> None:
    words = [word for segment in demo.segments for word in segment.words]
    assert len(words) > 60
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in words)
    assert all(word.text.replace("'", "").replace(".", "").replace("-", "").isalpha() for word in words)
    assert sum(word.end_s - word.start_s for word in words) > 15


def test_a_result_does_not_depend_on_what_was_decoded_before() -> None:
    engine = PocketSphinx(processes=1)
    try:
        alone = list(engine.transcribe([PHRASE], language="en", hints=Hints()))
        again = list(engine.transcribe([LONGER, PHRASE], language="en", hints=Hints()))
    finally:
        engine.close()
    assert again[1] == alone[0]


def test_results_come_in_the_order_of_the_chunks(sphinx: PocketSphinx) -> None:
    short = Chunk(np.zeros(1_600, np.float32))
    assert heard(sphinx, LONGER, short, PHRASE) == [*heard(sphinx, LONGER), "", *heard(sphinx, PHRASE)]


def test_spanish_is_refused_with_a_typed_error(sphinx: PocketSphinx) -> None:
    with pytest.raises(JobFailed) as failed:
        sphinx.transcribe([PHRASE], language="es", hints=Hints())
    assert failed.value.failure.code == FailureCode.LANGUAGE_UNSUPPORTED


def test_spanish_that_nobody_announced_comes_with_a_warning(sphinx: PocketSphinx, run: Run) -> None:
    transcript = run(sphinx, read_clip("pv-es")[None], language="auto")
    assert len(transcript.warnings) == 1
    assert "mean confidence" in transcript.warnings[0]


@linux_only
def test_a_recogniser_killed_at_work_is_an_error_and_the_next_one_works() -> None:
    engine = PocketSphinx(processes=1)
    before = set(children())
    try:
        first = heard(engine, PHRASE)
        (child,) = set(children()) - before
        killer = threading.Timer(0.2, os.kill, (child, signal.SIGKILL))
        killer.start()
        with pytest.raises(Unavailable, match="status -9"):
            heard(engine, *[LONGER] * 8)
        killer.join()
        assert heard(engine, PHRASE) == first
    finally:
        engine.close()


@linux_only
def test_a_recogniser_that_hangs_is_ended_after_its_time() -> None:
    engine = PocketSphinx(processes=1, answer_s=1.0)
    before = set(children())
    started_s = time.monotonic()
    stopper = threading.Thread(target=lambda: os.kill(wait_for_child(before), signal.SIGSTOP))
    stopper.start()
    try:
        with pytest.raises(Unavailable):
            heard(engine, *[LONGER] * 8)
    finally:
        stopper.join()
        engine.close()
    assert time.monotonic() - started_s < 30
    assert set(children()) <= before


def wait_for_child(before: set[int]) -> int:
    while not (started := set(children()) - before):
        time.sleep(0.005)
    return started.pop()


@linux_only
def test_a_closed_engine_leaves_no_process() -> None:
    before = set(children())
    engine = PocketSphinx()
    heard(engine, PHRASE, PHRASE)
    assert set(children()) - before
    engine.close()
    assert set(children()) <= before


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid, match="pocketsphinx"):
        load_engine("dragon")
