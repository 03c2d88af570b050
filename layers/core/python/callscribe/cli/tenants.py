"""`callscribe tenants`: the customers of a stage."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.amounts import amount_of, amount_text
from callscribe.cli.output import Form, FormOption, document, line, moment, table
from callscribe.cli.session import Session, TenantOption
from callscribe.domain.credits import Account, Plan
from callscribe.domain.roles import CallFacts, Direction

if TYPE_CHECKING:
    from callscribe.domain.accounts import Tenant

app = typer.Typer(
    no_args_is_help=True,
    help="Make and list tenants, set what they pay and what holds for their calls, rotate their webhook secret.",
)


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The customer's name, for people.")],
    output: FormOption = Form.TEXT,
) -> None:
    """Make a tenant; prints its id and the secret that its callbacks are signed with."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant = accounts.create_tenant(session.deps, name=name)
    _show_secrets(tenant.id, accounts.webhook_secrets(session.deps, tenant.id), output)


@app.command("list")
def list_tenants(ctx: typer.Context, output: FormOption = Form.TEXT) -> None:
    """List the stage's tenants, newest first."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    described = [_described(tenant) for tenant in accounts.list_tenants(session.deps)]
    if output is Form.JSON:
        document(described)
        return
    titles = ("tenant_id", "name", "pays_from", "created_at")
    table(titles, [[str(entry[title] or "-") for title in titles] for entry in described])


@app.command()
def show(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Show a tenant: its plan, what holds for its calls, where its jobs may take audio from."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    _show(accounts.get_tenant(session.deps, session.tenant_id(tenant)), output)


@app.command("set-plan")
def set_plan(
    ctx: typer.Context,
    tenant: TenantOption = None,
    account: Annotated[Account, typer.Option(help="What its credentials pay from.")] = Account.CREDITS,
    credits_per_s: Annotated[
        str, typer.Option("--credits-per-second", metavar="PRICE", help="Of a started second, such as 0.0005.")
    ] = "0",
    units_per_s: Annotated[
        str,
        typer.Option("--units-per-second", metavar="PRICE", help="The same for credentials that pay with units."),
    ] = "0",
    free: Annotated[bool, typer.Option("--free", help="No plan: nothing is charged.")] = False,
    output: FormOption = Form.TEXT,
) -> None:
    """Set what a tenant pays: from its credits, or from prepaid seconds. Jobs under way keep their price."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    plan = Plan(account, amount_of(credits_per_s, Account.CREDITS), amount_of(units_per_s, Account.UNITS))
    changed = accounts.change_tenant(session.deps, session.tenant_id(tenant), plan=None if free else plan)
    _show(changed, output)


@app.command("set-calls")
def set_calls(
    ctx: typer.Context,
    tenant: TenantOption = None,
    agent_channel: Annotated[
        int | None, typer.Option(min=0, max=1, help="The channel that the agent (or bot) is on.")
    ] = None,
    direction: Annotated[Direction | None, typer.Option(help="Who calls whom.")] = None,
    agent_name: Annotated[str | None, typer.Option(help="How the agent introduces itself.")] = None,
    company_name: Annotated[str | None, typer.Option(help="The company that the agent speaks for.")] = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Set what holds for all of a tenant's calls, so that agent and customer are told apart; replaces what was set."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    call = CallFacts(agent_channel, direction, agent_name, company_name)
    _show(accounts.change_tenant(session.deps, session.tenant_id(tenant), call=call), output)


@app.command("set-sources")
def set_sources(
    ctx: typer.Context,
    uri: Annotated[
        list[str] | None, typer.Argument(metavar="S3_URI…", help="s3://bucket/prefix; none: nowhere.")
    ] = None,
    tenant: TenantOption = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Set below which S3 prefixes a tenant's jobs may take audio from; the stage needs `source_buckets` as well."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    _show(accounts.change_tenant(session.deps, tenant_id, source_uris=tuple(uri or ())), output)


@app.command()
def secret(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Print the secret that a tenant's callbacks are signed with, to verify them by."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    _show_secrets(tenant_id, accounts.webhook_secrets(session.deps, tenant_id), output)


@app.command("rotate-secret")
def rotate_secret(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Make a new secret; callbacks are then signed with it and with the one before it."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.rotate_webhook_secret(session.deps, tenant_id)
    _show_secrets(tenant_id, accounts.webhook_secrets(session.deps, tenant_id), output)


def _described(tenant: "Tenant") -> dict[str, Any]:
    plan, call = tenant.plan, tenant.call
    return {
        "tenant_id": tenant.id,
        "name": tenant.name,
        "created_at": moment(tenant.created_at_ms),
        "pays_from": None if plan is None else str(plan.account),
        "credits_per_second": None if plan is None else amount_text(plan.credits_m_per_s, Account.CREDITS),
        "units_per_second": None if plan is None else amount_text(plan.units_m_per_s, Account.UNITS),
        "agent_channel": call.agent_channel,
        "direction": call.direction,
        "agent_name": call.agent_name,
        "company_name": call.company_name,
        "sources": list(tenant.source_uris),
    }


def _show(tenant: "Tenant", output: Form) -> None:
    described = _described(tenant)
    if output is Form.JSON:
        document(described)
        return
    for name, value in described.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        line(f"{name:20}{'-' if shown in (None, '') else shown}")


def _show_secrets(tenant_id: str, secrets: tuple[str, ...], output: Form) -> None:
    if output is Form.JSON:
        document({"tenant_id": tenant_id, "webhook_secrets": list(secrets)})
        return
    titles = ("webhook secret", "the one before")
    table(("tenant", tenant_id), list(zip(titles, secrets, strict=False)))
