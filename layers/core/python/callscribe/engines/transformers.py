"""Parakeet by Hugging Face's transformers and torch: on a GPU the engine with the highest throughput.

The model is a directory that somebody put there; nothing is ever fetched, no code of a model is run, and weights are
read from safetensors alone. Features, encoder and search work on batches, on the model's own device. The models write
what they hear, in whichever of their languages, and tell none.
"""

import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from callscribe.engines.base import (
    SAMPLE_RATE_HZ,
    Chunk,
    EngineInfo,
    Hints,
    Recognised,
    check_lengths,
    is_silent,
    settle_language,
)
from callscribe.engines.batches import Batches
from callscribe.engines.cards import languages_of
from callscribe.engines.model_files import model_id, need_files
from callscribe.engines.tokens import Token, text_of, words_of
from callscribe.errors import Invalid

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the hub's client is imported, which the next lines do

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, ParakeetForCTC, ParakeetForTDT

from callscribe.engines.greedy import Emission, Emissions, TransducerSearch, decode_ctc
from callscribe.engines.log_mel import LogMel, MelSettings

Tensor = Any  # torch is not installed where types are checked
Model = Any  # nor is transformers
_SHARDS = "model.safetensors.index.json"
FILES: Final = (
    "config.json",
    ("model.safetensors", _SHARDS),
    ("processor_config.json", "preprocessor_config.json"),
    "tokenizer.json",
)
MAX_CHUNK_S = 20.0  # attention takes memory by the square of the length
_LEAST_SAMPLES = 1_600  # 0.1 s: fewer give the encoder nothing to see
_FEATURES_PER_S = 100
_FRAME_ROOM = 2  # frames by which the encoder's rounding may exceed ours


@dataclass(frozen=True, slots=True)
class Device:
    """Where and how the model runs: `name` is cuda or cpu, `precision` a floating-point type of torch's.

    `batch`: chunks at a time; `bucket_s`: they are padded to a multiple of so many seconds, so that few shapes occur.
    `graphed`: the search's steps are replayed as a CUDA graph. `compiled`: the encoder goes through torch.compile,
    which takes longer for each new shape than the work of many a worker's life; so not by default.
    """

    name: str
    precision: str
    batch: int
    bucket_s: float = 1.0
    graphed: bool = False
    compiled: bool = False


def choose_device() -> Device:
    """A GPU where there is one, in bfloat16 if its arithmetic units know that, else float16; the CPU in float32."""
    if torch.cuda.is_available():
        known = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device("cuda", "bfloat16" if known else "float16", 32)
    return Device("cpu", "float32", 4, bucket_s=0.0)


@dataclass(frozen=True, slots=True)
class _Family:
    """How models of one type are loaded, and how what their encoder gives is read."""

    load: Any
    decoder: Callable[[Model, Device], Callable[[Tensor, Tensor], list[Emissions]]]


def _transducer(model: Model, device: Device) -> Callable[[Tensor, Tensor], list[Emissions]]:
    if device.graphed:
        return _projected(model, TransducerSearch(model, device.batch, _most_frames(model), graphed=True))
    return _projected(model, lambda encoded, lengths: TransducerSearch(model, *encoded.shape[:2])(encoded, lengths))


def _projected(
    model: Model, search: Callable[[Tensor, Tensor], list[Emissions]]
) -> Callable[[Tensor, Tensor], list[Emissions]]:
    return lambda encoded, lengths: search(model.encoder_projector(encoded), lengths)


def _ctc(model: Model, _: Device) -> Callable[[Tensor, Tensor], list[Emissions]]:
    return lambda encoded, lengths: decode_ctc(model.ctc_head(encoded), lengths, model.config.pad_token_id)


def _most_frames(model: Model) -> int:
    frames_per_s = _FEATURES_PER_S / int(model.config.encoder_config.subsampling_factor)
    return round(MAX_CHUNK_S * frames_per_s) + _FRAME_ROOM


FAMILIES: Final = {"parakeet_tdt": _Family(ParakeetForTDT, _transducer), "parakeet_ctc": _Family(ParakeetForCTC, _ctc)}


