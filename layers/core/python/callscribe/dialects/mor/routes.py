"""The contract's routes, as one Lambda handler. Row numbers are those of the contract's list."""

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe import exports, names
from callscribe.dialects import answers, sending
from callscribe.dialects.answers import json_response, later
from callscribe.dialects.front import (
    Access,
    Call,
    Front,
    credentials,
    fingerprint,
    header,
    idempotency_key,
    idempotency_parameter,
    read_language,
    strict_json,
)
from callscribe.dialects.mor import DIALECT, mapping
from callscribe.dialects.mor.schemas import (
    Callback,
    CreatedAnswer,
    DeletedAnswer,
    RefreshRequest,
    Refusal,
    SessionAnswer,
    StatusAnswer,
    TranscriptAnswer,
    TranscriptionRequest,
    UsageAnswer,
)
from callscribe.dialects.routing import Router, new_resolver
from callscribe.dialects.sending import File
from callscribe.domain.accounts import Scope, Tenant, well_formed
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.transcripts import Transcript
from callscribe.errors import Invalid, NotFound, OutboundRefused, Unauthenticated
from callscribe.ports import Deps
from callscribe.services import accounts, creation, erasure, jobs, ledger, recordings, refresh, sources, tokens, users
from callscribe.services.accounts import Principal

PREFIX: Final = names.DIALECTS["mor"]
PREFIXES: Final = (f"{PREFIX}/ai", PREFIX)  # M-01: every endpoint below both; the first is the documented one

LOGIN = "/authentication/login"
REFRESH = "/authentication/refresh"
USAGE = "/usage"
TRANSCRIPTIONS = "/transcriptions"
TRANSCRIPTION = "/transcriptions/<id>"
TRANSCRIPT = "/transcriptions/<id>/transcript"
DOWNLOAD = "/transcriptions/<id>/download/<format>"
DOCS = "/api-docs"
OPENAPI = f"{PREFIX}/openapi.json"

_ENDPOINTS: Final[Mapping[tuple[str, str], Access]] = {
    ("POST", LOGIN): Access(),  # judges the credential that it is sent
    ("GET", LOGIN): Access(),
    ("POST", REFRESH): Access(takes_json=True, empty_body="{}"),  # the refresh token is the credential
    ("GET", USAGE): Access(Scope.READ),
    ("POST", TRANSCRIPTIONS): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
    ("GET", TRANSCRIPTION): Access(Scope.READ),
    ("DELETE", TRANSCRIPTION): Access(Scope.TRANSCRIBE),
    ("POST", TRANSCRIPT): Access(Scope.READ),
    ("GET", TRANSCRIPT): Access(Scope.READ),
    ("POST", DOWNLOAD): Access(Scope.READ),
    ("GET", DOWNLOAD): Access(Scope.READ),
    ("GET", DOCS): Access(),
}
# Every route, and who may call it. A route that is not here is never reached.
ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    **{(method, prefix + path): access for prefix in PREFIXES for (method, path), access in _ENDPOINTS.items()},
    ("GET", OPENAPI): Access(),
}

_REALM: Final = 'realm="callscribe"'
_BASIC: Final = f'Basic {_REALM}, charset="UTF-8"'
_BEARER: Final = f"Bearer {_REALM}"

