"""Plain text for readers: one line per turn, `[0:01:23] Speaker 0: what was said`."""

from collections.abc import Iterator

from callscribe.domain.transcripts import Segment, Transcript
from callscribe.exports.text import clean, speaker_label

PAUSE_S = 3.0  # a speaker who is silent for so long starts a new line


def render(transcript: Transcript) -> bytes:
    """One line per turn; empty for a transcript without words."""
    return "".join(f"{_line(turn)}\n" for turn in _turns(transcript)).encode()


def _turns(transcript: Transcript) -> Iterator[list[Segment]]:
    """Runs of segments by one speaker without a long pause."""
    turn: list[Segment] = []
    for segment in transcript.segments:
        if not clean(segment.text):
            continue
        if turn and (segment.speaker != turn[-1].speaker or segment.start_s - turn[-1].end_s >= PAUSE_S):
            yield turn
            turn = []
        turn.append(segment)
    if turn:
        yield turn


def _line(turn: list[Segment]) -> str:
    label = speaker_label(turn[0].speaker)
    text = " ".join(clean(segment.text) for segment in turn)
    return f"[{_time(turn[0].start_s)}] {label + ': ' if label else ''}{text}"


def _time(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"
