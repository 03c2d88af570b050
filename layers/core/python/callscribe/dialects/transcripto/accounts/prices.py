"""Which of a tariff's prices somebody is shown (T-03, T-11): that of the region from Accept-Language."""

from collections.abc import Mapping
from typing import Final

from callscribe.dialects.transcripto.texts import tags_of
from callscribe.domain.tariffs import Tariff

ELSEWHERE: Final = "EUR"  # the document's own list of prices
CURRENCIES: Final[Mapping[str, str]] = {
    "ch": "CHF",
    "gb": "GBP",
    "kz": "KZT",
    "pl": "PLN",
    "ru": "RUB",
    "us": "USD",
}
# Where a language is at home when no region is named, as CLDR's likely subtags have it.
_REGIONS: Final[Mapping[str, str]] = {"en": "us", "kk": "kz", "pl": "pl", "ru": "ru"}


def price_of(tariff: Tariff, accepted: str) -> dict[str, object] | None:
    """`{currency, value}` in the currency of the preferred region, else in euro; None where it has neither."""
    best = next(iter(tags_of(accepted)), "")
    wanted = (CURRENCIES.get(_region(best), ELSEWHERE), ELSEWHERE)
    currency = next((one for one in wanted if one in tariff.prices), None)
    return None if currency is None else {"currency": currency, "value": tariff.prices[currency]}


def _region(tag: str) -> str:
    """The region that a language tag names or implies, in lower case; "" where it is not one of ours."""
    language, *others = tag.split("-")
    return next((one for one in others if len(one) == 2), _REGIONS.get(language, ""))
