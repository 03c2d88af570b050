"""The `callscribe` command. Each module is one group of commands; heavy imports stand inside the commands.

Results go to stdout, everything else to stderr, so that `callscribe transcribe call.wav > call.txt` does what it says.
"""

from typing import Annotated

import typer

from callscribe.cli import (
    callbacks,
    cost,
    doctor,
    jobs,
    keys,
    ledger,
    models,
    recordings,
    root_key,
    tariffs,
    tasks,
    tenants,
    transcribe,
    users,
)
from callscribe.cli.edge import EXIT_CODES_HELP, CommandEdge
from callscribe.cli.session import Options, Session, Tools

app = typer.Typer(
    name="callscribe",
    cls=CommandEdge,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES_HELP,
)
app.add_typer(keys.app, name="keys")
app.add_typer(tenants.app, name="tenants")
app.command("tariffs")(tariffs.tariffs)
app.add_typer(users.app, name="users")
app.add_typer(ledger.app, name="credits")
app.add_typer(recordings.app, name="recordings")
app.add_typer(jobs.app, name="jobs")
app.add_typer(tasks.app, name="tasks")
app.add_typer(callbacks.app, name="callbacks")
app.add_typer(root_key.app, name="root-key")
app.add_typer(models.app, name="models")
app.command("transcribe")(transcribe.transcribe)
app.command("result")(transcribe.result)
app.command("cost")(cost.cost)
app.command("doctor")(doctor.doctor)


StageOption = Annotated[
    str | None,
    typer.Option(
        envvar="CALLSCRIBE_STAGE",
        help="A deployed stage, found by the outputs of its stack `Callscribe-STAGE-App` with your AWS credentials."
        " Default: the laptop cloud that `make serve` runs here (`.callscribe/local.json`).",
    ),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(envvar="CALLSCRIBE_BASE_URL", help="Where to transcribe. Default: the base URL of the stage."),
]
AppIdOption = Annotated[str | None, typer.Option(envvar="CALLSCRIBE_APP_ID", help="The APP Id of your key, `app-…`.")]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        envvar="CALLSCRIBE_API_KEY",
        help="Your key, `cs_live_…`. Better given by the variable: other users see a command's options.",
    ),
]


@app.callback()
def root(
    ctx: typer.Context,
    stage: StageOption = None,
    base_url: BaseUrlOption = None,
    app_id: AppIdOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Transcribe call recordings, and look after a callscribe stage.

    **To transcribe** you need a base URL and a key; on a laptop where `make serve` runs, neither:

        callscribe transcribe call.wav

        callscribe transcribe -o srt call.wav > call.srt

        CALLSCRIBE_API_KEY=cs_live_… callscribe --base-url https://… --app-id app-… transcribe *.wav -o json

    **To look after a stage** you need your AWS credentials for it (profile or variables, as the AWS CLI takes them):

        callscribe --stage prod keys create --new-tenant "Example Ltd"

        callscribe --stage prod callbacks list --tenant t0123456789abcdef --failed

    Results go to stdout, progress and errors to stderr.
    """
    tools = ctx.obj if isinstance(ctx.obj, Tools) else Tools()
    ctx.obj = Session(tools, Options(stage=stage, base_url=base_url, app_id=app_id, api_key=api_key))


def main() -> None:
    """Entry point of the `callscribe` command."""
    app()
