"""Who speaks when in a mono recording: voices described by MFCCs, told apart by Ward clustering.

Two speakers at most. Whether there are two is decided by the silhouette of the two clusters and the size of the
smaller one. Measured on genuine recordings: 2 of 114 excerpts with one voice were taken for two, and 0 of 58 with
two voices for one. The limits were chosen on the same few voices, so expect less elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from callscribe.domain.transcripts import Segment, Word
from callscribe.engines.base import Voices
from callscribe.engines.spacing import join_words
from callscribe.media.speech import SAMPLE_RATE_HZ

Array = NDArray[np.float32]

_FRAME, _HOP, _FFT = 400, 160, 512  # samples: 25 ms every 10 ms
_BANDS, _COEFFICIENTS = 40, 20
_LOW_HZ, _HIGH_HZ = 80.0, 3_800.0  # what a telephone carries: above it a call has only noise to compare
_FRAMES_PER_S = SAMPLE_RATE_HZ // _HOP
_WINDOW_FRAMES, _STEP_FRAMES, _LEAST_FRAMES = 160, 80, 50
_MOST_COVERING = 4  # windows that can hold one moment, and one to spare
_MAX_CLUSTERED = 1_500  # windows; Ward needs their distances, n²
_LEAST_WINDOWS, _LEAST_SHARE = 3, 0.08  # a few odd windows are a cough or a laugh, not a second person


@dataclass(frozen=True, slots=True)
class VoiceWindow:
    """How the voice sounded from `start_s` to `end_s`: mean and deviation of each coefficient, shape (38,)."""

    start_s: float
    end_s: float
    features: Array


def describe_voice(samples: Array, start_s: float) -> Iterator[VoiceWindow]:
    """Windows of 1.6 s, every 0.8 s, over a span of speech that begins at `start_s`; one for a shorter span.

    None for less than half a second: too little to know a voice by.
    """
    frames = _coefficients(samples)
    last = max(0, len(frames) - _WINDOW_FRAMES)
    for first in dict.fromkeys([*range(0, last, _STEP_FRAMES), last]):
        window = frames[first : first + _WINDOW_FRAMES]
        if len(window) >= _LEAST_FRAMES:
            features = np.concatenate([window.mean(axis=0), window.std(axis=0)])
            begin_s = start_s + first / _FRAMES_PER_S
            yield VoiceWindow(begin_s, begin_s + len(window) / _FRAMES_PER_S, features)


class TwoSpeakers:
    """A `base.Diarizer` that needs no model."""

    def __init__(self) -> None:
        self._windows: list[VoiceWindow] = []

    def listen(self, samples: Array, start_s: float) -> None:
        """See `base.Diarizer`."""
        self._windows += describe_voice(samples, start_s)

    def voices(self) -> "TwoVoices":
        """See `base.Diarizer`."""
        return tell_apart(self._windows)


@dataclass(frozen=True, slots=True)
class TwoVoices:
    """Who speaks when, by windows in order of their start. `leaning`: below 0 like speaker "0", above 0 like "1"."""

    starts_s: Array
    ends_s: Array
    leaning: Array

    @property
    def count(self) -> int:
        """How many speakers there are: 1 or 2."""
        return 2 if bool((self.leaning > 0).any()) else 1

    def speaker_at(self, time_s: float) -> str:
        """The speaker at a moment, by all windows that cover it, or else by the nearest."""
        if self.count == 1:
            return "0"
        after = int(np.searchsorted(self.starts_s, time_s, side="right"))
        near = np.arange(max(0, after - _MOST_COVERING), min(after + 1, self.starts_s.size))
        covering = near[(self.starts_s[near] <= time_s) & (time_s < self.ends_s[near])]
        if not covering.size:
            middles = (self.starts_s[near] + self.ends_s[near]) / 2
            covering = near[[int(np.argmin(np.abs(middles - time_s)))]]
        return "1" if float(self.leaning[covering].mean()) > 0 else "0"


def tell_apart(windows: Sequence[VoiceWindow]) -> TwoVoices:
    """One or two voices among the windows of a recording; "0" is the one heard first."""
    starts, ends = (
        np.array([getattr(window, name) for window in windows], np.float32) for name in ("start_s", "end_s")
    )
    leaning = np.zeros(len(windows), np.float32)
    if len(windows) >= 2 * _LEAST_WINDOWS:
        features = _standardised(np.stack([window.features for window in windows]))
        sample = features[np.unique(np.linspace(0, len(features) - 1, _MAX_CLUSTERED).astype(int))]
        second = _second_cluster(sample)
        if _two_voices(sample, second):
            leaning = _lean(features, sample[~second].mean(axis=0), sample[second].mean(axis=0))
    return TwoVoices(starts, ends, leaning)


def split_by_speaker(segment: Segment, voices: Voices) -> Iterator[Segment]:
    """The segment cut where the speaker changes, each piece with its speaker."""
    if not segment.words:
        middle_s = (segment.start_s + segment.end_s) / 2
        yield replace(segment, speaker=voices.speaker_at(middle_s))
        return
    for speaker, group in groupby(segment.words, lambda word: voices.speaker_at((word.start_s + word.end_s) / 2)):
        yield of_words(tuple(group), channel=segment.channel, speaker=speaker)


def of_words(words: tuple[Word, ...], *, channel: int, speaker: str | None) -> Segment:
    """The segment that these words make up; its confidence is their mean."""
    known = [word.confidence for word in words if word.confidence is not None]
    return Segment(
        text=join_words(word.text for word in words),
        start_s=words[0].start_s,
        end_s=words[-1].end_s,
        channel=channel,
        speaker=speaker,
        confidence=round(sum(known) / len(known), 4) if known else None,
        words=words,
    )


def _second_cluster(features: Array) -> NDArray[np.bool_]:
    from scipy.cluster.hierarchy import fcluster, ward  # type: ignore[import-untyped]  # no types; 0.3 s, mono only

    return np.asarray(fcluster(ward(features.astype(np.float64)), 2, criterion="maxclust") == 2)


def _two_voices(features: Array, second: NDArray[np.bool_]) -> bool:
    if min(int(second.sum()), int((~second).sum())) < max(_LEAST_WINDOWS, _LEAST_SHARE * len(features)):
        return False
    return _silhouette(features, second) > _needed_silhouette(len(features))


def _needed_silhouette(windows: int) -> float:
    """The fewer the windows, the better any two halves of them separate by chance."""
    return 0.19 + 1.5 / windows


def _silhouette(features: Array, second: NDArray[np.bool_]) -> float:
    """Rousseeuw's mean silhouette of two clusters: 1 far apart, 0 no gap between them."""
    squares = (features**2).sum(axis=1)
    distances = np.sqrt(np.maximum(0, squares[:, None] + squares[None, :] - 2 * features @ features.T))
    np.fill_diagonal(distances, 0)
    sums = np.stack([distances[:, ~second].sum(axis=1), distances[:, second].sum(axis=1)])
    sizes = np.array([(~second).sum(), second.sum()])
    own, other = second.astype(int), 1 - second.astype(int)
    each = np.arange(len(features))
    inside = sums[own, each] / np.maximum(1, sizes[own] - 1)
    outside = sums[other, each] / sizes[other]
    return float(((outside - inside) / np.maximum(inside, outside)).mean())


