"""Hostile, broken and borderline audio files, made on the fly, each with the outcomes that are right for it.

`Case.make` gives the file's bytes (or writes a path, where it is large). `Case.codes` are the failure codes that
are right; `Case.duration_s` is the length to be measured where accepting is right as well (both may be given).
"""

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream

from callscribe.domain.audio import AudioLimits
from callscribe.errors import FailureCode as Code
from tests.corpora import audio_files as good

ONE_TO_1800_S = AudioLimits(min_duration_s=1.0, max_duration_s=1800.0)
TWO_S_TO_4_H = AudioLimits(min_duration_s=2.0, max_duration_s=4 * 3600.0)
DAMAGED = frozenset({Code.AUDIO_UNREADABLE, Code.AUDIO_EMPTY, Code.AUDIO_TOO_SHORT})
FOREIGN = frozenset({Code.AUDIO_UNSUPPORTED})


@dataclass(frozen=True)
class Case:
    """One file and what may become of it; `duration_s` is (least, most)."""

    name: str
    make: Callable[[], bytes] | Callable[[Path], None]
    codes: frozenset[Code] = frozenset()
    duration_s: tuple[float, float] | None = None
    limits: AudioLimits = field(default_factory=AudioLimits)
    large: bool = False  # `make` writes to a path

    def write(self, folder: Path) -> Path:
        """The file, in this folder."""
        path = folder / self.name
        if self.large:
            self.make(path)  # type: ignore[call-arg]  # `large` says which of the two callables it is
        else:
            path.write_bytes(self.make())  # type: ignore[call-arg,arg-type]  # as above
        return path


def encoded(codec: str, container: str, duration_s: float = 3.0, rate_hz: int = 16_000, **options: str) -> bytes:
    """A good file of burst noise."""
    buffer = io.BytesIO()
    good.encode(buffer, good.speech_like(duration_s, rate_hz), rate_hz, codec, container, **options)
    return buffer.getvalue()


def mp3() -> bytes:
    """Three seconds."""
    return encoded("libmp3lame", "mp3")


def m4a() -> bytes:
    """Three seconds, the index (moov) at the end."""
    return encoded("aac", "ipod")


GOOD: dict[str, Callable[[], bytes]] = {
    "wav": lambda: good.wav16(good.speech_like(3.0, 16_000)),
    "mp3": mp3,
    "m4a": m4a,
    "flac": lambda: encoded("flac", "flac"),
    "ogg": lambda: encoded("libopus", "ogg", rate_hz=48_000),
    "webm": lambda: encoded("libopus", "webm", rate_hz=48_000),
}


def cases() -> Iterator[Case]:
    """Every family, but for the random mutations."""
    yield from _lengths()
    yield from _lying_headers()
    yield from _cut()
    yield from _broken_m4a()
    yield from _tags()
    yield from _foreign()
    yield from _references()
    yield from _bombs()
    yield from _pictures()
    yield from _levels()


def _silent_wav(frames: int, rate_hz: int = 8_000) -> bytes:
    return good.wav(bytes(2 * frames), rate_hz=rate_hz)


def _lengths() -> Iterator[Case]:
    yield Case("zero.wav", lambda: b"", frozenset({Code.AUDIO_EMPTY}))
    yield Case("hdr_only.wav", lambda: good.wav(b""), frozenset({Code.AUDIO_EMPTY}))
    short, long_ = frozenset({Code.AUDIO_TOO_SHORT}), frozenset({Code.AUDIO_TOO_LONG})
    yield Case("half_second.wav", lambda: _silent_wav(4_000), short, limits=ONE_TO_1800_S)
    yield Case("half_second_default.wav", lambda: _silent_wav(4_000), duration_s=(0.5, 0.5))
    yield Case("0099ms.wav", lambda: _silent_wav(792), short)
    yield Case("0100ms.wav", lambda: _silent_wav(800), duration_s=(0.1, 0.1))
    yield Case("0999ms.wav", lambda: _silent_wav(7_992), short, limits=ONE_TO_1800_S)
    yield Case("1000ms.wav", lambda: _silent_wav(8_000), duration_s=(1, 1), limits=ONE_TO_1800_S)
    yield Case("1999ms.wav", lambda: _silent_wav(15_992), short, limits=TWO_S_TO_4_H)
    yield Case("2000ms.wav", lambda: _silent_wav(16_000), duration_s=(2, 2), limits=TWO_S_TO_4_H)
    yield Case("30m00s.wav", lambda: _silent_wav(1800 * 8_000), duration_s=(1800, 1800), limits=ONE_TO_1800_S)
    yield Case("30m01s.wav", lambda: _silent_wav(1801 * 8_000), long_, limits=ONE_TO_1800_S)
    limit = AudioLimits(max_bytes=10_000)
    yield Case("one_byte_too_large.wav", lambda: bytes(10_001), frozenset({Code.UPLOAD_TOO_LARGE}), limits=limit)


