"""The published lists and the scales of scores."""

import pytest

from callscribe.domain.dictionaries import DICTIONARIES, MOST_SATISFIED, politeness_score
from callscribe.domain.short_codes import number_of
from callscribe.domain.tasks import LABELS


def test_every_label_of_a_task_has_a_list() -> None:
    assert set(DICTIONARIES) == set(LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_ids_count_from_1_and_no_word_comes_twice(label: str) -> None:
    terms = DICTIONARIES[label]
    assert [term.id for term in terms] == list(range(1, len(terms) + 1))
    assert len({term.english for term in terms}) == len({term.russian for term in terms}) == len(terms)


def test_T_L3_a_rating_of_politeness_is_a_share_of_the_best() -> None:
    assert [politeness_score(rating) for rating in range(1, 6)] == [0, 0.25, 0.5, 0.75, 1]
    assert MOST_SATISFIED == 10


@pytest.mark.parametrize("rating", [0, 6, -1])
def test_T_L3_there_is_no_other_rating(rating: int) -> None:
    with pytest.raises(ValueError, match="politeness"):
        politeness_score(rating)


@pytest.mark.parametrize(
    ("given", "number"),
    [("12", 12), ("007", 7), ("c", 12), ("C", 12), ("10z", 1_331), ("zzzzzzzzzz", 36**10 - 1), ("9" * 15, 10**15 - 1)],
)
def test_T_A14_digits_are_an_id_and_everything_else_is_base_36(given: str, number: int) -> None:
    assert number_of(given) == number


@pytest.mark.parametrize(
    "given", ["", " ", "-1", "1 ", "z" * 11, "9" * 16, "a_b", "ａ", "é", "\u0131", "\u212a", "c\n"]
)
def test_T_A14_what_is_no_short_code_names_nothing(given: str) -> None:
    assert number_of(given) is None
