"""Whisper by faster-whisper and CTranslate2: the production default on a GPU, and in 8-bit integers on a CPU.

The model is a directory that somebody put there; nothing is ever fetched. Chunks are decoded in batches, all at
temperature 0; a chunk whose text is improbable or repeats itself is decoded once more, alone, at rising temperatures.
"""

import importlib.metadata
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np

from callscribe.domain.transcripts import Word
from callscribe.engines import guards
from callscribe.engines.base import (
    Chunk,
    EngineInfo,
    Hints,
    LanguageGuess,
    Recognised,
    Samples,
    check_lengths,
    is_silent,
    settle_language,
)
from callscribe.engines.batches import Batches
from callscribe.engines.model_files import model_id, need_files
from callscribe.engines.spacing import join_words
from callscribe.media.speech import SAMPLE_RATE_HZ

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the hub's client is imported, which the next lines do

import ctranslate2  # type: ignore[import-untyped]  # it ships no types, nor does the next
from faster_whisper import BatchedInferencePipeline, WhisperModel  # type: ignore[import-untyped]  # as above
from faster_whisper.tokenizer import Tokenizer  # type: ignore[import-untyped]  # as above
from faster_whisper.transcribe import (  # type: ignore[import-untyped]  # as above
    TranscriptionOptions,
    get_suppressed_tokens,
    pad_or_trim,
)

# With any of these missing the library would look for them on the network, or guess.
FILES: Final = (
    "model.bin",
    "config.json",
    "tokenizer.json",
    "preprocessor_config.json",
    ("vocabulary.json", "vocabulary.txt"),
)
WINDOW_S = 30.0  # the encoder always looks at so much, however short the chunk
# Whisper's names of languages where BCP 47 has others, or where one stands for several.
_ALIASES = {"jv": "jw", "nb": "no", "iw": "he", "in": "id", "fil": "tl", "cmn": "zh"}
_OURS = {"jw": "jv"}

_HINT_TOKENS = 100  # of the 224 that stay free beside the longest answer; a long list makes the decoder recite it
_LEAST_SAMPLES = SAMPLE_RATE_HZ // 10  # fewer do not fill the feature extractor's window
_FRAMES_PER_S = 100
_APART_S = 1_000.0
_HOTTER = (0.2, 0.4, 0.6, 0.8, 1.0)  # temperatures of the second try


@dataclass(frozen=True, slots=True)
class Device:
    """Where the model runs: `name` is cuda or cpu, `compute_type` a CTranslate2 type, `batch` chunks at a time."""

    name: str
    compute_type: str
    batch: int


def choose_device(gpus: int, supported: Callable[[str], Collection[str]]) -> Device:
    """A GPU where there is one. `supported` answers which compute types a device has.

    float16 on a GPU of today; 8-bit weights on one before Ampere, which is told by its lack of bfloat16: the T4 does
    twice as many 8-bit operations as float16 ones (NVIDIA's data sheet). 8-bit integers on a CPU.
    """
    if gpus:
        known = supported("cuda")
        wanted = ("float16",) if "bfloat16" in known else ("int8_float16", "float16", "int8_float32")
        return Device("cuda", _first_of(wanted, known), 16)
    return Device("cpu", _first_of(("int8", "int8_float32"), supported("cpu")), 4)


def _first_of(wanted: Sequence[str], supported: Collection[str]) -> str:
    return next((kind for kind in wanted if kind in supported), "float32")


@dataclass(frozen=True, slots=True)
class _Found:
    """What one pass of the decoder gave for a chunk; words with times from the chunk's start."""

    text: str
    words: tuple[Word, ...]
    signs: guards.Signs


