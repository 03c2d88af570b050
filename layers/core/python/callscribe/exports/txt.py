"""Plain text for readers: one line per turn, `[0:01:23] Speaker 0: what was said`."""

from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Transcript
from callscribe.exports.labels import label_by
from callscribe.exports.turns import lead, turns


def render(transcript: Transcript, roles: Roles | None) -> bytes:
    """One line per turn; empty for a transcript without words."""
    return "".join(f"{lead(turn)}{turn.text}\n" for turn in turns(transcript, label_by(roles))).encode()
