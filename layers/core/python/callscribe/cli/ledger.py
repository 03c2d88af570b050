"""`callscribe credits`: what tenants have, and how it came and went."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.amounts import amount_of
from callscribe.cli.output import Form, FormOption, document, line, moment, notice, table
from callscribe.cli.session import Session, TenantOption
from callscribe.domain.prices import Account, shown

if TYPE_CHECKING:
    from callscribe.domain.credits import Balance, Entry

app = typer.Typer(no_args_is_help=True, help="Top up a tenant's credits, units or seconds; show balance and ledger.")

AccountOption = Annotated[Account, typer.Option(help="Which of the tenant's accounts.")]
_LAST = 50


@app.command("top-up")
def top_up(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(help="How much to add, such as 12.5; after `--`, -5 takes back.")],
    tenant: TenantOption = None,
    account: AccountOption = Account.CREDITS,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Of your payment: the same reference counts once, however often it is sent. Default: a random one,"
            " which is told, so that the command can be repeated with it."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Kept with the line of the ledger.")] = "",
    output: FormOption = Form.TEXT,
) -> None:
    """Add to an account. Exit code 6 where more would be taken back than is available."""
    from callscribe.services import accounts, ledger

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.get_tenant(session.deps, tenant_id)
    exact, sent_as = amount_of(amount, account), reference or session.deps.random_bytes(8).hex()
    if reference is None:  # before it is sent: where no answer comes, only this tells whether it was counted
        notice(f"Reference: {sent_as} (to send this top-up again: --reference {sent_as})")
    after = ledger.top_up(
        session.deps, tenant_id=tenant_id, account=account, amount=exact, reference=sent_as, note=note
    )
    described = {**_balance(after), "reference": sent_as}
    if output is Form.JSON:
        document(described)
    else:
        line(" ".join(f"{name} {value}" for name, value in described.items()))


@app.command()
def show(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Show what a tenant has: available, held for jobs under way, and spent."""
    from callscribe.services import accounts, ledger

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.get_tenant(session.deps, tenant_id)
    described = [_balance(ledger.balance(session.deps, tenant_id=tenant_id, account=account)) for account in Account]
    if output is Form.JSON:
        document(described)
    else:
        table(list(described[0]), [list(entry.values()) for entry in described])


@app.command("ledger")
def show_ledger(
    ctx: typer.Context,
    tenant: TenantOption = None,
    account: Annotated[Account | None, typer.Option(help="Only this account's lines.")] = None,
    everything: Annotated[bool, typer.Option("--all", help=f"All lines, not the newest {_LAST}.")] = False,
    output: FormOption = Form.TEXT,
) -> None:
    """List the ledger, newest line first. All lines together sum to the balance."""
    from callscribe.services import accounts, ledger

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.get_tenant(session.deps, tenant_id)
    lines = list(ledger.entries(session.deps, tenant_id, account=account))
    described = [_entry(one) for one in (lines if everything else lines[:_LAST])]
    if output is Form.JSON:
        document(described)
        return
    titles = ("at", "account", "kind", "available", "held", "spent", "reference", "note")
    table(titles, [[str(entry[title] or "-") for title in titles] for entry in described])
    if len(described) < len(lines):
        notice(f"{len(lines) - len(described)} older lines: --all shows them")


def _entry(entry: "Entry") -> dict[str, Any]:
    return {
        "at": moment(entry.at_ms),
        "account": str(entry.account),
        "kind": str(entry.event),
        "available": shown(entry.account, entry.available),
        "held": shown(entry.account, entry.held),
        "spent": shown(entry.account, entry.spent),
        "reference": entry.id.partition("/")[2],
        "note": entry.note,
    }


def _balance(balance: "Balance") -> dict[str, str]:
    return {
        "account": str(balance.account),
        "available": shown(balance.account, balance.available),
        "held": shown(balance.account, balance.held),
        "spent": shown(balance.account, balance.spent),
    }
