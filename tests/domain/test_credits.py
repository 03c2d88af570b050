import pytest

from callscribe.domain.prices import MICRO, Account, Plan, Price, shown


@pytest.mark.parametrize(
    ("duration_s", "cost"),
    [(0.0, 0), (0.1, 7), (1.0, 7), (1.0001, 14), (59.999, 420), (60.0, 420), (43_200.0, 302_400)],
)
def test_every_started_second_is_paid_and_no_more(duration_s: float, cost: int) -> None:
    assert Price(Account.CREDITS, 7).of(duration_s) == cost


def test_a_plan_says_what_a_second_costs_in_each_account() -> None:
    plan = Plan(Account.SECONDS, credits_m_per_s=250, units_m_per_s=1_234)
    assert {account: plan.price_per_s(account) for account in Account} == {
        Account.CREDITS: 250,
        Account.UNITS: 1_234,
        **dict.fromkeys(set(Account) - {Account.CREDITS, Account.UNITS}, 1),
    }


@pytest.mark.parametrize(
    ("account", "amount", "text"),
    [
        (Account.CREDITS, 0, "0"),
        (Account.CREDITS, 12_500_000, "12.5"),
        (Account.UNITS, 123_400, "0.1234"),
        (Account.CREDITS, 1, "0.000001"),
        (Account.CREDITS, -1_500_000, "-1.5"),
        (Account.CREDITS, 10**15 + 1, "1000000000.000001"),
        (Account.SECONDS, 90, "90"),
        (Account.SECONDS, -90, "-90"),
    ],
)
def test_an_amount_is_shown_without_losing_a_digit(account: Account, amount: int, text: str) -> None:
    assert shown(account, amount) == text
    assert round(float(text) * account.scale) == amount
    assert Account.CREDITS.scale == MICRO
