"""The contract's routes, as one Lambda handler. Row numbers are those of the contract's list."""

import base64
import binascii
import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects import answers
from callscribe.dialects.answers import json_response
from callscribe.dialects.front import (
    Access,
    Call,
    Front,
    Malformed,
    credentials,
    fingerprint,
    header,
    idempotency_key,
    idempotency_parameter,
    read_language,
    strict_json,
)
from callscribe.dialects.presign import DIALECT, mapping
from callscribe.dialects.presign.schemas import (
    Callback,
    Refusal,
    StoredTranscript,
    TokenAnswer,
    TranscriptionAnswer,
    TranscriptionRequest,
    UploadAnswer,
    UploadRequest,
)
from callscribe.dialects.routing import Router, new_resolver
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import JobState
from callscribe.errors import Invalid, NotFound, OutboundRefused, Unauthenticated
from callscribe.ports import Deps
from callscribe.services import accounts, jobs, tokens
from callscribe.services.accounts import Principal

TOKEN = "/api/v1/auth/token"
UPLOAD = "/api/v1/generate-presigned-url"
TRANSCRIPTION = "/api/v1/get-transcription"
RESULT_LINK = "/api/v1/transcriptions/<token>"
OPENAPI = "/api/v1/openapi.json"
DOCS = "/api/v1/docs"

# Every route, and who may call it. A route that is not here is never reached.
ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("POST", TOKEN): Access(),  # judges the credential that it is sent
    ("POST", UPLOAD): Access(Scope.TRANSCRIBE, takes_json=True),
    ("POST", TRANSCRIPTION): Access(Scope.TRANSCRIBE, takes_json=True),
    ("GET", RESULT_LINK): Access(),  # the token is the credential
    ("GET", OPENAPI): Access(),
    ("GET", DOCS): Access(),
}

VERSION_HEADER: Final = "X-Invox-Medical-Api-Version"  # P-12
_BASIC: Final = 'Basic realm="callscribe"'  # RFC 7617: this scheme must name a realm
_VERSION: Final = re.compile(r"[0-9A-Za-z.-]{1,32}")

_REFUSED: Final = {
    400: "`invalidRequestBody`: not JSON, a wrong type or a missing field; `inconsistentInput`: a value breaks a rule.",
    401: "The credential or the token is missing, wrong, expired or revoked.",
    403: "The API key lacks the permission BATCH-TRANSCRIBE.",
    404: "Unknown.",
    405: "This path takes another method, named in the header Allow.",
    409: "A record was changed at the same moment; send the request again.",
    413: "The body is too long.",
    500: "An internal error.",
    503: "A service did not answer; send the request again.",
}
_IDEMPOTENCY_KEY: Final = idempotency_parameter("The same key with the same body gives the same requestId")
_TOKEN_FORM: Final = {
    "type": "object",
    "properties": {"client_id": {"type": "string"}, "client_secret": {"type": "string"}},
    "required": ["client_id", "client_secret"],
}
_TOKEN_BODY: Final = {
    "description": "Only where no Authorization header is sent: the APP Id and the API Key.",
    "content": {kind: {"schema": _TOKEN_FORM} for kind in ("application/json", "application/x-www-form-urlencoded")},
}


def build(deps: Deps) -> Front:
    """The Lambda handler of this dialect."""
    return Front(
        resolver=resolver(deps),
        routes=ROUTES,
        admit=partial(_admit, deps),
        refuse=lambda error, _call: _refuse(error),
        decorate=_decorate,
        now_ms=deps.now_ms,
    )


def resolver(deps: Deps) -> APIGatewayHttpResolver:
    """The router behind the front: it takes what the front has let in."""
    app = new_resolver(strict_json)
    app.include_router(_token_routes(deps))
    app.include_router(_job_routes(deps))
    app.include_router(_link_routes(deps))
    base_url = deps.settings.public_base_url
    app.include_router(
        answers.document_routes(app, title=DIALECT.title, base_url=base_url, openapi_path=OPENAPI, docs_path=DOCS)
    )
    app.exception_handler(Exception)(_refuse_in_router)
    return app


def _token_routes(deps: Deps) -> Router:
    router = Router()

    @router.post(
        TOKEN,
        summary="Get an access token (P-10)",
        operation_id="issueToken",
        responses=_responses(TokenAnswer, 400, 401, 405, 413, 500, 503),
        security=[{"basic": []}, {}],
        openapi_extensions={"requestBody": _TOKEN_BODY},
    )
    def issue_token() -> Response[str]:
        try:
            key_id, secret = _presented(router.event)
            key = accounts.authenticate(deps, key_id=key_id, secret=secret)
            issued = tokens.issue(deps, accounts.principal_of(key))
        except Unauthenticated as error:
            return _refuse_in_router(error, challenge=_BASIC)
        return json_response(200, mapping.token_answer(issued))

    return router


def _job_routes(deps: Deps) -> Router:
    router = Router()

    @router.post(
        UPLOAD,
        summary="Get a presigned URL to upload a recording to (P-01)",
        operation_id="generatePresignedUrl",
        responses=_responses(UploadAnswer, 400, 401, 403, 405, 409, 413, 500, 503),
        security=[{"bearer": []}],
        openapi_extensions={"parameters": [_IDEMPOTENCY_KEY], "callbacks": _callbacks()},
    )
    def generate_presigned_url(body: Annotated[UploadRequest, Body()]) -> Response[str]:
        upload = _create_upload(deps, router.call, router.event, body)
        return json_response(200, mapping.upload_answer(upload))

    @router.post(
        TRANSCRIPTION,
        summary="Ask how a request stands (P-11)",
        operation_id="getTranscription",
        responses=_responses(TranscriptionAnswer, 400, 401, 403, 404, 405, 413, 500, 503),
        security=[{"bearer": []}],
    )
    def get_transcription(body: Annotated[TranscriptionRequest, Body()]) -> Response[str]:
        return json_response(200, _transcription(deps, router.call, body.request_id))

    return router


