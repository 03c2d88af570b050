"""The fixed lists of words by which an analysis labels a task, each known by its id, and what its scores mean.

Ids are stored, filtered by and published: none is ever given another meaning, new words get new ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MOST_SATISFIED: Final = 10  # customer satisfaction (CSAT) is a whole number from 0 to this
POLITENESS: Final = range(1, 6)  # ratings of an operator's politeness; this is what is stored


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a list, in English and in Russian."""

    id: int
    english: str
    russian: str


def _terms(*names: tuple[str, str]) -> tuple[Term, ...]:
    return tuple(Term(number, *name) for number, name in enumerate(names, start=1))


# By the names of `tasks.LABELS`.
DICTIONARIES: Final[Mapping[str, tuple[Term, ...]]] = {
    "tone": _terms(
        ("positive", "позитивный"),
        ("neutral", "нейтральный"),
        ("negative", "негативный"),
        ("mixed", "смешанный"),
    ),
    "resolved_status": _terms(
        ("resolved", "решено"),
        ("partly resolved", "решено частично"),
        ("not resolved", "не решено"),
        ("follow-up promised", "обещан повторный контакт"),
        ("handed over", "передано другому сотруднику"),
        ("unclear", "неясно"),
    ),
    "priority": _terms(
        ("low", "низкий"),
        ("medium", "средний"),
        ("high", "высокий"),
        ("critical", "критический"),
    ),
    "funnel_stage": _terms(
        ("first contact", "первый контакт"),
        ("qualification", "квалификация"),
        ("offer", "предложение"),
        ("objections", "работа с возражениями"),
        ("closing", "заключение сделки"),
        ("after-sales service", "обслуживание после продажи"),
    ),
    "risk_signal": _terms(
        ("none", "нет"),
        ("complaint", "жалоба"),
        ("churn", "уход клиента"),
        ("legal action", "обращение в суд или надзорный орган"),
        ("payment", "проблема с оплатой"),
        ("personal data", "персональные данные"),
    ),
    "sales_signal": _terms(
        ("none", "нет"),
        ("interest", "интерес"),
        ("upsell", "продажа более дорогого"),
        ("cross-sell", "сопутствующая продажа"),
        ("ready to buy", "готовность купить"),
        ("renewal", "продление"),
    ),
}


def politeness_score(rating: int) -> float:
    """A rating from 1 to 5 as a share of the best: 0, 0.25, 0.5, 0.75 or 1. Raises ValueError for any other."""
    if rating not in POLITENESS:
        raise ValueError(f"no rating of politeness: {rating}")
    return (rating - POLITENESS[0]) / (len(POLITENESS) - 1)
