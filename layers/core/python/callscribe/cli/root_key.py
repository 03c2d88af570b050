"""`callscribe root-key`: the key that a stage's tokens, API keys and webhook secrets are derived from."""

import secrets
import time
from typing import Annotated

import typer

from callscribe.cli.output import Form, FormOption, document, line, moment, notice
from callscribe.cli.session import Session
from callscribe.cli.stages import rotate_root_key

app = typer.Typer(no_args_is_help=True, help="Rotate the root key of a stage.")
_KEY_BYTES = 48


@app.callback()
def root_key() -> None:
    """Rotate the root key of a stage, which everything secret in it is derived from."""


@app.command()
def rotate(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: FormOption = Form.TEXT,
) -> None:
    """Make a new root key for new tokens, keys and secrets. **Nothing ends**: all that the older ones made stays good.

    You need the rights to get and put the value of the stage's secret. Running functions learn of the new key by
    themselves within a minute, and use it half a minute later.
    """
    session: Session = ctx.obj
    stage = session.stage
    if not yes:
        typer.confirm(f"Make a new root key for the stage {stage.name}?", abort=True, err=True)
    new_key = secrets.token_urlsafe(_KEY_BYTES)
    made = rotate_root_key(stage, new_key=new_key, now_ms=time.time_ns() // 1_000_000)
    verifying = sorted(made.roots, key=int)
    if output is Form.JSON:
        document({"newest": made.newest, "signs_from": moment(made.signs_from_ms), "verifying": verifying})
        return
    line(f"root keys that verify: {', '.join(verifying)}")
    notice(f"root key {made.newest} signs from {moment(made.signs_from_ms)} on")
