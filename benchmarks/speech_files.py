"""Audio files of genuine speech for the benchmarks, made from the repository's clips when they are needed."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from local.recordings import SAMPLE_RATE_HZ, Recording, distinct_recordings

Samples = NDArray[np.float32]
_LAYOUTS = {1: "mono", 2: "stereo"}
_MULAW = 7  # the format tag of G.711 µ-law in a WAVE header
_MULAW_RATE_HZ = 8_000


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is written, in FFmpeg's names: encoder and muxer; its rate and number of channels (1 or 2)."""

    codec: str
    container: str
    rate_hz: int
    channels: int


def two_voices(duration_s: float) -> Samples:
    """Speech without pauses on two channels, another on each; shape (2, frames), 16 kHz."""
    (samples,) = distinct_recordings(1, seconds=duration_s)
    return samples


def write_file(path: Path, form: Format, samples: Samples) -> Path:
    """Encode the first channels of `samples`, shape (≥ channels, frames), 16 kHz."""
    with path.open("wb") as file:
        _encode(file, form, samples)
    return path


def write_long_call(path: Path, recording: Recording, duration_s: float) -> Path:
    """A µ-law WAV file at 8 kHz, such as telephone systems write, in which a recording is heard again and again."""
    channels = recording.samples.shape[0]
    whole = io.BytesIO()
    _encode(whole, Format("pcm_mulaw", "mulaw", _MULAW_RATE_HZ, channels), recording.samples)
    left = round(duration_s * _MULAW_RATE_HZ) * channels
    with path.open("wb") as file:
        file.write(_mulaw_header(channels, left))
        while left:
            left -= file.write(whole.getbuffer()[:left])
    return path


def _encode(file: BinaryIO, form: Format, samples: Samples) -> None:
    with av.open(file, "w", format=form.container) as output:
        layout = _LAYOUTS[form.channels]
        stream = cast(AudioStream, output.add_stream(form.codec, rate=form.rate_hz, layout=layout))
        for frame in _frames(samples[: form.channels], stream.codec_context):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _frames(samples: Samples, context: av.AudioCodecContext) -> Iterator[av.AudioFrame]:
    """The samples in frames as the encoder asks for them."""
    context.open()
    layout = _LAYOUTS[samples.shape[0]]
    resampler = av.AudioResampler(context.format.name, layout, context.sample_rate, context.frame_size or 1_024)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
    frame.sample_rate = SAMPLE_RATE_HZ
    frame.pts, frame.time_base = 0, Fraction(1, SAMPLE_RATE_HZ)
    yield from (*resampler.resample(frame), *resampler.resample(None))


def _mulaw_header(channels: int, data_bytes: int) -> bytes:
    form = struct.pack("<HHIIHH", _MULAW, channels, _MULAW_RATE_HZ, _MULAW_RATE_HZ * channels, channels, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", data_bytes)
    return b"RIFF" + struct.pack("<I", len(body) + data_bytes) + body
