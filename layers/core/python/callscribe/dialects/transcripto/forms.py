"""Forms with a file, as browsers and `curl -F` send them (RFC 7578): fields as text, the file in a folder of scratch.

The body is read piece by piece, so that of a file of 80 MB nothing lies in memory but the request that brought it.
"""

import base64
import binascii
import logging
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import decode_params, unquote
from itertools import chain, groupby
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from callscribe.dialects.front import BodyTooLong, Malformed, header
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.domain.texts import is_blank, one_line

FILE: Final = "file"  # the name of the field that holds it
MAX_PARTS: Final = 50
MAX_FIELD_BYTES: Final = 8_192
_PIECE: Final = 1 << 20  # characters of a body, a multiple of 4: whole groups of base64
_MAX_URLENCODED_BYTES: Final = 65_536
_MAX_TYPED_BYTES: Final = 1_024
_PLAIN_CODINGS: Final = ("", "7bit", "8bit", "binary")
_SEPARATOR: Final = re.compile(r"[/\\]")  # of folders
# RFC 5987's own two, and those that Russian was written in. Python is asked for no others: it keeps each name that it
# does not know, and some of its codecs take the square of what they are given.
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1251", "koi8-r"})
# An encoded word of RFC 2047, as clients write it: its charset (and, perhaps, its language), coding and text.
_WORD: Final = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([BbQq])\?([^?]*)\?=")
_WORDS: Final = re.compile(rf"{_WORD.pattern}(?:[ \t]*{_WORD.pattern})*")
# A header's parameter: its name, and its value with its quotes, in which a semicolon ends nothing.
_PARAMETER: Final = re.compile(r';([^;=]*+)=?+((?:[^;"]++|"(?:[^"\\]++|\\.)*+"?+)*+)', re.DOTALL)
_BOUNDARY: Final = re.compile(rb"[\x20-\x7e]{0,69}[\x21-\x7e]")  # RFC 2046, section 5.1.1, and what is sent beside it

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # who sends no form is told so; it is no news for a log


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file that came along: its name, without folders, None where the client gave none; and where it lies now."""

    name: str | None
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Form:
    """The fields that were asked for, as far as they were sent, and the file."""

    fields: Mapping[str, str]
    file: FormFile | None


def read(event: dict[str, Any], folder: Path, known: Collection[str]) -> Form:
    """The form that an event's body holds, which is taken out of it; fields that are not `known` are ignored.

    Raises Malformed, BodyTooLong, and Refused (NO_FILE) for a body of another type.
    """
    content_type = _Parameters(header(event, "content-type") or "")
    pieces = _pieces(event)
    if content_type.value == "multipart/form-data":
        boundary = (content_type.get("boundary") or "").encode("latin-1", "replace")
        if not _BOUNDARY.fullmatch(boundary):
            raise Malformed("Content-Type", "must name the boundary of the form")
        return _read_multipart(pieces, boundary, folder, known)
    if content_type.value == "application/x-www-form-urlencoded":
        return Form(_read_urlencoded(pieces, known), None)
    raise Refused(Problem.NO_FILE, f"send it as multipart/form-data, in the field {FILE}")


def file_name(given: str) -> str | None:
    """A file's own name out of what a client calls it: no folders, no control characters; None if it shows nothing."""
    own = _SEPARATOR.split(_WORDS.sub(_words_text, given))[-1]
    name = unicodedata.normalize("NFC", one_line(own)).strip()
    return None if is_blank(name) or name in (".", "..") else name


def _words_text(run: re.Match[str]) -> str:
    """What encoded words say. Where that cannot be told they stay, but for the slashes of base64, which are no folders.

    Words of one charset are decoded as one: some clients end a word within a character.
    """
    words = groupby(_WORD.findall(run[0]), key=lambda word: word[0].lower())
    try:
        return "".join(_decoded(b"".join(_octets(*word) for word in same), charset) for charset, same in words)
    except ValueError:
        return _SEPARATOR.sub("_", run[0])


def _octets(_charset: str, coding: str, text: str) -> bytes:
    """Of one encoded word. Raises ValueError."""
    if coding in "Qq":
        return binascii.a2b_qp(text, header=True)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _decoded(octets: bytes, charset: str) -> str:
    """Raises ValueError for a charset that is not ours, and for octets that are no text in it."""
    if charset.lower() not in _CHARSETS:
        raise ValueError("an unknown charset")
    return octets.decode(charset)


class _Parameters:
    """A header's value and its parameters, those of RFC 2231 and RFC 5987 (`filename*=UTF-8''…`) included."""

    def __init__(self, text: str) -> None:
        """Raises Malformed for what no header may hold."""
        value, semicolon, rest = text.partition(";")
        self.value = value.strip().lower()
        pairs = [(key.strip().lower(), given.strip()) for key, given in _PARAMETER.findall(semicolon + rest)]
        try:
            self._all = decode_params([("", ""), *pairs])  # its first pair is the value, which it leaves alone
        except (ValueError, TypeError) as error:
            raise Malformed("body", "has a header that cannot be read") from error

    def get(self, name: str) -> str | None:
        """A parameter's text, None where there is no such one.

        RFC 7578, section 4.2, forbids `filename*` in a form, but clients send it, .NET beside a `filename` of encoded
        words. It is the exact name (RFC 6266, section 4.3), wherever it stands, unless it cannot be decoded.
        """
        values = [value for key, value in self._all if key == name]
        plain = [unquote(value) for value in values if isinstance(value, str)]
        extended = [(value[0], unquote(value[2])) for value in values if isinstance(value, tuple)]
        decoded = filter(None, (_extended_text(*one) for one in extended))
        return next(chain(decoded, plain, (octets for _, octets in extended)), None)


