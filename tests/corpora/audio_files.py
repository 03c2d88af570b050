"""Audio files made on the fly, in every format that callscribe reads. Samples are float32, shape (channels, frames)."""

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

Samples = NDArray[np.float32]
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def speech_like(duration_s: float, rate_hz: int, channels: int = 1, *, seed: int = 1) -> Samples:
    """Band-limited noise (300 to 1,500 Hz) in bursts, another one per channel: correlation finds it anywhere."""
    size = round(duration_s * rate_hz)
    frequency = np.fft.rfftfreq(size, 1 / rate_hz)
    band = (frequency > 300) & (frequency < 1_500)
    envelope = 0.55 + 0.45 * np.sin(np.arange(size) / rate_hz * 2 * np.pi * 1.7)
    rows = []
    for channel in range(channels):
        noise = np.random.default_rng([seed, channel]).standard_normal(size)
        voice = np.fft.irfft(np.fft.rfft(noise) * band, size) * envelope
        rows.append(0.6 * voice / np.abs(voice).max())
    return np.array(rows, np.float32)


def encode(
    target: Path | io.BytesIO, samples: Samples, rate_hz: int, codec: str, container: str, **options: str
) -> None:
    """Write samples by one of FFmpeg's encoders."""
    file: str | io.BytesIO = str(target) if isinstance(target, Path) else target
    movflags = {"movflags": options.pop("movflags")} if "movflags" in options else {}
    with av.open(file, "w", format=container, options=movflags) as output:
        stream = audio_track(output, codec, rate_hz, samples.shape[0], options)
        for frame in frames(samples, rate_hz, stream.codec_context):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def audio_track(
    output: OutputContainer, codec: str, rate_hz: int, channels: int, options: dict[str, str] | None = None
) -> AudioStream:
    """A new audio track to encode into."""
    return cast(AudioStream, output.add_stream(codec, rate=rate_hz, layout=_LAYOUTS[channels], options=options))


def frames(samples: Samples, rate_hz: int, context: av.AudioCodecContext) -> Iterator[av.AudioFrame]:
    """The samples as frames of the format and size that an encoder asks for."""
    layout = _LAYOUTS[samples.shape[0]]
    if not context.is_open:
        context.open()
    resampler = av.AudioResampler(context.format.name, layout, rate_hz, context.frame_size or 1024)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
    frame.sample_rate = rate_hz
    frame.pts, frame.time_base = 0, Fraction(1, rate_hz)
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


def wav(
    data: bytes, *, tag: int = 1, channels: int = 1, rate_hz: int = 16_000, bits: int = 16,
    block_align: int | None = None, data_bytes: int | None = None, extra: bytes = b"",
) -> bytes:  # fmt: skip
    """A RIFF file with every field of its header open to lies."""
    align = channels * bits // 8 if block_align is None else block_align
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align & 0xFFFFFFFF, align, bits) + extra
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data) if data_bytes is None else data_bytes) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pcm16(samples: Samples) -> bytes:
    """Interleaved little-endian 16-bit samples."""
    return np.round(samples.T * 32767).astype("<i2").tobytes()


def wav16(samples: Samples, rate_hz: int = 16_000) -> bytes:
    """An ordinary 16-bit WAV file."""
    return wav(pcm16(samples), channels=samples.shape[0], rate_hz=rate_hz)


def mulaw(samples: Samples) -> bytes:
    """Interleaved G.711 µ-law by its formula, quantised to the code's own steps."""
    values = np.round(samples.T.reshape(-1) * 32767).astype(np.int32)
    magnitude = np.minimum(np.abs(values), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    codes = ~(((values < 0) << 7) | (exponent << 4) | mantissa) & 0xFF
    return bytes(codes.astype(np.uint8))


def alaw(samples: Samples) -> bytes:
    """Interleaved G.711 A-law by its formula."""
    values = np.round(samples.T.reshape(-1) * 32767).astype(np.int32)
    magnitude = np.minimum(np.abs(values), 32767)
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 7, 0)
    mantissa = (magnitude >> np.maximum(exponent + 3, 4)) & 15
    codes = (((values >= 0) << 7) | (exponent << 4) | mantissa) ^ 0x55
    return bytes(codes.astype(np.uint8))


