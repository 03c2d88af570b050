"""Amounts of money and time as people write them, in the integers of the ledger; back again: `prices.shown`."""

from decimal import Decimal, InvalidOperation

from callscribe.cli.edge import UsageError
from callscribe.domain.prices import Account, Plan

_MOST = 10**18  # of the smallest unit; sums of many such lines still fit a DynamoDB number


def amount_of(text: str, account: Account) -> int:
    """`12.5` in the account's smallest unit. Raises UsageError for what is no number or has too many digits."""
    try:
        exact = Decimal(text) * account.scale
    except InvalidOperation:
        raise UsageError(f"{text!r} is no number") from None
    if exact.is_finite() and abs(exact) > _MOST:
        raise UsageError(f"{text} {account}: too much for one line of the ledger")
    if not exact.is_finite() or exact != exact.to_integral_value():
        digits = len(str(account.scale)) - 1
        raise UsageError(f"{text} {account}: at most {digits} digits after the point")
    return int(exact)


def is_free(plan: Plan | None, pays_from: Account | None) -> bool:
    """Whether a credential that pays from an account of its own would pay nothing under a plan that charges others."""
    return plan is not None and pays_from is not None and plan.price_per_s(pays_from) == 0