def _lying_headers() -> Iterator[Case]:
    hundred = bytes(200)
    short = frozenset({Code.AUDIO_TOO_SHORT})
    yield Case("lie_4gb.wav", lambda: good.wav(hundred, data_bytes=0xFFFFFFF0), short)
    yield Case("lie_ffffffff.wav", lambda: good.wav(hundred, data_bytes=0xFFFFFFFF), short)
    damaged = frozenset({Code.AUDIO_UNREADABLE, Code.AUDIO_UNSUPPORTED, Code.AUDIO_EMPTY})
    data = bytes(64_000)
    yield Case("block_align_0.wav", lambda: good.wav(data, block_align=0), damaged, (2, 2))
    yield Case("channels_0.wav", lambda: good.wav(data, channels=0, block_align=2), damaged)
    yield Case("rate_0.wav", lambda: good.wav(data, rate_hz=0), damaged)
    yield Case("rate_1.wav", lambda: good.wav(data, rate_hz=1), frozenset({Code.AUDIO_UNSUPPORTED}))
    yield Case("rate_4e9.wav", lambda: good.wav(data, rate_hz=0xFFFFFFFF), damaged)
    yield Case("bits_0.wav", lambda: good.wav(data, bits=0, block_align=2), damaged)
    yield Case("bits_65535.wav", lambda: good.wav(data, bits=65_535, block_align=2), damaged)
    yield Case("ch255.wav", lambda: good.wav(bytes(510 * 1000), channels=255), FOREIGN)
    yield Case("ch8.wav", lambda: good.wav(bytes(16 * 16_000), channels=8), duration_s=(1, 1))
    yield Case("nan.wav", lambda: good.wav(b"\x00\x00\xc0\x7f" * 16_000, tag=3, bits=32), duration_s=(1, 1))


def _cut() -> Iterator[Case]:
    for kind, make in GOOD.items():
        for share in (0.01, 0.5, 0.99):
            yield Case(f"trunc_{share:.0%}.{kind}", _cut_to(make, share), DAMAGED, (0.1, 3.1))


def _cut_to(make: Callable[[], bytes], share: float) -> Callable[[], bytes]:
    return lambda: (whole := make())[: int(len(whole) * share)]


def _broken_m4a() -> Iterator[Case]:
    unreadable = frozenset({Code.AUDIO_UNREADABLE})
    yield Case("m4a_no_moov.m4a", lambda: (whole := m4a())[: whole.rindex(b"moov") - 4], unreadable)
    yield Case("m4a_moov_end.m4a", m4a, duration_s=(2.95, 3.1))
    yield Case("m4a_faststart.m4a", _faststart, duration_s=(2.95, 3.1), large=True)
    yield Case("m4a_stsz_bomb.m4a", lambda: _patched(m4a(), b"stsz", 12, b"\xff\xff\xff\xff"), DAMAGED, (0.1, 3.1))
    yield Case("m4a_stts_bomb.m4a", lambda: _patched(m4a(), b"stts", 8, b"\xff\xff\xff\xff"), DAMAGED, (0.1, 3.1))
    yield Case("m4a_stts_lies_long.m4a", _stts_lies_long, DAMAGED | {Code.AUDIO_TOO_LONG})


def _faststart(path: Path) -> None:
    good.encode(path, good.speech_like(3.0, 16_000), 16_000, "aac", "ipod", movflags="faststart")


def _patched(whole: bytes, atom: bytes, offset: int, value: bytes) -> bytes:
    position = whole.rindex(atom) + offset
    return whole[:position] + value + whole[position + len(value) :]


def _stts_lies_long() -> bytes:
    """Every packet claims to last 2^24 samples."""
    return _patched(m4a(), b"stts", 16, b"\x01\x00\x00\x00")


def _synchsafe(size: int) -> bytes:
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


def id3(body: bytes, declared: int | None = None) -> bytes:
    """An ID3v2.3 tag."""
    return b"ID3\x03\x00\x00" + _synchsafe(len(body) if declared is None else declared) + body


