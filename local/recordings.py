"""Recordings for the demo, the benchmarks and the tests, made of the genuine clips in tests/audio.

Everything is deterministic: the same call always makes the same samples.
"""

import json
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callscribe.domain.audio import AudioLimits
from callscribe.media.decode import decode
from callscribe.media.inspect import inspect

CLIPS = Path(__file__).parents[1] / "tests" / "audio"
SAMPLE_RATE_HZ = 16_000
_PAUSE_S = 0.7  # between turns

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Turn:
    """Part of a clip, said on one channel; seconds within the clip, and the words that are said there."""

    channel: int
    clip: str
    start_s: float
    end_s: float
    text: str


DEMO_TURNS = (
    Turn(0, "librivox-0880", 0.0, 2.99, "he was not an ill disposed young man"),
    Turn(1, "jfk", 0.0, 4.9, "and so my fellow americans ask not"),
    Turn(0, "librivox-0890", 0.0, 5.3, "unless to be rather cold hearted and rather selfish is to be ill disposed"),
    Turn(1, "jfk", 4.9, 11.0, "what your country can do for you ask what you can do for your country"),
    Turn(
        0,
        "librivox-0870",
        0.0,
        7.1,
        "and mister john dashwood had then leisure to consider how much there might be prudently in his power to do "
        "for them",
    ),
    Turn(
        1, "pv-diar", 5.8, 11.9, "this is what a crocodile sounds like it's like meditating in the water and it's like"
    ),
)


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples float32 in [-1, 1], shape (channels, frames), 16 kHz, and what is said on each channel."""

    samples: Samples
    texts: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return int(self.samples.shape[1]) / SAMPLE_RATE_HZ

    def as_mono(self) -> "Recording":
        """Both channels mixed into one."""
        mixed = np.clip(self.samples.sum(axis=0, keepdims=True), -1, 1)
        return Recording(np.asarray(mixed, np.float32), (" ".join(self.texts),))

    def write_wav(self, path: Path) -> Path:
        """Write 16-bit PCM."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(self.samples.shape[0])
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE_HZ)
            file.writeframes((np.clip(self.samples, -1, 1).T * 32_767).astype("<i2").tobytes())
        return path


def demo_recording() -> Recording:
    """A two-channel recording of about 35 s in which the channels take turns."""
    pause = np.zeros((2, int(_PAUSE_S * SAMPLE_RATE_HZ)), np.float32)
    parts = [pause]
    for turn in DEMO_TURNS:
        said = read_clip(turn.clip)[int(turn.start_s * SAMPLE_RATE_HZ) : int(turn.end_s * SAMPLE_RATE_HZ)]
        part = np.zeros((2, said.size), np.float32)
        part[turn.channel] = said
        parts += [part, pause]
    texts = (" ".join(turn.text for turn in DEMO_TURNS if turn.channel == channel) for channel in (0, 1))
    return Recording(np.concatenate(parts, axis=1), tuple(texts))


def distinct_recordings(count: int, *, seconds: float = 10.0) -> Iterator[Samples]:
    """`count` two-channel recordings, all different: cuts of two endless loops of speech, shape (2, frames).

    The cuts advance by 1.1 s and 1.9 s, so that other words are said in each, at other times on each channel.
    """
    loops = (
        np.concatenate([read_clip(f"librivox-08{number}0") for number in (7, 8, 9)]),
        np.concatenate([read_clip("jfk"), read_clip("pv-diar")]),
    )
    frames = np.arange(int(seconds * SAMPLE_RATE_HZ))
    for index in range(count):
        starts = (int(index * 1.1 * SAMPLE_RATE_HZ), int(index * 1.9 * SAMPLE_RATE_HZ))
        yield np.stack([np.take(loop, frames + start, mode="wrap") for loop, start in zip(loops, starts, strict=True)])


def not_speech(seconds: float = 20.0) -> dict[str, Samples]:
    """What lines carry besides speech, by name; shape (1, frames)."""
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    sounds = {
        "silence": np.zeros_like(time_s),
        "tone": 0.3 * np.sin(2 * np.pi * 1_000 * time_s),
        "ringing": 0.2 * sum(np.sin(2 * np.pi * hz * time_s) for hz in (440, 480)) * (time_s % 6 < 2),
        "noise": np.random.default_rng(1).normal(0, 0.1, time_s.size),
        "hold music": _music(time_s),
    }
    return {name: np.clip(samples, -1, 1).astype(np.float32)[None] for name, samples in sounds.items()}


@cache
def read_clip(name: str) -> Samples:
    """A clip's samples, shape (frames,), 16 kHz."""
    path = CLIPS / f"{name}.flac"
    samples: Samples = decode(path, inspect(path, AudioLimits()))[0]
    return samples


def reference(name: str) -> str:
    """What is said in a clip."""
    text: str = json.loads((CLIPS / "refs.json").read_text())[f"{name}.flac"]["text"]
    return text


def _music(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """A melody of plucked notes over a slow bass, 150 beats a minute."""
    melody_hz = np.random.default_rng(2).choice([261.6, 293.7, 329.6, 392.0, 440.0, 523.3], 512)
    beat = (time_s / 0.4).astype(int)
    since_s = time_s % 0.4
    notes = sum(np.sin(2 * np.pi * melody_hz[beat % 512] * k * since_s) / k**1.5 for k in range(1, 7))
    bass = np.sin(2 * np.pi * 130.8 * time_s) + np.sin(2 * np.pi * 196.0 * time_s)
    return np.asarray(0.15 * notes * np.exp(-5 * since_s) + 0.05 * bass, np.float64)
