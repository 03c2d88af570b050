r"""SubRip subtitles: `[Speaker 0] ` before each cue's text, UTF-8 without a byte order mark, line feeds.

SubRip has no escapes and no standard. Players read HTML tags, `{\…}` overrides and `-->` in a cue's text, so the
characters that begin them are written as ones that look alike; an entity is broken by an invisible character.
"""

import re

from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Transcript
from callscribe.exports.cues import Cue, cues
from callscribe.exports.labels import label_by
from callscribe.exports.text import clean
from callscribe.exports.times import timestamp

LOOK_ALIKES = {"<": "‹", ">": "›", "{": "❴", "}": "❵", "\\": "⧵"}
_TABLE = str.maketrans(LOOK_ALIKES)
_WORD_JOINER = "\u2060"  # invisible
_ENTITY = re.compile(r"&(?=#?\w+;)")  # only these: AT&T stays


def render(transcript: Transcript, roles: Roles | None) -> bytes:
    """Numbered cues; empty for a transcript without words."""
    numbered = enumerate(cues(transcript, adapt=showable, prefix=_prefix, label=label_by(roles)), start=1)
    return "\n".join(_block(number, cue) for number, cue in numbered).encode()


def showable(text: str) -> str:
    """Cleaned text that no player takes for anything but text."""
    return _ENTITY.sub("&" + _WORD_JOINER, clean(text)).translate(_TABLE)


def _prefix(label: str) -> str:
    return f"[{showable(label)}] " if label else ""


def _block(number: int, cue: Cue) -> str:
    times = f"{timestamp(cue.start_ms, ',')} --> {timestamp(cue.end_ms, ',')}"
    return "\n".join((str(number), times, *cue.lines, ""))
