"""Recordings of known length and bytes, cut from the genuine clips."""

import io
import wave
from collections.abc import Sequence

import numpy as np

from local.recordings import SAMPLE_RATE_HZ, Samples, read_clip

LINE_RATE_HZ = 8_000  # of a telephone line
HALF_AN_HOUR_S = 1_800


def cut(clip: str, *, seconds: float | None = None) -> Samples:
    """The beginning of a clip, shape (frames,), 16 kHz; all of it by default."""
    said = read_clip(clip)
    return said if seconds is None else said[: round(seconds * SAMPLE_RATE_HZ)]


def one_after_another(*turns: Samples) -> list[Samples]:
    """Channels of equal length, each silent while another one's turn is."""
    size, start = sum(turn.size for turn in turns), 0
    channels = []
    for turn in turns:
        channels.append(np.zeros(size, np.float32))
        channels[-1][start : start + turn.size] = turn
        start += turn.size
    return channels


def marked(said: Samples, *, seed: int) -> Samples:
    """The same to every ear, but with samples that no other recording has."""
    noise = np.random.default_rng(seed).normal(0, 3e-4, said.size)
    return np.asarray(said + noise, np.float32)


def wav(channels: Sequence[Samples], *, rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """A WAV file with 16 bits per sample; the channels are of equal length."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes((np.clip(np.stack(channels), -1, 1).T * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def padded(said: Samples, *, seconds: int, rate_hz: int) -> bytes:
    """A WAV file of exactly so many seconds, silent but for its beginning; `said` has 16 kHz."""
    step = SAMPLE_RATE_HZ // rate_hz
    narrow = said[: said.size // step * step].reshape(-1, step).mean(axis=1)
    samples = np.zeros(seconds * rate_hz, np.float32)
    samples[rate_hz : rate_hz + narrow.size] = narrow
    return wav([samples], rate_hz=rate_hz)