_DESCRIPTION: Final = (
    "Transcription of recordings, with usage per tenant. Log in by user name and password, and send the token as"
    " `Authorization: Bearer`; the operator may let user name and password be sent with every request, too. Each path"
    f" also answers without `/ai`: `{PREFIX}{USAGE}` is `{PREFIX}/ai{USAGE}`. Where the vendor's document speaks of"
    " the Drop Active Calls API, it means this one."
)
_REFUSED: Final = {
    302: "The answer is too large for the way that the request took: it is where this leads to, for 15 minutes.",
    400: "`invalid_body`: not JSON, or a wrong type; `invalid_value`: a value breaks a rule.",
    401: "The credential is missing, wrong, expired or revoked.",
    402: "`insufficient_credits`: the tenant has nothing left to pay with.",
    403: "The credential lacks the permission.",
    404: "Unknown, or no longer kept.",
    405: "This path takes other methods, named in the header Allow.",
    409: "`not_finished`, `transcription_failed`: there is no transcript; `conflict`: a record was changed at the same"
    " moment, send the request again; `idempotency_mismatch`: the key came before with another body.",
    410: "`cancelled`: the transcription was cancelled.",
    413: "The body is too long.",
    422: "`no_audio`: the call is known, but there is no audio of it.",
    429: "Too many failed log-ins of this address; the header Retry-After says when the next may come.",
    500: "An internal error.",
    503: "A service did not answer; send the request again.",
}
_ALWAYS: Final = (400, 405, 413, 500, 503)
_GUARDED: Final = (*_ALWAYS, 401, 403, 429)
_EITHER: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"basic": []}]
_IDEMPOTENCY_KEY: Final = idempotency_parameter("The same key with the same body gives the same transcription")
_NO_FIELDS: Final = TranscriptionRequest()
_NO_TOKEN: Final = RefreshRequest()


def build(deps: Deps) -> Front:
    """The Lambda handler of this dialect."""
    return Front(
        resolver=resolver(deps),
        routes=ROUTES,
        admit=partial(_admit, deps),
        refuse=lambda error, _call: _refuse(deps, error),
        decorate=_decorate,
        now_ms=deps.now_ms,
        inline_body_bytes=deps.settings.inline_body_bytes,
    )


def resolver(deps: Deps) -> APIGatewayHttpResolver:
    """The router behind the front: it takes what the front has let in."""
    app = new_resolver(strict_json)
    for routes in (_session_routes, _usage_routes, _job_routes, _result_routes):
        app.include_router(routes(deps))
    docs_path, *other_docs_paths = (prefix + DOCS for prefix in reversed(PREFIXES))  # M-14 names the short one
    app.include_router(
        answers.document_routes(
            app,
            title=DIALECT.title,
            base_url=deps.settings.public_base_url,
            openapi_path=OPENAPI,
            docs_path=docs_path,
            other_docs_paths=other_docs_paths,
            description=_DESCRIPTION,
        )
    )
    app.exception_handler(Exception)(partial(_refuse_in_router, deps))
    return app


def _endpoint(router: Router, method: str, path: str, **documented: Any) -> Callable[[Any], Any]:
    """Register a function below every prefix; only the first stands in the documents."""
    documented.setdefault("security", _EITHER)

    def register(function: Any) -> Any:
        router.route(PREFIXES[0] + path, method=method, **documented)(function)
        for prefix in PREFIXES[1:]:
            router.route(prefix + path, method=method, include_in_schema=False)(function)
        return function

    return register


def _session_routes(deps: Deps) -> Router:
    router = Router()

    def log_in() -> Response[str]:
        return later(router.call, partial(_log_in, deps, router.event))

    for method in ("POST", "GET"):
        _endpoint(
            router,
            method,
            LOGIN,
            summary="Log in by user name and password (M-02)",
            operation_id=f"{method.lower()}Login",
            responses=_responses(200, SessionAnswer, *_ALWAYS, 401, 429),
            security=[{"basic": []}],
        )(log_in)

    @_endpoint(
        router,
        "POST",
        REFRESH,
        summary="Get new tokens for a refresh token (M-03)",
        operation_id="refreshTokens",
        responses=_responses(200, SessionAnswer, *_ALWAYS, 401),
        security=[{"bearer": []}, {}],
    )
    def renew(body: Annotated[RefreshRequest, Body()] = _NO_TOKEN) -> Response[str]:
        return _renewed(deps, router.event, body)

    return router


