"""Blocks and turns, with a judge that knows people by the level of their voice."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.engines.base import Samples
from callscribe.engines.voices import BlockDiarizer, Judged, Turn, TurnVoices

RATE = 16_000
PEOPLE = np.eye(8)  # descriptions that have nothing in common


def speech(person: int, seconds: float) -> Samples:
    """Samples at a level that says who speaks."""
    return np.full(round(seconds * RATE), (person + 1) / 10, np.float32)


@dataclass
class ByLevel:
    """Judges by level, numbers speakers as they come in the block, and remembers how long blocks were."""

    blocks_s: list[float] = field(default_factory=list)

    def __call__(self, samples: Samples) -> Judged:
        self.blocks_s.append(samples.size / RATE)
        runs = list(_runs(samples))
        people = list(dict.fromkeys(person for person, _, _ in runs))
        turns = tuple(Turn(start_s, end_s, people.index(person)) for person, start_s, end_s in runs)
        return Judged(turns, PEOPLE[people])


def _runs(samples: Samples) -> Iterator[tuple[int, float, float]]:
    people = np.rint(samples * 10).astype(int) - 1
    edges = [0, *(np.flatnonzero(np.diff(people)) + 1), people.size]
    for first, last in pairwise(edges):
        if last > first and people[first] >= 0:
            yield int(people[first]), first / RATE, last / RATE


def told(*said: tuple[int, float, float], block_s: float = 1_000.0) -> tuple[BlockDiarizer, ByLevel]:
    """A diarizer that has heard people, each from a moment on for some seconds."""
    judge = ByLevel()
    diarizer = BlockDiarizer(judge, block_s=block_s)
    for person, start_s, seconds in said:
        diarizer.listen(speech(person, seconds), start_s)
    return diarizer, judge


def test_speakers_are_numbered_in_the_order_they_are_heard_and_times_are_the_recordings() -> None:
    diarizer, judge = told((5, 100.0, 3.0), (2, 200.0, 4.0), (5, 300.0, 2.0), (7, 1_000.0, 2.0))
    voices = diarizer.voices()
    assert voices.count == 3
    assert [voices.speaker_at(time_s) for time_s in (101.0, 202.0, 301.0, 1_001.0)] == ["0", "1", "0", "2"]
    assert judge.blocks_s == [3 + 4 + 2 + 2 + 3 * 0.5]


def test_where_nobody_speaks_the_nearest_is_the_speaker() -> None:
    diarizer, _ = told((0, 10.0, 2.0), (1, 20.0, 2.0))
    voices = diarizer.voices()
    assert [voices.speaker_at(time_s) for time_s in (0.0, 15.0, 17.0, 99.0)] == ["0", "0", "1", "1"]


def test_a_turn_that_the_judge_lays_over_the_pause_between_spans_is_cut_to_the_spans() -> None:
    diarizer = BlockDiarizer(lambda samples: Judged((Turn(0.0, samples.size / RATE, 0),), PEOPLE[:1]))
    diarizer.listen(speech(0, 2.0), 10.0)
    diarizer.listen(speech(0, 2.0), 50.0)
    voices = diarizer.voices()
    assert [(turn.start_s, turn.end_s) for turn in voices._turns] == [(10.0, 12.0), (50.0, 52.0)]


def test_a_recording_is_judged_in_blocks_that_are_forgotten_and_people_stay_the_same() -> None:
    turns = [(at % 3, at * 60.0, 30.0) for at in range(12)]
    diarizer, judge = told(*turns, block_s=100.0)
    voices = diarizer.voices()
    assert [voices.speaker_at(start_s + 1) for _, start_s, _ in turns] == [str(person) for person, _, _ in turns]
    assert voices.count == 3
    assert len(judge.blocks_s) == 4
    assert max(judge.blocks_s) <= 100.0 + 0.5
    assert sum(samples.size for samples in diarizer._samples) == 0


def test_no_more_than_a_block_is_held_at_a_time_however_long_the_recording_is() -> None:
    diarizer = BlockDiarizer(ByLevel(), block_s=60.0)
    held = []
    for at in range(200):
        diarizer.listen(speech(at % 2, 20.0), at * 30.0)
        held.append(sum(samples.size for samples in diarizer._samples))
    assert max(held) <= (60.0 + 0.5) * RATE
    assert diarizer.voices().count == 2


def test_a_later_block_can_bring_somebody_new_but_not_with_a_cough() -> None:
    first = [(0, 0.0, 40.0), (1, 50.0, 40.0)]
    diarizer, _ = told(*first, (2, 200.0, 40.0), block_s=90.0)
    assert diarizer.voices().count == 3
    diarizer, _ = told(*first, (2, 200.0, 4.0), block_s=82.0)
    assert diarizer.voices().count == 2


def test_voices_that_are_alike_are_one_person_and_two_of_a_block_are_two() -> None:
    alike = np.array([[1.0, 0.0], [0.9, 0.3]])
    answers = iter(
        [
            Judged((Turn(0.0, 15.0, 0), Turn(15.0, 30.0, 1)), np.eye(2)),
            Judged((Turn(0.0, 15.0, 0), Turn(15.0, 30.0, 1)), alike),
        ]
    )
    diarizer = BlockDiarizer(lambda _: next(answers), block_s=30.0)
    for start_s in (0.0, 100.0):
        diarizer.listen(speech(0, 30.0), start_s)
    voices = diarizer.voices()
    assert [voices.speaker_at(time_s) for time_s in (1.0, 16.0, 101.0, 116.0)] == ["0", "1", "0", "2"]


def test_a_voice_without_a_description_is_nobody_new_in_a_later_block_if_it_is_short() -> None:
    answers = iter([Judged((Turn(0.0, 30.0, 0),), np.eye(1, 2)), Judged((Turn(0.0, 3.0, 0),), np.full((1, 2), np.nan))])
    diarizer = BlockDiarizer(lambda _: next(answers), block_s=30.0)
    diarizer.listen(speech(0, 30.0), 0.0)
    diarizer.listen(speech(0, 3.0), 60.0)
    assert diarizer.voices().count == 1


@pytest.mark.parametrize("spans", [0, 1])
def test_where_nothing_was_heard_there_is_one_speaker(spans: int) -> None:
    diarizer = BlockDiarizer(lambda _: Judged((), np.zeros((0, 4))))
    for _ in range(spans):
        diarizer.listen(speech(0, 1.0), 0.0)
    voices = diarizer.voices()
    assert (voices.count, voices.speaker_at(5.0)) == (1, "0")


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0.01, 5), st.integers(0, 4)), min_size=1, max_size=20),
    st.floats(-5, 200),
)
def test_the_speaker_at_any_moment_is_that_of_the_nearest_turn(
    said: list[tuple[float, float, int]], time_s: float
) -> None:
    turns, at_s = [], 0.0
    for gap_s, seconds, speaker in said:
        turns.append(Turn(at_s + gap_s, at_s + gap_s + seconds, speaker))
        at_s = turns[-1].end_s
    order = list(dict.fromkeys(turn.speaker for turn in turns))
    nearest_s = min(max(turn.start_s - time_s, time_s - turn.end_s, 0.0) for turn in turns)
    near = {
        str(order.index(turn.speaker))
        for turn in turns
        if max(turn.start_s - time_s, time_s - turn.end_s, 0.0) == nearest_s
    }
    assert TurnVoices(turns).speaker_at(time_s) in near
