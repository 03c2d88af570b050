"""`callscribe tariffs`: what tenants of a stage may subscribe to."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from callscribe.cli.output import Form, FormOption, document, table
from callscribe.cli.session import Session

if TYPE_CHECKING:
    from callscribe.domain.tariffs import Tariff

_MINUTES = ("call_minutes", "audio_minutes", "video_minutes")
_COLUMNS = ("identifier", "name", "days", *_MINUTES, "chats", "reports", "prices")


def tariffs(ctx: typer.Context, output: FormOption = Form.TEXT) -> None:
    """List the stage's tariffs, which its setting `tariffs` says; `callscribe tenants subscribe` gives a tenant one."""
    session: Session = ctx.obj
    known = session.deps.settings.tariffs
    if output is Form.JSON:
        document([asdict(tariff) for tariff in known])
        return
    table(_COLUMNS, [[_cell(tariff, column) for column in _COLUMNS] for tariff in known])


def _cell(tariff: "Tariff", column: str) -> str:
    value: Any = getattr(tariff, column)
    if column == "prices":
        return ", ".join(f"{amount:g} {currency}" for currency, amount in sorted(tariff.prices.items())) or "-"
    return str(value)
