"""`callscribe transcribe` and `callscribe result`: recordings in, transcripts out, against any base URL."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.edge import ExitCode, UsageError, exit_code
from callscribe.cli.output import NotWritten, emit, notice
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
    files: Annotated[list[Path], typer.Argument(help="Recordings.")],
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
    be it a file that is missing or no recording; the rest is still done, and the first failure decides the exit code.
    """
    names = [str(path) for path in files]
    _check_output(output, output_dir, names)

    def work(client: "Client", number: int, row: "Row") -> Outcome:
        path = files[number]
        with _reading():
            kind, size_bytes = media_type(path), path.stat().st_size
        upload = client.create_upload(kind, callback_url=callback_url, language=language)
        row.begin_upload(size_bytes)
        with _reading():
            client.upload(upload.url, path, kind, progress=row.sent)
        if not wait:
            row.status("uploaded")
            return Outcome(row.name, upload.request_id)
        return _follow(client, upload.request_id, row, timeout_s=timeout)

    _run(ctx.obj, names, work, output, output_dir)


def result(
    ctx: typer.Context,
    request_ids: Annotated[list[str], typer.Argument(metavar="REQUEST_ID...", help="As transcribe printed them.")],
    output: ShapeOption = Shape.TEXT,
    output_dir: FolderOption = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is finished.")] = True,
    timeout: TimeoutOption = 3_600.0,
) -> None:
    """Fetch the transcripts of recordings that were uploaded before."""
    _check_output(output, output_dir, request_ids)

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
        raise UsageError("no recording that the service takes: WAV, MP3, M4A, FLAC, Ogg or WebM")
    return found


def _check_output(shape: Shape, folder: Path | None, names: Sequence[str]) -> None:
    """Before any work: whether there is room for each result. Raises UsageError."""
    if folder is not None:
        _check_names(shape, folder, names)
        _check_folder(folder)
    elif shape in (Shape.SRT, Shape.VTT) and len(names) > 1:
        raise UsageError(f"several {shape} files do not fit into one output: give --output-dir")


def _check_names(shape: Shape, folder: Path, names: Sequence[str]) -> None:
    """Raises UsageError for two results that would go to one file."""
    taken: dict[Path, str] = {}
    for name in names:
        target = _target(shape, folder, name)
        if target in taken:
            raise UsageError(f"{taken[target]} and {name} would both be written to {target}: give them one at a time")
        taken[target] = name


def _check_folder(folder: Path) -> None:
    """Make the folder and try to write in it, leaving nothing behind. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be written: {error.strerror}") from error


def _target(shape: Shape, folder: Path, name: str) -> Path:
    return folder / f"{Path(name).name}.{_EXPORT.get(shape, 'json')}"


@contextmanager
def _reading() -> Iterator[None]:
    """Raises UsageError for a recording that cannot be read."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}") from error


def _run(
    session: Session,
    names: Sequence[str],
    work: "Callable[[Client, int, Row], Outcome]",
    shape: Shape,
    folder: Path | None,
) -> None:
    """Do the work for each name, several at once, print in order, and exit by the first failure."""
    from callscribe.cli.board import run_all

    running = run_all(session, names, work, lambda name, problem: Outcome(name, problem=problem))
    with closing(running):
        # On a terminal the rows of progress and the results would write over one another.
        outcomes = list(running) if sys.stdout.isatty() else running
        failures = [
            outcome
            for outcome in _printed(outcomes, shape, folder, heading=len(names) > 1)
            if outcome.error is not None
        ]
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


def _printed(outcomes: Iterable[Outcome], shape: Shape, folder: Path | None, *, heading: bool) -> Iterator[Outcome]:
    """Print each, and give it back; one that could not be written with that as its problem."""
    gap = ""
    for outcome in outcomes:
        body = _body(outcome, shape)
        title = f"{gap}== {outcome.name} ==\n" if heading and shape is Shape.TEXT and folder is None else ""
        try:
            _write(outcome, body, title, None if folder is None else _target(shape, folder, outcome.name))
        except NotWritten as problem:
            yield outcome if outcome.error else replace(outcome, problem=_kept(problem, outcome.request_id))
        else:
            gap = "\n" if body is not None else gap
            yield outcome


def _write(outcome: Outcome, body: bytes | None, title: str, target: Path | None) -> None:
    """The transcript; nothing where there will be none; the request id where it is not there yet. Raises NotWritten."""
    if body is None:
        if outcome.request_id and not outcome.error:
            emit(f"{outcome.request_id}\n")
    elif target is None:
        emit(title.encode() + body)
    else:
        try:
            target.write_bytes(body)
        except OSError as error:
            raise NotWritten(f"{target} cannot be written: {error.strerror}") from error


def _kept(problem: NotWritten, request_id: str | None) -> NotWritten:
    """The same, with how to get the result nevertheless."""
    return NotWritten(f"{problem}; the result is kept: callscribe result {request_id}")


def _body(outcome: Outcome, shape: Shape) -> bytes | None:
    from callscribe.exports import render

    if shape is Shape.JSON:
        return _json_line(outcome)
    transcript = outcome.result.transcript if outcome.result else None
    return None if transcript is None else render(_EXPORT[shape], transcript)


def _json_line(outcome: Outcome) -> bytes:
    from callscribe.exports import render

    found = outcome.result
    line: dict[str, Any] = {
        "file": outcome.name,
        "request_id": outcome.request_id,
        "status": str(found.status) if found else None if outcome.error else "PENDING",
        "error": outcome.error,
        "transcript": None,
    }
    if found and found.transcript:
        line["transcript"] = json.loads(render("json", found.transcript))
        if not found.measured:
            line["transcript"] |= {"duration_s": None, "speech_s": None}
    return f"{json.dumps(line)}\n".encode()