# GSM 06.10 with every long-term and short-term predictor off: four blocks of 13 pulses say it all.
_GSM_FLAT_FILTER = ((32, 6), (32, 6), (20, 5), (11, 5), (8, 4), (5, 4), (3, 3), (2, 3))
_GSM_PEAKS = [32 * (code + 1) - 1 if code < 16 else (((code & 7) + 9) << (code // 8 + 4)) - 1 for code in range(64)]


def gsm_wav(samples: Samples) -> bytes:
    """A Microsoft GSM file (8 kHz, mono): two frames of 160 samples in 65 bytes, least significant bit first."""
    values = samples[0] * 8_000
    emphasised = values - 0.86 * np.concatenate(([0], values[:-1]))
    blocks = emphasised[: emphasised.size // 320 * 320].reshape(-1, 320)
    data = b"".join(_gsm_pair(block) for block in blocks)
    return wav(data, tag=0x31, rate_hz=8_000, bits=0, block_align=65, extra=struct.pack("<HH", 2, 320))


def _gsm_pair(values: NDArray[np.float64]) -> bytes:
    fields = [field for frame in values.reshape(2, 4, 40) for field in _gsm_frame(frame)]
    packed, position = 0, 0
    for value, bits in fields:
        packed |= value << position
        position += bits
    return packed.to_bytes(65, "little")


def _gsm_frame(subframes: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    yield from _GSM_FLAT_FILTER
    for subframe in subframes:
        grid = max(range(4), key=lambda start: float(np.sum(subframe[start : start + 37 : 3] ** 2)))
        pulses = subframe[grid : grid + 37 : 3]
        peak = next((code for code, top in enumerate(_GSM_PEAKS) if top >= np.abs(pulses).max()), 63)
        yield from ((40, 7), (0, 2), (grid, 2), (peak, 6))
        steps = np.clip(np.round((pulses / _GSM_PEAKS[peak] * 8 + 7) / 2), 0, 7).astype(int)
        yield from ((int(step), 3) for step in steps)


def flac_silence(duration_s: int, rate_hz: int = 8_000) -> bytes:
    """A FLAC file of digital silence, 65,535 samples in a frame of 14 bytes: a day is 150 kB."""
    total, block = duration_s * rate_hz, 65_535
    info = (
        struct.pack(">HHxxxxxx", block, block) + ((rate_hz << 44) | (15 << 36) | total).to_bytes(8, "big") + bytes(16)
    )
    body = b"".join(_flac_frame(number, block) for number in range(total // block))
    return b"fLaC\x80\x00\x00\x22" + info + body


def _flac_frame(number: int, block: int) -> bytes:
    header = b"\xff\xf8\x74\x08" + chr(number).encode("utf-8", "surrogatepass") + struct.pack(">H", block - 1)
    header += bytes([_crc(header, 8, 0x07)])
    frame = header + b"\x00\x00\x00"  # one constant subframe: sixteen zero bits
    return frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    value, top = 0, 1 << (bits - 1)
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1) ^ polynomial if value & top else value << 1
        value &= (1 << bits) - 1
    return value


def repeated(path: Path, codec: str, container: str, duration_s: int, rate_hz: int, **options: str) -> None:
    """Silence of any length, cheaply: one encoded packet, written again and again."""
    with av.open(str(path), "w", format=container) as output:
        stream = audio_track(output, codec, rate_hz, 1, options)
        silence = frames(np.zeros((1, rate_hz), np.float32), rate_hz, stream.codec_context)
        sample = [packet for frame in silence for packet in stream.encode(frame)][4]
        ticks, data, unit = sample.duration or 0, bytes(sample), sample.time_base
        for number in range(int(duration_s / unit) // ticks):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, unit
            packet.pts = packet.dts = number * ticks
            packet.duration = ticks
            output.mux_one(packet)
