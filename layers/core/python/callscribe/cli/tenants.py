"""`callscribe tenants`: the customers of a stage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.amounts import amount_of, is_free
from callscribe.cli.edge import UsageError
from callscribe.cli.output import Form, FormOption, cell, document, line, moment, notice, table
from callscribe.cli.session import Session, TenantOption
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.prices import Account, Plan, shown

if TYPE_CHECKING:
    from callscribe.domain.accounts import Tenant
    from callscribe.ports import Deps

_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

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
    described = [_described(session.deps, tenant) for tenant in accounts.list_tenants(session.deps)]
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
    _show(session, accounts.get_tenant(session.deps, session.tenant_id(tenant)), output)


@app.command("set-plan")
def set_plan(
    ctx: typer.Context,
    tenant: TenantOption = None,
    account: Annotated[
        Account | None, typer.Option(help="What its credentials pay from. Default: as it was, at first credits.")
    ] = None,
    credits_per_s: Annotated[
        str | None,
        typer.Option("--credits-per-second", metavar="PRICE", help="Of a started second, such as 0.0005."),
    ] = None,
    units_per_s: Annotated[
        str | None,
        typer.Option("--units-per-second", metavar="PRICE", help="The same for credentials that pay with units."),
    ] = None,
    free: Annotated[bool, typer.Option("--free", help="No plan: nothing is charged.")] = False,
    output: FormOption = Form.TEXT,
) -> None:
    """Set what a tenant pays: from its credits, or from prepaid seconds. What is not given stays as it was.

    Jobs under way keep their price.
    """
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    known = accounts.get_tenant(session.deps, tenant_id).plan
    plan = None if free else _plan(known or Plan(), account, {"credits": credits_per_s, "units": units_per_s})
    changed = accounts.change_tenant(session.deps, tenant_id, plan=plan)
    _show(session, changed, output)
    _tell_of_free_keys(session.deps, changed)


@app.command()
def subscribe(
    ctx: typer.Context,
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Its id, `t…`.")],
    tariff: Annotated[str, typer.Argument(metavar="TARIFF", help="As `callscribe tariffs` names it: enterprise.")],
    days: Annotated[int | None, typer.Option(min=1, help="For so long. Default: the tariff's days.")] = None,
    starts: Annotated[
        datetime | None,
        typer.Option("--from", metavar="DATE", formats=_MOMENTS, help="Its first moment, in UTC. Default: now."),
    ] = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Give a tenant a tariff, at once in place of the one it has: what was left of that one is gone.

    Tasks under way are paid from what was held for them. Without a tariff a tenant has no tasks.
    """
    from callscribe.services import tariffs

    session: Session = ctx.obj
    starts_at_ms = None if starts is None else round(1000 * starts.replace(tzinfo=UTC).timestamp())
    _show(session, tariffs.subscribe(session.deps, tenant, tariff, starts_at_ms=starts_at_ms, days=days), output)


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
    _show(session, accounts.change_tenant(session.deps, session.tenant_id(tenant), call=call), output)


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
    _show(session, accounts.change_tenant(session.deps, tenant_id, source_uris=tuple(uri or ())), output)


@app.command("set-vocabulary")
def set_vocabulary(
    ctx: typer.Context,
    term: Annotated[
        list[str] | None, typer.Argument(metavar="TERM…", help="The most important first; none: nothing special.")
    ] = None,
    tenant: TenantOption = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Set names and terms that fall on a tenant's calls, such as products; engines that can will listen for them."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    _show(session, accounts.change_tenant(session.deps, tenant_id, vocabulary=tuple(term or ())), output)


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


def _plan(known: Plan, account: Account | None, prices: Mapping[str, str | None]) -> Plan:
    """The known plan with what was given. Raises UsageError for one that would charge nothing without saying so."""
    given = {name: amount_of(price, Account(name)) for name, price in prices.items() if price is not None}
    plan = Plan(
        account=account or known.account,
        credits_m_per_s=given.get("credits", known.credits_m_per_s),
        units_m_per_s=given.get("units", known.units_m_per_s),
    )
    if min(plan.credits_m_per_s, plan.units_m_per_s) < 0:
        raise UsageError("a second cannot cost less than nothing: give prices of 0 or more")
    if plan.price_per_s(plan.account) == 0:
        raise UsageError(
            f"a second would cost no {plan.account}: give --{plan.account}-per-second a price above 0, or --free"
        )
    return plan


def _tell_of_free_keys(deps: "Deps", tenant: "Tenant") -> None:
    """Say which keys pay from an account that the tenant's plan has no price for."""
    from callscribe.services import accounts

    for key in accounts.list_keys(deps, tenant.id) if tenant.plan else ():
        if key.usable(now_ms=deps.now_ms()) and is_free(tenant.plan, key.pays_from):
            notice(f"The jobs of {key.id} are free: it pays from {key.pays_from}, which this plan has no price for.")


def _described(deps: "Deps", tenant: "Tenant") -> dict[str, Any]:
    plan, call = tenant.plan, tenant.call
    return {
        "tenant_id": tenant.id,
        "name": tenant.name,
        "created_at": moment(tenant.created_at_ms),
        "pays_from": None if plan is None else str(plan.account),
        "credits_per_second": None if plan is None else shown(Account.CREDITS, plan.credits_m_per_s),
        "units_per_second": None if plan is None else shown(Account.UNITS, plan.units_m_per_s),
        "agent_channel": call.agent_channel,
        "direction": call.direction,
        "agent_name": call.agent_name,
        "company_name": call.company_name,
        "vocabulary": list(tenant.vocabulary),
        "sources": list(tenant.source_uris),
        **_subscription(deps, tenant),
    }


def _subscription(deps: "Deps", tenant: "Tenant") -> dict[str, Any]:
    """The tariff; one that the stage does not have (any more) is named all the same."""
    has = tenant.subscription
    return {
        "tariff": None if has is None else has.tariff,
        "tariff_active": has is not None and has.is_active(deps.now_ms()),
        "tariff_from": None if has is None else moment(has.starts_at_ms),
        "tariff_until": None if has is None else moment(has.ends_at_ms),
    }


def _show(session: Session, tenant: "Tenant", output: Form) -> None:
    described = _described(session.deps, tenant)
    if output is Form.JSON:
        document(described)
        return
    for name, value in described.items():
        line(f"{name:20}{cell(value)}")


def _show_secrets(tenant_id: str, secrets: tuple[str, ...], output: Form) -> None:
    if output is Form.JSON:
        document({"tenant_id": tenant_id, "webhook_secrets": list(secrets)})
        return
    titles = ("webhook secret", "the one before")
    table(("tenant", tenant_id), list(zip(titles, secrets, strict=False)))