def _link_routes(deps: Deps) -> Router:
    router = Router()

    @router.get(
        RESULT_LINK,
        summary="Open a transcriptionUrl",
        operation_id="openTranscription",
        responses={
            302: {"description": "To the transcript, for 15 minutes."},
            **_responses(StoredTranscript, 400, 404, 405, 413, 500, 503, done="Where the redirect leads to."),
        },
    )
    def open_transcription(token: str) -> Response[str]:
        return Response(302, "text/plain", "", headers={"Location": jobs.open_result_link(deps, token)})

    return router


def _admit(deps: Deps, event: Mapping[str, Any], scope: Scope) -> Principal:
    """P-02, P-03: the holder of the access token, if the key behind it has the permission."""
    principal = tokens.verify(deps, credentials(event, "bearer"))
    accounts.require(principal, scope)
    return principal


def _principal(call: Call) -> Principal:
    if call.principal is None:
        raise Unauthenticated("this request needs an access token")
    return call.principal


def _presented(event: Mapping[str, Any]) -> tuple[str, str]:
    """APP Id and API Key, from the Authorization header or, without one, from the body. Raises Unauthenticated."""
    if not header(event, "authorization"):
        return _presented_in_body(event.get("body") or "")
    try:
        text = base64.b64decode(credentials(event, "basic"), validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise Unauthenticated("Authorization: Basic must be followed by base64 of APPID:APIKEY") from error
    key_id, _, secret = text.partition(":")
    return key_id, secret


def _presented_in_body(body: str) -> tuple[str, str]:
    if not body.strip():
        raise Unauthenticated("this request needs the header Authorization: Basic …")
    if body.lstrip().startswith("{"):
        fields = strict_json(body)
    else:
        fields = {name: values[-1] for name, values in parse_qs(body).items()}
    found = tuple(fields.get(name) for name in ("client_id", "client_secret"))
    for name, value in zip(("client_id", "client_secret"), found, strict=True):
        if not isinstance(value, str):
            raise Malformed(name, "is required, as a string")
    return str(found[0]), str(found[1])


def _create_upload(deps: Deps, call: Call, event: Mapping[str, Any], body: UploadRequest) -> jobs.Upload:
    listed, leniencies = mapping.media_type(body.mime_type)
    language, url = read_language(body.language), body.callback_url
    key = idempotency_key(event)
    try:
        upload = jobs.create_upload(
            deps,
            _principal(call),
            jobs.NewJob(
                dialect=DIALECT.name,
                media_type=listed,
                callback_url=url,
                language=language,
                idempotency=jobs.Idempotency(key, fingerprint([listed, url, language])) if key else None,
            ),
        )
    except OutboundRefused as error:
        raise Invalid("callbackUrl", str(error)) from error
    call.leniencies.extend(leniencies)
    return upload


def _transcription(deps: Deps, call: Call, given: str) -> str:
    request_id, leniencies = mapping.request_id(given)
    try:
        job = jobs.find_by_any_id(deps, tenant_id=_principal(call).tenant_id, given=request_id)
    except NotFound as error:
        raise NotFound("requestId: unknown") from error
    call.leniencies.extend(leniencies)
    if job.state is not JobState.COMPLETED:
        return mapping.transcription(job, None, link=str)
    try:
        found = jobs.transcript(deps, job)
    except NotFound as error:
        raise NotFound("requestId: its transcript is no longer kept") from error
    return mapping.transcription(job, found, link=partial(jobs.result_link, deps, job))


def _refuse(error: Exception) -> dict[str, Any]:
    """An answer of the contract's shape to whatever was raised before the router."""
    return answers.plain(_refuse_in_router(error))


def _refuse_in_router(error: Exception, *, challenge: str = "Bearer") -> Response[str]:
    """The same for what was raised in the router. `challenge`: the scheme asked for."""
    return answers.refuse(error, refusal=mapping.refusal, challenge=challenge)


def _decorate(event: Mapping[str, Any]) -> dict[str, str]:
    """Headers of every answer: P-12's version, sent back where it is harmless, and no caching, no sniffing."""
    version = header(event, VERSION_HEADER.lower()) or ""
    echo = {VERSION_HEADER: version} if _VERSION.fullmatch(version) else {}
    return {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **echo}


def _responses(model: type[Any], *refused: int, done: str = "Done.") -> Any:
    answer = {"description": done, "content": {"application/json": {"model": model}}}
    return {200: answer, **_refusals(*refused)}


def _refusals(*statuses: int) -> Any:
    content = {"application/json": {"model": Refusal}}
    return {status: {"description": _REFUSED[status], "content": content} for status in statuses}


def _callbacks() -> dict[str, Any]:
    schema = Callback.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schema.pop("$defs")
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    answers = {200: {"description": "Received, as any 2xx. Anything else is tried again, ten times in 75 hours."}}
    return {"result": {"{$request.body#/callbackUrl}": {"post": {"requestBody": body, "responses": answers}}}}
