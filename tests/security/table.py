"""What the tenant matrix must know about each route: a request that succeeds, and every place that takes an id.

A route of a dialect's ROUTES without a row here, a `<name>` of a path without a slot, or a documented field that is
neither a slot nor plain, fails the matrix with a message that says what to add.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from callscribe.dialects.front import Access
from tests.security.places import Make, Request, Route, Row, Slot, body, header, parameter
from tests.security.tenants import JOBS, KEPT, MOR, Stranger, basic, token_digest
from tests.security.transcripto_rows import TRANSCRIPTO_ROWS


def base_36(number: int) -> str:
    """A task's short code (T-A14)."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[number] if number < 36 else base_36(number // 36) + digits[number % 36]


# Every kind of id, and how a tenant's own looks.
KINDS: Mapping[str, Make] = {
    **{f"uuid, {state}": lambda who, state=state: who.jobs[state].id for state in JOBS},  # type: ignore[misc]  # bound by its default
    "uuid in upper case": lambda who: who.jobs["completed"].id.upper(),
    "uuid without hyphens": lambda who: who.jobs["completed"].id.replace("-", ""),
    "number": lambda who: str(who.jobs["completed"].number),
    "number, of aivoco": lambda who: str(who.jobs["of aivoco"].number),
    "number with zeros": lambda who: f"00{who.jobs['completed'].number}",
    "number as a number": lambda who: who.jobs["completed"].number,
    "recording by URL": lambda who: who.recording("url"),
    "recording by file": lambda who: who.recording("file"),
    "recording without audio": lambda who: who.recording("none"),
    "order at presign": lambda who: who.order("presign"),
    "order at mor": lambda who: who.order("mor"),
    "order at transcripto": lambda who: who.order("transcripto"),
    "link token": lambda who: who.link_token,
    "digest of the link token": lambda who: token_digest(who.link_token),
    "s3_uri": lambda who: who.s3_uri,
    "s3_uri of an upload": lambda who: f"s3://uploads/{who.jobs['completed'].audio_key}",
    "audio": lambda who: base64.b64encode(who.audio).decode(),
    "audio URL": lambda who: who.audio_url,
    "tenant": lambda who: who.tenant_id,
    "key": lambda who: who.key_id,
    "digest of the key": lambda who: who.key_digest,
    "user": lambda who: who.user_id,
    "user name": lambda who: who.username,
    "login": lambda who: who.family_id,
    "refresh token": lambda who: who.refresh_token,
    "exchange": lambda who: who.exchange_digest,
    "execution": lambda who: who.jobs["processing"].execution_name,
    "message": lambda who: f"msg_{who.jobs['completed'].id}",
    "callback execution": lambda who: f"cb-{who.jobs['completed'].id}-0",
    "audio object": lambda who: who.jobs["completed"].audio_key,
    "transcript object": lambda who: who.jobs["completed"].transcript_key,
    "short code": lambda who: base_36(who.jobs["completed"].number),
    "report file": lambda who: f"report_{who.jobs['report'].number}.pdf",
    "file name": lambda who: who.file_name,
    "word": lambda who: who.word,
    "operator": lambda who: who.named("directory"),
    "client hash": lambda who: who.client_hash,
    "user number": lambda who: who.user_number,
    **{kind: lambda who, kind=kind: who.kept[kind] for kind in KEPT},  # type: ignore[misc]  # bound by its default
    "tenant and job": lambda who: f"{who.tenant_id}/{who.jobs['completed'].id}",
    "tenant and job, by a dot": lambda who: f"{who.tenant_id}.{who.jobs['completed'].id}",
}


def _bearer(token: Callable[[Stranger], str]) -> Callable[[Request, Stranger], Request]:
    return lambda request, who: request.with_header("Authorization", f"Bearer {token(who)}")


# Every kind of credential: how a request carries a tenant's own.
CREDENTIALS: Mapping[str, Callable[[Request, Stranger], Request]] = {
    "as it is": lambda request, _who: request,
    "token of presign": _bearer(lambda who: who.tokens["presign"]),
    "token of mor": _bearer(lambda who: who.tokens["mor"]),
    "token of a user": _bearer(lambda who: who.tokens["mor user"]),
    "token of transcripto": _bearer(lambda who: who.tokens["transcripto"]),
    "token of an administrator": _bearer(lambda who: who.tokens["administrator"]),
    "key as bearer": _bearer(lambda who: who.secret),
    "key by Basic": lambda request, who: request.with_header("Authorization", basic(who.key_id, who.secret)),
    "password by Basic": lambda request, who: request.with_header("Authorization", basic(who.username, who.password)),
    "key in a header": lambda request, who: request.with_header("X-API-Key", who.secret),
    "key in the body": lambda request, who: request.with_fields(api_key=who.secret),
}
_TOKENS = ("token of presign", "token of mor", "token of a user")
USUAL: Mapping[str, tuple[str, ...]] = {
    "presign": _TOKENS,
    "mor": (*_TOKENS, "key as bearer", "key by Basic", "password by Basic"),
    "aivoco": ("key in the body", "key in a header", "key as bearer"),
    "transcripto": ("token of mor", "token of transcripto", "key as bearer"),
}
OPEN = ("as it is", "token of mor")  # at routes that ask for nobody


