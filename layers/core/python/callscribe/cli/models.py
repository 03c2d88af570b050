"""`callscribe models`: which models there are, and their files in a directory."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe import names
from callscribe.cli.output import Form, FormOption, NotWritten, cell, document, line, notice, table

if TYPE_CHECKING:
    from callscribe.engines.catalogue import Model
    from callscribe.engines.fetching import Fetched

app = typer.Typer(no_args_is_help=True, help="List the models that engines can use, and fetch one into a directory.")


@app.command("list")
def list_models(output: FormOption = Form.TEXT) -> None:
    """List the models that are known here, each pinned to one commit of its publisher."""
    from callscribe.engines.catalogue import CATALOGUE

    described = [_described(model) for model in CATALOGUE.values()]
    if output is Form.JSON:
        document(described)
        return
    titles = ("name", "engine", "size", "languages", "licence", "revision")
    table(titles, [[cell(entry[title]) for title in titles] for entry in described])
    if any(entry["gated"] for entry in described):
        gated = ", ".join(entry["name"] for entry in described if entry["gated"])
        notice(f"{gated}: accept the terms on the publisher's page and set HF_TOKEN")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="As `models list` names it.")],
    into: Annotated[Path, typer.Option(file_okay=False, help="Where to put it, in a directory of its name.")],
    revision: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="Another commit, 40 hex digits. Default: the pinned one.")
    ] = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Fetch a model's files from the Hugging Face hub, check them, and say how to use them.

    Safe to repeat: what is there is checked and left alone, what broke off goes on. The directory appears once it is
    whole, with a card `callscribe-model.json` in it. Of gated models you accept the terms on the publisher's page
    and set HF_TOKEN. HF_ENDPOINT names a mirror.
    """
    from callscribe.adapters.web.hub import download
    from callscribe.engines.catalogue import find_model, pinned_revision
    from callscribe.engines.fetching import fetch as fetch_model

    model = find_model(name)
    commit = pinned_revision(model, revision)
    notice(f"{model.repository} at {commit}, about {_size(model.size_bytes)}, {model.licence}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        fetched = fetch_model(model, commit, into.resolve(), download=download, fetched_at=now)
    except OSError as error:
        raise NotWritten(f"{into} cannot be written: {error.strerror or error}") from error
    _show(model, fetched, output)


def _show(model: "Model", fetched: "Fetched", output: Form) -> None:
    use = _use(model, fetched.folder)
    if output is Form.JSON:
        told = {"revision": fetched.revision, "digest": fetched.digest, "fetched": fetched.fresh, "use": use}
        document({"name": model.name, "folder": str(fetched.folder), **told})
        return
    line(f"{fetched.folder}: {'fetched' if fetched.fresh else 'there already'}, sha256 {fetched.digest[:16]}")
    line(use)


def _use(model: "Model", folder: Path) -> str:
    from callscribe.engines import DIARIZERS

    if model.engine in DIARIZERS:
        return f"{names.ENV_DIARIZER}={model.engine} {names.ENV_DIARIZER_DIR}={folder}"
    return f"ENGINE={model.engine} MODEL_DIR={folder}"


def _described(model: "Model") -> dict[str, Any]:
    return {
        "name": model.name,
        "engine": model.engine,
        "size": _size(model.size_bytes),
        "languages": model.languages,
        "licence": model.licence,
        "repository": model.repository,
        "revision": model.revision,
        "gated": model.gated,
        "seen": model.seen,
    }


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