def _picture(mime: bytes, data: bytes) -> bytes:
    body = b"\x00" + mime + b"\x00\x03\x00" + data
    return b"APIC" + struct.pack(">IH", len(body), 0) + body


def huge_png() -> bytes:
    """A PNG of 30,000 × 30,000 pixels (2.7 GB once decoded) in 90 kB... of zeros, compressed."""
    rows = zlib.compress(bytes(30_001 * 90), 9) * 10

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _tags() -> Iterator[Case]:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    ok = (2.95, 3.15)
    yield Case("mp3_id3_256mb.mp3", lambda: id3(b"", 0x0FFFFFFF) + mp3(), DAMAGED)
    yield Case("mp3_apic_svg.mp3", lambda: id3(_picture(b"image/svg+xml", svg)) + mp3(), duration_s=ok)
    yield Case("mp3_apic_png.mp3", lambda: id3(_picture(b"image/png", huge_png())) + mp3(), duration_s=ok)
    yield Case("mp3_five_tags.mp3", lambda: id3(bytes(99)) * 4 + mp3(), duration_s=ok)
    yield Case("flac_png.flac", _flac_with_picture, duration_s=(3, 3))


def _flac_with_picture() -> bytes:
    """A FLAC file whose second metadata block is the huge PNG."""
    whole, png = encoded("flac", "flac"), huge_png()
    block = struct.pack(">II9sIIIIII", 3, 9, b"image/png", 0, 30_000, 30_000, 24, 0, len(png)) + png
    return whole[:42] + b"\x06" + len(block).to_bytes(3, "big") + block + whole[42:]


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", data)
    return buffer.getvalue()