# Rows of presign


def _presign(method: str, path: str, **more: Any) -> Callable[[Stranger], Request]:
    return lambda _who: Request(method, f"/api/v1{path}", **more)


_ALL_JOBS = tuple(f"uuid, {state}" for state in JOBS)
_FORMS = ("uuid in upper case", "number", "number with zeros")
_PRESIGN_ROWS: Mapping[Route, Row] = {
    ("POST", "/api/v1/auth/token"): Row(
        lambda who: Request("POST", "/api/v1/auth/token", headers={"Authorization": basic(who.key_id, who.secret)}),
        slots={
            "Basic": Slot(
                lambda request, value, who: request.with_header("Authorization", basic(str(value), who.secret)),
                {"key": 200},
            ),
            "client_id": Slot(
                lambda request, value, who: replace(
                    request, headers={}, fields={"client_id": value, "client_secret": who.secret}
                ),
                {"key": 200},
            ),
            "client_secret": Slot(
                lambda request, value, who: replace(
                    request, headers={}, fields={"client_id": who.key_id, "client_secret": value}
                )
            ),
        },
        credentials=("as it is",),
        judges="key by Basic",
    ),
    ("POST", "/api/v1/generate-presigned-url"): Row(
        _presign("POST", "/generate-presigned-url", fields={"mimeType": "audio/wav"}),
        slots={"Idempotency-Key": Slot(header("Idempotency-Key"), {"order at presign": 200})},
        plain=frozenset({"mimeType", "callbackUrl", "language"}),
    ),
    ("POST", "/api/v1/get-transcription"): Row(
        lambda who: Request("POST", "/api/v1/get-transcription", fields={"requestId": who.jobs["completed"].id}),
        slots={"requestId": Slot(body("requestId"), dict.fromkeys((*_ALL_JOBS, *_FORMS), 200))},
    ),
    ("GET", "/api/v1/transcriptions/<token>"): Row(
        lambda who: Request("GET", "/api/v1/transcriptions/<token>", {"token": who.link_token}),
        302,
        slots={"token": Slot(parameter("token"), {"link token": 302}, opens=frozenset({"link token"}))},
        credentials=OPEN,
        judges="link",
    ),
    ("GET", "/api/v1/openapi.json"): Row(_presign("GET", "/openapi.json"), credentials=OPEN),
    ("GET", "/api/v1/docs"): Row(_presign("GET", "/docs"), credentials=OPEN),
}


# Rows of mor


def _call(field_name: str) -> Slot:
    """A field that names a call: a recording, or a job whose audio is there."""
    good = (
        "recording by URL",
        "recording by file",
        "uuid, completed",
        "uuid, processing",
        *_FORMS,
        "number as a number",
    )
    silent = ("recording without audio", "uuid, awaiting", "uuid, failed", "uuid, of aivoco", "number, of aivoco")
    return Slot(body(field_name), {**dict.fromkeys(good, 201), **dict.fromkeys(silent, 422)})


def _job_id(unfinished: int = 200, failed: int = 200, cancelled: int = 200) -> Slot:
    """The `<id>` of a path, and how the states that have no transcript are answered."""
    good = dict.fromkeys(("uuid, completed", "uuid, of presign", *_FORMS, "number as a number"), 200)
    waiting = ("uuid, awaiting", "uuid, processing", "uuid, of aivoco", "number, of aivoco")
    others = {**dict.fromkeys(waiting, unfinished), "uuid, failed": failed, "uuid, cancelled": cancelled}
    return Slot(parameter("id"), {**good, **others})


def _mor_rows(prefix: str) -> dict[Route, Row]:
    login, renew = f"{prefix}/authentication/login", f"{prefix}/authentication/refresh"
    jobs = f"{prefix}/transcriptions"
    one = f"{jobs}/<id>"
    rows = {
        ("POST", jobs): Row(
            lambda _who: Request("POST", jobs, fields={}),
            201,
            slots={
                **{name: _call(name) for name in ("recording_id", "call_id", "uniqueid")},
                "recording_url": Slot(body("recording_url")),  # means the same to everybody
                "s3_uri": Slot(body("s3_uri"), {"s3_uri": 201}),
                "Idempotency-Key": Slot(header("Idempotency-Key"), {"order at mor": 201}),
            },
            plain=frozenset(
                {"language", "diarize", "callback_url", "agent_channel", "direction", "agent_name", "company_name"}
            ),
        ),
        ("POST", renew): Row(
            lambda who: Request("POST", renew, fields={"refresh_token": who.refresh_token}),
            slots={
                "refresh_token": Slot(body("refresh_token"), {"refresh token": 200}, frozenset({"refresh token"})),
                "Authorization": Slot(
                    lambda request, value, _who: replace(
                        request, fields={}, headers={"Authorization": f"Bearer {value}"}
                    ),
                    {"refresh token": 200},
                    frozenset({"refresh token"}),
                ),
            },
            credentials=("as it is",),
            judges="refresh token",
        ),
        ("GET", f"{prefix}/usage"): Row(lambda _who: Request("GET", f"{prefix}/usage")),
        ("GET", f"{prefix}/api-docs"): Row(lambda _who: Request("GET", f"{prefix}/api-docs"), credentials=OPEN),
        ("GET", one): _of_job("GET", one, _job_id()),
        ("DELETE", one): _of_job("DELETE", one, _job_id()),
    }
    for method in ("POST", "GET"):
        rows[method, login] = _login(method, login)
        for path in (f"{one}/transcript", f"{one}/download/<format>"):
            rows[method, path] = _of_job(method, path, _job_id(unfinished=409, failed=409, cancelled=410))
    return rows


