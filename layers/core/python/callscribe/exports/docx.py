"""A word processor's document: title, facts, one paragraph per turn.

The only export of a transcript that needs a library beyond the standard one: the table of exports imports this module
late, see `word`.
"""

from collections.abc import Iterator

from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Transcript
from callscribe.exports import word
from callscribe.exports.labels import Label, label_by
from callscribe.exports.text import clean
from callscribe.exports.times import clock_time
from callscribe.exports.turns import lead, turns

TITLE = "Call transcript"


def render(transcript: Transcript, roles: Roles | None) -> bytes:
    """The document; a transcript without words gives its title and facts."""
    label = label_by(roles)
    document = word.new(TITLE, language=clean(transcript.language or ""))
    for name, value in _facts(transcript, roles, label):
        word.write(document, f"{name}: ", value)
    for turn in turns(transcript, label):
        word.write(document, lead(turn), turn.text)
    return word.to_bytes(document)


def _facts(transcript: Transcript, roles: Roles | None, label: Label) -> Iterator[tuple[str, str]]:
    yield "Duration", clock_time(transcript.duration_s)
    yield "Language", clean(transcript.language or "") or "unknown"
    labels = dict.fromkeys(label(segment) for segment in transcript.segments)
    yield "Speakers", ", ".join(name for name in labels if name) or "unknown"
    if roles:
        yield "Role confidence", f"{roles.confidence:.2f} (by {roles.source})"
    yield "Recognised by", clean(f"{transcript.engine} {transcript.model}")
    for warning in transcript.warnings:
        yield "Note", clean(warning)
