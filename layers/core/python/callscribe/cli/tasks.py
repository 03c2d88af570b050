"""`callscribe tasks`: the index that lists of tasks are read from."""

from dataclasses import asdict

import typer

from callscribe.cli.output import Form, FormOption, document, line
from callscribe.cli.session import Session, TenantOption

app = typer.Typer(no_args_is_help=True, help="Look after the index that a tenant's lists of tasks are read from.")


@app.command()
def rebuild(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Make the index of a tenant's tasks anew from its jobs: after an upgrade that asks for it, or where it is damaged.

    Tasks may change meanwhile. It reads every job and its transcript once.
    """
    from callscribe.services import indexing

    session: Session = ctx.obj
    rebuilt = indexing.rebuild(session.deps, session.tenant_id(tenant))
    if output is Form.JSON:
        document(asdict(rebuilt))
    else:
        line(f"{rebuilt.tasks} tasks of {rebuilt.months} months")
