"""Which audio container a file holds, told from its first bytes; names and MIME types are never asked."""

from typing import BinaryIO, Literal

# FFmpeg's names of the demuxers that a file may ever be opened with.
Container = Literal["wav", "w64", "mp3", "aac", "mov", "flac", "ogg", "matroska"]

HEAD_BYTES = 64
MAX_ID3_TAGS = 4

_MAGIC: tuple[tuple[bytes, Container], ...] = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", "w64"),
)
_WAVE_FORMS = (b"RIFF", b"RF64", b"BW64")
_MOV_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_ID3_HEADER_BYTES = 10
_MPEG_LAYERS_II_AND_III = (1, 2)  # the header counts layers down: 3 is layer I


def sniff(head: bytes) -> Container | None:
    """The container that these first bytes (HEAD_BYTES are enough) belong to; None for anything not accepted.

    An ID3v2 tag counts as mp3. Whatever refers to other files (playlists, manifests, session descriptions)
    has no entry here, so FFmpeg never sees it.
    """
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if head[:4] in _WAVE_FORMS and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] in _MOV_ATOMS:
        return "mov"
    if id3v2_bytes(head):
        return "mp3"
    return _sniff_mpeg_frame(head)


def _sniff_mpeg_frame(head: bytes) -> Container | None:
    """Containers without a magic number: a bare MPEG audio or AAC (ADTS) frame header, every field legal."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac" if (head[2] >> 2) & 0xF < 13 else None
    version, layer = (head[1] >> 3) & 3, (head[1] >> 1) & 3
    bitrate, rate = head[2] >> 4, (head[2] >> 2) & 3
    legal = head[1] & 0xE0 == 0xE0 and version != 1 and layer in _MPEG_LAYERS_II_AND_III
    return "mp3" if legal and 0 < bitrate < 15 and rate != 3 else None


def id3v2_bytes(head: bytes) -> int:
    """The length in bytes of the ID3v2 tag that `head` starts with, as the tag declares it; 0 without a tag."""
    size = head[6:_ID3_HEADER_BYTES]
    if len(size) < 4 or not head.startswith(b"ID3") or 0xFF in head[3:5] or max(size) > 0x7F:
        return 0
    footer_bytes = _ID3_HEADER_BYTES if head[5] & 0x10 else 0
    return _ID3_HEADER_BYTES + footer_bytes + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])


def locate(file: BinaryIO) -> tuple[Container, int] | None:
    """The container and the byte that it starts at; None for a file that is no accepted container.

    Leading ID3v2 tags are stepped over, so neither their size nor their pictures ever reach FFmpeg.
    """
    start = 0
    for _ in range(MAX_ID3_TAGS + 1):
        file.seek(start)
        head = file.read(HEAD_BYTES)
        tag_bytes = id3v2_bytes(head)
        if not tag_bytes:
            break
        start += tag_bytes
    container = sniff(head)
    if container is None and start:
        container = "mp3"  # tagged, then padding or a cut frame: FFmpeg's mp3 demuxer looks for the next header
    return None if container is None else (container, start)
