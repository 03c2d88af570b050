"""Parakeet-TDT by onnx-asr and ONNX Runtime, on the CPU and without torch.

25 European languages, which it does not tell: it writes what it hears. Its decoder gives tokens with the time at
which each begins; the words are made here.
"""

import importlib.metadata
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx_asr
import onnxruntime  # type: ignore[import-untyped]  # it ships no types

from callscribe.engines.base import Chunk, EngineInfo, Hints, Recognised, check_lengths, is_silent, settle_language
from callscribe.engines.batches import Batches
from callscribe.engines.cards import PARAKEET_V3_LANGUAGES
from callscribe.engines.model_files import model_id, need_files
from callscribe.engines.tokens import Token, text_of, words_of

MODEL: Final = "nemo-parakeet-tdt-0.6b-v3"
# Whole precision, else what a quantisation left; a large encoder keeps its weights in a file beside it.
FILES: Final = (
    ("encoder-model.onnx", "encoder-model.int8.onnx"),
    ("decoder_joint-model.onnx", "decoder_joint-model.int8.onnx"),
    "vocab.txt",
    "config.json",
)
_DATA = "encoder-model.onnx.data"
MAX_CHUNK_S = 20.0  # its memory grows with the square of the length
_BATCH = 4
_LEAST_SAMPLES = 1_600  # 0.1 s: fewer give the encoder nothing to see


class OnnxAsr:
    """A Parakeet-TDT model in ONNX format, on the CPU."""

    def __init__(self, model_dir: Path) -> None:
        files = need_files(model_dir, FILES, engine="onnx-asr")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 0
        self._recogniser = onnx_asr.load_model(
            MODEL,
            model_dir,
            quantization="int8" if files[0].name.endswith(".int8.onnx") else None,
            sess_options=options,
            providers=["CPUExecutionProvider"],
        ).with_timestamps()
        beside = [path for path in [model_dir / _DATA] if path.is_file()]
        self.batches = Batches(_BATCH)
        self.info = EngineInfo(
            name="onnx-asr",
            model=model_id("onnx-asr", importlib.metadata.version("onnx-asr"), model_dir, [*files, *beside]),
            languages=PARAKEET_V3_LANGUAGES,
            word_times=True,
            max_chunk_s=MAX_CHUNK_S,
            device="cpu",
            batch_chunks=_BATCH,
        )

    def transcribe(
        self,
        chunks: Sequence[Chunk],
        *,
        language: str | None,
        hints: Hints,  # noqa: ARG002 - of the port; this engine has no use for hints
    ) -> Iterator[Recognised]:
        """See `base.Engine`. The language is only checked: the model takes none."""
        settle_language(self.info, language)
        check_lengths(self.info, chunks)
        found = self.batches.run([chunk for chunk in chunks if not is_silent(chunk)], self._recognise)
        return (Recognised("") if is_silent(chunk) else next(found) for chunk in chunks)

    def close(self) -> None:
        """Give the memory back."""
        del self._recogniser

    def _recognise(self, chunks: Sequence[Chunk]) -> list[Recognised]:
        waves = [np.pad(chunk.samples, (0, max(0, _LEAST_SAMPLES - chunk.samples.size))) for chunk in chunks]
        results = self._recogniser.recognize(list(waves))
        return [
            _recognised(chunk, zip(result.tokens or (), result.timestamps or (), result.logprobs or (), strict=True))
            for chunk, result in zip(chunks, results, strict=True)
        ]


def create(model_dir: Path | None = None) -> OnnxAsr:
    """The engine. Raises Invalid for a directory without the model's files."""
    need_files(model_dir, FILES, engine="onnx-asr")
    return OnnxAsr(Path(model_dir or ""))


def _recognised(chunk: Chunk, found: Iterable[tuple[str, float, float]]) -> Recognised:
    tokens = (Token(text, start_s, min(1.0, math.exp(log))) for text, start_s, log in found)
    words = words_of(tokens, chunk.duration_s)
    return Recognised(text_of(words), words)
