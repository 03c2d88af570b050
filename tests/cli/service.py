"""The real presign dialect over the in-memory fakes, answering on a loopback port, with a bucket beside it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from callscribe import dialects
from callscribe.adapters.memory import ManualClock, MemoryObjects, UrlRefused, memory_deps
from callscribe.domain import transcripts
from callscribe.domain.accounts import ApiKey, Tenant
from callscribe.domain.jobs import ids_from_audio_key
from callscribe.domain.transcripts import Segment, Transcript, Word
from callscribe.errors import Failure, FailureCode, NotFound
from callscribe.ports import Deps, SentAs, Settings
from callscribe.services import accounts, jobs, preparing

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
FAILS = WAV + b"this one cannot be read"
NEVER_ENDS = WAV + b"this one takes for ever"
LONG = WAV + b"this one has a transcript that does not fit into an answer"

CALL = Transcript(
    segments=(
        Segment("hello, how can I help?", 0.5, 2.0, 0, "0", 0.9, (Word("hello,", 0.5, 0.9, 0.9),)),
        Segment("my order is late.", 2.5, 4.0, 1, "1", 0.8),
    ),
    language="en",
    language_probability=None,
    engine="pocketsphinx",
    model="en-us",
    duration_s=5.0,
    speech_s=3.0,
)


class _Bucket(MemoryObjects):
    """A bucket whose presigned URLs lead to the loopback server."""

    base_url = ""

    def presign_put(self, key: str, *, expires_s: int) -> str:
        return f"{self.base_url}/bucket?url={quote(super().presign_put(key, expires_s=expires_s), safe='')}"

    def presign_get(self, key: str, *, expires_s: int, sent_as: SentAs | None = None) -> str:
        url = super().presign_get(key, expires_s=expires_s, sent_as=sent_as)
        return f"{self.base_url}/bucket?url={quote(url, safe='')}"


@dataclass
class Service:
    """The running service. `faults` are answered first, one per request; `requests` are all that came."""

    deps: Deps
    clock: ManualClock
    tenant: Tenant
    key: ApiKey
    secret: str
    base_url: str
    faults: list[int] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    @property
    def credentials(self) -> list[str]:
        return ["--base-url", self.base_url, "--app-id", self.key.id, "--api-key", self.secret]


@contextmanager
def running() -> Iterator[Service]:
    clock = ManualClock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    base_url = f"http://127.0.0.1:{server.server_port}"
    uploads, results = _Bucket(clock, bucket="uploads"), _Bucket(clock, bucket="results")
    uploads.base_url = results.base_url = base_url
    settings = Settings(stage="local", public_base_url=base_url)
    deps = memory_deps(now_ms=clock, uploads=uploads, results=results, settings=settings)
    tenant = accounts.create_tenant(deps, name="Example Ltd")
    key, secret = accounts.create_key(deps, tenant_id=tenant.id, name="tests")
    service = Service(deps, clock, tenant, key, secret, base_url)
    server.RequestHandlerClass = _handler(service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    dialect = dialects.load("presign").build(service.deps)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.requests.append((self.command, self.path, headers))
            if service.faults:
                self._send(service.faults.pop(0), {"retry-after": "0"}, b'{"messsage": "come back later"}')
            elif self.path.startswith("/bucket?"):
                self._send(*_bucket(service, self.command, self.path, body))
            else:
                answer = dialect(_event(self.command, self.path, headers, body), None)
                self._send(answer["statusCode"], answer["headers"], (answer["body"] or "").encode())

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names that http.server looks for

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    return Handler


def _event(method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    parts = urlsplit(path)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": headers,
        "requestContext": {
            "http": {"method": method, "path": parts.path, "sourceIp": "127.0.0.1"},
            "stage": "$default",
        },
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def _bucket(service: Service, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """What S3 does: take an upload, which starts the work, or hand out an object."""
    url = parse_qs(urlsplit(path).query)["url"][0]
    try:
        if method == "GET":
            return 200, {}, service.deps.results.fetch(url)  # type: ignore[attr-defined]  # the fake's own door
        version_id = service.deps.uploads.upload(url, body)  # type: ignore[attr-defined]  # the fake's own door
    except (UrlRefused, NotFound):
        return 403, {}, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    ids = ids_from_audio_key(urlsplit(url).path.lstrip("/"))
    assert ids
    _work(service.deps, *ids, version_id, body)
    return 200, {}, b""


def _work(deps: Deps, tenant_id: str, job_id: str, version_id: str | None, body: bytes) -> None:
    """The pipeline, all at once."""
    render = dialects.load("presign").renderer()
    jobs.uploaded(deps, tenant_id=tenant_id, job_id=job_id, version_id=version_id)
    job = preparing.prepare(deps, tenant_id=tenant_id, job_id=job_id)
    if body == NEVER_ENDS:
        return
    if body == FAILS:
        jobs.note_failure(deps, job, Failure(FailureCode.AUDIO_UNREADABLE, "the file cannot be decoded"))
        jobs.fail(deps, tenant_id=tenant_id, job_id=job_id, render=render)
        return
    found = CALL
    if body == LONG:
        found = replace(CALL, segments=(Segment("x" * 900_000, 0, 5, 0, "0", None),) * 5)
    deps.results.put_if_absent(job.transcript_key, transcripts.to_json(found), content_type="application/json")
    jobs.finish(deps, tenant_id=tenant_id, job_id=job_id, render=render)
