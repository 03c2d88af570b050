"""Turns: what a reader reads in one go."""

from collections.abc import Iterator
from dataclasses import dataclass

from callscribe.domain.texts import is_blank
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.exports.labels import Label
from callscribe.exports.text import clean
from callscribe.exports.times import clock_time

PAUSE_S = 3.0  # a speaker who is silent for so long starts a new turn


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said from `start_s` on: cleaned, never blank. `label` "" where the speaker is unknown."""

    start_s: float
    label: str
    text: str


def turns(transcript: Transcript, label: Label) -> Iterator[Turn]:
    """Runs of segments by one speaker without a long pause; segments that show nothing are left out."""
    run: list[Segment] = []
    for segment in transcript.segments:
        if is_blank(clean(segment.text)):
            continue
        if run and (segment.speaker != run[-1].speaker or segment.start_s - run[-1].end_s >= PAUSE_S):
            yield _turn(run, label)
            run = []
        run.append(segment)
    if run:
        yield _turn(run, label)


def lead(turn: Turn) -> str:
    """What stands before a turn's text: `[0:01:23] Speaker 0: `."""
    return f"[{clock_time(turn.start_s)}] {turn.label + ': ' if turn.label else ''}"


def _turn(run: list[Segment], label: Label) -> Turn:
    return Turn(run[0].start_s, label(run[0]), " ".join(clean(segment.text) for segment in run))
