"""`make smoke BASE_URL=…`: the main job against any deployed stage, and a table of what works and what differs.

Credentials come from APP_ID and API_KEY, or from `.callscribe/local.json` where the URL is that of the laptop's stage.
A deployed stage cannot call this machine back: name a receiver of yours with --callback-url and look there.
"""

import argparse
import base64
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from callscribe import names
from callscribe.adapters.web.trusted import Reply, TrustedClient, trusted_client
from callscribe.cli.edge import UsageError
from callscribe.cli.stages import read_local_stage
from callscribe.client import Client, Result, Status, Upload
from callscribe.errors import CallscribeError

CLIP = Path(__file__).parents[1] / "tests" / "audio" / "librivox-0880.flac"
MEDIA_TYPE = "audio/flac"
_PREFIX = names.DIALECTS["presign"]
_NOBODYS_REQUEST = "00000000-0000-4000-8000-000000000000"


class Differs(Exception):
    """Raised by a step when the stage answers otherwise than it should; the message says how."""


@dataclass(frozen=True, slots=True)
class Target:
    """The stage to try, and a credential for it."""

    base_url: str
    app_id: str
    api_key: str
    callback_url: str | None = None
    timeout_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One step: `problem` is None where it works; `note` says what was seen."""

    step: str
    seconds: float
    note: str = ""
    problem: str | None = None


class Smoke:
    """The steps in order, each a method that returns what it saw, or raises. Later ones build on earlier ones."""

    def __init__(self, target: Target, http: TrustedClient, clip: Path = CLIP) -> None:
        self._target = target
        self._http = http
        self._client = Client(target.base_url, target.app_id, target.api_key, http=http)
        self._clip = clip
        self._upload: Upload | None = None
        self._uploaded = False

    @property
    def steps(self) -> dict[str, Callable[[], str]]:
        """Every step by what it shows."""
        return {
            "the root answers with a page": self.root_page,
            "an unknown path is a 404 as JSON": self.unknown_path,
            "the OpenAPI document describes the contract": self.openapi,
            "no token: 401 in the contract's shape": self.without_token,
            "a wrong API key is refused": self.wrong_key,
            "the credential gets a token": self.token,
            "an unknown request is a 404 in the contract's shape": self.unknown_request,
            "an upload URL is handed out": self.presigned_url,
            "an upload URL that was tampered with is refused": self.tampered_upload,
            "the recording is uploaded": self.upload,
            "the transcript has words": self.transcript,
        }

    def root_page(self) -> str:
        """GET /: HTML that names the service."""
        reply = self._expect(200, self._http.request("GET", "/"))
        kind = reply.headers.get("content-type", "")
        if not kind.startswith("text/html") or names.SERVICE.encode() not in reply.body:
            raise Differs(f"not callscribe's landing page: {kind or 'no content type'}, {len(reply.body)} bytes")
        return kind

    def unknown_path(self) -> str:
        """A path outside all dialects, and one inside: ours, not the gateway's."""
        for path in ("/nowhere", f"{_PREFIX}/nowhere"):
            reply = self._expect(404, self._http.request("GET", path))
            _require(reply.json(), "message")
        return "outside and inside a dialect"

    def openapi(self) -> str:
        """The document, and the address that it gives itself."""
        document = self._expect(200, self._http.request("GET", f"{_PREFIX}/openapi.json")).json()
        _require(document, "openapi", "paths")
        if f"{_PREFIX}/generate-presigned-url" not in document["paths"]:
            raise Differs("it does not describe generate-presigned-url")
        servers = [str(server.get("url")) for server in document.get("servers", [])]
        note = f"OpenAPI {document['openapi']}"
        return note if self._target.base_url in servers else f"{note}; it says its base URL is {', '.join(servers)}"

    def without_token(self) -> str:
        """P-08: 401, with the contract's own spelling."""
        reply = self._expect(401, self._post("/generate-presigned-url", {"mimeType": MEDIA_TYPE}))
        _require(reply.json(), "messsage", "message")
        return ""

    def wrong_key(self) -> str:
        """A token must not be had with another key."""
        self._expect(401, self._post("/auth/token", {}, authorization=_basic(self._target.app_id, "cs_live_wrong")))
        return ""

    def token(self) -> str:
        """P-10: an access token, and how long it lives."""
        basic = _basic(self._target.app_id, self._target.api_key)
        answer = self._expect(200, self._post("/auth/token", {}, authorization=basic)).json()
        _require(answer, "accessToken", "expiresIn")
        return f"valid for {answer['expiresIn']} s"

    def unknown_request(self) -> str:
        """An id that nobody has."""
        try:
            self._client.result(_NOBODYS_REQUEST)
        except CallscribeError as error:
            if getattr(error, "status", None) == 404:
                return str(error)
            raise
        raise Differs("a request that does not exist was found")

    def presigned_url(self) -> str:
        """P-01; the host is shown, because a global one answers 307 for new buckets."""
        self._upload = self._client.create_upload(MEDIA_TYPE, callback_url=self._target.callback_url)
        return f"request {self._upload.request_id}, to {urlsplit(self._upload.url).netloc}"

    def tampered_upload(self) -> str:
        """The storage must refuse a signature that is not ours, before anything is stored."""
        url = tampered(self._needs_upload().url)
        self._expect(403, self._http.request("PUT", url, content=b"not the recording"))
        return ""

    def upload(self) -> str:
        """The PUT itself."""
        self._client.upload(self._needs_upload().url, self._clip, MEDIA_TYPE)
        self._uploaded = True
        return f"{self._clip.name}, {self._clip.stat().st_size / 1000:.0f} kB"

    def transcript(self) -> str:
        """Wait for the end of the job; a GPU that must start first may take minutes."""
        if not self._uploaded:
            raise Differs("not tried: nothing was uploaded")
        result = self._client.wait(self._needs_upload().request_id, timeout_s=self._target.timeout_s)
        return _words(result)

    def _needs_upload(self) -> Upload:
        if self._upload is None:
            raise Differs("not tried: there is no upload URL")
        return self._upload

    def _post(self, path: str, payload: Mapping[str, str], **headers: str) -> Reply:
        headers = {"content-type": "application/json", **headers}
        return self._http.request("POST", _PREFIX + path, headers=headers, content=json.dumps(payload).encode())

    def _expect(self, status: int, reply: Reply) -> Reply:
        if reply.status != status:
            raise Differs(f"answered {reply.status} instead of {status}: {reply.body[:120].decode(errors='replace')}")
        return reply


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every step works, else 1."""
    console = Console(highlight=False)
    try:
        target = read_target(_parse(arguments), os.environ, Path.cwd())
        with trusted_client(target.base_url) as http:
            outcomes = [_timed(console, *step) for step in Smoke(target, http).steps.items()]
    except (UsageError, CallscribeError) as error:
        console.print(f"[red]smoke:[/red] {escape(str(error))}", soft_wrap=True)
        return 1
    console.print(_table(target, outcomes))
    return _verdict(console, target, outcomes)


def read_target(arguments: argparse.Namespace, environment: Mapping[str, str], folder: Path) -> Target:
    """The stage and the credential to use. Raises UsageError for what nobody says."""
    base_url = arguments.base_url.strip().rstrip("/")
    if not base_url:
        raise UsageError("which stage? make smoke BASE_URL=https://… (the output ApiUrl of its stack)")
    app_id, api_key = environment.get("APP_ID", ""), environment.get("API_KEY", "")
    local = None if app_id and api_key else read_local_stage(folder)
    if local is not None and local.base_url.rstrip("/") == base_url:
        app_id, api_key = app_id or local.app_id or "", api_key or local.api_key or ""
    if not app_id or not api_key:
        raise UsageError(f"no credential for {base_url}: set APP_ID and API_KEY (`callscribe keys create` makes one)")
    return Target(base_url, app_id, api_key, arguments.callback_url or None, arguments.timeout_s)


def tampered(url: str) -> str:
    """The same presigned URL with another signature."""
    parts = urlsplit(url)
    fields = [
        (name, _changed(value) if "signature" in name.lower() else value) for name, value in parse_qsl(parts.query)
    ]
    return urlunsplit(parts._replace(query=urlencode(fields)))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default="", help="what a client puts before a path")
    parser.add_argument("--callback-url", default="", help="a receiver of yours, https, that the stage can reach")
    parser.add_argument("--timeout-s", type=float, default=900.0, help="the longest wait for the transcript")
    return parser.parse_args(arguments)


def _timed(console: Console, step: str, action: Callable[[], str]) -> Outcome:
    """Run one step; whatever its answer was, the next ones are tried as well."""
    started_s = time.monotonic()
    note, problem = "", None
    with console.status(f"{step} …") if console.is_terminal else contextlib.nullcontext():
        try:
            note = action()
        except (Differs, CallscribeError) as error:
            problem = str(error)
    return Outcome(step, time.monotonic() - started_s, note, problem)


def _table(target: Target, outcomes: Sequence[Outcome]) -> Table:
    table = Table(title=f"callscribe at {escape(target.base_url)}", title_justify="left")
    for heading in ("", "step", "seconds", "seen"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left", overflow="fold")
    for one in outcomes:
        mark = "[green]works[/green]" if one.problem is None else "[red]differs[/red]"
        table.add_row(mark, one.step, f"{one.seconds:.2f}", escape(one.note if one.problem is None else one.problem))
    return table


def _verdict(console: Console, target: Target, outcomes: Sequence[Outcome]) -> int:
    differing = sum(one.problem is not None for one in outcomes)
    if target.callback_url:
        console.print(f"The signed callback goes to {escape(target.callback_url)}: look there for it.", soft_wrap=True)
    else:
        console.print("Not tried: the callback (--callback-url names a receiver of yours that the stage can reach).")
    console.print(f"{len(outcomes) - differing} of {len(outcomes)} steps work")
    return 1 if differing else 0


def _words(result: Result) -> str:
    if result.status is not Status.COMPLETED or result.transcript is None:
        raise Differs(f"the job ended as {result.status}: {result.error}")
    text = result.transcript.text.strip()
    if not text:
        raise Differs("the recording holds speech, its transcript no words")
    return f"{result.transcript.engine or 'engine unknown'}: {text}"


def _require(document: Mapping[str, object], *wanted: str) -> None:
    missing = [name for name in wanted if not document.get(name)]
    if missing:
        raise Differs(f"the answer lacks {', '.join(missing)}")


def _basic(app_id: str, api_key: str) -> str:
    return "Basic " + base64.b64encode(f"{app_id}:{api_key}".encode()).decode()


def _changed(signature: str) -> str:
    return signature[:-4] + ("0000" if signature[-4:] != "0000" else "1111")


if __name__ == "__main__":
    sys.exit(main())
