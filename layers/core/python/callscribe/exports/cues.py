"""Subtitle cues: what SRT and VTT have in common.

The limits are those of broadcasters' subtitle guides. A long segment is split where its words' times say, or in
proportion to its characters where there are none. A short cue is shown for MIN_MS; a cue that would run into it
then starts that much later. Two cues are on screen at once only where two speakers talk at once.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from callscribe.domain.texts import is_blank
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.exports.clock import Clock
from callscribe.exports.labels import Label, label_by
from callscribe.exports.text import clean
from callscribe.exports.tokens import Token, columns, tokens

MAX_LINES = 2
MAX_COLUMNS = 42
MIN_MS = 1_000
MAX_MS = 7_000
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "؟")
_NO_BREAK_SPACE = "\u00a0"


@dataclass(frozen=True, slots=True)
class Cue:
    """One or two lines, on screen from `start_ms` until `end_ms`."""

    start_ms: int
    end_ms: int
    label: str  # "Agent" or "Speaker 0"; "" where the speaker is unknown
    lines: tuple[str, ...]


def cues(
    transcript: Transcript,
    *,
    adapt: Callable[[str], str] = clean,
    prefix: Callable[[str], str] = lambda _label: "",
    label: Label | None = None,
) -> list[Cue]:
    """Cues in order of start; none for a segment that shows nothing.

    `adapt` makes a segment's text showable, `label` names who said it (by default by number), `prefix` makes of the
    label what precedes the text.
    """
    label = label or label_by(None)
    shown = (segment for segment in transcript.segments if not is_blank(clean(segment.text)))
    spoken = (cue for segment in shown for cue in _split(segment, label(segment), adapt, prefix))
    return list(_shown(sorted(_in_order(spoken), key=lambda cue: cue.start_ms)))


def _split(segment: Segment, label: str, adapt: Callable[[str], str], prefix: Callable[[str], str]) -> Iterator[Cue]:
    """A segment as cues that keep the limits on lines, at the times at which they were spoken."""
    lead = prefix(label)
    clock = Clock(segment, adapt)
    position = 0
    cue: Cue | None = None
    for token in tokens(adapt(segment.text), max_columns=MAX_COLUMNS - columns(lead) - 1):
        begin, position = position, position + len(token.text)
        start_ms, end_ms = clock.times_ms(begin, position)
        grown = _grow(cue, token, end_ms) if cue else None
        if cue and not grown:
            yield _finish(cue)
        cue = grown or Cue(start_ms, end_ms, label, (lead + token.text,))
    if cue:
        yield _finish(cue)


def _grow(cue: Cue, token: Token, end_ms: int) -> Cue | None:
    """The cue with one more token, or None where a new cue must begin (or better begins: after a sentence)."""
    if end_ms - cue.start_ms > MAX_MS:
        return None
    *above, line = cue.lines
    if above and token.space_before and line.endswith(_SENTENCE_ENDS):
        return None
    longer = line + (" " if token.space_before else "") + token.text
    if columns(longer) <= MAX_COLUMNS - longer.isdecimal():
        return replace(cue, end_ms=end_ms, lines=(*above, longer))
    if len(cue.lines) == MAX_LINES:
        return None
    return replace(cue, end_ms=end_ms, lines=(line, token.text))


def _finish(cue: Cue) -> Cue:
    """Mark a second line of digits only: some readers take it for the number of the next cue."""
    first, *rest = cue.lines
    return replace(cue, lines=(first, *(_NO_BREAK_SPACE + line if line.isdecimal() else line for line in rest)))


def _in_order(spoken: Iterable[Cue]) -> Iterator[Cue]:
    """A speaker's cues never go back in time, whatever times their words were given."""
    latest_ms: dict[str, int] = {}
    for cue in spoken:
        latest_ms[cue.label] = max(cue.start_ms, latest_ms.get(cue.label, 0))
        yield replace(cue, start_ms=latest_ms[cue.label])


def _shown(spoken: Iterable[Cue]) -> Iterator[Cue]:
    """The cues with legible times, made from those at which they were spoken, in order of start."""
    on_screen: list[tuple[Cue, int]] = []  # cues as spoken, and until when they are shown
    start_ms = 0
    for cue in spoken:
        start_ms = max([cue.start_ms, start_ms, *(end for other, end in on_screen if not _at_once(other, cue))])
        end_ms = start_ms + min(max(cue.end_ms - start_ms, MIN_MS), MAX_MS)
        yield replace(cue, start_ms=start_ms, end_ms=end_ms)
        on_screen = [(other, end) for other, end in on_screen if end > start_ms]
        on_screen.append((cue, end_ms))


def _at_once(earlier: Cue, later: Cue) -> bool:
    """Whether two different speakers said these at the same time."""
    return earlier.label != later.label and later.start_ms < earlier.end_ms