def _usage_routes(deps: Deps) -> Router:
    router = Router()

    @_endpoint(
        router,
        "GET",
        USAGE,
        summary="What is left for transcription (M-07)",
        operation_id="getUsage",
        responses=_responses(200, UsageAnswer, *_GUARDED),
    )
    def usage() -> Response[str]:
        return json_response(200, _usage(deps, _principal(router.call)))

    return router


def _job_routes(deps: Deps) -> Router:
    router = Router()

    @_endpoint(
        router,
        "POST",
        TRANSCRIPTIONS,
        summary="Transcribe a recording (M-08)",
        operation_id="createTranscription",
        responses=_responses(201, CreatedAnswer, *_GUARDED, 402, 404, 409, 422),
        openapi_extensions={"parameters": [_IDEMPOTENCY_KEY], "callbacks": _callbacks()},
    )
    def create(body: Annotated[TranscriptionRequest, Body()] = _NO_FIELDS) -> Response[str]:
        return _created(deps, router.call, router.event, body)

    @_endpoint(
        router,
        "GET",
        TRANSCRIPTION,
        summary="How a transcription stands (M-09)",
        operation_id="getTranscription",
        responses=_responses(200, StatusAnswer, *_GUARDED, 404),
    )
    def status(id: str) -> Response[str]:  # noqa: A002 - as the contract's path has it
        return json_response(200, mapping.to_json(mapping.status(_job(deps, router.call, id))))

    @_endpoint(
        router,
        "DELETE",
        TRANSCRIPTION,
        summary="Cancel a transcription that is not finished, delete one that is (M-10)",
        operation_id="deleteTranscription",
        responses=_responses(200, DeletedAnswer, *_GUARDED, 404, 409),
    )
    def delete(id: str) -> Response[str]:  # noqa: A002 - as the contract's path has it
        return json_response(200, _deleted(deps, _job(deps, router.call, id)))

    return router


def _result_routes(deps: Deps) -> Router:
    router = Router()

    def transcript(id: str) -> Response[str]:  # noqa: A002 - as the contract's path has it
        return later(router.call, partial(_transcript, deps, router.call, id))

    def download(id: str, format: str) -> Response[str]:  # noqa: A002 - as the contract's path has it
        return later(router.call, partial(_download, deps, router.call, id, format))

    for method in ("POST", "GET"):  # M-A2
        _endpoint(
            router,
            method,
            TRANSCRIPT,
            summary="Text and segments (M-11)",
            operation_id=f"{method.lower()}Transcript",
            responses=_responses(200, TranscriptAnswer, *_GUARDED, 302, 404, 409, 410),
        )(transcript)
        _endpoint(
            router,
            method,
            DOWNLOAD,
            summary="The transcript as a file (M-12)",
            description=f"`format` is one of {', '.join(exports.EXPORTS)}.",
            operation_id=f"{method.lower()}Download",
            responses={200: _files(), **_refusals(*_GUARDED, 302, 404, 409, 410)},
        )(download)
    return router


def _admit(deps: Deps, event: Mapping[str, Any], scope: Scope) -> Principal:
    """M-05, M-06: the holder of a token, a password or an API key, if it has the permission."""
    principal = _presented(deps, event)
    accounts.require(principal, scope)
    return principal


def _presented(deps: Deps, event: Mapping[str, Any]) -> Principal:
    scheme = (header(event, "authorization") or "").strip().partition(" ")[0].lower()
    if scheme == "basic" and deps.settings.basic_everywhere:
        return _by_password(deps, event)
    given = credentials(event, "bearer")
    return accounts.principal_by_key(deps, given) if well_formed(given) else tokens.verify(deps, given)


