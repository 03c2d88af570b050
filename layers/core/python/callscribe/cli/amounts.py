"""Amounts of money and time as people write them, to and from the integers of the ledger."""

from decimal import Decimal, InvalidOperation

from callscribe.cli.edge import UsageError
from callscribe.domain.credits import Account, shown

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


def amount_text(amount: int, account: Account) -> str:
    """The same as text, with a sign where it is negative."""
    return shown(account, amount)