class FasterWhisper:
    """A Whisper model of CTranslate2's format, on a device."""

    def __init__(self, model_dir: Path, device: Device, *, beam_size: int = 5) -> None:
        files = need_files(model_dir, FILES, engine="faster-whisper")
        self._model: Any = WhisperModel(
            str(model_dir),
            device=device.name,
            compute_type=device.compute_type,
            cpu_threads=os.cpu_count() or 0,
            local_files_only=True,
        )
        self._batched: Any = BatchedInferencePipeline(self._model)
        self.batches = Batches(device.batch)
        self._beam_size = beam_size
        self.info = EngineInfo(
            name="faster-whisper",
            model=model_id("faster-whisper", importlib.metadata.version("faster-whisper"), model_dir, files),
            languages=self._languages(),
            word_times=True,
            max_chunk_s=WINDOW_S,
            device=f"{device.name} {device.compute_type}",
            joins_spans=True,
            batch_chunks=device.batch,
        )

    def transcribe(self, chunks: Sequence[Chunk], *, language: str | None, hints: Hints) -> Iterator[Recognised]:
        """See `base.Engine`. Without a language each chunk is taken for its own; `detect_language` knows better."""
        wanted = settle_language(self.info, language)
        check_lengths(self.info, chunks)
        return self._all(chunks, wanted, hints)

    def detect_language(self, chunks: Sequence[Chunk]) -> LanguageGuess | None:
        """The language of the first half minute of these chunks; None for silence and from a model that knows one."""
        if not self._model.model.is_multilingual or all(map(is_silent, chunks)):
            return None
        samples = np.concatenate([chunk.samples for chunk in chunks])[: int(WINDOW_S * SAMPLE_RATE_HZ)]
        found, probability, _ = self._model.detect_language(audio=_padded(samples))
        return LanguageGuess(_OURS.get(found, found), round(float(probability), 4))

    def close(self) -> None:
        """Give the device's memory back."""
        self._model.model.unload_model()

    def _languages(self) -> frozenset[str]:
        known = {
            code
            for code in self._model.supported_languages
            if not self._model.model.is_multilingual or self._model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None
        }
        return frozenset(known | {alias for alias, code in _ALIASES.items() if code in known})

    def _all(self, chunks: Sequence[Chunk], language: str | None, hints: Hints) -> Iterator[Recognised]:
        if language is None and self._model.model.is_multilingual:
            for chunk in chunks:
                yield self._in_its_own(chunk, hints)
        else:
            yield from self._in_language(chunks, language or "en", hints)

    def _in_its_own(self, chunk: Chunk, hints: Hints) -> Recognised:
        guess = self.detect_language([chunk])
        if guess is None:
            return Recognised("")
        (heard,) = self._in_language([chunk], guess.language, hints)
        return replace(heard, language_probability=guess.probability)

    def _in_language(self, chunks: Sequence[Chunk], language: str, hints: Hints) -> Iterator[Recognised]:
        code = _ALIASES.get(language, language)
        tokenizer = Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=code
        )
        options = self._options(tokenizer, hints)
        found = self.batches.run(
            [chunk for chunk in chunks if not is_silent(chunk)],
            lambda batch: self._decode(batch, tokenizer, options),
        )
        for chunk in chunks:
            words = () if is_silent(chunk) else self._guarded(chunk, next(found), code)
            yield Recognised(join_words(word.text for word in words), words, language)

    def _guarded(self, chunk: Chunk, found: _Found, code: str) -> tuple[Word, ...]:
        if guards.is_silence(found.signs):
            return ()
        words = self._decode_again(chunk, code) if guards.is_doubtful(found.text, found.signs) else found.words
        return guards.clean(words)

    def _decode(self, chunks: Sequence[Chunk], tokenizer: Any, options: Any) -> list[_Found]:
        """One batch at temperature 0. Each chunk's result is what it would be alone."""
        features = np.stack(
            [pad_or_trim(self._model.feature_extractor(_padded(chunk.samples))[..., :-1]) for chunk in chunks]
        )
        encoded, outputs = self._batched.generate_segment_batched(features, tokenizer, options)
        segments = [_segment(at, chunk, output) for at, (chunk, output) in enumerate(zip(chunks, outputs, strict=True))]
        frames = [min(ceil(chunk.duration_s), int(WINDOW_S)) * _FRAMES_PER_S for chunk in chunks]
        self._model.add_word_timestamps(
            [[segment] for segment in segments],
            tokenizer,
            encoded,
            frames,
            options.prepend_punctuations,
            options.append_punctuations,
            0.0,
        )
        return [_found(*pair, tokenizer) for pair in zip(segments, outputs, strict=True)]

    def _decode_again(self, chunk: Chunk, code: str) -> tuple[Word, ...]:
        """The second try: hotter and hotter until the text is probable; without hints, which can be what loops."""
        segments, _ = self._model.transcribe(
            _padded(chunk.samples),
            language=code,
            beam_size=self._beam_size,
            temperature=_HOTTER,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=False,
        )
        return tuple(_words((vars(word) for segment in segments for word in segment.words or ()), 0.0))

    def _options(self, tokenizer: Any, hints: Hints) -> Any:
        return TranscriptionOptions(
            beam_size=self._beam_size,
            best_of=1,
            patience=1,
            length_penalty=1,
            repetition_penalty=1,
            no_repeat_ngram_size=0,
            log_prob_threshold=None,
            no_speech_threshold=None,
            compression_ratio_threshold=None,
            condition_on_previous_text=False,
            prompt_reset_on_temperature=0.5,
            temperatures=[0.0],
            initial_prompt=None,
            prefix=None,
            suppress_blank=True,
            suppress_tokens=_suppressed(tokenizer),
            without_timestamps=False,  # the way Whisper's own long-form decoding asks; none of the text is cut by them
            max_initial_timestamp=1.0,
            word_timestamps=True,
            prepend_punctuations="\"'“¿([{-",
            append_punctuations="\"'.。,，!！?？:：”)]}、",
            multilingual=False,
            max_new_tokens=None,
            clip_timestamps="0",
            hallucination_silence_threshold=None,
            hotwords=hotwords(hints.vocabulary, lambda text: len(tokenizer.encode(text))),
        )


