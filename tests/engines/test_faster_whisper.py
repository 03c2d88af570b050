import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callscribe.engines import guards
from callscribe.engines.base import NO_HINTS, Chunk, Hints
from callscribe.engines.faster_whisper import (
    Device,
    FasterWhisper,
    _suppressed,
    choose_device,
    create,
    hotwords,
)
from callscribe.engines.pipeline import make_transcriber
from callscribe.errors import FailureCode, JobFailed
from local.recordings import demo_recording, read_clip, reference
from local.word_errors import word_error_rate
from tests.engines.conftest import Run
from tests.engines.fakes import NO_FILE, facts_of, in_blocks
from tests.engines.models import WHISPER
from tests.engines.random_whisper import LANGUAGES, write_random_whisper

JFK = Chunk(read_clip("jfk"))
SILENCE = Chunk(np.zeros(16_000, np.float32))
DISPOSED = "He was not an ill disposed young man."  # what the tiny model says about librivox-0880, rightly


@pytest.fixture(scope="module")
def english() -> Iterator[FasterWhisper]:
    engine = create(WHISPER)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FasterWhisper]:
    """Of 99 languages and no sense; quick, because its beam is narrow."""
    folder = write_random_whisper(tmp_path_factory.mktemp("models") / "random")
    engine = FasterWhisper(folder, Device("cpu", "float32", 4), beam_size=1)
    yield engine
    engine.close()


def texts(engine: FasterWhisper, *chunks: Chunk, language: str | None = None, hints: Hints = NO_HINTS) -> list[str]:
    return [found.text for found in engine.transcribe(chunks, language=language, hints=hints)]


def test_the_words_of_a_chunk_come_out(english: FasterWhisper) -> None:
    assert word_error_rate(reference("jfk"), texts(english, JFK)[0]) == 0
    assert texts(english, JFK, Chunk(read_clip("librivox-0880")))[1] == DISPOSED


@pytest.mark.parametrize("frames", [8_000, 160_000, 10**9])
def test_the_words_of_a_file_come_out_although_its_pauses_cut_it_in_four(english: FasterWhisper, frames: int) -> None:
    samples = JFK.samples[None]
    transcribe = make_transcriber(english, blocks=in_blocks(samples, frames))
    transcript = transcribe(NO_FILE, facts_of(samples)).transcript
    assert word_error_rate(reference("jfk"), transcript.text) == 0
    assert len(transcript.segments) > 1
    assert (transcript.language, transcript.language_probability, transcript.warnings) == ("en", None, ())
    assert 0 < transcript.speech_s < transcript.duration_s


def test_each_channel_of_a_call_says_its_own(english: FasterWhisper, run: Run) -> None:
    samples = np.zeros((2, JFK.samples.size + 16_000), np.float32)
    samples[0, 16_000:] = JFK.samples
    samples[1, : read_clip("librivox-0880").size] = read_clip("librivox-0880")
    transcript = run(english, samples)
    said = [" ".join(one.text for one in transcript.segments if one.channel == channel) for channel in (0, 1)]
    assert word_error_rate(reference("jfk"), said[0]) == 0
    assert said[1] == DISPOSED


def test_digital_silence_is_not_decoded_whatever_the_model_would_say(english: FasterWhisper) -> None:
    assert texts(english, SILENCE) == [""]
    hiss = np.random.default_rng(1).normal(0, 0.01, 16_000).astype(np.float32)
    assert texts(english, Chunk(hiss)) != [""], "the model writes a sentence for silence: the test above must not"


def test_an_english_model_knows_english_only_and_needs_not_be_asked(english: FasterWhisper) -> None:
    assert english.info.languages == frozenset({"en"})
    assert english.detect_language([JFK]) is None
    with pytest.raises(JobFailed) as failed:
        english.transcribe([JFK], language="de", hints=NO_HINTS)
    assert failed.value.failure.code == FailureCode.LANGUAGE_UNSUPPORTED


