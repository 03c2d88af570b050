"""`callscribe transcribe` and `callscribe result`: recordings in, transcripts out, against any base URL."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callscribe.cli.edge import ExitCode, UsageError, exit_code
from callscribe.cli.output import notice
from callscribe.cli.session import Session
from callscribe.errors import CallscribeError

if TYPE_CHECKING:
    from callscribe.cli.board import Row
    from callscribe.client import Client, Result, Status


class Shape(StrEnum):
    """How a transcript is printed."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


_EXPORT = {Shape.TEXT: "txt", Shape.SRT: "srt", Shape.VTT: "vtt"}
_MEDIA_TYPES = {
    "wav": "audio/wav",
    "w64": "audio/wav",
    "mp3": "audio/mp3",
    "aac": "audio/m4a",
    "mov": "audio/m4a",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "matroska": "audio/webm",
}
_BY_EXTENSION = {
    ".wav": "audio/wav",
    ".mp3": "audio/mp3",
    ".m4a": "audio/m4a",
    ".mp4": "audio/m4a",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".webm": "audio/webm",
}
_HEAD_BYTES = 4_096

ShapeOption = Annotated[
    Shape,
    typer.Option(
        "-o",
        "--output",
        help="text: a line per turn; json: a line per file with file, request_id, status, error and transcript; "
        "srt, vtt: subtitles.",
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option("-d", "--output-dir", file_okay=False, help="Write each result to a file here instead of stdout."),
]
TimeoutOption = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for each transcript.")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording: a result (none yet with --no-wait), or what went wrong."""

    name: str
    request_id: str | None = None
    result: "Result | None" = None
    problem: CallscribeError | None = None

    @property
    def error(self) -> str | None:
        """Why there is no transcript, None where there is one or will be."""
        if self.problem is not None:
            return str(self.problem)
        return self.result.error or "failed" if self.result and self.result.status == "ERROR" else None

    @property
    def code(self) -> ExitCode:
        """The exit code that this recording asks for."""
        if self.problem is not None:
            return exit_code(self.problem)
        return ExitCode.JOB_FAILED if self.error else ExitCode.OK


def transcribe(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="Recordings.")],
    output: ShapeOption = Shape.TEXT,
    output_dir: FolderOption = None,
    language: Annotated[
        str | None, typer.Option(metavar="TAG", help="BCP 47, such as en. Default: recognised.")
    ] = None,
    callback_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the service shall send results.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="--no-wait: print the request ids and go.")] = True,
    timeout: TimeoutOption = 3_600.0,
) -> None:
    """Transcribe recordings: WAV, MP3, M4A, FLAC, Ogg or WebM; two channels are taken for two speakers.

    Several files are uploaded at once; the results come in the order of the files. What fails is told on stderr,
    the rest is still done.
    """
    _check_shape(output, output_dir, len(files))
    media_types = [media_type(path) for path in files]

    def work(client: "Client", number: int, row: "Row") -> Outcome:
        path = files[number]
        upload = client.create_upload(media_types[number], callback_url=callback_url, language=language)
        row.begin_upload(path.stat().st_size)
        client.upload(upload.url, path, media_types[number], progress=row.sent)
        if not wait:
            row.status("uploaded")
            return Outcome(row.name, upload.request_id)
        return _follow(client, upload.request_id, row, timeout_s=timeout)

    _run(ctx.obj, [str(path) for path in files], work, output, output_dir)


def result(
    ctx: typer.Context,
    request_ids: Annotated[list[str], typer.Argument(metavar="REQUEST_ID...", help="As transcribe printed them.")],
    output: ShapeOption = Shape.TEXT,
    output_dir: FolderOption = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is finished.")] = True,
    timeout: TimeoutOption = 3_600.0,
) -> None:
    """Fetch the transcripts of recordings that were uploaded before."""
    _check_shape(output, output_dir, len(request_ids))

    def work(client: "Client", number: int, row: "Row") -> Outcome:
        return _follow(client, request_ids[number], row, timeout_s=timeout if wait else None)

    _run(ctx.obj, request_ids, work, output, output_dir)


def media_type(path: Path) -> str:
    """The media type to announce: by content, else by extension. Raises UsageError for neither."""
    from callscribe.media.sniff import sniff

    with path.open("rb") as file:
        container = sniff(file.read(_HEAD_BYTES))
    found = _MEDIA_TYPES.get(container or "") or _BY_EXTENSION.get(path.suffix.lower())
    if found is None:
        raise UsageError(f"{path} is no recording that the service takes: WAV, MP3, M4A, FLAC, Ogg or WebM")
    return found


def _check_shape(shape: Shape, folder: Path | None, count: int) -> None:
    if shape in (Shape.SRT, Shape.VTT) and count > 1 and folder is None:
        raise UsageError(f"several {shape} files do not fit into one output: give --output-dir")


def _run(
    session: Session,
    names: Sequence[str],
    work: "Callable[[Client, int, Row], Outcome]",
    shape: Shape,
    folder: Path | None,
) -> None:
    """Do the work for each name, several at once, print in order, and exit by the first failure."""
    from callscribe.cli.board import run_all

    found = run_all(session, names, work, lambda name, problem: Outcome(name, problem=problem))
    # On a terminal the rows of progress and the results would write over one another.
    outcomes = list(found) if sys.stdout.isatty() else found
    failures = []
    for number, outcome in enumerate(outcomes):
        _print(outcome, shape, folder, heading=len(names) > 1, first=number == 0)
        if outcome.error:
            failures.append(outcome)
    for outcome in failures:
        notice(f"{outcome.name}: {outcome.error}")
    if failures:
        raise typer.Exit(failures[0].code)


def _follow(client: "Client", request_id: str, row: "Row", *, timeout_s: float | None) -> Outcome:
    """Wait for a request that has its file, or only ask how it stands."""

    def tell(status: "Status") -> None:
        row.status(status.lower())

    try:
        if timeout_s is None:
            found = client.result(request_id)
        else:
            found = client.wait(request_id, timeout_s=timeout_s, on_status=tell)
    except CallscribeError as problem:
        return Outcome(row.name, request_id, problem=problem)
    tell(found.status)
    return Outcome(row.name, request_id, found)


def _print(outcome: Outcome, shape: Shape, folder: Path | None, *, heading: bool, first: bool) -> None:
    """The transcript; nothing where there will be none; the request id where it is not there yet."""
    body = _body(outcome, shape)
    if body is None:
        if outcome.request_id and not outcome.error:
            typer.echo(outcome.request_id)
    elif folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{Path(outcome.name).name}.{_EXPORT.get(shape, 'json')}").write_bytes(body)
    elif heading and shape is Shape.TEXT:
        typer.echo(f"{'' if first else chr(10)}== {outcome.name} ==\n".encode() + body, nl=False)
    else:
        typer.echo(body, nl=False)


def _body(outcome: Outcome, shape: Shape) -> bytes | None:
    from callscribe.exports import render

    if shape is Shape.JSON:
        return _json_line(outcome)
    transcript = outcome.result.transcript if outcome.result else None
    return None if transcript is None else render(_EXPORT[shape], transcript)


def _json_line(outcome: Outcome) -> bytes:
    from callscribe.exports import render

    found = outcome.result
    line = {
        "file": outcome.name,
        "request_id": outcome.request_id,
        "status": str(found.status) if found else None if outcome.error else "PENDING",
        "error": outcome.error,
        "transcript": json.loads(render("json", found.transcript)) if found and found.transcript else None,
    }
    return f"{json.dumps(line)}\n".encode()
