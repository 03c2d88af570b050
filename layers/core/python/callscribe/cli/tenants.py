"""`callscribe tenants`: the customers of a stage."""

from typing import Annotated

import typer

from callscribe.cli.output import Form, FormOption, document, table
from callscribe.cli.session import Session, TenantOption

app = typer.Typer(no_args_is_help=True, help="Make tenants and rotate the secret that signs their callbacks.")


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
    _show(tenant.id, accounts.webhook_secrets(session.deps, tenant.id), output)


@app.command()
def secret(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Print the secret that a tenant's callbacks are signed with, to verify them by."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    _show(tenant_id, accounts.webhook_secrets(session.deps, tenant_id), output)


@app.command("rotate-secret")
def rotate_secret(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Make a new secret; callbacks are then signed with it and with the one before it."""
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.rotate_webhook_secret(session.deps, tenant_id)
    _show(tenant_id, accounts.webhook_secrets(session.deps, tenant_id), output)


def _show(tenant_id: str, secrets: tuple[str, ...], output: Form) -> None:
    if output is Form.JSON:
        document({"tenant_id": tenant_id, "webhook_secrets": list(secrets)})
        return
    titles = ("webhook secret", "the one before")
    table(("tenant", tenant_id), list(zip(titles, secrets, strict=False)))
