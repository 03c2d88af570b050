"""Callbacks on their way: first attempt from a queue, later ones by an execution that waits, all of them logged."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from callscribe import names
from callscribe.domain import callbacks
from callscribe.domain.callbacks import Answer, Attempt, Callback, CallbackState, Endpoint, Outcome
from callscribe.domain.jobs import Job
from callscribe.domain.records import delete, insert, update
from callscribe.domain.transcripts import Transcript
from callscribe.errors import Conflict, Invalid, NotFound, OutboundFailed, OutboundRefused, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts

BodySigner = Callable[[Mapping[str, Any]], str]

log = logging.getLogger(__name__)

_TRIES = 5
_LEASE_MS = 60_000  # how long a claimed attempt may take before another process may make it instead
_SLACK_S = 3_600  # on top of twice the schedule, before a callback is given up
_GRACE_MS = 120_000  # after the planned time of an attempt, when the sweeper looks at the callback


@dataclass(frozen=True, slots=True)
class Result:
    """What a dialect renders the body of a callback from; `job` as it stands when it has ended."""

    job: Job
    transcript: Transcript | None
    created_at_ms: int
    transcription_url: str | None = None  # set when the transcript is too large to stand in the body


class EndpointDisabled(Invalid):
    """A replay to a receiver that is disabled, which would end at once."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__("job", f"the receiver {endpoint.url} is disabled, because {endpoint.disabled_because}")
        self.url = endpoint.url


# The body's bytes, or None where the credential wants no callback for this result.
Renderer = Callable[[Result, BodySigner], bytes | None]


@dataclass(frozen=True, slots=True)
class Step:
    """What follows an attempt: nothing (`done`), or attempt number `attempt` in `wait_s` seconds."""

    done: bool
    attempt: int
    wait_s: int = 0


def enqueue(deps: Deps, *, tenant_id: str, job_id: str, replay: int, attempt: int = 1) -> None:
    """Hand a callback to the queue that attempts are made from."""
    deps.callback_queue.send({"tenant_id": tenant_id, "job_id": job_id, "replay": replay, "attempt": attempt})


def deliver_from_queue(deps: Deps, *, tenant_id: str, job_id: str, replay: int, attempt: int, user_agent: str) -> Step:
    """Make an attempt that a queue asked for; when it fails, start the execution that waits for the next."""
    step = deliver(deps, tenant_id=tenant_id, job_id=job_id, replay=replay, attempt=attempt, user_agent=user_agent)
    if not step.done:
        name = _get(deps, tenant_id, job_id, replay).execution_name
        # A name that was started before is harmless: either that execution goes on, or the sweeper does.
        deps.redeliveries.start(
            name,
            {
                "tenant_id": tenant_id,
                "job_id": job_id,
                "replay": replay,
                "attempt": step.attempt,
                "wait_s": step.wait_s,
            },
        )
    return step


def deliver(deps: Deps, *, tenant_id: str, job_id: str, replay: int, attempt: int, user_agent: str) -> Step:
    """Make attempt number `attempt` (1 for the first) unless it was made, and say what follows: nothing, when the
    callback was deleted with its job.

    Raises Conflict while another process makes the same attempt.
    """
    callback = deps.store.get(Callback, tenant_id, job_id, replay)
    if callback is None:
        _forget_attempts(deps, tenant_id, job_id, replay)
        return Step(done=True, attempt=attempt)
    if callback.state is not CallbackState.PENDING:
        return Step(done=True, attempt=attempt)
    made = deps.store.get(Attempt, tenant_id, job_id, replay, attempt)
    if made is None or made.outcome is None:
        if _is_disabled(deps, callback):
            return _end(deps, callback, attempt, CallbackState.DISABLED, "the endpoint is disabled")
        try:
            body = deps.results.read(callback.body_key)
        except NotFound:
            return _end(deps, callback, attempt, CallbackState.FAILED, "its body is no longer kept")
        made = _send(deps, callback, _claim(deps, callback, attempt, made), body, user_agent)
    _note_endpoint(deps, callback, made)
    return _settle(deps, callback, made)


def pending(deps: Deps, job: Job, *, replay: int, url: str, body_key: str) -> Callback:
    """A callback that is to be sent; not yet stored."""
    now_ms = deps.now_ms()
    longest_s = 2 * sum(deps.settings.callback_schedule_s) + _SLACK_S
    return Callback(
        tenant_id=job.tenant_id,
        job_id=job.id,
        replay=replay,
        url=url,
        body_key=body_key,
        state=CallbackState.PENDING,
        created_at_ms=now_ms,
        deadline_at_ms=now_ms + round(1000 * longest_s),
        due_at_ms=now_ms + 1000 * deps.settings.recheck_s,
    )


def expire(deps: Deps, callback: Callback) -> None:
    """Give a callback up whose deadline has passed."""
    _end(deps, callback, callback.attempts, CallbackState.FAILED, "it was not delivered in time")


