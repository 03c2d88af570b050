"""Exports: a transcript as the bytes of a file. Pure; each format is one module with `render(transcript)`.

| name | for | notes |
| --- | --- | --- |
| `txt` | people | one line per turn, with its time and speaker |
| `json` | programs | segments with words and times, documented in `json.py` |
| `srt`, `vtt` | players | at most 2 lines of 42 characters per cue, 1 to 7 s, see `cues.py` |
"""

from importlib import import_module

from callscribe.domain.transcripts import Transcript
from callscribe.errors import Invalid

EXPORTS: dict[str, str] = {
    "txt": "callscribe.exports.txt",
    "json": "callscribe.exports.json",
    "srt": "callscribe.exports.srt",
    "vtt": "callscribe.exports.vtt",
}


def render(name: str, transcript: Transcript) -> bytes:
    """The transcript in the format `name`, UTF-8. Raises Invalid for a format that is not in EXPORTS."""
    if name not in EXPORTS:
        raise Invalid("format", f"must be one of {', '.join(EXPORTS)}")
    body: bytes = import_module(EXPORTS[name]).render(transcript)
    return body
