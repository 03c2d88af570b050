"""`callscribe doctor`: what is missing in the account of a stage, or on this machine for the laptop cloud."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callscribe.cli.edge import ExitCode
from callscribe.cli.output import Form, FormOption, cell, document, notice, table
from callscribe.cli.session import Session

if TYPE_CHECKING:
    from callscribe.services.diagnosis import Finding

_MARKS = {"ok": "ok", "warning": "WARNING", "missing": "MISSING"}


def doctor(
    ctx: typer.Context,
    max_workers: Annotated[
        int, typer.Option("--max-workers", min=1, max=100, help="gpu_max_workers, while no pool is deployed.")
    ] = 10,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Of `make serve`, on a laptop.")] = 8420,
    engine: Annotated[
        str | None,
        typer.Option(envvar=["ENGINE", "CALLSCRIBE_ENGINE"], help="The engine to try on a laptop. Default: embedded."),
    ] = None,
    model_dir: Annotated[
        Path | None, typer.Option(envvar=["MODEL_DIR", "CALLSCRIBE_MODEL_DIR"], help="The directory of its model.")
    ] = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Say what is missing, and what to do about it. Exit code 1 where something is.

    **With `--stage`**: the stage's AWS account: credentials, stacks, quotas of GPU machines and functions, the pool of
    workers with its image and weights, alarms, dead letters, the last worker that failed. It only looks. What your
    credentials may not see is told by the right that is lacking.

    **Without**: this machine: Python, Node.js, memory, environments, port, and whether the engine loads its model.
    """
    session: Session = ctx.obj
    found: Iterable[Finding]
    if _is_laptop(session):
        from callscribe.cli.laptop import Laptop, diagnose_laptop

        found = diagnose_laptop(Laptop(Path.cwd(), port, engine, model_dir))
    else:
        found = _of_stage(session, str(session.options.stage), max_workers)
    if _shown(found, output):
        raise typer.Exit(ExitCode.FOUND_MISSING)


def _is_laptop(session: Session) -> bool:
    stage = session.options.stage
    local = session.tools.find_stage(None) if stage else None
    return stage is None or (local is not None and local.name == stage)


def _of_stage(session: Session, stage: str, max_workers: int) -> "Iterator[Finding]":
    from callscribe.engines.catalogue import CATALOGUE
    from callscribe.services.diagnosis import Question, diagnose

    pinned = {name: model.revision is not None for name, model in CATALOGUE.items()}
    now_ms = time.time_ns() // 1_000_000
    return diagnose(session.tools.open_account(), Question(stage, pinned, max_workers, now_ms))


def _shown(findings: "Iterable[Finding]", output: Form) -> int:
    """How many things are missing."""
    found = list(findings)
    if output is Form.JSON:
        document([asdict(one) for one in found])
    else:
        rows = [(_MARKS[one.verdict], one.subject, one.told, cell(one.advice)) for one in found]
        table(("", "what", "how it stands", "what to do"), rows)
    missing = sum(one.verdict == "missing" for one in found)
    warnings = sum(one.verdict == "warning" for one in found)
    notice(f"{missing} missing, {warnings} to look at, of {len(found)}")
    return missing
