"""Speech turns of a recording of any length and number of speakers, from a judge that hears a part of it at a time.

A judge that compares all moments with one another needs memory by the square of the length. So it is given blocks of
so much speech at most, with short silence in place of what was no speech; a block's samples are forgotten as soon as
it was judged, and speakers of several blocks are taken for one by how alike their voices are.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from callscribe.engines.base import SAMPLE_RATE_HZ, Samples

Array = NDArray[np.float64]
BLOCK_S: Final = 1_200.0  # of speech: 77 MB of samples; most calls are one block
_PAUSE_S = 0.5  # between spans in a block
# Cosine of two voices' descriptions from which they are one person's. Chosen, not measured: within a block the judge
# decides by itself, and only recordings of more than one block come to this.
_SAME_VOICE = 0.5
_LEAST_NEW_S = 10.0  # of a voice in a block: with less, a later block brings no new speaker


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker speaks, by number, in seconds."""

    start_s: float
    end_s: float
    speaker: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Turns of a block, none over another, and a description of each speaker's voice, shape (speakers, features)."""

    turns: tuple[Turn, ...]
    voices: Array


Judge = Callable[[Samples], Judged]


@dataclass(frozen=True, slots=True)
class _Laid:
    """Where a span lies in a block, and where it is in the recording."""

    at_s: float
    start_s: float
    duration_s: float

    def recorded(self, turn: Turn) -> Turn | None:
        """The part of a block's turn that lies in this span, in seconds of the recording."""
        first_s, last_s = max(turn.start_s, self.at_s), min(turn.end_s, self.at_s + self.duration_s)
        if last_s <= first_s:
            return None
        later_s = self.start_s - self.at_s
        return replace(turn, start_s=first_s + later_s, end_s=last_s + later_s)


class TurnVoices:
    """Who speaks when: a `base.Voices` made of turns. Speakers are numbered anew, in the order they are heard."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start_s)
        self._starts_s = [turn.start_s for turn in self._turns]
        self._names = {
            speaker: str(number) for number, speaker in enumerate(dict.fromkeys(turn.speaker for turn in self._turns))
        }

    @property
    def count(self) -> int:
        """How many speakers there are, at least 1."""
        return max(1, len(self._names))

    def speaker_at(self, time_s: float) -> str:
        """The speaker at a moment; where nobody speaks, the nearest."""
        after = bisect_right(self._starts_s, time_s)
        near = self._turns[max(0, after - 1) : after + 1]
        if not near:
            return "0"
        return self._names[min(near, key=lambda turn: max(turn.start_s - time_s, time_s - turn.end_s, 0.0)).speaker]


@dataclass(slots=True)
class BlockDiarizer:
    """A `base.Diarizer` on top of a judge."""

    judge: Judge
    block_s: float = BLOCK_S
    _samples: list[Samples] = field(default_factory=list)
    _laid: list[_Laid] = field(default_factory=list)
    _length: int = 0  # of the block so far, in samples
    _turns: list[Turn] = field(default_factory=list)
    _known: list[Array] = field(default_factory=list)  # a description of each speaker, weighted by seconds

    def listen(self, samples: Samples, start_s: float) -> None:
        """See `base.Diarizer`."""
        if self._laid and self._length + samples.size > self.block_s * SAMPLE_RATE_HZ:
            self._judge_block()
        if self._laid:
            before = self._laid[-1]
            apart_s = min(_PAUSE_S, max(0.0, start_s - before.start_s - before.duration_s))
            self._append(np.zeros(round(apart_s * SAMPLE_RATE_HZ), np.float32))
        self._laid.append(_Laid(self._length / SAMPLE_RATE_HZ, start_s, samples.size / SAMPLE_RATE_HZ))
        self._append(samples)

    def voices(self) -> TurnVoices:
        """See `base.Diarizer`."""
        if self._laid:
            self._judge_block()
        return TurnVoices(self._turns)

    def _append(self, samples: Samples) -> None:
        self._samples.append(samples)
        self._length += samples.size

    def _judge_block(self) -> None:
        judged = self.judge(np.concatenate(self._samples))
        names = self._known_as(judged)
        self._turns += [replace(turn, speaker=names[turn.speaker]) for turn in _recorded(judged.turns, self._laid)]
        self._samples, self._laid, self._length = [], [], 0

    def _known_as(self, judged: Judged) -> list[int]:
        """The number of each of a block's speakers among all; new ones are added."""
        seconds = np.zeros(len(judged.voices))
        for turn in judged.turns:
            seconds[turn.speaker] += turn.end_s - turn.start_s
        directions = [_direction(voice) for voice in judged.voices]
        names = _match(directions, [_direction(voice) for voice in self._known], seconds)
        for at, direction in enumerate(directions):
            if names[at] == len(self._known):
                self._known.append(np.zeros_like(direction))
            self._known[names[at]] = self._known[names[at]] + direction * seconds[at]
        return names


def _recorded(turns: Sequence[Turn], laid: Sequence[_Laid]) -> Iterator[Turn]:
    ends_s = [span.at_s + span.duration_s for span in laid]
    for turn in turns:
        for span in laid[bisect_right(ends_s, turn.start_s) :]:
            if span.at_s >= turn.end_s:
                break
            if (part := span.recorded(turn)) is not None:
                yield part


def _match(voices: Sequence[Array], known: Sequence[Array], seconds: Array) -> list[int]:
    """Which of the known voices each is, no two the same one, or the next free number.

    A voice that was hardly heard is no new speaker but the most similar one, whoever else is taken for that.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # no types; 0.3 s, mono only

    if not known:
        return list(range(len(voices)))
    likeness = np.stack(voices) @ np.stack(known).T
    names = [-1] * len(voices)
    for one, other in zip(*linear_sum_assignment(-likeness), strict=True):
        if likeness[one, other] >= _SAME_VOICE:
            names[one] = int(other)
    free = len(known)
    for one in range(len(voices)):
        if names[one] < 0 and seconds[one] < _LEAST_NEW_S:
            names[one] = int(likeness[one].argmax())
        elif names[one] < 0:
            names[one], free = free, free + 1
    return names


def _direction(voice: Array) -> Array:
    """The description as a unit vector; zeros where the judge could not describe it."""
    finite = np.nan_to_num(np.asarray(voice, np.float64))
    length = float(np.linalg.norm(finite))
    return finite / length if length else finite
