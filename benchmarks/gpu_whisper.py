"""Whisper in CTranslate2's format with random weights and of real shapes, and how faster-whisper drives it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ctranslate2  # type: ignore[import-untyped]  # it ships no types, nor do the next two
import numpy as np
from ctranslate2.specs.whisper_spec import WhisperConfig, WhisperSpec  # type: ignore[import-untyped]  # as above
from faster_whisper.feature_extractor import FeatureExtractor  # type: ignore[import-untyped]  # as above

from benchmarks.gpu_models import FRAMES_PER_TOKEN
from callscribe.engines.base import SAMPLE_RATE_HZ, Samples

WINDOW_S: Final = 30.0
TOKENS_PER_S: Final = 12.5 / FRAMES_PER_TOKEN  # of speech: as many as the Parakeet beside it writes
_PROMPT = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
_SPECIAL = ("<|endoftext|>", *_PROMPT, "<|translate|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>")
_END = 0
_SPREAD = 0.02
Fill = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class WhisperShape:
    """The sizes that decide how long a Whisper works."""

    name: str
    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mels: int
    vocabulary: int


REAL: Final = WhisperShape("whisper-large-v3-turbo", 1_280, 20, 32, 4, 128, 51_866)
TINY: Final = WhisperShape("tiny", 64, 2, 2, 1, 16, 96)


def write_whisper(folder: Path, shape: WhisperShape, *, seed: int = 1) -> Path:
    """Write the model's files into the folder and return it."""
    random = np.random.default_rng(seed)

    def fill(*sizes: int) -> Any:
        return (random.standard_normal(sizes, np.float32) * _SPREAD).astype(np.float32)

    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _fill_encoder(spec.encoder, shape, fill)
    _fill_decoder(spec.decoder, shape, fill)
    spec.register_vocabulary([*_SPECIAL, *(f"w{number}" for number in range(shape.vocabulary - len(_SPECIAL)))])
    spec._config = WhisperConfig(suppress_ids=[], suppress_ids_begin=[], lang_ids=[2], alignment_heads=[(0, 0)])
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    (folder / "mels").write_text(str(shape.mels))
    return folder


class Whisper:
    """A model in a directory; `precision` is a compute type of CTranslate2's."""

    def __init__(self, folder: Path, device: str, precision: str) -> None:
        self._model: Any = ctranslate2.models.Whisper(str(folder), device=device, compute_type=precision)
        self._features: Any = FeatureExtractor(feature_size=int((folder / "mels").read_text()))
        self._prompt = [_SPECIAL.index(token) for token in _PROMPT]

    def recognise(self, windows: Sequence[Sequence[Samples]]) -> int:
        """Write as many tokens as the longest window's speech asks for, for each window; how many that was."""
        longest_s = max(sum(span.size for span in spans) for spans in windows) / SAMPLE_RATE_HZ
        tokens = max(1, round(longest_s * TOKENS_PER_S))
        features = np.stack([self._of(np.concatenate(list(spans))) for spans in windows])
        found = self._model.generate(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(features)),
            [self._prompt] * len(windows),
            beam_size=1,
            max_length=max(2 * tokens, tokens + len(self._prompt)),  # CTranslate2 writes at most half of it
            suppress_tokens=[_END],
            suppress_blank=False,
        )
        return sum(len(one.sequences_ids[0]) for one in found)

    def _of(self, samples: Samples) -> Any:
        window = np.zeros(int(WINDOW_S * SAMPLE_RATE_HZ), np.float32)
        window[: samples.size] = samples[: window.size]
        return self._features(window)[:, : int(WINDOW_S * 100)]


def _fill_encoder(encoder: Any, shape: WhisperShape, fill: Fill) -> None:
    width = shape.width
    encoder.conv1.weight, encoder.conv1.bias = fill(width, shape.mels, 3), fill(width)
    encoder.conv2.weight, encoder.conv2.bias = fill(width, width, 3), fill(width)
    encoder.position_encodings.encodings = fill(1_500, width)
    _fill_layers(encoder, width, fill, reads=False)


def _fill_decoder(decoder: Any, shape: WhisperShape, fill: Fill) -> None:
    decoder.position_encodings.encodings = fill(448, shape.width)
    decoder.embeddings.weight = fill(shape.vocabulary, shape.width)
    decoder.projection.weight = decoder.embeddings.weight
    _fill_layers(decoder, shape.width, fill, reads=True)


def _fill_layers(stack: Any, width: int, fill: Fill, *, reads: bool) -> None:
    """`reads`: whether the layers read what an encoder wrote."""
    norms = [stack.layer_norm]
    for layer in stack.layer:
        norms += [layer.self_attention.layer_norm, layer.ffn.layer_norm]
        sizes = {layer.self_attention.linear[0]: 3, layer.self_attention.linear[1]: 1}
        if reads:
            norms.append(layer.attention.layer_norm)
            sizes |= {layer.attention.linear[0]: 1, layer.attention.linear[1]: 2, layer.attention.linear[2]: 1}
        for linear, times in sizes.items():
            linear.weight, linear.bias = fill(times * width, width), fill(times * width)
        layer.ffn.linear_0.weight, layer.ffn.linear_0.bias = fill(4 * width, width), fill(4 * width)
        layer.ffn.linear_1.weight, layer.ffn.linear_1.bias = fill(width, 4 * width), fill(width)
    for norm in norms:
        norm.gamma, norm.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
