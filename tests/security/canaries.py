"""Figure 15: secrets in every place where a request or a job can hold one, and everything that is logged meanwhile.

Every route of every dialect is asked with good credentials, with bad ones, with a canary wherever it takes an id, and
with bodies that are broken; then jobs are taken to their end by the services behind, over the real web adapters on a
network that leads nowhere. Nothing of it may stand in a log record or on the terminal.
"""

import base64
import io
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from callscribe import dialects, names, wiring
from callscribe.adapters.web.downloads import GuardedDownloads
from callscribe.adapters.web.webhooks import GuardedWebhooks
from callscribe.domain.audio import AudioFacts
from callscribe.domain.callbacks import Callback, CallbackState
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import FailureCode, JobFailed
from callscribe.ports import DEFAULT_OPTIONS, Settings, Transcribed, TranscriptionOptions, WorkMessage
from callscribe.services import accounts, callbacks, jobs, preparing, sources, work
from callscribe.services.sweep import sweep
from tests.dialects.conftest import http_event
from tests.hashing import quick_scrypt
from tests.security import refusals
from tests.security.figures import Figure
from tests.security.harness import RecordingNetwork
from tests.security.places import SMUGGLED, Request, Row
from tests.security.table import CREDENTIALS, ROWS, USUAL
from tests.security.tenants import Stage, Stranger, Town, basic, spoken, town

CANARY = "canary"  # part of every secret that is made up here
AUDIO = b"RIFF " + b"canary-of-the-audio " * 20
GOOD_URL = "http://recordings.example.com/call.wav?signature=canary-of-the-audio-url"
CALLBACK_URL = "http://127.0.0.1:8099/hook?token=canary-of-the-callback-url"
LEAST_REQUESTS = 1_000
LEAST_LINES = 1_000
_PLAIN = frozenset(vars(logging.makeLogRecord({})))


