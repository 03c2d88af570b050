"""Opening an audio file that nobody trusts, and reading packets from it. Runs in the child only.

Nothing is probed: the demuxer is the one that the first bytes named, the decoders are an allow-list, and no
protocol may be opened. FFmpeg reads through `Bytes`, which knows one open file and no name.
"""

import os
from collections.abc import Iterator

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from callscribe.errors import FailureCode, JobFailed

DECODERS = (
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "pcm_alaw"),
    *("pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be"),  # PCM inside mov
    *("adpcm_ms", "adpcm_ima_wav", "gsm", "gsm_ms", "g722"),
    *("mp3float", "mp3", "mp2float", "mp2", "aac", "alac", "flac", "vorbis", "opus", "libopus"),
)
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHANNELS = 8
_READ_BYTES = 256 * 1024
_OPTIONS = {
    "protocol_whitelist": "none",
    "codec_whitelist": ",".join(DECODERS),  # so that probing decodes no picture either
    "max_streams": "32",
}
# Raw samples come in packets of some milliseconds otherwise, and FFmpeg would run all its demuxers over 5 MB of 16-bit
# samples, in case they are another codec in disguise.
_WAVE_OPTIONS = {"max_size": str(32 * 1024), "max_probe_packets": "0"}


class Bytes:
    """The bytes of an open file from `start` on, as a seekable stream for FFmpeg."""

    def __init__(self, descriptor: int, start: int) -> None:
        self._descriptor, self._start, self._position = descriptor, start, 0
        self._size = max(0, os.fstat(descriptor).st_size - start)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes from the current position; empty at the end."""
        if self._position >= self._size:
            return b""
        piece = os.pread(self._descriptor, size, self._start + self._position)
        self._position += len(piece)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; one before the start of the bytes becomes the start."""
        base = (0, self._position, self._size)[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The current position in bytes."""
        return self._position


def open_audio(descriptor: int, container: str, start: int) -> tuple[InputContainer, AudioStream]:
    """The opened container and its first audio stream. Raises JobFailed (audio_unsupported), av.FFmpegError."""
    options = {"format_whitelist": container, **_OPTIONS, **(_WAVE_OPTIONS if container in ("wav", "w64") else {})}
    opened = av.open(
        Bytes(descriptor, start),
        "r",
        format=container,
        container_options=options,
        metadata_errors="replace",
        buffer_size=_READ_BYTES,
    )
    if not opened.streams.audio:
        raise JobFailed(FailureCode.AUDIO_UNSUPPORTED, "the file holds no audio track")
    stream = opened.streams.audio[0]
    _check(stream)
    stream.codec_context.thread_count = 1
    return opened, stream


def _check(stream: AudioStream) -> None:
    context = stream.codec_context
    if context is None or context.codec.name not in DECODERS:  # PyAV gives None for an unknown codec
        name = context.codec.canonical_name if context else "unknown"
        raise JobFailed(FailureCode.AUDIO_UNSUPPORTED, f"the audio codec {name} is not supported")
    if context.channels > MAX_CHANNELS:
        message = f"the audio has {context.channels} channels; at most {MAX_CHANNELS} are supported"
        raise JobFailed(FailureCode.AUDIO_UNSUPPORTED, message)
    if context.sample_rate and not MIN_RATE_HZ <= context.sample_rate <= MAX_RATE_HZ:
        message = f"the sample rate is {context.sample_rate} Hz; {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are supported"
        raise JobFailed(FailureCode.AUDIO_UNSUPPORTED, message)


def packets(opened: InputContainer, stream: AudioStream) -> Iterator["Packet[AudioStream]"]:
    """The stream's packets; a file that breaks off or turns to garbage ends there, as if it were shorter."""
    reading = opened.demux(stream)
    while True:
        try:
            packet = next(reading, None)
        except av.FFmpegError as error:
            _raise_if_memory(error)
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def frames(stream: AudioStream, packet: "Packet[AudioStream] | None") -> list[AudioFrame]:
    """What the decoder makes of a packet (None: of what it still holds); nothing where the packet is corrupt."""
    try:
        return stream.codec_context.decode(packet)
    except av.FFmpegError as error:
        _raise_if_memory(error)
        return []


def _raise_if_memory(error: av.FFmpegError) -> None:
    if isinstance(error, MemoryError):
        raise error
