"""Parakeet-TDT by onnx-asr and ONNX Runtime, on the CPU and without torch.

25 European languages, which it does not tell: it writes what it hears. Its decoder gives tokens with the time at
which each begins; the words are made here.
"""

import importlib.metadata
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx_asr
import onnxruntime  # type: ignore[import-untyped]  # it ships no types

from callscribe.domain.transcripts import Word
from callscribe.engines.base import Chunk, EngineInfo, Hints, Recognised, check_lengths, is_silent, settle_language
from callscribe.engines.batches import run_in_batches
from callscribe.engines.model_files import model_id, need_files

MODEL: Final = "nemo-parakeet-tdt-0.6b-v3"
# Whole precision, else what a quantisation left; a large encoder keeps its weights in a file beside it.
FILES: Final = (
    ("encoder-model.onnx", "encoder-model.int8.onnx"),
    ("decoder_joint-model.onnx", "decoder_joint-model.int8.onnx"),
    "vocab.txt",
    "config.json",
)
_DATA = "encoder-model.onnx.data"
# The model card's list.
LANGUAGES: Final = frozenset(
    "bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk".split()  # noqa: SIM905 - easier to read
)
MAX_CHUNK_S = 20.0  # its memory grows with the square of the length
_BATCH = 4
_LEAST_SAMPLES = 1_600  # 0.1 s: fewer give the encoder nothing to see
_LONGEST_TOKEN_S = 0.32  # four frames of 80 ms: what the decoder can step over at once


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a word as the model writes it: a leading space begins a word. Probability 0 to 1."""

    text: str
    start_s: float
    probability: float


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
        self.info = EngineInfo(
            name="onnx-asr",
            model=model_id("onnx-asr", importlib.metadata.version("onnx-asr"), model_dir, [*files, *beside]),
            languages=LANGUAGES,
            word_times=True,
            max_chunk_s=MAX_CHUNK_S,
            device="cpu",
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
        found = run_in_batches([chunk for chunk in chunks if not is_silent(chunk)], _BATCH, self._recognise)
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


def words_of(tokens: Iterable[Token], duration_s: float) -> tuple[Word, ...]:
    """Words made of tokens.

    A word begins with its first token and ends where the next word begins, at most one token's longest time after
    its own last letter. Its confidence is the mean of its tokens'.
    """
    groups: list[list[Token]] = []
    for token in tokens:
        if token.text.startswith(" ") or not groups:
            groups.append([])
        groups[-1].append(token)
    groups = [group for group in groups if _text(group)]
    nexts_s = [*(group[0].start_s for group in groups), duration_s][1:]
    return tuple(_word(group, min(next_s, duration_s)) for group, next_s in zip(groups, nexts_s, strict=True))


def _word(tokens: Sequence[Token], limit_s: float) -> Word:
    lettered = [token for token in tokens if any(letter.isalnum() for letter in token.text)] or tokens
    start_s = min(tokens[0].start_s, limit_s)
    end_s = max(start_s, min(lettered[-1].start_s + _LONGEST_TOKEN_S, limit_s))
    confidence = sum(token.probability for token in tokens) / len(tokens)
    return Word(_text(tokens), round(start_s, 3), round(end_s, 3), round(confidence, 4))


def _text(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens).strip()


def _recognised(chunk: Chunk, found: Iterable[tuple[str, float, float]]) -> Recognised:
    tokens = (Token(text, start_s, min(1.0, math.exp(log))) for text, start_s, log in found)
    words = words_of(tokens, chunk.duration_s)
    return Recognised(" ".join(word.text for word in words), words)
