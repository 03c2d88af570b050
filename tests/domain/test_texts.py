"""Texts of clients: cleaned once, and the same however often."""

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.domain.texts import caseless, is_blank, lines, one_line


@pytest.mark.parametrize(
    ("text", "line", "several"),
    [
        (" Anna ", "Anna", "Anna"),
        ("An\x00na", "An na", "An na"),
        ("a\r\nb\rc\nd", "a  b c d", "a\nb\nc\nd"),
        ("a\tb\x1b[31m\x7f\x85", "a b [31m", "a b [31m"),
        ("a\u2028b\u2029\ud800", "a b", "a b"),
        ("Ёлка 🎧", "Ёлка 🎧", "Ёлка 🎧"),
        ("Сергеи\u0306\r\nЁлка", "Сергей  Ёлка", "Сергей\nЁлка"),
        ("\x00\n", "", ""),
    ],
)
def test_control_characters_are_spaces_and_lines_end_in_one_way(text: str, line: str, several: str) -> None:
    assert (one_line(text), lines(text)) == (line, several)


@given(st.text())
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    for clean in (one_line, lines):
        assert clean(clean(text)) == clean(text)
        assert "\x00" not in clean(text)


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "\u200b\u00a0\u2060", "\ufeff \u0301", "\u3164\u00ad"])
def test_what_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", "\u200ba", "é", "e\u0301", ".", "👍", "가"])
def test_what_shows_anything_is_not_blank(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("one", "other"), [("СЕРГЕЙ", "Сергеи\u0306"), ("Straße", "STRASSE"), ("\u1fb7", "\u03b1\u0342\u0345")]
)
def test_texts_that_differ_in_case_or_spelling_only_are_one(one: str, other: str) -> None:
    assert caseless(one) == caseless(other)
    assert caseless("й") != caseless("и")


@pytest.mark.parametrize("clean", [one_line, lines, caseless])
@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0316\u0301\u0327", "\u05b0\u05bc"])
def test_very_many_marks_on_a_letter_are_no_work_and_do_not_stay(clean: Callable[[str], str], marks: str) -> None:
    started_s = time.process_time()
    assert len(clean("a" + marks * 300_000 + "b")) <= 32
    assert time.process_time() - started_s < 5  # by the square of their number it would be minutes


def test_as_many_marks_as_any_language_has_all_stay() -> None:
    assert one_line("שָׁלוֹם x" + "\u0316" * 30) == unicodedata.normalize("NFC", "שָׁלוֹם x") + "\u0316" * 30