def _extended_text(charset: str | None, octets: str) -> str | None:
    """What an extended value says, whose octets come as a character each; None where that cannot be told."""
    try:
        return _decoded(octets.encode("latin-1"), charset or "")
    except ValueError:
        return None


def _pieces(event: dict[str, Any]) -> Iterator[bytes]:
    """The body's bytes, of which each character is decoded once. The event is without it from the first piece on."""
    body: str = event.pop("body", None) or ""
    try:
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            yield base64.b64decode(piece, validate=True) if event.get("isBase64Encoded") else piece.encode()
    except (UnicodeError, binascii.Error, ValueError) as error:
        raise Malformed("body", "cannot be read") from error


def _read_urlencoded(pieces: Iterator[bytes], known: Collection[str]) -> dict[str, str]:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > _MAX_URLENCODED_BYTES:
            raise BodyTooLong("body", f"must have at most {_MAX_URLENCODED_BYTES} bytes where it brings no file")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PARTS, errors="strict")
    except ValueError as error:
        raise Malformed("body", f"must be a form in UTF-8 of at most {MAX_PARTS} fields") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in known:
            _put(fields, name, value)
    return fields


def _read_multipart(pieces: Iterator[bytes], boundary: bytes, folder: Path, known: Collection[str]) -> Form:
    with ExitStack() as closing:
        reader = _Reader(folder, known, closing)
        try:
            parser = MultipartParser(boundary, reader.callbacks(), max_header_size=4_096)
            seen = 0
            for piece in _without_preamble(pieces, boundary):
                # The parser looks byte by byte at what follows each boundary; no part's content may hold it.
                seen += piece.count(b"\r\n--" + boundary)
                if seen > MAX_PARTS:
                    raise Malformed("body", f"must have at most {MAX_PARTS} parts")
                parser.write(piece)
        except FormParserError as error:
            raise Malformed("body", "is no form as its Content-Type says") from error
    if not reader.ended:
        raise Malformed("body", "ends before the form does")
    return Form(reader.fields, reader.file)


def _without_preamble(pieces: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """What stands before the first boundary tells nothing (RFC 2046, section 5.1.1); the first piece holds all of it,
    or there is no form.
    """
    first = next(pieces, b"")
    if not first.startswith(b"--" + boundary):
        first = first[first.find(b"\r\n--" + boundary) + 2 :] if b"\r\n--" + boundary in first else first
    yield first
    yield from pieces


class _Reader:
    """Takes what the parser finds."""

    def __init__(self, folder: Path, known: Collection[str], closing: ExitStack) -> None:
        self.fields: dict[str, str] = {}
        self.file: FormFile | None = None
        self.ended = False
        self._folder = folder
        self._known = known
        self._closing = closing
        self._parts = 0
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._coding = ""  # of the part's content
        self._is_nameless = False  # the file came without any name for it
        self._name: str | None = None  # of the field that is being read, if it is wanted
        self._field = bytearray()
        self._out: IO[bytes] | None = None  # where the file goes, while it comes

    def callbacks(self) -> Any:
        """What the parser calls, by its own names for it."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._end_form,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Malformed("body", f"must have at most {MAX_PARTS} parts")
        self._disposition, self._coding, self._name = b"", "", None

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        elif self._header.lower() == b"content-transfer-encoding":
            self._coding = _text(self._value).strip().lower()
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        parameters = _Parameters(_text(self._disposition))
        name = parameters.get("name")
        if parameters.value != "form-data" or name is None:
            raise Malformed("body", "has a part without the name of a field")
        if name != FILE and name not in self._known:
            return
        if self._coding not in _PLAIN_CODINGS:  # RFC 7578, section 4.7, has no others any more
            raise Malformed(name, "must be sent as it is, without a Content-Transfer-Encoding such as base64")
        if name == FILE:
            self._begin_file(parameters.get("filename"))
        else:
            self._name = name

    def _begin_file(self, given: str | None) -> None:
        if self.file is not None:
            raise Malformed(FILE, "must be sent once")
        path, self._is_nameless = self._folder / "received", given is None
        self.file = FormFile(file_name(given or ""), path, 0)
        self._out = self._closing.enter_context(path.open("wb"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._out is not None:
            self._out.write(memoryview(data)[start:end])
        elif self._name is not None:
            if len(self._field) + end - start > MAX_FIELD_BYTES:
                raise Malformed(self._name, f"must have at most {MAX_FIELD_BYTES} bytes")
            self._field += data[start:end]

    def _end(self) -> None:
        if self._out is not None and self.file is not None:
            self.file = FormFile(self.file.name, self.file.path, self._out.tell())
            self._out.close()
            self._out = None
            if self._is_nameless and _is_short_text(self.file):
                raise Refused(Problem.NO_FILE, f"the field {FILE} holds text; curl sends a file by -F {FILE}=@PATH")
        elif self._name is not None:
            try:
                _put(self.fields, self._name, self._field.decode())
            except UnicodeDecodeError as error:
                raise Malformed(self._name, "must be UTF-8") from error
            self._field.clear()

    def _end_form(self) -> None:
        self.ended = True


def _put(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise Malformed(name, "must be sent once")
    fields[name] = value


def _is_short_text(file: FormFile) -> bool:
    """Whether it is what somebody typed, such as a path."""
    if not 0 < file.size_bytes <= _MAX_TYPED_BYTES:
        return False
    try:
        return file.path.read_text(encoding="utf-8").strip().isprintable()
    except UnicodeDecodeError:
        return False


def _text(raw: bytes | bytearray) -> str:
    """A header's text: browsers send UTF-8, older clients Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
