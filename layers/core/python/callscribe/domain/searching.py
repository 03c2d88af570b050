"""How words are compared that are searched for: every index gets them from here, and so does every question.

What a character counts as is decided by us, because tokenizers of databases differ by script and by version: one that
is told to take accents away may do so from Latin letters alone.
"""

import unicodedata
from typing import Final

from callscribe.domain.texts import caseless, composed, one_line

# By their names in Unicode. People leave accents out in a hurry, or in capitals; but й is no и with an accent.
_ACCENTED: Final = ("LATIN ", "GREEK ")
_NO_PART_OF_A_WORD: Final = ("COMBINING ", "VARIATION SELECTOR", "ARABIC ", "HEBREW ")  # marks: stress, say, and vowels
# Most Russian texts are printed without the first one; the others are letters of their own only to Unicode.
_SPELT: Final = {"ё": "е", "ѐ": "е", "ѝ": "и"}


def searched(text: str) -> str:
    """The text as it is searched: words of letters, digits and marks that belong to them, single spaces between.

    Neither case nor accents are left, nor format characters, such as a soft hyphen.
    """
    known = caseless(text)
    bare = known.translate({ord(c): _counted_as(c) for c in set(known)})
    return " ".join(composed(bare).split())  # what stood between two marks may be gone


def phrases(words: str) -> list[str]:
    """What must stand in a text that has all of these words: each as it is `searched`, "e-mail" as two in a row.

    What has no letter and no digit, such as "!!", asks for nothing.
    """
    wanted = map(searched, one_line(words).split())
    return [phrase for phrase in wanted if any(map(str.isalnum, phrase))]


def _counted_as(character: str) -> str:
    """The letter or digit that it counts as, "" for what is left out of a word, and a space for what stands between."""
    if character.isalnum():
        return _SPELT.get(character) or _bare(character)
    category = unicodedata.category(character)
    if category.startswith("M"):
        return "" if unicodedata.name(character, "").startswith(_NO_PART_OF_A_WORD) else character
    return "" if category == "Cf" else " "


def _bare(letter: str) -> str:
    """A Latin or Greek letter without its accents; any other as it is."""
    parts = unicodedata.normalize("NFD", letter)
    is_accented = len(parts) > 1 and unicodedata.name(parts[0], "").startswith(_ACCENTED)
    return parts[0] if is_accented else letter