@dataclass
class Heard(logging.Handler):
    """Everything that any logger says, as it is shown and as it is kept, and what is printed."""

    lines: list[str] = field(default_factory=list)
    printed: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        super().__init__(logging.NOTSET)

    def __hash__(self) -> int:
        return id(self)

    def emit(self, record: logging.LogRecord) -> None:
        shown = logging.Formatter("%(name)s %(levelname)s %(message)s").format(record)
        more = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        self.lines.append(f"{shown}\n{record.msg!r} {record.args!r} {more!r}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + self.printed.getvalue()


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear what every function's logging lets through, of ours at every level, and both streams.

    Of others that are warnings: httpcore, left to itself, would debug the headers of answers, where a redirect's
    secret stands.
    """
    heard, root = Heard(), logging.getLogger()
    levels = {logger: logger.level for logger in (root, logging.getLogger(names.SERVICE))}
    root.addHandler(heard)
    wiring.configure_logging()
    logging.getLogger(names.SERVICE).setLevel(logging.DEBUG)
    try:
        with redirect_stdout(heard.printed), redirect_stderr(heard.printed):
            yield heard
    finally:
        root.removeHandler(heard)
        for logger, level in levels.items():
            logger.setLevel(level)


class Run:
    """One town whose requests are made and whose jobs are done while somebody listens."""

    def __init__(self) -> None:
        self.network = RecordingNetwork()
        settings = Settings(public_base_url="https://callscribe.example", allow_loopback=True, videos=True)
        client = self.network.client(allow_loopback=True)
        self.stage = Stage(
            settings=settings,
            instead={
                "webhooks": GuardedWebhooks(settings, client=client),
                "downloader": GuardedDownloads(settings, client=client),
            },
        )
        self.town: Town = town(self.stage)
        refusals.prepare(self.town)
        self.requests = 0
        self.secrets = {*self._secrets(self.town.anna), *self._secrets(self.town.bert), CANARY}

    def __call__(self) -> None:
        """All of it."""
        for dialect, rows in ROWS.items():
            for row in rows.values():
                self._good(dialect, row)
                self._bad(dialect, row)
                self._broken(dialect, row)
        for who in (self.town.anna, self.town.bert):
            self._jobs(who)
        self.network.close()

    def _secrets(self, who: Stranger) -> set[str]:
        """What may not be seen, also in the forms in which it travels."""
        held = {secret for name, secret in self.town.held.items() if not name.startswith("id of")}
        tokens = {*who.tokens.values(), *(secret for secret in held if secret.count(".") == 2)}
        urls = {f"url-secret-of-{who.name}", f"callback-secret-of-{who.name}"}
        carried = {basic(who.key_id, who.secret), basic(who.username, who.password)}
        return {
            who.secret,
            who.password,
            who.refresh_token,
            who.link_token,
            who.word,
            who.audio.decode(),
            base64.b64encode(who.audio).decode(),
            *(value.removeprefix("Basic ") for value in carried),
            *(token.rpartition(".")[2] for token in tokens if len(token.rpartition(".")[2]) > 20),
            *accounts.webhook_secrets(self.stage.deps, who.tenant_id),
            *held,
            *urls,
        }

    def _send(self, dialect: str, request: Request, body: bytes | None = None) -> int:
        sent = request.sent if body is None else {**request.sent, "body": body}
        headers = {"Content-Type": "application/json", **sent["headers"]}
        event = http_event(request.method, request.filled_path, **{**sent, "headers": headers})
        self.requests += 1
        status: int = self.stage.handlers[dialect](event, None)["statusCode"]
        return status

    def _good(self, dialect: str, row: Row) -> None:
        """By every credential: as it should be, and with a canary wherever an id is taken."""
        for credential in USUAL[dialect] if row.credentials is None else row.credentials:
            for who in (self.town.anna, self.town.bert):
                self._fresh(who)
                self._send(dialect, CREDENTIALS[credential](row.request(who), who))
                for slot in (*row.slots.values(), SMUGGLED):
                    request = slot.put(row.request(who), f"{CANARY}-{who.name}", who)
                    self._send(dialect, CREDENTIALS[credential](request, who))

    def _bad(self, dialect: str, row: Row) -> None:
        """By everything that is no good credential."""
        access = import_module(f"callscribe.dialects.{dialect}.routes").ROUTES
        route = next(route for route, known in ROWS[dialect].items() if known is row)
        for bad in refusals.of(dialect, row, access[route]):
            self._fresh(self.town.anna)
            self.stage.clock.advance(bad.after_s)
            self._send(dialect, bad.put(row.request(self.town.anna), self.town))

    def _broken(self, dialect: str, row: Row) -> None:
        """Bodies that are none, fields of wrong types, and a store that quotes the request in its error."""
        credential = (USUAL[dialect] if row.credentials is None else row.credentials)[0]
        who = self.town.anna
        for body in _broken_bodies(row.request(who), who):
            self._fresh(who)
            self._send(dialect, CREDENTIALS[credential](row.request(who), who), body)
        self._fresh(who)
        with mock.patch.object(self.stage.store, "get", _quoting):
            self._send(dialect, CREDENTIALS[credential](row.request(who), who))
        self._fresh(who)
        for key in list(self.stage.results._versions):
            self.stage.results.put(key, b'{"schema": 1, "segments": [{"text": "canary of a broken transcript"}]}')
        self._send(dialect, CREDENTIALS[credential](row.request(who), who))

    def _fresh(self, who: Stranger) -> None:
        self.stage.restore(self.town.saved)
        self.stage.served = {who.tenant_id}

    def _jobs(self, who: Stranger) -> None:
        """Jobs of each dialect to their ends, good and bad, step by step."""
        self._fresh(who)
        self.stage.served = set()
        self._order(who)
        deps = self.stage.deps
        for message in self.stage.fetch_queue.take():
            ids = {"tenant_id": str(message["tenant_id"]), "job_id": str(message["job_id"])}
            sources.fetch(deps, **ids, render=dialects.load("mor").renderer())
        for job in self.stage.store.all(Job):
            if not job.finished:
                self._do(job)
        self._deliver()
        for _ in range(12):
            self.stage.clock.advance(3_600)
            sweep(deps, renderer_of=lambda name: dialects.load(name).renderer())
            self._deliver()

    def _order(self, who: Stranger) -> None:
        """By each way that a recording can come, with a secret in each URL."""
        by = {"Authorization": f"Bearer {who.tokens['mor']}"}
        path = f"{names.DIALECTS['mor']}/ai/transcriptions"
        for number, fields in enumerate(
            (
                {"recording_url": GOOD_URL},
                {"recording_url": who.audio_url},  # by TLS, which this network does not speak
                {"recording_url": "http://10.0.0.1/?signature=canary-of-a-refused-url"},
                {"recording_id": who.recording("url")},
                {"recording_id": who.recording("file")},
                {"s3_uri": who.s3_uri},
                {},
            )
        ):
            for callback_url in (
                f"{CALLBACK_URL}-{number}",
                who.callback_url,
                "http://10.0.0.1/?token=canary-of-a-refused-callback",
            ):
                self._send("mor", Request("POST", path, fields={**fields, "callback_url": callback_url}, headers=by))
        upload = {"mimeType": "audio/wav", "callbackUrl": CALLBACK_URL}
        self._send("presign", Request("POST", "/api/v1/generate-presigned-url", fields=upload, headers=by))
        for audio in ({"audio_data": base64.b64encode(AUDIO).decode()}, {"audio_url": GOOD_URL}):
            self._send("aivoco", Request("POST", "/transcribe", fields={"api_key": who.secret, **audio}))
        for job in self.stage.store.all(Job):
            waits = job.state is JobState.AWAITING_UPLOAD and not job.source and job.tenant_id == who.tenant_id
            if waits and self.stage.uploads.head(job.audio_key) is None:  # a chat has its text
                self.stage.uploads.put(job.audio_key, AUDIO)

    def _do(self, job: Job) -> None:
        """Upload seen, prepared, transcribed, ended; every fifth job fails at its worker."""
        deps, ids = self.stage.deps, {"tenant_id": job.tenant_id, "job_id": job.id}
        info = self.stage.uploads.head(job.audio_key)
        if info is not None:
            jobs.uploaded(deps, **ids, version_id=info.version_id)
        with suppress(JobFailed):
            preparing.prepare(deps, **ids)
        work.transcribe(deps, WorkMessage("receipt", **ids, task_token="token", received_count=1), self._hear)
        now = jobs.find(deps, **ids)
        render = dialects.load(job.dialect).renderer()
        if deps.results.head(now.transcript_key) is None:
            jobs.fail(deps, tenant_id=job.tenant_id, job_id=job.id, render=render)
        else:
            jobs.finish(deps, **ids, render=render)

    def _hear(self, path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
        self.requests += 1
        if self.requests % 5 == 0:
            raise JobFailed(FailureCode.AUDIO_UNREADABLE, f"cannot be read: {path.read_bytes()!r}")
        transcript = spoken(f"canary {self.town.anna.word} {self.town.bert.word}")
        return Transcribed(transcript, WorkFigures(1.0, 1.0, 0.5))

    def _deliver(self) -> None:
        answers = (
            b"200 OK",
            b"500 Oops",
            b"302 Found\r\nLocation: https://canary.example.com/",
            b"429 Busy",
            b"410 Gone",
        )
        for number, row in enumerate(self.stage.store.all(Callback)):
            if row.state is CallbackState.PENDING:
                head = answers[number % len(answers)]
                self.network.answer = b"HTTP/1.1 " + head + b"\r\nContent-Length: 6\r\n\r\ncanary"
                ids: dict[str, Any] = {"tenant_id": row.tenant_id, "job_id": row.job_id, "replay": row.replay}
                callbacks.deliver_from_queue(self.stage.deps, **ids, attempt=row.attempts + 1, user_agent="test")


def _broken_bodies(request: Request, who: Stranger) -> Iterator[bytes]:
    fields = request.fields if isinstance(request.fields, dict) else dict(request.form or {})
    good = json.dumps({**fields, "api_key": who.secret, "canary": "canary"})
    yield good[:-2].encode()
    yield f'{{"api_key": "{who.secret}", "api_key": "{CANARY}"}}'.encode()
    yield json.dumps([who.secret, CANARY]).encode()
    yield good.encode() + b"\xff"
    yield b"client_id=canary&client_secret=" + who.secret.encode()
    for value in ({CANARY: who.secret}, [CANARY], 7, None, CANARY * 40_000):
        yield json.dumps(dict.fromkeys([*fields, "api_key", "client_secret"], value)).encode()
    yield json.dumps({"api_key": who.secret, "audio_data": f"{CANARY}!", "mime_type": CANARY}).encode()
    yield json.dumps({"api_key": who.secret, "audio_url": f"http://10.0.0.1/{CANARY}"}).encode()


def _quoting(kind: Any, *key: object) -> None:
    text = f"{CANARY} of an error about {kind} {key}"  # a traceback shows the next line as it stands here
    raise ValueError(text)


def found_in(text: str, secrets: Sequence[str] | set[str]) -> list[str]:
    """Which of the secrets stand in a text."""
    return sorted(secret for secret in secrets if secret in text)


def logged() -> Figure:
    """How many secrets stand in what was logged and printed."""
    with quick_scrypt(), listening() as heard:
        run = Run()
        run()
        found = found_in(heard.text, run.secrets)
        lines = len(heard.lines)
        requests = sum("route=" in line for line in heard.lines)
        logging.getLogger(names.SERVICE).debug("noticed: %s", CANARY)
        sys.stdout.write(run.town.anna.secret)
        noticed = found_in(heard.text, [CANARY, run.town.anna.secret])
    for secret in found:
        line = next(line for line in [*heard.lines, heard.printed.getvalue()] if secret in line)
        sys.stderr.write(f"logged: {secret[:60]}\n  in {line[:400]}\n")
    controls = f"{requests} requests, {lines} log lines; one that is put there is noticed: {len(noticed) == 2}"
    holds = requests >= LEAST_REQUESTS and lines >= LEAST_LINES and len(noticed) == 2
    return Figure(15, "secrets in logs and on the terminal", len(found), len(run.secrets), 0, controls, holds)
