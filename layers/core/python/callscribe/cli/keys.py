"""`callscribe keys`: the credentials of a tenant."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.amounts import is_free
from callscribe.cli.edge import UsageError
from callscribe.cli.output import Form, FormOption, cell, document, line, moment, notice, table
from callscribe.cli.scopes import ScopeOption, known_scopes
from callscribe.cli.session import Session, TenantOption
from callscribe.domain.accounts import ApiKey
from callscribe.domain.prices import Account
from callscribe.errors import NotFound

if TYPE_CHECKING:
    from callscribe.ports import Deps

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the API keys of a tenant.")
_DAY_MS = 86_400_000


@app.command()
def create(
    ctx: typer.Context,
    tenant: TenantOption = None,
    new_tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Make a tenant first, with this name.")] = None,
    name: Annotated[str, typer.Option(help="What the key is for, to recognise it in the list.")] = "",
    scope: ScopeOption = None,
    expires_days: Annotated[int | None, typer.Option(min=1, help="Days until it ends. Default: never.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="A switch of a dialect, such as created-at-string; may be repeated.")
    ] = None,
    pays_from: Annotated[
        Account | None,
        typer.Option(
            help="The account it pays from; `units` makes it an admin key of dialect aivoco. Default: the plan's."
        ),
    ] = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Make a key and print it. **It is shown this once**: only a digest of it is kept."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    options, scopes = _known_options(option or []), known_scopes(scope or [])
    if new_tenant is not None and tenant is not None:
        raise UsageError("--tenant or --new-tenant, not both")
    tenant_id = _made(session.deps, new_tenant) if new_tenant is not None else session.tenant_id(tenant)
    _check_price(session.deps, tenant_id, pays_from)
    now_ms = session.deps.now_ms()
    key, secret = accounts.create_key(
        session.deps,
        tenant_id=tenant_id,
        name=name,
        scopes=scopes,
        expires_at_ms=None if expires_days is None else now_ms + expires_days * _DAY_MS,
        options=options,
        pays_from=pays_from,
    )
    webhook_secret = accounts.webhook_secrets(session.deps, tenant_id)[0]
    _show_new({**_described(key, now_ms), "api_key": secret, "webhook_secret": webhook_secret}, output)


@app.command("list")
def list_keys(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """List a tenant's keys, newest first, revoked and expired ones included."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.get_tenant(session.deps, tenant_id)  # an unknown one is told so, rather than shown an empty list
    found = accounts.list_keys(session.deps, tenant_id)
    described = [_described(key, session.deps.now_ms()) for key in found]
    if output is Form.JSON:
        document(described)
        return
    titles = ("app_id", "name", "ends_in", "state", "scopes", "created_at", "expires_at", "last_used_at", "options")
    table(titles, [[cell(entry[title]) for title in titles] for entry in described])


@app.command()
def revoke(
    ctx: typer.Context,
    app_id: Annotated[str, typer.Argument(help="The APP Id of the key, `app-…`.")],
    tenant: TenantOption = None,
    output: FormOption = Form.TEXT,
) -> None:
    """End a key at once, and with it every token that was made by it. Revoking twice changes nothing."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    try:
        key = accounts.revoke_key(session.deps, tenant_id=tenant_id, key_id=app_id)
    except NotFound as error:
        raise NotFound(f"{error} of the tenant {tenant_id}; for another tenant's key give --tenant") from error
    if output is Form.JSON:
        document(_described(key, session.deps.now_ms()))
    else:
        line(f"{key.id} was revoked at {moment(key.revoked_at_ms)}")


def _made(deps: "Deps", name: str) -> str:
    from callscribe.services import accounts

    return accounts.create_tenant(deps, name=name).id


def _check_price(deps: "Deps", tenant_id: str, pays_from: Account | None) -> None:
    """Raises UsageError for a key whose jobs would be free although its tenant has a plan."""
    from callscribe.services import accounts

    if is_free(accounts.get_tenant(deps, tenant_id).plan, pays_from):
        raise UsageError(
            f"the tenant's plan has no price for {pays_from}, so the jobs of this key would be free:"
            f" set one by `callscribe tenants set-plan --{pays_from}-per-second PRICE`"
        )


def _known_options(given: Sequence[str]) -> list[str]:
    """The same options. Raises UsageError for one that no dialect knows, and says which there are."""
    from callscribe import dialects, names

    known = {option: text for name in names.DIALECTS for option, text in dialects.load(name).options.items()}
    for option in given:
        if option not in known:
            choices = "; ".join(f"{name} ({text})" for name, text in sorted(known.items()))
            raise UsageError(f"no dialect has the option {option!r}; there are: {choices}")
    return list(given)


def _described(key: ApiKey, now_ms: int) -> dict[str, Any]:
    state = "revoked" if key.revoked_at_ms is not None else "active" if key.usable(now_ms=now_ms) else "expired"
    return {
        "tenant_id": key.tenant_id,
        "app_id": key.id,
        "name": key.name,
        "ends_in": key.hint,
        "state": state,
        "scopes": sorted(key.scopes),
        "options": list(key.options),
        "pays_from": key.pays_from and str(key.pays_from),
        "created_at": moment(key.created_at_ms),
        "expires_at": moment(key.expires_at_ms),
        "revoked_at": moment(key.revoked_at_ms),
        "last_used_at": moment(key.last_used_at_ms),
    }


def _show_new(entry: dict[str, Any], output: Form) -> None:
    if output is Form.JSON:
        document(entry)
        return
    shown = ("app_id", "api_key", "webhook_secret", "scopes", "expires_at", "options")
    table(("tenant_id", entry["tenant_id"]), [(name, cell(entry[name])) for name in shown])
    notice("The key is shown this once; keep it where you keep passwords.")