def _of_job(method: str, path: str, job_id: Slot) -> Row:
    fixed = {"format": "txt"} if "<format>" in path else {}
    return Row(
        lambda who: Request(method, path, {"id": who.jobs["completed"].id, **fixed}),
        slots={"id": job_id},
        plain=frozenset(fixed),
    )


def _login(method: str, path: str) -> Row:
    return Row(
        lambda who: Request(method, path, headers={"Authorization": basic(who.username, who.password)}),
        slots={
            "user name": Slot(
                lambda request, value, who: request.with_header("Authorization", basic(str(value), who.password)),
                {"user name": 200},
            ),
            "key id": Slot(
                lambda request, value, who: request.with_header("Authorization", basic(str(value), who.secret)),
                {"key": 200},
            ),
        },
        credentials=("as it is",),
        judges="password by Basic",
    )


# Rows of aivoco

_AUDIO = {"audio_data": base64.b64encode(b"RIFF of anybody").decode()}
_AIVOCO_CALLS = ("recording by URL", "recording by file", "uuid, completed", "uuid, processing", "number as a number")
_AIVOCO_SILENT = ("recording without audio", "uuid, awaiting", "uuid, failed", "uuid, of aivoco", "number, of aivoco")
_AIVOCO_ROWS: Mapping[Route, Row] = {
    ("POST", "/transcribe"): Row(
        lambda _who: Request("POST", "/transcribe", fields=_AUDIO),
        slots={
            "call_id": Slot(
                body("call_id", "audio_data"),
                {**dict.fromkeys((*_AIVOCO_CALLS, *_FORMS), 200), **dict.fromkeys(_AIVOCO_SILENT, 404)},
            ),
            "audio_url": Slot(body("audio_url", "audio_data"), {"audio URL": 200}),
            "audio_data": Slot(body("audio_data"), {"audio": 200}),
        },
        plain=frozenset({"mime_type", "api_key"}),  # the key has a place of its own in CREDENTIALS
        judges="key of aivoco",
    ),
    ("GET", "/aivoco/openapi.json"): Row(lambda _who: Request("GET", "/aivoco/openapi.json"), credentials=OPEN),
    ("GET", "/aivoco/docs"): Row(lambda _who: Request("GET", "/aivoco/docs"), credentials=OPEN),
}

ROWS: Mapping[str, Mapping[Route, Row]] = {
    "presign": _PRESIGN_ROWS,
    "mor": {
        **_mor_rows(f"{MOR}/ai"),
        **_mor_rows(MOR),
        ("GET", f"{MOR}/openapi.json"): Row(lambda _who: Request("GET", f"{MOR}/openapi.json"), credentials=OPEN),
    },
    "aivoco": _AIVOCO_ROWS,
    "transcripto": TRANSCRIPTO_ROWS,
}


class Undescribed(LookupError):
    """A route, or a place of one, that the tables above say nothing about, or the other way round."""


def rows_of(dialect: str, routes: Mapping[Route, Access]) -> dict[Route, Row]:
    """The row of every route. Raises Undescribed, which says what to add."""
    rows = ROWS.get(dialect, {})
    for method, path in routes:
        if (method, path) not in rows:
            raise Undescribed(
                f"{method} {path} of dialect {dialect!r} has no row: add one to ROWS in tests/security/table.py, with a"
                " request that succeeds for its own tenant and a Slot for every place that takes an id"
            )
        _check_parameters(method, path, rows[method, path])
    if gone := rows.keys() - routes.keys():
        raise Undescribed(f"rows without a route of dialect {dialect!r}, remove them: {sorted(gone)}")
    return {route: rows[route] for route in routes}


def _check_parameters(method: str, path: str, row: Row) -> None:
    for name in [part.partition(">")[0] for part in path.split("<")[1:]]:
        if name not in row.slots and name not in row.plain:
            raise Undescribed(
                f"<{name}> of {method} {path} has no slot: add Slot(parameter({name!r}), …) to its row in"
                " tests/security/table.py, or the name to `plain` if it names nothing of a tenant"
            )


def check_fields(method: str, path: str, row: Row, documented: set[str]) -> None:
    """Raises Undescribed for a documented field or header of a request that is neither a slot nor plain."""
    for name in sorted(documented - row.slots.keys() - row.plain):
        raise Undescribed(
            f"{name!r} of {method} {path} is documented but not described: add a slot of that name to its row in"
            " tests/security/table.py, or the name to `plain` if it names nothing of a tenant"
        )
