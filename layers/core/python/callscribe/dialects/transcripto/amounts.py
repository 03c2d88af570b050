"""What tasks cost and what is left to pay them from, in the units of the tariff: minutes, chats and reports."""

import re
from typing import Final

from callscribe.domain.prices import Account, shown

_MINUTE_S: Final = 60
_SECONDS: Final = (Account.CALL_SECONDS, Account.AUDIO_SECONDS, Account.VIDEO_SECONDS)
# What `services.preparing` notes on a job that nothing was left for.
_UNPAID: Final = re.compile(r"this recording costs (\d+) ([a-z-]+-seconds), and (\d+) are available")


def too_little(account: Account, *, available: int, required: int | None) -> str:
    """Both in the account's smallest unit; `required` None where it is not known yet."""
    unit, left = _unit(account), _figure(account, available)
    if required is None:
        return f"{unit} left: {left}"
    return f"{unit} needed: {_figure(account, required)}, left: {left}"


def in_units(message: str) -> str:
    """Why a job failed, without the name of an account and its seconds."""
    unpaid = _UNPAID.fullmatch(message)
    if unpaid is None or unpaid[2] not in _SECONDS:
        return message
    return too_little(Account(unpaid[2]), available=int(unpaid[3]), required=int(unpaid[1]))


def _unit(account: Account) -> str:
    return "minutes" if account in _SECONDS else str(account)


def _figure(account: Account, amount: int) -> str:
    """Two decimals of a minute: of two amounts the larger one is never shown as the smaller or the same."""
    return f"{amount / _MINUTE_S:.2f}".rstrip("0").rstrip(".") if account in _SECONDS else shown(account, amount)
