"""Which languages a model knows: what its card says, and for models known here what their publisher says."""

from pathlib import Path
from typing import Final

from callscribe.errors import Invalid

CARD: Final = "README.md"
PARAKEET_V3_LANGUAGES: Final = frozenset(
    "bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk".split()  # noqa: SIM905 - easier to read
)
# Without a card: NVIDIA's Parakeet models have 8192 pieces of 25 languages and a blank, or 1024 pieces of English.
_BY_VOCABULARY = {8_193: PARAKEET_V3_LANGUAGES, 1_025: frozenset({"en"})}


def languages_of(model_dir: Path, vocabulary: int) -> frozenset[str]:
    """Primary subtags: of the card's front matter (`language: en`, or a list), or else by the number of pieces.

    Raises Invalid where neither says it.
    """
    card = model_dir / CARD
    told = _front_matter_languages(card.read_text(encoding="utf-8")) if card.is_file() else frozenset[str]()
    known = told or _BY_VOCABULARY.get(vocabulary)
    if not known:
        rule = f"{str(model_dir)!r} does not say which languages the model knows: add its {CARD} with `language:`"
        raise Invalid("model_dir", rule)
    return known


def _front_matter_languages(card: str) -> frozenset[str]:
    """The values of the key `language` between the card's first two lines of `---`: one, or a list in either style."""
    lines = card.splitlines()
    if not lines or lines[0].strip() != "---":
        return frozenset()
    found: list[str] = []
    inside = False
    for line in lines[1:]:
        if line.strip() == "---":
            break
        if line.startswith("language:"):
            inside = True
            found += line.removeprefix("language:").strip().strip("[]").split(",")
        elif inside and line.lstrip().startswith("- "):
            found.append(line.lstrip().removeprefix("- "))
        else:
            inside = False
    return frozenset(code.split("-")[0].lower() for one in found if (code := one.strip().strip("'\"")))