def create(model_dir: Path | None = None) -> FasterWhisper:
    """The engine on the best device at hand. Raises Invalid for a directory without the model's files."""
    need_files(model_dir, FILES, engine="faster-whisper")
    device = choose_device(ctranslate2.get_cuda_device_count(), ctranslate2.get_supported_compute_types)
    return FasterWhisper(Path(model_dir or ""), device)


def hotwords(vocabulary: Iterable[str], count_tokens: Callable[[str], int]) -> str | None:
    """The first terms of a vocabulary that fit before the decoder's answer, as one line; None for none."""
    taken: list[str] = []
    for term in vocabulary:
        if count_tokens(", ".join([*taken, term])) > _HINT_TOKENS:
            break
        taken.append(term)
    return ", ".join(taken) or None


def _segment(at: int, chunk: Chunk, output: dict[str, Any]) -> dict[str, Any]:
    """A chunk's whole answer as one segment of the library's kind.

    Far from its neighbours: the library mends the first word after a pause, and would look for the pause in the
    chunk before, which may be anybody's.
    """
    start_s = (at + 1) * _APART_S
    return {
        "seek": int(start_s * _FRAMES_PER_S),
        "start": start_s,
        "end": start_s + chunk.duration_s,
        "tokens": output["tokens"],
    }


def _found(segment: dict[str, Any], output: dict[str, Any], tokenizer: Any) -> _Found:
    start_s = segment["seek"] / _FRAMES_PER_S
    signs = guards.Signs(float(output["no_speech_prob"]), float(output["avg_logprob"]))
    return _Found(tokenizer.decode(output["tokens"]).strip(), tuple(_words(segment["words"], start_s)), signs)


def _words(found: Iterable[dict[str, Any]], start_s: float) -> Iterator[Word]:
    for word in found:
        if text := word["word"].strip():
            begin_s, end_s = (round(max(0.0, float(word[edge]) - start_s), 3) for edge in ("start", "end"))
            yield Word(text, begin_s, end_s, round(min(1.0, float(word["probability"])), 4))


def _suppressed(tokenizer: Any) -> list[int]:
    """Tokens never to write: speaker labels, music, brackets. Not a lone space, which some tokenizers have."""
    return [
        token
        for token in get_suppressed_tokens(tokenizer, [-1])
        if token >= tokenizer.eot or tokenizer.decode([token]).strip()
    ]


def _padded(samples: Samples) -> Samples:
    return np.pad(samples, (0, max(0, _LEAST_SAMPLES - samples.size)))