def replay(deps: Deps, *, tenant_id: str, job_id: str) -> Callback:
    """Send a job's callback once more: same body, same `webhook-id`, its own log.

    Raises NotFound, Invalid and its kind EndpointDisabled.
    """
    earlier = deps.store.children(Callback, tenant_id, job_id)
    if not earlier:
        raise NotFound(f"job {job_id} has no callback")
    last = earlier[-1]
    if last.state is CallbackState.PENDING:
        raise Invalid("job", f"the callback of {job_id} is still being delivered")
    if deps.results.head(last.body_key) is None:
        raise Invalid("job", f"the callback of {job_id} is no longer kept")
    endpoint = _endpoint(deps, last)
    if endpoint is not None and endpoint.disabled_at_ms is not None:
        raise EndpointDisabled(endpoint)
    job = deps.store.get(Job, tenant_id, job_id)
    if job is None:
        raise NotFound(f"no job {job_id}")
    again = pending(deps, job, replay=last.replay + 1, url=last.url, body_key=last.body_key)
    deps.store.commit(insert(again), update(job))  # a job that is being deleted gets no more rows
    return again


def list_callbacks(deps: Deps, tenant_id: str, *, since_ms: int = 0, until_ms: int | None = None) -> Iterator[Callback]:
    """A tenant's callbacks and replays, newest first."""
    return deps.store.listed(Callback, tenant_id, since_ms=since_ms, until_ms=until_ms)


def attempts(deps: Deps, callback: Callback) -> list[Attempt]:
    """The delivery log of one callback, first attempt first."""
    return deps.store.children(Attempt, callback.tenant_id, callback.job_id, callback.replay)


def ping(deps: Deps, *, tenant_id: str, url: str, user_agent: str) -> Answer:
    """Send a signed test message to a URL now. Raises OutboundRefused and OutboundFailed."""
    message = f"msg_ping_{deps.random_bytes(8).hex()}"
    body = b'{"type":"ping"}'
    headers = _headers(deps, tenant_id, message, body, user_agent)
    return deps.webhooks.post(url, headers=headers, body=body)


def enable(deps: Deps, *, tenant_id: str, url: str) -> None:
    """Let a disabled endpoint receive again; callbacks that it missed can be replayed. Raises NotFound."""
    endpoint = deps.store.get(Endpoint, tenant_id, _digest(url))
    if endpoint is None:
        raise NotFound(f"no deliveries to {url} are known")
    deps.store.commit(update(endpoint, disabled_at_ms=None, disabled_because=None, failing_since_ms=None))


def _get(deps: Deps, tenant_id: str, job_id: str, number: int) -> Callback:
    callback = deps.store.get(Callback, tenant_id, job_id, number)
    if callback is None:
        raise NotFound(f"no callback {number} of job {job_id}")
    return callback


def _forget_attempts(deps: Deps, tenant_id: str, job_id: str, number: int) -> None:
    """Remove what was logged while the callback was being deleted."""
    for made in deps.store.children(Attempt, tenant_id, job_id, number):
        deps.store.commit(delete(made))


def _claim(deps: Deps, callback: Callback, number: int, made: Attempt | None) -> Attempt:
    """Take the attempt for this process. Raises Conflict when another one has it and may still be at it."""
    now_ms = deps.now_ms()
    if made is None:
        fresh = Attempt(callback.tenant_id, callback.job_id, callback.replay, number, started_at_ms=now_ms)
        deps.store.commit(insert(fresh))
        return fresh
    if now_ms < made.started_at_ms + _LEASE_MS:
        raise Conflict(f"attempt {number} of job {callback.job_id} is being made")
    change = update(made, started_at_ms=now_ms)
    deps.store.commit(change)
    taken: Attempt = change.after
    return taken


def _send(deps: Deps, callback: Callback, claim: Attempt, body: bytes, user_agent: str) -> Attempt:
    """POST the body; the attempt with its outcome, which is stored."""
    message = callbacks.message_id(callback.job_id)
    headers = _headers(deps, callback.tenant_id, message, body, user_agent)
    started_ms = deps.now_ms()
    try:
        answer = deps.webhooks.post(callback.url, headers=headers, body=body)
        change = update(
            claim,
            outcome=callbacks.judge(answer.status),
            status=answer.status,
            duration_ms=answer.duration_ms,
            retry_after_s=answer.retry_after_s,
            answer_excerpt=answer.excerpt,
        )
    except OutboundRefused as refused:
        change = update(
            claim, outcome=Outcome.RETRY, error=f"refused: {refused.rule}", duration_ms=deps.now_ms() - started_ms
        )
    except OutboundFailed as failed:
        outcome = Outcome.RETRY_LATER if failed.kind == "timeout" else Outcome.RETRY
        change = update(claim, outcome=outcome, error=failed.kind, duration_ms=deps.now_ms() - started_ms)
    deps.store.commit(change)
    ended: Attempt = change.after
    return ended


