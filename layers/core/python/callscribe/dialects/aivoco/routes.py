"""The contract's routes, as one Lambda handler. Row numbers are those of the contract's list.

The router itself does next to nothing: whatever takes time (reading a large body, and waiting) is done after it, so
that requests of one process do not wait for each other.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from callscribe.dialects import answers
from callscribe.dialects.aivoco import DIALECT, mapping
from callscribe.dialects.aivoco.mapping import NotTranscribed, StillRunning, UnknownCall, Wanted
from callscribe.dialects.aivoco.schemas import (
    PaymentRefusal,
    Refusal,
    TranscribeAnswer,
    TranscribeRequest,
    WaitRefusal,
    read_request,
)
from callscribe.dialects.answers import json_response
from callscribe.dialects.front import Access, Call, Front, Malformed, credentials, header, strict_json
from callscribe.dialects.routing import Router, new_resolver
from callscribe.domain import roles
from callscribe.domain.accounts import Scope
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account
from callscribe.errors import (
    CallscribeError,
    FailureCode,
    Forbidden,
    InsufficientCredits,
    Invalid,
    NotFound,
    OutboundRefused,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from callscribe.ports import Deps
from callscribe.services import accounts, exchanges, jobs, ledger, recordings, slots
from callscribe.services.accounts import Principal
from callscribe.services.exchanges import Asked, Pace, Seat
from callscribe.services.jobs import NewJob, Source

TRANSCRIBE = "/transcribe"
OPENAPI = "/aivoco/openapi.json"
DOCS = "/aivoco/docs"

# Every route, and who may call it. A route that is not here is never reached.
ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    # Judges the key that its body carries; no body is a body without a key.
    ("POST", TRANSCRIBE): Access(takes_json=True, empty_body="{}", max_body_bytes=None, limited=True),
    ("GET", OPENAPI): Access(),
    ("GET", DOCS): Access(),
}

_WINDOW_MS: Final = 60_000
_RETRY_S: Final = 2  # until the same request is sent again, where it has waited already
_RETRY_BUSY_S: Final = 10  # where there was no room to wait
_SLOT_S: Final = 60  # on top of the time a request may wait, before its slot is free again by itself

_log = logging.getLogger(__name__)

_ABOUT: Final = (
    "The API key stands in the body, or in the header X-API-Key or Authorization: Bearer. The answer is the transcript."
    " Where that takes longer than a request may wait it is 503 with Retry-After: the same request sent again by the"
    " same key joins the same job, which is paid once. Audio and transcript are erased with the answer, and at the"
    " latest 15 minutes after the transcript was ready."
)
_REFUSED: Final = {
    400: "Not JSON; a field is missing, wrong or one too many; or the audio is too short, too long, or cannot be read.",
    401: "The API key is missing, unknown, expired, revoked, or may not transcribe.",
    402: "There are no credits, or fewer than the audio costs.",
    404: "There is no such call, or no recording of it.",
    405: "This path takes another method, named in the header Allow.",
    413: "The body is too long.",
    429: "More than 60 requests in a minute from one address.",
    500: "The transcription failed.",
    503: "The transcript is not ready yet, or a service did not answer: send the same request again.",
}
_REFUSALS: Final[Mapping[int, type[Refusal]]] = {402: PaymentRefusal, 503: WaitRefusal}


def build(deps: Deps, *, pace: Pace = Pace()) -> Front:  # noqa: B008 - a frozen value
    """The Lambda handler of this dialect. `pace`: how its requests wait."""
    return Front(
        resolver=resolver(deps, pace),
        routes=ROUTES,
        admit=_admit_nobody,
        refuse=lambda error, _call: _refuse(deps, error),
        decorate=_decorate,
        now_ms=deps.now_ms,
        inline_body_bytes=deps.settings.inline_body_bytes,
        gate=partial(_gate, deps),
    )


def resolver(deps: Deps, pace: Pace) -> APIGatewayHttpResolver:
    """The router behind the front: it takes what the front has let in."""
    app = new_resolver(strict_json)
    app.include_router(_transcribe_routes(deps, pace))
    app.include_router(
        answers.document_routes(
            app,
            title=DIALECT.title,
            base_url=deps.settings.public_base_url,
            openapi_path=OPENAPI,
            docs_path=DOCS,
            description=_ABOUT,
        )
    )
    app.exception_handler(Exception)(partial(_refuse_in_router, deps))
    return app


def _transcribe_routes(deps: Deps, pace: Pace) -> Router:
    router = Router()
    body = {"required": True, "content": {"application/json": {"schema": TranscribeRequest.model_json_schema()}}}

    @router.post(
        TRANSCRIBE,
        summary="Transcribe a recording (A-01)",
        operation_id="transcribe",
        responses=_responses(TranscribeAnswer, *_REFUSED),
        security=[{}, {"bearer": []}],
        openapi_extensions={"requestBody": body},
    )
    def transcribe() -> Response[str]:
        router.call.later = partial(_transcribe, deps, pace, router.call, router.event)
        return json_response(202, "{}")  # never seen: what is done later gives the answer

    return router


def _gate(deps: Deps, event: Mapping[str, Any]) -> None:
    """A-09, A-A4: counts a request of the address that the gateway saw, in windows of 60 s. Raises RateLimited."""
    now_ms = deps.now_ms()
    window = now_ms // _WINDOW_MS
    ends_ms = (window + 1) * _WINDOW_MS
    address = str(event["requestContext"]["http"]["sourceIp"])
    digest = hmac.new(deps.keyring.derive("source-address"), address.encode(), hashlib.sha256).hexdigest()
    count = deps.store.count(DIALECT.name, f"{digest}/{window}", forget_at_ms=ends_ms + _WINDOW_MS)
    if count > deps.settings.requests_per_minute:
        raise RateLimited(-(-(ends_ms - now_ms) // 1000))


def _transcribe(deps: Deps, pace: Pace, call: Call, event: dict[str, Any]) -> dict[str, Any]:
    """The whole of a request, in the order of its checks: 401, 400, 404, 402; then it waits.

    A client that has left gets no answer: where that is known (`Call.gone`) the result is kept for it to come again.
    A Lambda cannot know. There, the result of a call whose client has left is lost, and to send it again is to pay
    again.
    """
    until_s = pace.monotonic_s() + call.max_wait_s
    seat, names_call = _seated(deps, call, event)
    answered = False
    try:
        job = _awaited(deps, _attentive(pace, call, seat), seat, until_s)
        answered = True  # what cannot be read of a result now cannot be read later either
        found = _result(deps, job, names_call=names_call)
        return answers.plain(json_response(200, json.dumps(found, ensure_ascii=False)))
    except Unavailable:
        answered = False
        raise
    finally:
        _leave(deps, seat, answered=answered and not call.gone())


def _seated(deps: Deps, call: Call, event: dict[str, Any]) -> tuple[Seat, bool]:
    """The request's seat, its audio on its way, and whether it names a call. Nothing of its body outlives this: a
    request may be large, and wait for long.
    """
    principal, asked, names_call = _asked(deps, call, event)
    seat = _enter(deps, principal, asked, stay_s=call.max_wait_s)
    try:
        exchanges.bring(deps, seat, asked)
    except BaseException:
        _leave(deps, seat, answered=False)
        raise
    return seat, names_call


def _attentive(pace: Pace, call: Call, seat: Seat) -> Pace:
    """The same pace, which raises StillRunning instead of sleeping on for a client that has left."""

    def sleep(seconds: float) -> None:
        if call.gone():
            raise StillRunning(seat.job_id, _RETRY_S)
        pace.sleep(seconds)

    return replace(pace, sleep=sleep)


def _asked(deps: Deps, call: Call, event: dict[str, Any]) -> tuple[Principal, Asked, bool]:
    """Who asks, what for, and whether by a `call_id`. Raises Unauthenticated, Invalid and UnknownCall."""
    fields = _fields(deps, call, event)
    principal = call.principal = _principal(deps, call, event, fields)
    request = read_request(fields)
    wanted = mapping.wanted(
        audio_data=request.audio_data,
        audio_url=request.audio_url,
        call_id=request.call_id,
        mime_type=request.mime_type,
    )
    call.leniencies.extend(wanted.leniencies)
    source, facts = _source(deps, principal, wanted)
    new = NewJob(
        dialect=DIALECT.name, media_type=wanted.media_type, limits=mapping.LIMITS, call=facts, kept=False, source=source
    )
    return principal, Asked(wanted.parts, new, wanted.audio), wanted.call_id is not None


def _fields(deps: Deps, call: Call, event: dict[str, Any]) -> dict[str, Any]:
    """The body, taken out of the event. One that cannot be read holds no key: a key in a header is judged first."""
    try:
        return strict_json(event.pop("body"))
    except Malformed:
        if header(event, "x-api-key") or header(event, "authorization"):
            _principal(deps, call, event, {})
        raise


def _principal(deps: Deps, call: Call, event: Mapping[str, Any], fields: Mapping[str, Any]) -> Principal:
    """A-06, A-A5: the holder of the key in the body, else in a header. The document knows no 403. Raises
    Unauthenticated.
    """
    given = fields.get("api_key") or header(event, "x-api-key") or credentials(event, "bearer")
    if not isinstance(given, str):
        raise Unauthenticated("the API key must be a string")
    trimmed = given.strip()
    principal = accounts.principal_by_key(deps, trimmed)
    if trimmed != given:
        call.leniencies.append("api_key trimmed")
    if Scope.TRANSCRIBE not in principal.scopes:
        raise Unauthenticated("this key may not transcribe")
    return principal


def _source(deps: Deps, principal: Principal, wanted: Wanted) -> tuple[Source | None, CallFacts]:
    """Where the audio is to be fetched from, if it did not come along. Raises Invalid and UnknownCall."""
    if wanted.call_id is not None:
        return _recording(deps, principal, wanted.call_id)
    if wanted.url is None:
        return None, NOTHING_KNOWN
    try:
        deps.downloader.check(wanted.url)
    except OutboundRefused as error:
        raise Invalid("audio_url", str(error)) from error
    return Source(url=wanted.url), NOTHING_KNOWN


def _recording(deps: Deps, principal: Principal, call_id: str) -> tuple[Source, CallFacts]:
    """A-08. A log's recording URL that no guard would let out is no valid one."""
    try:
        source, call = recordings.source_of(deps, principal, call_id)
        if source.url is not None:
            deps.downloader.check(source.url)
    except (recordings.NoRecording, OutboundRefused) as error:
        raise UnknownCall(mapping.NO_RECORDING) from error
    except (NotFound, Forbidden) as error:  # a key that may not read does not learn which calls there are
        raise UnknownCall(mapping.UNKNOWN_CALL) from error
    return source, call


