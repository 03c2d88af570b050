"""Voice activity: which spans of a signal hold speech.

The probabilities are Silero VAD's (version 6, MIT), one per 32 ms window, from the ONNX file that faster-whisper's
wheel brings. That package itself is never imported: it would load CTranslate2 and a hub client for one small file.
"""

import importlib.util
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime  # type: ignore[import-untyped]  # it ships no types

SAMPLE_RATE_HZ = 16_000
WINDOW = 512  # samples; what the model was trained on
_CONTEXT = 64  # samples before the window that the model sees too
_STATE = (1, 1, 128)
_BATCH_WINDOWS = 1_000  # 32 s at a time: the memory of a run does not grow with the audio
_SPEECH = 0.5  # a window at or above this starts speech
_SILENCE = 0.35  # a window below this may end it
_MIN_SPEECH_WINDOWS = 3  # about 100 ms: shorter bursts are clicks
# The network goes deaf to loud telephone speech that it meets cold: of 30 s it heard 14 at full level, and all at
# half. On clear speech the level makes no difference (measured from 1 down to 0.01).
_LEVEL = np.float32(0.5)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one channel that holds speech, padding included; seconds from the channel's start."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """How probabilities become spans: longest span, the pause that ends one, and the padding on each side."""

    max_span_s: float = 20.0
    min_silence_ms: int = 500
    pad_ms: int = 250

    @property
    def silence_windows(self) -> int:
        """The pause that ends a span, in windows."""
        return max(1, round(self.min_silence_ms * SAMPLE_RATE_HZ / 1_000 / WINDOW))

    @property
    def pad(self) -> int:
        """The padding in samples: at most half of the pause, so that neighbours never overlap."""
        return min(self.pad_ms * SAMPLE_RATE_HZ // 1_000, self.silence_windows * WINDOW // 2)

    @property
    def max_windows(self) -> int:
        """The longest span in windows, without its padding."""
        return max(2, (int(self.max_span_s * SAMPLE_RATE_HZ) - 2 * self.pad) // WINDOW)


@dataclass(slots=True)
class _Network:
    """The recurrent network with the memory it carries from one window to the next."""

    hidden: Samples = field(default_factory=lambda: np.zeros(_STATE, np.float32))
    cell: Samples = field(default_factory=lambda: np.zeros(_STATE, np.float32))
    context: Samples = field(default_factory=lambda: np.zeros(_CONTEXT, np.float32))

    def probabilities(self, samples: Samples) -> Samples:
        """One probability for each window; `samples` holds whole windows."""
        windows = samples.reshape(-1, WINDOW) * _LEVEL
        before = np.vstack([self.context, windows[:-1, -_CONTEXT:]])
        self.context = windows[-1, -_CONTEXT:].copy()
        feed = {"input": np.hstack([before, windows]), "h": self.hidden, "c": self.cell}
        found, self.hidden, self.cell = _session().run(None, feed)
        return np.asarray(found, np.float32).reshape(-1)


@dataclass(slots=True)
class SpeechFinder:
    """Finds spans while a channel streams by: `push` blocks of any length, then `finish` once.

    Spans come in order and do not overlap. `settled` is the sample before which no later span can begin.
    """

    rules: SpeechRules = field(default_factory=SpeechRules)
    _network: _Network = field(default_factory=_Network)
    _rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    _received: int = 0  # samples pushed so far
    _window: int = 0  # windows judged so far
    _start: int | None = None  # the window in which the current speech began
    _heard: list[float] = field(default_factory=list)  # probabilities since then
    _quiet: int = 0  # how many windows at the end of `_heard` are one pause
    _last_end: int = 0  # samples; the end of the span before

    def push(self, samples: Samples) -> list[Span]:
        """The spans that these further samples complete; shape (frames,), 16 kHz."""
        self._received += samples.size
        self._rest = np.concatenate([self._rest, samples])
        whole = self._rest.size // WINDOW * WINDOW
        ready, self._rest = self._rest[:whole], self._rest[whole:].copy()
        return self._judge(ready)

    def finish(self) -> list[Span]:
        """The spans that the end of the channel completes."""
        spans = self._judge(np.pad(self._rest, (0, -self._rest.size % WINDOW)))
        if self._start is not None:
            spans += self._close(len(self._heard) - self._quiet, pad_end=True)
        return spans

    @property
    def settled(self) -> int:
        """Samples before this one belong to no span that is still to come."""
        begin = (self._window if self._start is None else self._start) * WINDOW
        return max(self._last_end, begin - self.rules.pad)

    def _judge(self, samples: Samples) -> list[Span]:
        spans: list[Span] = []
        for at in range(0, samples.size, _BATCH_WINDOWS * WINDOW):
            for probability in self._network.probabilities(samples[at : at + _BATCH_WINDOWS * WINDOW]):
                spans += self._hear(float(probability))
        return spans

    def _hear(self, probability: float) -> list[Span]:
        index, self._window = self._window, self._window + 1
        if self._start is None:
            if probability >= _SPEECH:
                self._start, self._heard, self._quiet = index, [probability], 0
            return []
        self._heard.append(probability)
        self._quiet = self._quiet + 1 if probability < (_SILENCE if self._quiet == 0 else _SPEECH) else 0
        if self._quiet >= self.rules.silence_windows:
            return self._close(len(self._heard) - self._quiet, pad_end=True)
        return self._split() if len(self._heard) >= self.rules.max_windows else []

    def _split(self) -> list[Span]:
        """Cut speech that went on for too long, where its later half sounds least like speech."""
        assert self._start is not None, "only running speech is split"  # noqa: S101 - narrows the type
        half = len(self._heard) // 2
        cut = half + int(np.argmin(self._heard[half:]))
        start, later, quiet = self._start + cut, self._heard[cut:], self._quiet
        spans = self._close(cut, pad_end=False)
        self._start, self._heard, self._quiet = start, later, min(quiet, len(later))
        return spans

    def _close(self, windows: int, *, pad_end: bool) -> list[Span]:
        assert self._start is not None, "only running speech is closed"  # noqa: S101 - narrows the type
        start, end = self._start * WINDOW, (self._start + windows) * WINDOW
        spoken = sum(probability >= _SPEECH for probability in self._heard[:windows])
        self._start, self._heard, self._quiet = None, [], 0
        if spoken < _MIN_SPEECH_WINDOWS:
            return []
        start = max(self._last_end, start - self.rules.pad)
        end = min(self._received, end + (self.rules.pad if pad_end else 0))
        self._last_end = end
        return [Span(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ)]


def find_speech(
    samples: Samples, *, max_span_s: float = 20.0, min_silence_ms: int = 500, pad_ms: int = 250
) -> list[Span]:
    """Spans of speech in one channel; shape (frames,), float32 in [-1, 1], 16 kHz.

    In order, without overlap, each at most `max_span_s`. The same samples always give the same spans.
    """
    finder = SpeechFinder(SpeechRules(max_span_s, min_silence_ms, pad_ms))
    return finder.push(samples) + finder.finish()


@cache
def _session() -> "onnxruntime.InferenceSession":
    import onnxruntime  # its 20 MB are for those who look for speech, not for all who import this package

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the order of sums stays fixed
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(_model_path()), options, providers=["CPUExecutionProvider"])


def _model_path() -> Path:
    package = importlib.util.find_spec("faster_whisper")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("voice activity needs the model file of faster-whisper: install callscribe[asr]")
    return Path(package.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"