def _headers(deps: Deps, tenant_id: str, message: str, body: bytes, user_agent: str) -> dict[str, str]:
    secrets = accounts.webhook_secrets(deps, tenant_id)
    signed = callbacks.sign_headers(message, body, secrets=secrets, now_s=deps.now_ms() // 1000)
    return {"content-type": "application/json", "user-agent": user_agent, **signed}


def _settle(deps: Deps, callback: Callback, made: Attempt) -> Step:
    """Bring the callback up to date with an attempt that was made, and plan the next one."""
    wait_s = None
    if made.outcome in (Outcome.RETRY, Outcome.RETRY_LATER):
        wait_s = callbacks.next_delay_s(
            made.number,
            made.outcome,
            schedule_s=deps.settings.callback_schedule_s,
            jitter=_jitter(deps),
            busy_s=deps.settings.callback_busy_s,
            retry_after_s=made.retry_after_s,
        )
    if callback.attempts < made.number:
        _update_callback(deps, callback, made, wait_s)
    if wait_s is None:
        return Step(done=True, attempt=made.number)
    return Step(done=False, attempt=made.number + 1, wait_s=round(wait_s))


def _update_callback(deps: Deps, callback: Callback, made: Attempt, wait_s: float | None) -> None:
    fields: dict[str, Any] = {
        "attempts": made.number,
        "last_status": made.status,
        "last_error": made.error,
        "due_at_ms": None if wait_s is None else deps.now_ms() + round(1000 * wait_s) + _GRACE_MS,
    }
    if made.outcome is Outcome.DELIVERED:
        fields["state"] = CallbackState.DELIVERED
    elif made.outcome is Outcome.GONE:
        fields["state"] = CallbackState.DISABLED
    elif wait_s is None:
        fields["state"] = CallbackState.FAILED
    deps.store.commit(update(callback, **fields))


def _jitter(deps: Deps) -> float:
    """A number in [-1, 1] from the injected randomness."""
    return int.from_bytes(deps.random_bytes(4), "big") / (2**32 - 1) * 2 - 1


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _endpoint(deps: Deps, callback: Callback) -> Endpoint | None:
    return deps.store.get(Endpoint, callback.tenant_id, _digest(callback.url))


def _is_disabled(deps: Deps, callback: Callback) -> bool:
    endpoint = _endpoint(deps, callback)
    return endpoint is not None and endpoint.disabled_at_ms is not None


def _end(deps: Deps, callback: Callback, attempt: int, state: CallbackState, because: str) -> Step:
    """End a callback without another request."""
    deps.store.commit(update(callback, state=state, last_error=because, last_status=None, due_at_ms=None))
    return Step(done=True, attempt=attempt)


def _note_endpoint(deps: Deps, callback: Callback, made: Attempt) -> None:
    """Remember since when an endpoint only fails; disable it after 410, or after five days of failures."""
    for _ in range(_TRIES):
        endpoint = _endpoint(deps, callback)
        judged = _judged(deps, callback, endpoint, made)
        if judged is None:
            return
        try:
            if endpoint is None:
                deps.store.commit(insert(judged))
            else:
                fields = {name: getattr(judged, name) for name in _ENDPOINT_FIELDS}
                deps.store.commit(update(endpoint, **fields))
        except Conflict:
            continue
        if judged.disabled_because is not None:
            # The words raise an alarm; the owner sees it in the delivery log.
            log.warning(
                "%s: of tenant %s, %s", names.ENDPOINT_DISABLED_LOG, callback.tenant_id, judged.disabled_because
            )
        return
    raise Unavailable("the endpoint's record changed too often")


_ENDPOINT_FIELDS = ("failing_since_ms", "disabled_at_ms", "disabled_because")


def _judged(deps: Deps, callback: Callback, endpoint: Endpoint | None, made: Attempt) -> Endpoint | None:
    """The endpoint after this attempt, or None when nothing about it changed."""
    now_ms = deps.now_ms()
    if made.outcome is Outcome.DELIVERED:
        healthy = endpoint is None or endpoint.failing_since_ms is None
        return None if healthy else replace(endpoint, failing_since_ms=None)  # type: ignore[type-var]  # not None here
    known = endpoint or Endpoint(
        callback.tenant_id, _digest(callback.url), callback.url, now_ms, failing_since_ms=now_ms
    )
    since_ms = known.failing_since_ms or now_ms
    because = None
    if made.outcome is Outcome.GONE:
        because = "it answered 410"
    elif now_ms - since_ms >= callbacks.DISABLE_AFTER_MS:
        because = "it only failed for five days"
    judged = replace(known, failing_since_ms=since_ms)
    if because is not None:
        judged = replace(judged, disabled_at_ms=now_ms, disabled_because=because)
    return judged if judged != endpoint else None
