from pathlib import Path

import pytest

from callscribe.engines.cards import PARAKEET_V3_LANGUAGES, languages_of
from callscribe.errors import Invalid


@pytest.mark.parametrize(
    ("card", "languages"),
    [
        ("---\nlanguage: en\nlicense: mit\n---\ntext", {"en"}),
        ('---\nlicense: mit\nlanguage:\n- en\n- pt-BR\n- "no"\ntags:\n- de\n---\n', {"en", "pt", "no"}),
        ("---\nlanguage:\n  - en\n  - fr\n---\n- es\n", {"en", "fr"}),
        ("---\nlanguage: [en, 'de']\n---\n", {"en", "de"}),
    ],
)
def test_a_card_says_the_languages_in_every_way_that_cards_are_written(
    tmp_path: Path, card: str, languages: set[str]
) -> None:
    (tmp_path / "README.md").write_text(card)
    assert languages_of(tmp_path, 8_193) == languages


@pytest.mark.parametrize("card", [None, "# Parakeet\nlanguage: fr\n", "---\nlicense: mit\n---\nlanguage: fr\n"])
def test_without_a_word_in_the_card_the_number_of_pieces_says_it(tmp_path: Path, card: str | None) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    assert languages_of(tmp_path, 8_193) == PARAKEET_V3_LANGUAGES
    assert languages_of(tmp_path, 1_025) == {"en"}
    with pytest.raises(Invalid, match=r"add its README\.md with `language:`"):
        languages_of(tmp_path, 512)
