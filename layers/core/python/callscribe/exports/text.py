"""What every export does to text first: nothing that controls a terminal or a player may pass."""

import unicodedata

# Embeddings, overrides and isolates reach over line ends; a direction mark (U+200E, U+200F) does not and is kept.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NEVER_SHOWN = frozenset("\ufeff\ufffe\uffff") | _BIDI_CONTROLS  # the last two are not allowed in XML
_LABEL_CHARACTERS = 12


def clean(text: str) -> str:
    """One line: white space collapsed; control characters, lone surrogates and bidirectional controls removed.

    What is left may stand in XML.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(c if c.isspace() or _shown(c) else "" for c in text).split())


def speaker_label(speaker: str | None, *, word: str = "Speaker") -> str:
    """`Speaker 0` for a segment's speaker, "" where it is unknown; a long name is cut at 12 characters."""
    name = clean(speaker or "")[:_LABEL_CHARACTERS].strip()
    return f"{word} {name}" if name else ""


def _shown(character: str) -> bool:
    if character in _NEVER_SHOWN:
        return False
    return unicodedata.category(character) not in {"Cc", "Cs"}
