"""`callscribe callbacks`: the delivery log, replays, and a test message to a receiver."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe import names
from callscribe.cli.edge import ExitCode, Refused, UsageError
from callscribe.cli.output import Form, FormOption, document, line, moment, notice, table
from callscribe.cli.session import Session, TenantOption
from callscribe.domain.callbacks import Answer, Attempt, Callback, CallbackState, Outcome, judge
from callscribe.errors import Conflict, Invalid, OutboundFailed

if TYPE_CHECKING:
    from callscribe.ports import Deps

app = typer.Typer(no_args_is_help=True, help="See how callbacks were delivered, send them again, test a receiver.")

_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNDELIVERED = frozenset({CallbackState.FAILED, CallbackState.DISABLED})
_WHEN = "so long ago (30m, 24h, 7d) or a moment (2026-01-31T12:00Z)"

FailedOption = Annotated[bool, typer.Option("--failed", help="Only those that were given up.")]
UntilOption = Annotated[str | None, typer.Option(metavar="WHEN", help="Older than this; as --since. Default: now.")]


@app.command("list")
def list_callbacks(
    ctx: typer.Context,
    tenant: TenantOption = None,
    since: Annotated[str, typer.Option(metavar="WHEN", help=f"Made since: {_WHEN}.")] = "24h",
    until: UntilOption = None,
    failed: FailedOption = False,
    job: Annotated[str | None, typer.Option(metavar="ID", help="Only this job's, with every attempt.")] = None,
    output: FormOption = Form.TEXT,
) -> None:
    """The delivery log: callbacks and replays, newest first. JSON holds every attempt."""
    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    found = _listed(session.deps, tenant_id, since, until, failed=failed)
    entries = [
        _described(callback, _attempts(session.deps, callback) if job or output is Form.JSON else [])
        for callback in found
        if job in (None, callback.job_id)
    ]
    if output is Form.JSON:
        document(entries)
    else:
        _show(entries)


@app.command()
def replay(
    ctx: typer.Context,
    job_id: Annotated[str | None, typer.Argument(help="One job's callback.")] = None,
    tenant: TenantOption = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help=f"All made since: {_WHEN}.")] = None,
    until: UntilOption = None,
    failed: FailedOption = False,
    output: FormOption = Form.TEXT,
) -> None:
    """Send callbacks once more: same body, same `webhook-id`, a fresh signature.

    Either one job's, or each job's of a time window: `callbacks replay --since 7d --failed`.
    Of a time window, what is still being delivered is left alone. Exit code 6 where a callback cannot be replayed:
    it is still being delivered, no longer kept, or its receiver is disabled.
    """
    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    if (job_id is None) == (since is None):
        raise UsageError("either a job id, or --since for all of a time window")
    if job_id is not None:
        made, refused = [_replay(session.deps, tenant_id, job_id)], False
    else:
        found = _listed(session.deps, tenant_id, since or "", until, failed=False)
        made, refused = _replayed(session.deps, tenant_id, _to_replay(found, failed=failed))
    if output is Form.JSON:
        document([_described(callback, []) for callback in made])
    else:
        for callback in made:
            line(f"{callback.job_id}: replay {callback.replay} to {callback.url}")
        notice(f"{len(made)} on their way; `callscribe callbacks list` shows how they fare")
    if refused:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def ping(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="The receiver's address.")],
    tenant: TenantOption = None,
    output: FormOption = Form.TEXT,
) -> None:
    """Send a signed test message now.

    Exit code 1 unless the receiver answers 2xx, be it that it is down; 6 for an address that is not allowed.
    """
    from callscribe.services import callbacks

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    answer, error = None, None
    try:
        answer = callbacks.ping(session.deps, tenant_id=tenant_id, url=url, user_agent=f"{names.SERVICE}-ping")
    except OutboundFailed as failed:
        error = f"{failed.kind}: {failed}"
    _show_ping(url, answer, error, output)
    if answer is None or judge(answer.status) is not Outcome.DELIVERED:
        raise typer.Exit(ExitCode.JOB_FAILED)


@app.command()
def enable(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="The receiver's address, as the callbacks had it.")],
    tenant: TenantOption = None,
) -> None:
    """Let a receiver that was disabled (it said 410, or failed for five days) receive again."""
    from callscribe.services import callbacks

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    callbacks.enable(session.deps, tenant_id=tenant_id, url=url)
    line(f"{url} is enabled; what it missed: `callscribe callbacks replay --since 7d --failed`")


def _show_ping(url: str, answer: Answer | None, error: str | None, output: Form) -> None:
    if output is Form.JSON:
        status, duration_ms = (answer.status, answer.duration_ms) if answer else (None, None)
        accepted = status is not None and judge(status) is Outcome.DELIVERED
        document({"url": url, "status": status, "accepted": accepted, "duration_ms": duration_ms, "error": error})
    elif answer is None:
        line(f"{url} did not answer: {error}")
    else:
        said = f": {answer.excerpt}" if answer.excerpt else ""
        line(f"{url} answered {answer.status} in {answer.duration_ms} ms{said}")


def when_ms(text: str, *, now_ms: int) -> int:
    """Epoch milliseconds of `24h` (ago) or of an ISO 8601 moment (UTC unless it says otherwise). Raises UsageError."""
    ago = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    if ago:
        return now_ms - int(ago[1]) * _UNIT_MS[ago[2]]
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} is no time: give {_WHEN}") from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _listed(deps: "Deps", tenant_id: str, since: str, until: str | None, *, failed: bool) -> Iterator[Callback]:
    from callscribe.services import accounts, callbacks

    accounts.get_tenant(deps, tenant_id)  # an unknown tenant is told so, rather than shown an empty list
    now_ms = deps.now_ms()
    until_ms = when_ms(until, now_ms=now_ms) if until else None
    found = callbacks.list_callbacks(deps, tenant_id, since_ms=when_ms(since, now_ms=now_ms), until_ms=until_ms)
    return (callback for callback in found if not failed or callback.state in _UNDELIVERED)


def _to_replay(found: Iterable[Callback], *, failed: bool) -> list[str]:
    """Each job once, oldest first, as its newest delivery stands: ended, and given up if `failed` is asked for."""
    newest: dict[str, Callback] = {}
    for callback in found:
        known = newest.get(callback.job_id)
        if known is None or callback.replay > known.replay:
            newest[callback.job_id] = callback
    wanted = _UNDELIVERED if failed else _UNDELIVERED | {CallbackState.DELIVERED}
    return [job_id for job_id, callback in reversed(newest.items()) if callback.state in wanted]


def _replay(deps: "Deps", tenant_id: str, job_id: str) -> Callback:
    """Replay one. Raises Refused where that cannot be now, NotFound and Conflict."""
    from callscribe.services import callbacks

    try:
        return callbacks.replay(deps, tenant_id=tenant_id, job_id=job_id)
    except callbacks.EndpointDisabled as error:
        raise Refused(f"{error.rule}; `callscribe callbacks enable {error.url}` lets it receive again") from error
    except Invalid as error:
        raise Refused(error.rule) from error


def _replayed(deps: "Deps", tenant_id: str, job_ids: Iterable[str]) -> tuple[list[Callback], bool]:
    """Replay each; and whether one was refused. One that somebody else replays at this moment is left to them."""
    made, refused = [], False
    for job_id in job_ids:
        try:
            made.append(_replay(deps, tenant_id, job_id))
        except (Conflict, Refused) as error:
            notice(f"{job_id} is left alone: {error}")
            refused = refused or isinstance(error, Refused)
    return made, refused


def _attempts(deps: "Deps", callback: Callback) -> list[Attempt]:
    from callscribe.services import callbacks

    return callbacks.attempts(deps, callback)


def _described(callback: Callback, attempts: list[Attempt]) -> dict[str, Any]:
    return {
        "job_id": callback.job_id,
        "replay": callback.replay,
        "state": callback.state,
        "url": callback.url,
        "created_at": moment(callback.created_at_ms),
        "attempts": callback.attempts,
        "last_status": callback.last_status,
        "last_error": callback.last_error,
        "log": [_described_attempt(attempt) for attempt in attempts],
    }


def _described_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": moment(attempt.started_at_ms),
        "outcome": attempt.outcome,
        "status": attempt.status,
        "error": attempt.error,
        "duration_ms": attempt.duration_ms,
        "answer_excerpt": attempt.answer_excerpt,
    }


def _show(entries: list[dict[str, Any]]) -> None:
    titles = ("created_at", "job_id", "replay", "state", "attempts", "last", "url")
    rows = [
        [str({**entry, "last": _last(entry["last_status"], entry["last_error"])}[title]) for title in titles]
        for entry in entries
    ]
    table(titles, rows)
    for entry in entries:
        for made in entry["log"]:
            said = f": {made['answer_excerpt']}" if made["answer_excerpt"] else ""
            outcome = made["outcome"] or "under way"
            took = "-" if made["duration_ms"] is None else made["duration_ms"]
            line(
                f"  replay {entry['replay']} attempt {made['number']} at {made['started_at']}: {outcome}, "
                f"{_last(made['status'], made['error'])} in {took} ms{said}"
            )


def _last(status: int | None, error: str | None) -> str:
    return error or (str(status) if status is not None else "-")
