"""Tasks that are counted, not measured: chats and reports."""

import json
from dataclasses import replace
from typing import Final

from callscribe.domain import chats
from callscribe.domain.call_facts import CallFacts
from callscribe.domain.chats import Chat
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account
from callscribe.domain.records import Step, insert
from callscribe.domain.reports import PublicReport
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.errors import Invalid
from callscribe.ports import Deps
from callscribe.services import ledger
from callscribe.services.accounts import Principal
from callscribe.services.creation import Idempotency, NewJob
from callscribe.services.task_making import (
    ACCOUNTS,
    DIALECT,
    NewTask,
    bringing,
    made_before,
    make,
    require_directory,
    require_tariff,
)

BUSINESS: Final = "business"  # the reports that a tariff counts


def add_chat(deps: Deps, principal: Principal, new: NewTask, chat: Chat) -> Job:
    """Make a task of a written conversation: one piece of the tariff for each 50 KB that it begins.

    Raises NoTariff, Invalid (`text`, `directory_id`) and InsufficientCredits.
    """
    if chat.is_empty:
        raise Invalid("text", "must not be empty")
    if chat.size_bytes > chats.MAX_BYTES or chat.answer_bytes > chats.MAX_BYTES:
        raise Invalid("text", f"must have at most {chats.MAX_BYTES} bytes, as an answer in JSON has to write it")
    job = made_before(deps, principal, new.idempotency) or _make_chat(deps, principal, new, chat)
    _put(deps, job, chats.to_json(chat), new.idempotency)
    return job


def _make_chat(deps: Deps, principal: Principal, new: NewTask, chat: Chat) -> Job:
    require_tariff(deps, principal, TaskType.CHAT)
    require_directory(deps, principal, new.directory_id)
    facts = TaskFacts(
        type=TaskType.CHAT,
        file_name=new.file_name,
        operator_name=new.operator_name,
        client_id=new.client_id,
        call_date=new.call_date,
        call_at_ms=new.call_at_ms,
        directory_id=new.directory_id,
    )
    call = CallFacts(agent_channel=chats.AGENT_SIDE, direction=new.direction)
    job = replace(_job_of(facts, new.idempotency), call=call, language=new.language)
    return make(deps, principal, job, amount=chat.pieces)


def add_report(
    deps: Deps,
    principal: Principal,
    *,
    start: str,
    end: str,
    report_type: str,
    idempotency: Idempotency | None = None,
) -> tuple[Job, int | None]:
    """Make a task of a report from `start` to `end` (dates or times, as they were given).

    A business report takes one of the tariff's; how many are left now is the second answer, None for other types.
    Raises NoTariff, and InsufficientCredits (of REPORTS).
    """
    facts = TaskFacts(type=TaskType.REPORT, report_type=report_type, report_from=start, report_until=end)
    job = made_before(deps, principal, idempotency) or _make_report(deps, principal, _job_of(facts, idempotency))
    asked = {"start": start, "end": end, "report_type": report_type}
    _put(deps, job, json.dumps(asked).encode(), idempotency)
    if report_type != BUSINESS:
        return job, None
    return job, ledger.balance(deps, tenant_id=job.tenant_id, account=Account.REPORTS).available


def _make_report(deps: Deps, principal: Principal, new: NewJob) -> Job:
    require_tariff(deps, principal, TaskType.REPORT)
    counts = new.task is not None and new.task.report_type == BUSINESS
    return make(deps, principal, new, amount=int(counts), beside=_public)


def _job_of(facts: TaskFacts, idempotency: Idempotency | None) -> NewJob:
    return NewJob(dialect=DIALECT, idempotency=idempotency, task=facts, account=ACCOUNTS[facts.type])


def _public(job: Job) -> list[Step]:
    return [insert(PublicReport(job.id, job.tenant_id, job.id))]


def _put(deps: Deps, job: Job, body: bytes, idempotency: Idempotency | None) -> None:
    """What a job works on arrives where audio does, and starts it as audio would."""
    if job.state is JobState.AWAITING_UPLOAD:
        with bringing(deps, job, idempotency):
            deps.uploads.put_if_absent(job.audio_key, body, content_type="application/json")