def _lean(features: Array, one: Array, two: Array) -> Array:
    leaning = np.linalg.norm(features - one, axis=1) - np.linalg.norm(features - two, axis=1)
    return np.asarray(-leaning if leaning[0] > 0 else leaning, np.float32)


def _standardised(features: Array) -> Array:
    return np.asarray((features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6), np.float32)


def _coefficients(samples: Array) -> Array:
    """MFCCs 1 to 19 (not 0, the level), shape (frames, 19)."""
    if samples.size < _FRAME:
        return np.zeros((0, _COEFFICIENTS - 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hamming(_FRAME), _FFT)) ** 2
    filters, cosines = _filters()
    return np.asarray(np.log(power @ filters + 1e-8) @ cosines, np.float32)


@cache
def _filters() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Triangular mel filters, shape (bins, bands), and the DCT-II behind them, shape (bands, coefficients)."""
    mel = np.linspace(_to_mel(_LOW_HZ), _to_mel(_HIGH_HZ), _BANDS + 2)
    edges = 700 * (10 ** (mel / 2_595) - 1)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE_HZ)[:, None]
    filters = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    bands = np.arange(_BANDS)[:, None]
    cosines = np.cos(np.pi / _BANDS * (bands + 0.5) * np.arange(1, _COEFFICIENTS)) * np.sqrt(2 / _BANDS)
    return filters, cosines


def _to_mel(hz: float) -> float:
    return float(2_595 * np.log10(1 + hz / 700))
