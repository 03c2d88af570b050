import pytest

from callscribe.domain.clarity import UNCLEAR_BELOW, clear_text
from callscribe.domain.transcripts import Segment, Word


def spoken(text: str, *words: tuple[str, float | None], confidence: float | None = None) -> Segment:
    made = tuple(Word(word, float(at), at + 1.0, sure) for at, (word, sure) in enumerate(words))
    return Segment(text, 0.0, 1.0, 0, "0", confidence, made)


SURE, UNSURE = 0.9, 0.1


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        (spoken("a b c", ("a", SURE), ("b", SURE), ("c", SURE)), "a b c"),
        (spoken("a b c", ("a", SURE), ("b", UNSURE), ("c", SURE)), "a [unclear] c"),
        (spoken("a b c d", ("a", UNSURE), ("b", UNSURE), ("c", SURE), ("d", UNSURE)), "[unclear] c [unclear]"),
        (spoken("a b", ("a", None), ("b", None)), "a b"),
        (spoken("a b", ("a", 0.2), ("b", 0.1999)), "a [unclear]"),
        (spoken("Well, yes.", (" Well,", UNSURE), (" yes.", SURE)), "[unclear] yes."),
        (spoken("\u4f60\u597d\u5417", ("\u4f60", SURE), ("\u597d", UNSURE), ("\u5417", SURE)), "\u4f60[unclear]\u5417"),
        (spoken("the the the", ("the", SURE), ("the", UNSURE), ("the", SURE)), "the [unclear] the"),
        (spoken("twenty 4", ("20", UNSURE), ("4", SURE)), "twenty 4"),
        (spoken("a b", ("", UNSURE), ("b", UNSURE)), "a [unclear]"),
        (spoken("no words here", confidence=UNSURE), "[unclear]"),
        (spoken("no words here", confidence=SURE), "no words here"),
        (spoken("no words here"), "no words here"),
        (spoken("a", ("a", SURE), confidence=UNSURE), "a"),
    ],
)
def test_words_that_the_engine_was_unsure_of_are_marked(segment: Segment, text: str) -> None:
    assert clear_text(segment, "pocketsphinx") == text


def test_an_engine_whose_confidences_nobody_has_measured_is_taken_at_its_word() -> None:
    assert clear_text(spoken("a", ("a", 0.0)), "another") == "a"


def test_thresholds_are_probabilities() -> None:
    assert all(0 < below < 1 for below in UNCLEAR_BELOW.values())