def test_hints_reach_the_decoder_as_its_prompt(english: FasterWhisper) -> None:
    prompts: list[list[int]] = []
    batched = english._batched
    original = batched.model.get_prompt

    def listening(*arguments: Any, **options: Any) -> Any:
        prompts.append(original(*arguments, **options))
        return prompts[-1]

    batched.model.get_prompt = listening
    try:
        texts(english, JFK, hints=Hints(("Kennedy", "Dashwood")))
        texts(english, JFK)
    finally:
        del batched.model.get_prompt
    decode = english._model.hf_tokenizer.decode
    assert decode(prompts[0]).strip() == "Kennedy, Dashwood"
    assert decode(prompts[1]).strip() == ""


def test_of_a_long_vocabulary_the_first_terms_are_taken_whole() -> None:
    terms = [f"term{number}" for number in range(1_000)]
    taken = hotwords(terms, lambda text: len(text) // 4)
    assert taken is not None
    assert taken.split(", ") == terms[: len(taken.split(", "))]
    assert 350 < len(taken) < 404
    assert hotwords([], len) is None
    assert hotwords(["x" * 500], len) is None


def test_a_model_of_many_languages_declares_them_by_their_bcp_47_subtags(many: FasterWhisper) -> None:
    assert len(LANGUAGES) == 99
    assert many.info.languages is not None
    assert set(LANGUAGES) < many.info.languages
    assert {"jv", "nb", "fil"} < many.info.languages
    assert "yue" not in many.info.languages


@pytest.mark.parametrize(("asked", "reported"), [("de", "de"), ("pt-BR", "pt"), ("nb-NO", "nb"), ("jv", "jv")])
def test_the_callers_language_is_the_one_that_is_decoded(many: FasterWhisper, asked: str, reported: str) -> None:
    (found,) = many.transcribe([JFK], language=asked, hints=NO_HINTS)
    assert (found.language, found.language_probability) == (reported, None)


def test_without_a_language_each_chunk_is_taken_for_its_own(many: FasterWhisper) -> None:
    found, none = many.transcribe([JFK, SILENCE], language=None, hints=NO_HINTS)
    guess = many.detect_language([JFK])
    assert guess is not None
    assert 0 < guess.probability < 1
    assert (found.language, found.language_probability) == (guess.language, guess.probability)
    assert (none.text, none.language) == ("", None)


def test_a_language_is_detected_from_the_first_half_minute_of_all_chunks(many: FasterWhisper) -> None:
    parts = [Chunk(JFK.samples[at : at + 40_000]) for at in range(0, JFK.samples.size, 40_000)]
    assert many.detect_language(parts) == many.detect_language([JFK])
    minute = np.tile(JFK.samples, 6)
    assert many.detect_language([Chunk(minute)]) == many.detect_language([Chunk(minute[: 30 * 16_000])])
    assert many.detect_language([]) is None
    assert many.detect_language([SILENCE]) is None


def test_both_channels_of_a_call_get_a_language_of_the_model(many: FasterWhisper, run: Run) -> None:
    transcript = run(many, demo_recording().samples)
    assert transcript.language in LANGUAGES
    assert transcript.language_probability is not None
    assert run(many, demo_recording().samples, language="de").language == "de"


# What the decoder says about itself decides what becomes of its words; the decoder is real, its answers are set.
@pytest.fixture
def answering(english: FasterWhisper, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the answer of the first pass, and counts the second tries."""
    again: list[Chunk] = []
    second = english._decode_again

    def decode_again(chunk: Chunk, code: str) -> Any:
        again.append(chunk)
        return second(chunk, code)

    def answer(text: str, signs: guards.Signs) -> list[Chunk]:
        (real,) = english._decode([JFK], *_context(english))
        found = replace(real, text=text, signs=signs)
        monkeypatch.setattr(english, "_decode", lambda batch, *_: [found for _ in batch])
        monkeypatch.setattr(english, "_decode_again", decode_again)
        return again

    return answer


def _context(engine: FasterWhisper) -> tuple[Any, Any]:
    from faster_whisper.tokenizer import Tokenizer  # type: ignore[import-untyped]  # it ships no types

    tokenizer = Tokenizer(engine._model.hf_tokenizer, multilingual=False)
    return tokenizer, engine._options(tokenizer, NO_HINTS)


def test_what_the_decoder_takes_for_silence_has_no_words(english: FasterWhisper, answering: Any) -> None:
    again = answering("And so my fellow", guards.Signs(0.9, -1.4))
    assert texts(english, JFK) == [""]
    assert again == []


@pytest.mark.parametrize(
    ("text", "signs"),
    [("And so", guards.Signs(0.1, -1.4)), ("and then " * 40, guards.Signs(0.1, -0.1))],
    ids=["improbable", "repetitive"],
)
def test_doubtful_text_is_decoded_once_more_in_another_way(
    english: FasterWhisper, answering: Any, text: str, signs: guards.Signs
) -> None:
    again = answering(text, signs)
    (found,) = english.transcribe([JFK], language=None, hints=NO_HINTS)
    assert again == [JFK]
    assert found.words  # those of the second try, which is real


def test_text_without_doubt_is_not_decoded_again(english: FasterWhisper, answering: Any) -> None:
    again = answering("And so my fellow", guards.Signs(0.9, -0.4))
    assert texts(english, JFK) != [""]
    assert again == []


def test_no_chunk_of_a_batch_ends_near_the_next_ones_start(
    english: FasterWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    original = english._model.add_word_timestamps

    def watching(segments: list[list[dict[str, Any]]], *rest: Any) -> Any:
        seen.extend(dict(one) for (one,) in segments)
        return original(segments, *rest)

    monkeypatch.setattr(english._model, "add_word_timestamps", watching)
    texts(english, JFK, Chunk(read_clip("librivox-0880")), JFK)
    ends_s = [0.0, *(one["end"] for one in seen)]
    assert len(seen) == 3
    # The library takes a long first word after a pause for a mistake; before every chunk there is a pause.
    assert all(one["start"] - end_s > 100 for one, end_s in zip(seen, ends_s, strict=False))
    assert all(one["seek"] == one["start"] * 100 for one in seen)


def test_a_lone_space_is_never_suppressed(english: FasterWhisper) -> None:
    tokenizer, _ = _context(english)
    space = tokenizer.encode(" ")
    assert not set(space) & set(_suppressed(tokenizer))
    assert tokenizer.sot in _suppressed(tokenizer)


@pytest.mark.parametrize(
    ("gpus", "supported", "device"),
    [
        (0, {"int8", "float32", "int8_float32"}, Device("cpu", "int8", 4)),
        (0, {"float32"}, Device("cpu", "float32", 4)),
        (1, {"float32", "float16", "bfloat16", "int8_float16", "int8"}, Device("cuda", "float16", 16)),
        (1, {"float32", "float16", "int8_float16", "int8"}, Device("cuda", "int8_float16", 16)),
        (1, {"float32", "float16"}, Device("cuda", "float16", 16)),
        (2, {"float32", "int8_float16", "int8"}, Device("cuda", "int8_float16", 16)),
        (1, {"float32", "int8_float32"}, Device("cuda", "int8_float32", 16)),
    ],
)
def test_a_gpu_is_taken_where_there_is_one_with_the_best_it_can(
    gpus: int, supported: Sequence[str], device: Device
) -> None:
    assert choose_device(gpus, lambda _: supported) == device


def test_the_hub_is_offline_once_the_engine_is_imported() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    import huggingface_hub.constants

    assert huggingface_hub.constants.HF_HUB_OFFLINE is True


def test_a_closed_engine_has_no_model_in_memory(tmp_path: Path) -> None:
    engine = FasterWhisper(WHISPER, Device("cpu", "int8", 1))
    assert engine._model.model.model_is_loaded
    engine.close()
    assert not engine._model.model.model_is_loaded