def _enter(deps: Deps, principal: Principal, asked: Asked, *, stay_s: float) -> Seat:
    """A-07: who has nothing at all is told so before anybody looks how long the audio is.

    For admin units the document always names a figure: then it is what the shortest audio costs.
    """
    try:
        return exchanges.enter(deps, principal, asked, stay_s=stay_s)
    except InsufficientCredits as error:
        price = jobs.price_for(accounts.get_tenant(deps, principal.tenant_id), principal)
        if price is None or price.account is not Account.UNITS:
            raise
        least = price.of(mapping.LIMITS.min_duration_s)
        raise InsufficientCredits(price.account, available=error.available, required=least) from error


def _awaited(deps: Deps, pace: Pace, seat: Seat, until_s: float) -> Job:
    """The job once it has ended. Raises StillRunning where that takes longer than this request may wait."""
    job = exchanges.find_job(deps, seat)
    if job.finished:
        return job
    life_s = max(0.0, until_s - pace.monotonic_s()) + _SLOT_S
    # Of the tenant: whoever sends many long calls takes no place of another's.
    slot = slots.lease(
        deps, scope=job.tenant_id, name=f"waiting at {DIALECT.name}", count=deps.settings.waiting_calls, life_s=life_s
    )
    if slot is None:
        raise StillRunning(job.id, _RETRY_BUSY_S)
    try:
        job = exchanges.wait(deps, seat, until_s=until_s, pace=pace)
    finally:
        slots.give_back(deps, slot)
    if not job.finished:
        raise StillRunning(job.id, _RETRY_S)
    return job


