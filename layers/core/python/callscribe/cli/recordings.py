"""`callscribe recordings`: calls that clients may name by an id of their own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.output import Form, FormOption, document, line, moment, table
from callscribe.cli.session import Session, TenantOption
from callscribe.domain.call_facts import CallFacts, Direction

if TYPE_CHECKING:
    from callscribe.domain.recordings import Recording

app = typer.Typer(no_args_is_help=True, help="Register the recordings that a tenant's clients name by an id.")


@app.command()
def add(
    ctx: typer.Context,
    recording_id: Annotated[str, typer.Argument(metavar="ID", help="How clients name the call: its number or name.")],
    tenant: TenantOption = None,
    url: Annotated[str | None, typer.Option(help="Where the audio is fetched from, each time it is asked for.")] = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The audio, to be kept here.")] = None,
    agent_channel: Annotated[int | None, typer.Option(min=0, max=1, help="The channel the agent is on.")] = None,
    direction: Annotated[Direction | None, typer.Option(help="Who called whom.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a recording of this id.")] = False,
    output: FormOption = Form.TEXT,
) -> None:
    """Register a call. With neither --url nor --file it is known, but has no recording."""
    from callscribe.services import recordings

    session: Session = ctx.obj
    made = recordings.add(
        session.deps,
        tenant_id=session.tenant_id(tenant),
        recording_id=recording_id,
        url=url,
        file=file,
        call=CallFacts(agent_channel, direction),
        replace=replace,
    )
    if output is Form.JSON:
        document(_described(made))
    else:
        line(f"{made.id}: {_described(made)['audio']}")


@app.command("list")
def list_recordings(ctx: typer.Context, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """List a tenant's registered recordings, newest first."""
    from callscribe.services import accounts, recordings

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.get_tenant(session.deps, tenant_id)
    described = [_described(one) for one in recordings.list_recordings(session.deps, tenant_id)]
    if output is Form.JSON:
        document(described)
        return
    titles = ("id", "audio", "created_at")
    table(titles, [[str(entry[title] or "-") for title in titles] for entry in described])


@app.command()
def remove(
    ctx: typer.Context,
    recording_id: Annotated[str, typer.Argument(metavar="ID", help="As it was registered.")],
    tenant: TenantOption = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Forget a call, and erase the audio that is kept for it, in every version. What jobs made of it stays."""
    from callscribe.services import recordings

    session: Session = ctx.obj
    removed = recordings.remove(session.deps, tenant_id=session.tenant_id(tenant), recording_id=recording_id)
    if output is Form.JSON:
        document({"id": removed.id, "removed": True})
    else:
        line(f"{removed.id} was removed")


def _described(recording: "Recording") -> dict[str, Any]:
    audio = "stored" if recording.stored else recording.url or "none"
    return {"id": recording.id, "audio": audio, "created_at": moment(recording.created_at_ms)}
