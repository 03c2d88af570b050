import json

import numpy as np
import pytest
from numpy.typing import NDArray

from callscribe.domain.transcripts import Segment, Transcript, Word
from callscribe.engines.speakers import TwoVoices, VoiceWindow, describe_voice, split_by_speaker, tell_apart
from callscribe.media.speech import find_speech
from local.recordings import CLIPS, DEMO_TURNS, read_clip

Samples = NDArray[np.float32]


def windows_of(samples: Samples) -> list[VoiceWindow]:
    return [
        window
        for span in find_speech(samples)
        for window in describe_voice(samples[round(span.start_s * 16_000) : round(span.end_s * 16_000)], span.start_s)
    ]


ONE_VOICE = {
    "one reader": np.concatenate([read_clip(f"librivox-08{number}0") for number in (7, 8, 9)]),
    "one sentence": read_clip("librivox-0870"),
    "one speech": read_clip("jfk"),
    "one Spanish speaker": read_clip("pv-es"),
}


@pytest.mark.parametrize("name", ONE_VOICE)
def test_a_recording_of_one_voice_has_one_speaker(name: str) -> None:
    assert tell_apart(windows_of(ONE_VOICE[name])).count == 1


def test_no_speech_has_one_speaker() -> None:
    assert tell_apart([]).count == 1
    assert tell_apart([]).speaker_at(3.0) == "0"


def test_three_people_have_at_least_two_speakers_and_the_first_ends_where_the_reference_says(
    three_people: Transcript,
) -> None:
    speakers = json.loads((CLIPS / "refs.json").read_text())["pv-diar.flac"]["speakers"]
    said = dict.fromkeys(("0", "1"), "")
    for segment in three_people.segments:
        said[segment.speaker or ""] += segment.text + " "
    assert len(said["0"].split()) == speakers.count(1)
    assert said["0"].split() == ["and", "so", "it", "begins"]
    assert len(said["1"].split()) >= 20


def test_two_voices_in_turns_are_told_apart_with_an_error_of_at_most_five_percent() -> None:
    turns = [(turn.channel, turn) for turn in DEMO_TURNS if turn.clip != "pv-diar"]
    parts, wanted = [], []
    for speaker, turn in turns:
        part = read_clip(turn.clip)[round(turn.start_s * 16_000) : round(turn.end_s * 16_000)]
        parts.append(part)
        wanted += [str(speaker)] * (part.size // 160)
    mono = np.concatenate(parts)
    voices = tell_apart(windows_of(mono))
    assert voices.count == 2
    spoken = [
        index
        for span in find_speech(mono)
        for index in range(int(span.start_s * 100), min(len(wanted), int(span.end_s * 100)))
    ]
    wrong = sum(voices.speaker_at(index / 100) != wanted[index] for index in spoken)
    assert wrong / len(spoken) <= 0.05


def test_a_segment_is_cut_where_the_speaker_changes() -> None:
    voices = TwoVoices(
        np.array([0.0, 2.0], np.float32), np.array([2.0, 4.0], np.float32), np.array([-1.0, 1.0], np.float32)
    )
    words = tuple(Word(text, at_s, at_s + 0.5, 0.5) for text, at_s in [("who", 0.1), ("me", 1.2), ("you", 2.5)])
    segment = Segment("who me you", 0.1, 3.0, 0, None, 0.5, words)
    pieces = list(split_by_speaker(segment, voices))
    assert [(piece.speaker, piece.text, piece.start_s, piece.end_s) for piece in pieces] == [
        ("0", "who me", 0.1, 1.7),
        ("1", "you", 2.5, 3.0),
    ]


def test_a_moment_outside_all_windows_belongs_to_the_nearest() -> None:
    voices = TwoVoices(
        np.array([0.0, 8.0], np.float32), np.array([1.6, 9.6], np.float32), np.array([-1.0, 1.0], np.float32)
    )
    assert [voices.speaker_at(time_s) for time_s in (-1.0, 2.0, 7.0, 30.0)] == ["0", "0", "1", "1"]


def test_hours_of_windows_are_clustered_in_bounded_memory() -> None:
    rng = np.random.default_rng(3)
    centres = np.where(np.arange(20_000)[:, None] % 40 < 20, -1.0, 1.0)
    features = (centres + rng.normal(0, 0.4, (20_000, 38))).astype(np.float32)
    windows = [VoiceWindow(index * 0.8, index * 0.8 + 1.6, row) for index, row in enumerate(features)]
    voices = tell_apart(windows)
    assert voices.count == 2
    assert float((voices.leaning > 0).mean()) == pytest.approx(0.5, abs=0.01)
