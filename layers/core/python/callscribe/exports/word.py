"""A word processor's document, written so that the same contents always give the same bytes.

Needs a library beyond the standard one (python-docx, with lxml): whoever imports this module is imported late, and
only the functions that offer such documents carry the layer.
"""

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as DocumentType
from docx.opc.coreprops import CoreProperties
from docx.shared import Pt

_SPACE_AFTER_PARAGRAPH = Pt(6)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
_UNIX = 3


def new(title: str, *, language: str = "") -> DocumentType:
    """A document that begins with its title. `language`: BCP 47, "" where it is not known."""
    document = Document()
    _set_properties(document.core_properties, title, language)
    document.styles["Normal"].paragraph_format.space_after = _SPACE_AFTER_PARAGRAPH
    document.add_heading(title, level=0)
    return document


def write(document: DocumentType, bold: str, text: str) -> None:
    """One more paragraph: what is bold, then the rest."""
    paragraph = document.add_paragraph()
    paragraph.add_run(bold).bold = True
    paragraph.add_run(text)


def to_bytes(document: DocumentType) -> bytes:
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


def _set_properties(properties: CoreProperties, title: str, language: str) -> None:
    """Say what is true and nothing that changes: the library's template was made by others in 2013."""
    properties.title = title
    properties.author = "callscribe"
    properties.comments = ""
    if language:
        properties.language = language
    core = properties._element  # there is no other way to leave the dates open
    for date in [child for child in core if str(child.tag).endswith(("}created", "}modified"))]:
        core.remove(date)