class Transformers:
    """A Parakeet model of transformers' format, on a device."""

    def __init__(self, model_dir: Path, device: Device) -> None:
        files = need_files(model_dir, FILES, engine="transformers")
        self.batches = Batches(device.batch)
        self._device = device
        self.model, family = _load(model_dir, device)
        self._features = LogMel(_mel_settings(files[2]), device.name)
        self._pieces = _pieces(files[3])
        with torch.inference_mode():
            self._decode = family.decoder(self.model, device)
        hops = self.model.config.encoder_config.subsampling_factor * _mel_settings(files[2]).hop_length
        self._frame_s = hops / SAMPLE_RATE_HZ
        shards = sorted(model_dir.glob("model-*.safetensors")) if files[1].name == _SHARDS else []
        version = importlib.metadata.version("transformers")
        self.info = EngineInfo(
            name="transformers",
            model=model_id("transformers", version, model_dir, [*files, *shards]),
            languages=languages_of(model_dir, self.model.config.vocab_size),
            word_times=True,
            max_chunk_s=MAX_CHUNK_S,
            device=f"{device.name} {device.precision}",
            batch_chunks=device.batch,
        )

    def transcribe(
        self,
        chunks: Sequence[Chunk],
        *,
        language: str | None,
        hints: Hints,  # noqa: ARG002 - of the port; these models have no use for hints
    ) -> Iterator[Recognised]:
        """See `base.Engine`. The language is only checked: the models take none."""
        settle_language(self.info, language)
        check_lengths(self.info, chunks)
        found = self.batches.run([chunk for chunk in chunks if not is_silent(chunk)], self._recognise)
        return (Recognised("") if is_silent(chunk) else next(found) for chunk in chunks)

    def close(self) -> None:
        """Give the device's memory back."""
        del self.model, self._decode, self._features
        if self._device.name == "cuda":
            torch.cuda.empty_cache()

    def _recognise(self, chunks: Sequence[Chunk]) -> list[Recognised]:
        try:
            with torch.inference_mode():
                found = self._decode(*self.encode(*self.prepare(chunks)))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()  # so that the smaller batch is not refused for the pieces left of this one
            raise
        except RuntimeError as error:
            if "DefaultCPUAllocator" in str(error):
                raise MemoryError("the CPU's memory does not hold the batch") from error
            raise
        return [self._recognised(chunk, emissions) for chunk, emissions in zip(chunks, found, strict=True)]

    def prepare(self, chunks: Sequence[Chunk]) -> tuple[Tensor, Tensor]:
        """Features and their mask on the device, ready for the encoder; for use within torch.inference_mode."""
        own = [max(_LEAST_SAMPLES, chunk.samples.size) for chunk in chunks]
        samples = np.zeros((len(chunks), _up(max(own), self._device.bucket_s)), np.float32)
        for row, chunk in zip(samples, chunks, strict=True):
            row[: chunk.samples.size] = chunk.samples
        moved = torch.from_numpy(samples).to(self._device.name, non_blocking=True)
        features, mask = self._features(moved, torch.tensor(own, device=self._device.name))
        return features.to(self.model.dtype), mask

    def encode(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder makes of them, shape (batch, frames, width), and how many frames of each are its own."""
        encoded = self.model.encoder(input_features=features, attention_mask=mask)
        return encoded.last_hidden_state, encoded.attention_mask.sum(dim=-1)

    def _recognised(self, chunk: Chunk, emissions: Emissions) -> Recognised:
        words = words_of((self._token(one) for one in emissions if one.token in self._pieces), chunk.duration_s)
        return Recognised(text_of(words), words)

    def _token(self, emission: Emission) -> Token:
        start_s, end_s = (frame * self._frame_s for frame in (emission.first_frame, emission.end_frame))
        return Token(self._pieces[emission.token], start_s, emission.probability, end_s)


def create(model_dir: Path | None = None) -> Transformers:
    """The engine on the best device there is. Raises Invalid for a directory without a model that it knows."""
    need_files(model_dir, FILES, engine="transformers")
    return Transformers(Path(model_dir or ""), choose_device())


def _load(model_dir: Path, device: Device) -> tuple[Model, _Family]:
    """The model on its device, and its family. Raises Invalid for a type that this engine does not know."""
    kind = json.loads((model_dir / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind not in FAMILIES:
        rule = f"{str(model_dir)!r} holds a model of type {kind!r}; transformers needs one of: {', '.join(FAMILIES)}"
        raise Invalid("model_dir", rule)
    safely = {"local_files_only": True, "trust_remote_code": False}
    model = FAMILIES[kind].load.from_pretrained(
        model_dir,
        config=AutoConfig.from_pretrained(model_dir, **safely),
        dtype=getattr(torch, device.precision),
        use_safetensors=True,
        **safely,
    )
    model.eval().requires_grad_(requires_grad=False).to(device.name)
    if device.compiled:
        model.encoder.compile(dynamic=False)
    return model, FAMILIES[kind]


def _mel_settings(processor: Path) -> MelSettings:
    configured = json.loads(processor.read_text(encoding="utf-8"))
    settings = MelSettings.of(configured.get("feature_extractor", configured))
    if settings.sampling_rate != SAMPLE_RATE_HZ:
        rule = f"{str(processor)!r} wants {settings.sampling_rate} Hz; callscribe gives {SAMPLE_RATE_HZ}"
        raise Invalid("model_dir", rule)
    return settings


def _pieces(tokenizer: Path) -> dict[int, str]:
    """The written pieces by token; those for the decoder's own use are left out. A space begins a word."""
    known = Tokenizer.from_file(str(tokenizer))
    special = {token for token, added in known.get_added_tokens_decoder().items() if added.special}
    return {token: piece.replace("▁", " ") for piece, token in known.get_vocab().items() if token not in special}


def _up(samples: int, bucket_s: float) -> int:
    bucket = max(1, round(bucket_s * SAMPLE_RATE_HZ))
    return -(-samples // bucket) * bucket
