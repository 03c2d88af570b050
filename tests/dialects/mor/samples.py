"""The document's own samples as requests, once a table replaces what a document cannot know: host and credentials.

`samples` gives them ready to send to any running system; `test_samples.py` sends them to a stage in memory.
"""

import base64
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# As in the document, line by line.
LOGIN = """\
POST http://x.x.x.x/billing/api/v2/authentication/login HTTP/1.1
Authorization: Basic cmljYXJkYxM6OWtBWFpadT9yak1iayRSaA==
"""

# The document's list of endpoints, as it stands there.
ENDPOINTS = """\
GET /usage
POST /transcriptions
GET /transcriptions/{id}
POST /transcriptions/{id}/transcript
POST /transcriptions/{id}/download/{format}
DELETE /transcriptions/{id}
"""

# A later revision of the page shows an endpoint's whole address.
LATER_USAGE = """\
GET http://x.x.x.x/billing/api/v2/ai/usage HTTP/1.1
Authorization: Basic cmljYXJkYxM6OWtBWFpadT9yak1iayRSaA==
"""

# The same login, as somebody with curl writes it.
CURL_LOGIN = """\
curl -X POST http://x.x.x.x/billing/api/v2/authentication/login \\
  -H 'Authorization: Basic cmljYXJkYxM6OWtBWFpadT9yak1iayRSaA=='
"""
CURL_CREATE = """\
curl -u 'username:password' -H 'Content-Type: application/json' \\
  -d '{"recording_id": "sample-recording"}' http://x.x.x.x/billing/api/v2/ai/transcriptions
"""

SAMPLE_HOST = "http://x.x.x.x"
SAMPLE_CREDENTIAL = "cmljYXJkYxM6OWtBWFpadT9yak1iayRSaA=="
SAMPLE_RECORDING = "sample-recording"


@dataclass(frozen=True)
class Request:
    """One request, ready to send."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


def substitutions(base_url: str, username: str, password: str, **known: str) -> dict[str, str]:
    """What each of the document's placeholders stands for; `known` are further ones, by their text."""
    credential = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {
        SAMPLE_HOST: base_url,
        SAMPLE_CREDENTIAL: credential,
        "username:password": f"{username}:{password}",
        **known,
    }


def samples(
    base_url: str,
    username: str,
    password: str,
    *,
    job_id: int | str = 1,
    export: str = "txt",
    recording_id: str = SAMPLE_RECORDING,
) -> list[Request]:
    """Every sample, in an order in which a client would send them.

    `job_id` is a completed transcription, which the last sample deletes; `recording_id` a registered recording.
    """
    table = substitutions(
        base_url,
        username,
        password,
        **{"{id}": str(job_id), "{format}": export, SAMPLE_RECORDING: recording_id},
    )
    told = [
        from_http("login", substituted(LOGIN, table)),
        from_curl("login by curl", substituted(CURL_LOGIN, table)),
        from_http("usage by its whole address", substituted(LATER_USAGE, table)),
        from_curl("create by curl", substituted(CURL_CREATE, table)),
    ]
    return told + [_endpoint(line, table) for line in ENDPOINTS.splitlines()]


def substituted(text: str, table: Mapping[str, str]) -> str:
    """The sample with every placeholder replaced."""
    for sample, real in table.items():
        text = text.replace(sample, real)
    return text


def from_http(name: str, text: str) -> Request:
    """A request as the document writes it: request line, then headers."""
    first, *lines = text.strip().splitlines()
    method, url, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return Request(name, method, url, headers)


def from_curl(name: str, text: str) -> Request:
    """A request as curl sends it; knows -X, -H, -u and -d."""
    words = shlex.split(text.replace("\\\n", " "))[1:]
    given: dict[str, list[str]] = {"-X": [], "-H": [], "-u": [], "-d": []}
    urls = []
    while words:
        word = words.pop(0)
        if word in given:
            given[word].append(words.pop(0))
        else:
            urls.append(word)
    headers = dict(line.split(": ", 1) for line in given["-H"])
    for pair in given["-u"]:
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    body = "".join(given["-d"]).encode() or None
    method = given["-X"][0] if given["-X"] else "GET" if body is None else "POST"
    return Request(name, method, urls[0], headers, body)


def _endpoint(line: str, table: Mapping[str, str]) -> Request:
    method, path = line.split(" ")
    url = substituted(f"{SAMPLE_HOST}/billing/api/v2/ai{path}", table)
    headers = {"Authorization": f"Basic {table[SAMPLE_CREDENTIAL]}"}
    if path != "/transcriptions":
        return Request(line, method, url, headers)
    body = json.dumps({"recording_id": table[SAMPLE_RECORDING]}).encode()
    return Request(line, method, url, {**headers, "Content-Type": "application/json"}, body)
