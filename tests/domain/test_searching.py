"""What is searched by words: the same however it is written, and nothing else."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callscribe.domain.searching import phrases, searched
from callscribe.domain.tasks import folded


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("Straße, STRASSE", "strasse strasse"),
        ("café CAFÉ cafe\u0301", "cafe cafe cafe"),
        ("Ёлка ёлка елка Е\u0308лка", "елка елка елка елка"),
        ("мой мои и\u0306", "мой мои й"),
        ("їжак ї Ї", "їжак ї ї"),
        ("за́мок замо́к", "замок замок"),
        ("ΚΑΛΗΜΕΡΑ Καλημέρα σας ΣΑΣ", "καλημερα καλημερα σασ σασ"),
        ("it's e-mail x_y 42", "it s e mail x y 42"),
        ("всѐ ѝ", "все и"),
        ("İstanbul", "istanbul"),
        ("con\u00adtract zero\u200bwidth", "contract zerowidth"),
        ("हिन्दी, ไทย", "हिन्दी ไทย"),
        ("سَلَام שָׁלוֹם", "سلام שלום"),
        ("1\ufe0f\u20e3 ❤️", "1"),
        ("한국어 が か\u3099", "한국어 が が"),
        ("a\x00b\ud800c", "a b c"),
        ("!! … \n", ""),
    ],
)
def test_words_are_known_by_what_people_hear_and_not_by_how_they_are_written(written: str, known: str) -> None:
    assert searched(written) == known


@given(st.text())
@example("\u0748\u033d\U000e01e9\ua953")
def test_what_looks_alike_is_searched_alike_and_once_is_enough(text: str) -> None:
    forms = {searched(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert forms == {searched(text)}
    assert searched(searched(text)) == searched(text)
    assert folded(unicodedata.normalize("NFD", text)) == folded(text)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("Договор e-mail", ["договор", "e mail"]),
        ("a\x00b", ["a", "b"]),
        ('!! " \u0301 ि *', []),
        ('say "yes"', ["say", "yes"]),
        ("", []),
    ],
)
def test_a_question_has_a_phrase_for_each_word_and_none_for_signs(asked: str, wanted: list[str]) -> None:
    assert phrases(asked) == wanted


@given(st.text())
def test_a_phrase_holds_words_and_single_spaces_alone(asked: str) -> None:
    for phrase in phrases(asked):
        assert phrase == searched(phrase) == " ".join(phrase.split())
        assert '"' not in phrase
