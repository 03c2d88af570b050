"""Texts of clients: cleaned once, and the same however often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.domain.texts import lines, one_line


@pytest.mark.parametrize(
    ("text", "line", "several"),
    [
        (" Anna ", "Anna", "Anna"),
        ("An\x00na", "An na", "An na"),
        ("a\r\nb\rc\nd", "a  b c d", "a\nb\nc\nd"),
        ("a\tb\x1b[31m\x7f\x85", "a b [31m", "a b [31m"),
        ("a\u2028b\u2029\ud800", "a b", "a b"),
        ("Ёлка 🎧", "Ёлка 🎧", "Ёлка 🎧"),
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