def _result(deps: Deps, job: Job, *, names_call: bool) -> dict[str, Any]:
    """A-03: the body of a 200. Raises NotTranscribed, and UnknownCall for a named call whose audio could not be had.

    That may be a URL that its operator registered, or a file that was there when the request came (A-08).
    """
    if names_call and job.failure is not None and job.failure.code is FailureCode.SOURCE_UNREACHABLE:
        raise UnknownCall(mapping.NO_RECORDING)
    if job.state is not JobState.COMPLETED:
        account = job.price.account if job.price else Account.CREDITS
        available = ledger.balance(deps, tenant_id=job.tenant_id, account=account).available
        raise NotTranscribed(job, available=available)
    found = jobs.transcript(deps, job)
    hold = ledger.find_hold(deps, tenant_id=job.tenant_id, hold_id=job.id)
    assigned = roles.assign(found, job.call, swapped=job.roles_swapped, channels=job.channels)
    return mapping.answer(job, found, assigned, settled=hold.settled if hold else 0)


def _leave(deps: Deps, seat: Seat, *, answered: bool) -> None:
    """An answer that was made is given, even if what is left of it has to wait for the sweeper."""
    try:
        exchanges.leave(deps, seat, answered=answered)
    except CallscribeError:
        _log.warning("what is left of job %s is left to the sweeper", seat.job_id)


def _admit_nobody(_event: Mapping[str, Any], _scope: Scope) -> Principal:
    """No route asks the front for a credential."""
    raise Unauthenticated(mapping.INVALID_KEY)


def _refuse(deps: Deps, error: Exception) -> dict[str, Any]:
    """An answer of the contract's shape to whatever was raised outside the router."""
    return answers.plain(_refuse_in_router(deps, error))


def _refuse_in_router(deps: Deps, error: Exception) -> Response[str]:
    """The same for what was raised in the router."""
    if isinstance(error, StillRunning):
        body = json.dumps(mapping.still_running(error))
        return json_response(503, body, **{"Retry-After": str(error.retry_after_s)})
    return answers.refuse(error, refusal=mapping.refusal_of(deps.settings), challenge="Bearer")


def _decorate(_event: Mapping[str, Any]) -> dict[str, str]:
    """Headers of every answer: no caching, no sniffing."""
    return {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _responses(model: type[Any], *refused: int) -> Any:
    content = {"application/json": {"model": model}}
    refusals = {
        status: {
            "description": _REFUSED[status],
            "content": {"application/json": {"model": _REFUSALS.get(status, Refusal)}},
        }
        for status in refused
    }
    return {200: {"description": "Done.", "content": content}, **refusals}
