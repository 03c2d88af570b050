import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.engines.base import NO_HINTS, Chunk
from callscribe.engines.cards import PARAKEET_V3_LANGUAGES
from callscribe.engines.onnx_asr import create
from callscribe.engines.tokens import Token, words_of
from local.recordings import read_clip
from tests.engines.conftest import Run
from tests.engines.models import PARAKEET

JFK = Chunk(read_clip("jfk"))


def tokens(*found: tuple[str, float]) -> list[Token]:
    return [Token(text, start_s, 0.5) for text, start_s in found]


def test_a_leading_space_begins_a_word() -> None:
    words = words_of(tokens((" hel", 0.0), ("lo", 0.16), (" the", 0.32), ("re", 0.4), (" you", 0.8)), 2.0)
    assert [word.text for word in words] == ["hello", "there", "you"]


def test_a_word_ends_where_the_next_begins_or_a_longest_token_after_its_last_one() -> None:
    words = words_of(tokens((" one", 0.0), (" two", 0.16), (" three", 2.0)), 2.1)
    assert [(word.start_s, word.end_s) for word in words] == [(0.0, 0.16), (0.16, 0.48), (2.0, 2.1)]


def test_a_mark_belongs_to_the_word_before_and_takes_no_time_of_its_own() -> None:
    (yes, no) = words_of(tokens((" Yes", 0.0), (",", 1.6), (" no", 2.0), (".", 2.4)), 5.0)
    assert (yes.text, yes.end_s) == ("Yes,", 0.32)
    assert (no.text, no.end_s) == ("no.", 2.32)


def test_a_words_confidence_is_the_mean_of_its_tokens() -> None:
    (word,) = words_of([Token(" a", 0.0, 0.9), Token("b", 0.1, 0.5)], 1.0)
    assert word.confidence == 0.7


def test_what_comes_before_the_first_space_is_a_word_too_and_a_lone_space_is_none() -> None:
    assert [word.text for word in words_of(tokens(("ing", 0.0), (" ", 0.2), (" a", 0.4)), 1.0)] == ["ing", "a"]
    assert [word.text for word in words_of(tokens((" ", 0.0), ("a", 0.2)), 1.0)] == ["a"]
    assert words_of([], 1.0) == ()


@given(
    st.lists(st.tuples(st.sampled_from([" a", "b", ",", " ", " c."]), st.floats(0, 20)), max_size=12),
    st.floats(0, 20),
)
def test_times_are_in_order_and_inside_the_chunk_whatever_the_tokens_are(
    found: list[tuple[str, float]], duration_s: float
) -> None:
    in_order = sorted(start_s for _, start_s in found)
    words = words_of(tokens(*((text, at) for (text, _), at in zip(found, in_order, strict=True))), duration_s)
    edges = [edge for word in words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= round(duration_s, 3) for edge in edges)
    assert "".join(word.text for word in words) == "".join(text for text, _ in found).replace(" ", "")


def test_twenty_five_european_languages_are_known_and_none_is_told(run: Run) -> None:
    engine = create(PARAKEET)
    assert len(PARAKEET_V3_LANGUAGES) == 25
    assert engine.info.languages == PARAKEET_V3_LANGUAGES
    assert run(engine, JFK.samples[None]).language is None
    assert run(engine, JFK.samples[None], language="de-AT").language == "de"
    engine.close()


def test_no_chunk_of_a_file_is_longer_than_twenty_seconds() -> None:
    engine = create(PARAKEET)
    assert engine.info.max_chunk_s == 20.0
    assert not engine.info.joins_spans
    engine.close()


def test_a_quantised_model_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    whole = create(PARAKEET)
    expected = list(whole.transcribe([JFK], language="en", hints=NO_HINTS))
    shutil.copytree(PARAKEET, tmp_path / "quantised")
    for part in ("encoder-model", "decoder_joint-model"):
        (tmp_path / "quantised" / f"{part}.onnx").rename(tmp_path / "quantised" / f"{part}.int8.onnx")
    engine = create(tmp_path / "quantised")
    assert list(engine.transcribe([JFK], language="en", hints=NO_HINTS)) == expected
    assert engine.info.model != whole.info.model
    for one in (whole, engine):
        one.close()


def test_weights_beside_the_encoder_count_in_the_digest(tmp_path: Path) -> None:
    shutil.copytree(PARAKEET, tmp_path / "large")
    without = create(tmp_path / "large")
    (tmp_path / "large" / "encoder-model.onnx.data").write_bytes(b"weights")
    beside = create(tmp_path / "large")
    assert beside.info.model != without.info.model
    for one in (without, beside):
        one.close()


@pytest.mark.parametrize("language", [None, "en", "uk"])
def test_the_language_changes_nothing_of_what_is_heard(language: str | None) -> None:
    engine = create(PARAKEET)
    (found,) = engine.transcribe([JFK], language=language, hints=NO_HINTS)
    assert found.language is None
    assert found.text == next(iter(engine.transcribe([JFK], language="fr", hints=NO_HINTS))).text
    engine.close()
