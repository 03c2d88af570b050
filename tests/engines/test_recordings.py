import itertools
import wave
from pathlib import Path

import numpy as np
import pytest

from local.recordings import DEMO_TURNS, demo_recording, distinct_recordings, reference
from local.word_errors import count_errors, word_error_rate, words_of


def test_distinct_recordings_are_all_different_and_the_same_on_every_call() -> None:
    made = list(distinct_recordings(25))
    again = list(distinct_recordings(25))
    assert all(samples.shape == (2, 160_000) for samples in made)
    for one, other in itertools.combinations(made, 2):
        assert not np.array_equal(one[0], other[0])
        assert not np.array_equal(one[1], other[1])
    assert all(np.array_equal(one, other) for one, other in zip(made, again, strict=True))


def test_the_demo_recording_is_a_wav_of_two_channels(tmp_path: Path) -> None:
    recording = demo_recording()
    with wave.open(str(recording.write_wav(tmp_path / "demo.wav"))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 16_000, 2)
        assert file.getnframes() / 16_000 == recording.duration_s
    assert recording.as_mono().samples.shape == (1, recording.samples.shape[1])


def test_the_turns_say_what_the_references_say() -> None:
    for clip in {turn.clip for turn in DEMO_TURNS} - {"pv-diar"}:
        said = " ".join(turn.text for turn in DEMO_TURNS if turn.clip == clip)
        assert words_of(said) == words_of(reference(clip))


@pytest.mark.parametrize(
    ("reference_text", "hypothesis", "rate"),
    [
        ("a b c d", "a b c d", 0.0),
        ("a b c d", "a x c d", 0.25),
        ("a b c d", "a c d", 0.25),
        ("a b c d", "a b b c d", 0.25),
        ("a b", "", 1.0),
        ("a", "x y z", 3.0),
        ("Mr. Smith, isn't here!", "mister smith isn't here", 0.0),
    ],
)
def test_word_errors_are_counted(reference_text: str, hypothesis: str, rate: float) -> None:
    assert word_error_rate(reference_text, hypothesis) == rate


def test_errors_are_the_fewest_edits() -> None:
    assert count_errors(list("kitten"), list("sitting")) == 3
    assert count_errors([], list("abc")) == 3


def test_a_rate_needs_a_reference() -> None:
    with pytest.raises(ValueError, match="reference"):
        word_error_rate(" ... ", "words")
