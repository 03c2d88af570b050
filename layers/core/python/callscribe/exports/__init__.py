"""Exports: a transcript as the bytes of a file. Pure; each format is one module with `render(transcript, roles)`.

| name | for | notes |
| --- | --- | --- |
| `txt` | people | one line per turn, with its time and speaker |
| `json` | programs | segments with words and times, documented in `json.py` |
| `srt`, `vtt` | players | at most 2 lines of 42 characters per cue, 1 to 7 s, see `cues.py` |
| `docx` | word processors | one paragraph per turn; the module is imported late: it needs python-docx |

Beside these, `task_txt` and `task_docx` render the report of one task: `render(report, language)`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from callscribe.domain.transcripts import Transcript
from callscribe.errors import Invalid

if TYPE_CHECKING:  # a request that renders nothing need not load who says what
    from callscribe.domain.roles import Roles

EXPORTS: Final[dict[str, str]] = {
    "txt": "callscribe.exports.txt",
    "json": "callscribe.exports.json",
    "srt": "callscribe.exports.srt",
    "vtt": "callscribe.exports.vtt",
    "docx": "callscribe.exports.docx",
}
MEDIA_TYPES: Final[dict[str, str]] = {
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",  # UTF-8 by definition: RFC 8259, section 8.1
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


def render(name: str, transcript: Transcript, *, roles: "Roles | None" = None) -> bytes:
    """The transcript in the format `name`; text is UTF-8. Raises Invalid for a format that is not in EXPORTS.

    With `roles` whose confidence is at least `labels.LEAST_CONFIDENCE` the speakers are called Agent and Customer,
    else Speaker 0, Speaker 1 …; JSON says the role and its confidence whenever `roles` are given.
    """
    if name not in EXPORTS:
        raise Invalid("format", f"must be one of {', '.join(EXPORTS)}")
    body: bytes = import_module(EXPORTS[name]).render(transcript, roles)
    return body