def _by_password(deps: Deps, event: Mapping[str, Any]) -> Principal:
    """A user by name and password, or an API key by its id and secret."""
    try:
        text = base64.b64decode(credentials(event, "basic"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("Authorization: Basic must be followed by base64 of username:password") from error
    username, password = mapping.read_login(text)
    if well_formed(password):
        return accounts.principal_of(accounts.authenticate(deps, key_id=username, secret=password))
    address = str(event["requestContext"]["http"]["sourceIp"])
    return users.authenticate(deps, username=username, password=password, address=address)


def _principal(call: Call) -> Principal:
    if call.principal is None:
        raise Unauthenticated("this request needs a credential")
    return call.principal


def _log_in(deps: Deps, event: Mapping[str, Any]) -> Response[str]:
    try:
        principal = _by_password(deps, event)
    except Unauthenticated as error:
        return _refuse_in_router(deps, error, challenge=_BASIC)
    return json_response(200, mapping.session(refresh.log_in(deps, principal, life_s=mapping.ACCESS_LIFE_S)))


def _renewed(deps: Deps, event: Mapping[str, Any], body: RefreshRequest) -> Response[str]:
    """The token in the body counts first: a client may send its last access token in the header out of habit."""
    try:
        given = credentials(event, "bearer") if body.refresh_token is None else body.refresh_token
        renewed = refresh.renew(deps, given, life_s=mapping.ACCESS_LIFE_S)
    except Unauthenticated as error:
        return _refuse_in_router(deps, error, challenge=_BEARER)
    return json_response(200, mapping.session(renewed))


def _usage(deps: Deps, principal: Principal) -> str:
    price = creation.price_for(accounts.get_tenant(deps, principal.tenant_id), principal)
    if price is None:
        return mapping.usage(None, None)
    return mapping.usage(price, ledger.balance(deps, tenant_id=principal.tenant_id, account=price.account))


def _created(deps: Deps, call: Call, event: Mapping[str, Any], body: TranscriptionRequest) -> Response[str]:
    principal = _principal(call)
    call.leniencies.extend(mapping.ignored(body.unknown, body.known))
    tenant = accounts.get_tenant(deps, principal.tenant_id)
    new = _new_job(deps, principal, tenant, body, idempotency_key(event))
    # Its own job may hold all that there was: who asks again is owed the same answer.
    if not creation.is_repeated(deps, new, tenant_id=tenant.id):
        ledger.require_funds(deps, tenant_id=tenant.id, price=creation.price_for(tenant, principal))
    job = creation.create(deps, principal, new)
    waits = job.state is JobState.AWAITING_UPLOAD and not job.source
    answer = mapping.created(
        job,
        upload_url=creation.upload_of(deps, job).url if waits else None,
        upload_url_s=deps.settings.upload_url_s,
    )
    return json_response(201, answer, Location=f"{deps.settings.public_base_url}{call.route}/{job.number}")


def _new_job(
    deps: Deps, principal: Principal, tenant: Tenant, body: TranscriptionRequest, key: str | None
) -> creation.NewJob:
    language, named = read_language(body.language), mapping.source(body.known)
    _check("callback_url", body.callback_url, deps.webhooks.check)
    source, known = (None, NOTHING_KNOWN) if named is None else _source(deps, principal, tenant, *named)
    others = {name: value for name, value in body.known.items() if name not in mapping.SOURCES}
    meaning = fingerprint([named, others | {"language": language}])
    return creation.NewJob(
        dialect=DIALECT.name,
        callback_url=body.callback_url,
        language=language,
        diarize=body.diarize,
        call=body.call.over(known),
        source=source,
        idempotency=creation.Idempotency(key, meaning) if key else None,
    )


def _source(
    deps: Deps, principal: Principal, tenant: Tenant, field: str, value: str
) -> tuple[creation.Source, CallFacts]:
    """Where the audio is, and what is known about the call beside it."""
    if field == "recording_url":
        _check(field, value, deps.downloader.check)
        return creation.Source(url=value), NOTHING_KNOWN
    if field == "s3_uri":
        return sources.parse_uri(tenant, value), NOTHING_KNOWN
    try:
        return recordings.source_of(deps, principal, value)
    except recordings.NoRecording:
        raise
    except NotFound as error:
        raise NotFound(f"{field}: unknown") from error


def _check(field: str, url: str | None, check: Callable[[str], None]) -> None:
    if url is None:
        return
    try:
        check(url)
    except OutboundRefused as error:
        raise Invalid(field, f"{error} (rule: {error.rule})") from error


def _job(deps: Deps, call: Call, given: str) -> Job:
    """Raises NotFound, in the same words for a foreign id, an unknown one and what cannot be one."""
    try:
        return jobs.find_by_any_id(deps, tenant_id=_principal(call).tenant_id, given=mapping.job_id(given))
    except NotFound as error:
        raise NotFound("no such transcription") from error


def _deleted(deps: Deps, job: Job) -> str:
    """Cancel what has not ended (it may end meanwhile), remove what has, also what was cancelled before."""
    if not job.finished and jobs.cancel(deps, tenant_id=job.tenant_id, job_id=job.id).state is JobState.CANCELLED:
        return mapping.ended(job, mapping.CANCELLED)
    erasure.erase_job(deps, tenant_id=job.tenant_id, job_id=job.id)
    return mapping.ended(job, mapping.DELETED)


def _transcript(deps: Deps, call: Call, given: str) -> Response[Any]:
    job = _job(deps, call, given)
    body = mapping.transcript(job, _found(deps, job))
    return _sent(deps, call, job, body.encode(), "json", {})


def _download(deps: Deps, call: Call, given: str, name: str) -> Response[Any]:
    mapping.require_format(name)
    job = _job(deps, call, given)
    body = mapping.download(job, _found(deps, job), name)
    disposition = sending.attachment(mapping.filename(job, name))
    return _sent(deps, call, job, body, name, {"Content-Disposition": disposition})


def _found(deps: Deps, job: Job) -> Transcript:
    mapping.require_completed(job)
    try:
        return jobs.transcript(deps, job)
    except NotFound as error:
        raise NotFound("this transcript is no longer kept") from error


def _sent(deps: Deps, call: Call, job: Job, body: bytes, name: str, headers: dict[str, str]) -> Response[Any]:
    file = File(mapping.filename(job, name), exports.MEDIA_TYPES[name], body, is_text=name != "docx")
    try:
        return sending.sent(deps, call, job, file, headers)
    except NotFound as error:
        raise NotFound("no such transcription") from error


def _refuse(deps: Deps, error: Exception) -> dict[str, Any]:
    """An answer of the contract's shape to whatever was raised before the router."""
    return answers.plain(_refuse_in_router(deps, error))


def _refuse_in_router(deps: Deps, error: Exception, *, challenge: str | None = None) -> Response[str]:
    """The same for what was raised in the router. `challenge`: the scheme asked for, where not every one will do."""
    either = f"{_BEARER}, {_BASIC}" if deps.settings.basic_everywhere else _BEARER
    return answers.refuse(error, refusal=mapping.refusal, challenge=challenge or either)


def _decorate(_event: Mapping[str, Any]) -> dict[str, str]:
    return {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _responses(done: int, model: type[Any], *refused: int) -> Any:
    answer = {"description": "Done.", "content": {"application/json": {"model": model}}}
    return {done: answer, **_refusals(*refused)}


def _refusals(*statuses: int) -> Any:
    content = {"application/json": {"model": Refusal}}
    return {
        status: {"description": _REFUSED[status], **({} if status == 302 else {"content": content})}
        for status in sorted(statuses)
    }


def _files() -> Any:
    kinds = {media_type.partition(";")[0] for media_type in exports.MEDIA_TYPES.values()}
    return {
        "description": "The file.",
        "content": {kind: {"schema": {} if kind.endswith("/json") else {"type": "string"}} for kind in sorted(kinds)},
    }


def _callbacks() -> dict[str, Any]:
    schema = Callback.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schema.pop("$defs")
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    received = {200: {"description": "Received, as any 2xx. Anything else is tried again, ten times in 75 hours."}}
    return {"result": {"{$request.body#/callback_url}": {"post": {"requestBody": body, "responses": received}}}}