def _foreign() -> Iterator[Case]:
    yield Case("zip_as_wav.wav", lambda: _zipped(GOOD["wav"]()), FOREIGN)
    yield Case("gzip_as_mp3.mp3", lambda: gzip.compress(mp3()), FOREIGN)
    yield Case("zipbomb.m4a", lambda: _zipped(bytes(50_000_000)), FOREIGN)
    yield Case("png_as_wav.wav", huge_png, FOREIGN)
    yield Case("pdf.mp3", lambda: b"%PDF-1.7\n1 0 obj <<>> endobj\n", FOREIGN)
    yield Case("elf.wav", lambda: b"\x7fELF\x02\x01\x01" + bytes(200), FOREIGN)
    yield Case("page.html", lambda: b"<!doctype html><script>alert(1)</script>", FOREIGN)
    yield Case("json.wav", lambda: b'{"audio": "none"}', FOREIGN)
    yield Case("jpeg.mp3", lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(99), FOREIGN)
    yield Case("utf16.mp3", lambda: "\ufeff not audio at all".encode("utf-16-le"), FOREIGN)
    yield Case("avi_as_wav.wav", lambda: b"RIFF" + struct.pack("<I", 99) + b"AVI LIST" + bytes(99), FOREIGN)
    yield Case("noise_bytes.wav", lambda: random.Random(3).randbytes(99_999), FOREIGN | DAMAGED)
    yield Case("polyglot_mp3_zip.mp3", lambda: mp3() + _zipped(b"x" * 999), duration_s=(2.95, 3.15))
    yield Case("wav_named_mp3.mp3", GOOD["wav"], duration_s=(3, 3))
    yield Case("mp3_named_wav.wav", mp3, duration_s=(2.95, 3.15))
    yield Case("avif.m4a", lambda: b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1miaf" + bytes(64), FOREIGN | DAMAGED)


def references() -> dict[str, str]:
    """Texts that make a careless FFmpeg open other files or sockets; `{port}` is where somebody listens."""
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n"
    dash = '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>'
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n"
    return {
        "hls.wav": hls.replace("{url}", "http://127.0.0.1:{port}/a.ts"),
        "hls.m3u8": hls.replace("{url}", "http://127.0.0.1:{port}/a.ts"),
        "hls_file.mp3": hls.replace("{url}", "file:///etc/passwd"),
        "concat.wav": "ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.wav\nfile /etc/passwd\n",
        "dash.wav": dash,
        "sdp.wav": sdp,
        "rtsp.mp3": "RTSP/1.0 200 OK\r\nContent-Base: rtsp://127.0.0.1:{port}/\r\n",
        "pls.wav": "[playlist]\nFile1=http://127.0.0.1:{port}/a.mp3\n",
    }


def _references() -> Iterator[Case]:
    for name, text in references().items():
        yield Case(name, partial(text.replace("{port}", "9").encode), FOREIGN)


def _bombs() -> Iterator[Case]:
    long_ = frozenset({Code.AUDIO_TOO_LONG})
    day, five_hours = 24 * 3600, 5 * 3600
    four_hours = AudioLimits(max_duration_s=4 * 3600.0)
    yield Case("flac_bomb.flac", lambda: good.flac_silence(day), long_)
    yield Case("aac_bomb.m4a", _repeated("aac", "ipod", day, 8_000), long_, large=True)
    opus = _repeated("libopus", "ogg", five_hours, 48_000, frame_duration="60")
    yield Case("opus_5h.ogg", opus, long_, limits=four_hours, large=True)
    yield Case("mp3_5h.mp3", _repeated("libmp3lame", "mp3", five_hours, 8_000), long_, limits=four_hours, large=True)
    yield Case("aac_stts_lies_short.m4a", _aac_that_lies_short, long_ | DAMAGED, limits=four_hours, large=True)


def _repeated(codec: str, container: str, duration_s: int, rate_hz: int, **options: str) -> Callable[[Path], None]:
    return lambda path: good.repeated(path, codec, container, duration_s, rate_hz, **options)


def _aac_that_lies_short(path: Path) -> None:
    """Five hours of AAC whose packets claim to last one sample each."""
    good.repeated(path, "aac", "ipod", 5 * 3600, 8_000)
    path.write_bytes(_patched(path.read_bytes(), b"stts", 16, b"\x00\x00\x00\x01"))


def _pictures() -> Iterator[Case]:
    yield Case("video_4k.mp4", lambda: _video("mp4", "libx264", "aac"), duration_s=(1.9, 2.1))
    yield Case("video_4k.webm", lambda: _video("webm", "libvpx", "libopus"), duration_s=(1.9, 2.1))
    yield Case("only_pictures.mp4", lambda: _video("mp4", "libx264", None), FOREIGN)


def _video(container: str, video: str, audio: str | None) -> bytes:
    """Two frames of 3840 × 2160 and two seconds of sound."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        options = {"preset": "ultrafast", "deadline": "realtime", "cpu-used": "8"}
        pictures = cast(VideoStream, output.add_stream(video, rate=1, options=options))
        pictures.width, pictures.height, pictures.pix_fmt = 3840, 2160, "yuv420p"
        sound = good.audio_track(output, audio, 48_000, 1) if audio else None
        for number in range(2):
            frame = av.VideoFrame(3840, 2160, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1)
            output.mux(pictures.encode(frame))
        output.mux(pictures.encode(None))
        if sound is not None:
            for piece in good.frames(good.speech_like(2.0, 48_000), 48_000, sound.codec_context):
                output.mux(sound.encode(piece))
            output.mux(sound.encode(None))
    return buffer.getvalue()


def _levels() -> Iterator[Case]:
    voice = good.speech_like(2.0, 16_000)
    square = np.sign(voice).astype(np.float32)
    yield Case("clip_full_scale.wav", lambda: good.wav16(square), duration_s=(2, 2))
    yield Case("dc_offset.wav", lambda: good.wav16(voice * 0.3 + 0.6), duration_s=(2, 2))
    yield Case("minus_90_db.wav", lambda: good.wav16(voice * 3e-5), duration_s=(2, 2))


def mutations(count: int, *, seed: int = 7) -> Iterator[tuple[str, bytes]]:
    """Good files with bytes flipped, cut out, doubled or overwritten by extreme numbers; the same for a seed."""
    originals = {kind: make() for kind, make in GOOD.items()}
    for number in range(count):
        dice = random.Random(seed * 1_000_003 + number)
        kind = dice.choice(sorted(originals))
        yield f"mutation_{number:04}.{kind}", _mutate(bytearray(originals[kind]), dice)


def _mutate(data: bytearray, dice: random.Random) -> bytes:
    for _ in range(dice.choice((1, 2, 5, 20))):
        # Headers are worth more than payload: half of the damage goes to the first 512 bytes.
        position = dice.randrange(min(len(data), 512) if dice.random() < 0.5 else len(data))
        how = dice.randrange(4)
        if how == 0:
            data[position] ^= 1 << dice.randrange(8)
        elif how == 1:
            data[position : position + 4] = dice.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\x80\0\0\0"))
        elif how == 2:
            del data[position : position + dice.randrange(1, 400)]
        else:
            data[position:position] = data[position : position + dice.randrange(1, 400)]
        if not data:
            return b"\0"
    return bytes(data)
