"""WebVTT (https://www.w3.org/TR/webvtt1/): numbered cues, the speaker as a voice tag `<v Speaker 0>`."""

from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Transcript
from callscribe.exports.cues import Cue, cues
from callscribe.exports.labels import label_by
from callscribe.exports.times import timestamp

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render(transcript: Transcript, roles: Roles | None) -> bytes:
    """The header, then the cues. `-->` cannot occur in a cue: its last character is escaped, or stands off its tag."""
    numbered = enumerate(cues(transcript, label=label_by(roles)), start=1)
    return "\n".join(("WEBVTT\n", *(_block(number, cue) for number, cue in numbered))).encode()


def _block(number: int, cue: Cue) -> str:
    text = "\n".join(line.translate(_ESCAPES) for line in cue.lines)
    if cue.label:
        apart = " " if cue.label.endswith("--") else ""  # is no part of the name
        text = f"<v {cue.label.translate(_ESCAPES)}{apart}>{text}</v>"
    return f"{number}\n{timestamp(cue.start_ms)} --> {timestamp(cue.end_ms)}\n{text}\n"
