"""A word processor's document: title, facts, one paragraph per turn. The same transcript gives the same bytes.

The only export that needs a library beyond the standard one (python-docx, with lxml): the table of exports imports
this module late, and only the functions that offer the format carry the layer.
"""

from collections.abc import Iterator
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as DocumentType
from docx.opc.coreprops import CoreProperties
from docx.shared import Pt
from docx.text.paragraph import Paragraph

from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Transcript
from callscribe.exports.labels import Label, label_by
from callscribe.exports.text import clean
from callscribe.exports.times import clock_time
from callscribe.exports.turns import Turn, turns

TITLE = "Call transcript"
_SPACE_AFTER_TURN = Pt(6)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
_UNIX = 3


def render(transcript: Transcript, roles: Roles | None) -> bytes:
    """The document; a transcript without words gives its title and facts."""
    label = label_by(roles)
    document = Document()
    _set_properties(document.core_properties, transcript)
    document.styles["Normal"].paragraph_format.space_after = _SPACE_AFTER_TURN
    document.add_heading(TITLE, level=0)
    for name, value in _facts(transcript, roles, label):
        _write(document.add_paragraph(), f"{name}: ", value)
    _write_turns(document, turns(transcript, label))
    return _fixed(document)


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


def _write_turns(document: DocumentType, spoken: Iterator[Turn]) -> None:
    for turn in spoken:
        lead = f"[{clock_time(turn.start_s)}] {turn.label + ': ' if turn.label else ''}"
        _write(document.add_paragraph(), lead, turn.text)


def _write(paragraph: Paragraph, bold: str, text: str) -> None:
    paragraph.add_run(bold).bold = True
    paragraph.add_run(text)


def _set_properties(properties: CoreProperties, transcript: Transcript) -> None:
    """Say what is true and nothing that changes: the library's template was made by others in 2013."""
    properties.title = TITLE
    properties.author = "callscribe"
    properties.comments = ""
    if transcript.language:
        properties.language = clean(transcript.language)
    core = properties._element  # there is no other way to leave the dates open
    for date in [child for child in core if str(child.tag).endswith(("}created", "}modified"))]:
        core.remove(date)


def _fixed(document: DocumentType) -> bytes:
    """The document's bytes, without the time at which the library wrote them."""
    written, fixed = BytesIO(), BytesIO()
    document.save(written)
    with ZipFile(written) as source, ZipFile(fixed, "w") as target:
        for name in source.namelist():
            member = ZipInfo(name, _ZIP_EPOCH)
            member.create_system = _UNIX  # else it would say where the document was made
            member.compress_type = ZIP_DEFLATED
            target.writestr(member, source.read(name))
    return fixed.getvalue()
