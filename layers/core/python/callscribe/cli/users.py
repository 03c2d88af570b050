"""`callscribe users`: who logs in by name and password."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.edge import UsageError
from callscribe.cli.output import Form, FormOption, cell, document, line, moment, table
from callscribe.cli.scopes import ScopeOption, known_scopes
from callscribe.cli.session import Session, TenantOption

if TYPE_CHECKING:
    from callscribe.domain.accounts import User

app = typer.Typer(no_args_is_help=True, help="Make, list and disable the users of a tenant, for dialects with logins.")

UsernameArgument = Annotated[str, typer.Argument(help="The name to log in by.")]
PasswordOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin (one line) instead of asking for it.")
]


@app.command()
def create(
    ctx: typer.Context,
    username: UsernameArgument,
    tenant: TenantOption = None,
    scope: ScopeOption = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="Besides, it may see what the tenant's other users keep for themselves.")
    ] = False,
    password_stdin: PasswordOption = False,
    output: FormOption = Form.TEXT,
) -> None:
    """Make a user. Names are unique in the whole stage, because a login names no tenant."""
    from callscribe.domain.accounts import Scope
    from callscribe.services import users

    session: Session = ctx.obj
    tenant_id, scopes = session.tenant_id(tenant), [*known_scopes(scope or []), *([Scope.ADMIN] if admin else [])]
    made = users.create_user(
        session.deps,
        tenant_id=tenant_id,
        username=username,
        password=_password(from_stdin=password_stdin),
        scopes=frozenset(scopes),
    )
    _show(made, output)


@app.command("list")
def list_users(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """List a tenant's users, newest first, disabled ones included."""
    from callscribe.services import accounts, users

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.get_tenant(session.deps, tenant_id)  # an unknown one is told so, rather than shown an empty list
    described = [_described(user) for user in users.list_users(session.deps, tenant_id)]
    if output is Form.JSON:
        document(described)
        return
    titles = ("user_id", "username", "state", "scopes", "created_at")
    table(titles, [[cell(entry[title]) for title in titles] for entry in described])


@app.command("set-password")
def set_password(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="The id of the user, `user-…`.")],
    tenant: TenantOption = None,
    password_stdin: PasswordOption = False,
    output: FormOption = Form.TEXT,
) -> None:
    """Give a user another password. Log-ins and tokens from before end at once."""
    from callscribe.services import users

    session: Session = ctx.obj
    tenant_id, password = session.tenant_id(tenant), _password(from_stdin=password_stdin)
    _show(users.set_password(session.deps, tenant_id=tenant_id, user_id=user_id, password=password), output)


@app.command()
def disable(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="The id of the user, `user-…`.")],
    tenant: TenantOption = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Let a user in no more: no login, no refresh, and the tokens at hand end at once."""
    from callscribe.services import users

    session: Session = ctx.obj
    _show(users.disable_user(session.deps, tenant_id=session.tenant_id(tenant), user_id=user_id), output)


@app.command()
def enable(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="The id of the user, `user-…`.")],
    tenant: TenantOption = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Let a disabled user in again."""
    from callscribe.services import users

    session: Session = ctx.obj
    _show(users.enable_user(session.deps, tenant_id=session.tenant_id(tenant), user_id=user_id), output)


def _password(*, from_stdin: bool) -> str:
    if not from_stdin:
        entered: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return entered
    text = sys.stdin.readline()
    if not text.rstrip("\r\n"):
        raise UsageError("stdin holds no password")
    return text.rstrip("\r\n")


def _described(user: "User") -> dict[str, Any]:
    return {
        "tenant_id": user.tenant_id,
        "user_id": user.id,
        "number": user.number,
        "username": user.username,
        "state": "active" if user.disabled_at_ms is None else "disabled",
        "scopes": sorted(user.scopes),
        "created_at": moment(user.created_at_ms),
    }


def _show(user: "User", output: Form) -> None:
    described = _described(user)
    if output is Form.JSON:
        document(described)
    else:
        line(f"{user.id}: {user.username} ({described['state']})")
