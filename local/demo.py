"""`make demo`: the main job on genuine speech, from the HTTP request to the signed callback, and the proof of it."""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from callscribe.client import Client, Status, Upload
from callscribe.domain.transcripts import Segment
from callscribe.errors import CallscribeError
from local.engine import ChosenEngine, add_engine_arguments, chosen_engine
from local.receiver import CallbackNotVerified, Received, Receiver, verify_callback
from local.recordings import Recording, demo_recording
from local.signals import end_if_told, interrupt_when_told_to_end
from local.system import START_ERRORS, LocalSystem, SystemSettings
from local.word_errors import count_errors, words_of

MAX_WORD_ERROR_RATE = 0.45  # of the embedded engine; how good another one is, is for its operator to judge
_TIMEOUT_S = 180.0
_INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended
console = Console(highlight=False)


class DemoFailed(RuntimeError):
    """Raised when the main job did not do what it promises."""


@dataclass(frozen=True)
class Delivered:
    """One job that came back: its segments, verified, and how long it took from the accepted upload."""

    segments: Sequence[Segment]
    seconds: float


def main() -> int:
    """Exit status 0 only if every step happened and was verified."""
    engine = _chosen()
    started_s = time.monotonic()
    interrupt_when_told_to_end()
    try:
        with _running_system(engine) as system, Receiver() as receiver, tempfile.TemporaryDirectory() as folder:
            recording = demo_recording()
            delivered = run_main_job(system, receiver, recording.write_wav(Path(folder) / "call.wav"))
            _show(recording, delivered, engine)
            judge(recording, delivered.segments, engine)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (DemoFailed, CallscribeError, *START_ERRORS) as error:
        console.print(f"[red]the demo failed:[/red] {escape(str(error))}")
        return 1
    console.print(f"[bold green]callback verified[/bold green] ({time.monotonic() - started_s:.0f} s in all)")
    return 0


def run_main_job(system: LocalSystem, receiver: Receiver, audio: Path) -> Delivered:
    """Token, presigned URL, PUT, wait for the callback, verify both its signatures."""
    made = system.credentials
    with Client(system.base_url, made.app_id, made.api_key) as client:
        upload = client.create_upload("audio/wav", callback_url=receiver.url)
        console.print(f"job {upload.request_id}: PUT {audio.stat().st_size / 1e6:.1f} MB to the presigned URL")
        client.upload(upload.url, audio, "audio/wav")
        accepted_s = time.monotonic()
        received = _await_callback(client, upload, receiver)
        seconds = time.monotonic() - accepted_s
    return Delivered(_verified_segments(made.webhook_secret, received), seconds)


def judge(recording: Recording, segments: Sequence[Segment], engine: ChosenEngine) -> None:
    """Both speakers must be there, and the embedded engine's words must be near enough. Raises DemoFailed."""
    speakers = {str(segment.speaker) for segment in segments}
    recorded = {str(channel) for channel in range(len(recording.texts))}
    if speakers != recorded:
        raise DemoFailed(f"speakers {sorted(recorded)} were recorded, {sorted(speakers)} transcribed")
    rate = pooled_word_error_rate(recording, segments)
    if engine.is_embedded and rate > MAX_WORD_ERROR_RATE:
        raise DemoFailed(f"the word error rate is {rate:.2f}, above {MAX_WORD_ERROR_RATE}")


def pooled_word_error_rate(recording: Recording, segments: Sequence[Segment]) -> float:
    """Errors over all speakers, each against what is said on its channel, per word of the references."""
    errors = words = 0
    for channel, text in enumerate(recording.texts):
        said = " ".join(one.text for one in segments if one.speaker == str(channel))
        reference = words_of(text)
        errors += count_errors(reference, words_of(said))
        words += len(reference)
    return errors / words


def _chosen() -> ChosenEngine:
    parser = argparse.ArgumentParser(description=__doc__)
    add_engine_arguments(parser)
    return chosen_engine(parser.parse_args())


@contextlib.contextmanager
def _running_system(engine: ChosenEngine) -> Iterator[LocalSystem]:
    """A system that keeps nothing, so that every run is a new one."""
    with _progress() as progress:
        task = progress.add_task("starting")
        settings = SystemSettings(port=0, engine=engine)
        system = LocalSystem(settings, report=lambda line: progress.update(task, description=escape(line)))
        opened = system.__enter__()
    console.print(f"laptop cloud up at {opened.base_url}: the template's stacks, one worker: {escape(str(engine))}")
    try:
        end_if_told()
        yield opened
    finally:
        system.__exit__(None, None, None)


def _await_callback(client: Client, upload: Upload, receiver: Receiver) -> Received:
    deadline_s = time.monotonic() + _TIMEOUT_S
    with _progress() as progress:
        task = progress.add_task("uploaded; S3 → SQS → Lambda → Step Functions → queue → worker …")
        while time.monotonic() < deadline_s:
            with contextlib.suppress(TimeoutError):
                return receiver.wait_for(upload.request_id, 1.0)
            result = client.result(upload.request_id)
            if result.status is Status.ERROR:
                raise DemoFailed(f"the job failed: {result.error}")
            progress.update(task, description=f"waiting for the callback; the API says {result.status}")
    raise DemoFailed(f"no callback within {_TIMEOUT_S:g} s")


def _verified_segments(secret: str, received: Received) -> list[Segment]:
    try:
        body = verify_callback(secret, received.headers, received.body)
    except CallbackNotVerified as error:
        raise DemoFailed(f"the callback does not verify: {error}") from error
    return [
        Segment(one["text"], one["start"], one["end"], 0, one.get("speaker"), None) for one in body["transcription"]
    ]


def _show(recording: Recording, delivered: Delivered, engine: ChosenEngine) -> None:
    table = Table(title=f"Transcript ({recording.duration_s:.0f} s of two channels, in {delivered.seconds:.0f} s)")
    for heading in ("from", "to", "speaker", "text"):
        table.add_column(heading, justify="right" if heading in ("from", "to") else "left", overflow="fold")
    for one in delivered.segments:
        table.add_row(f"{one.start_s:.1f}", f"{one.end_s:.1f}", one.speaker, one.text)
    console.print(table)
    goal = f" (at most {MAX_WORD_ERROR_RATE})" if engine.is_embedded else ""
    console.print(f"word error rate {pooled_word_error_rate(recording, delivered.segments):.2f}{goal}")
    if engine.is_embedded:
        console.print("[dim]The embedded engine is a smoke test: see 'Engines' in the README.[/dim]")


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


if __name__ == "__main__":
    sys.exit(main())
