"""What making any task takes: a tariff that allows it, its directory, and what it costs, held from its start."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.jobs import Job
from callscribe.domain.prices import Account, Price
from callscribe.domain.records import Step
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.errors import (
    CallscribeError,
    Conflict,
    DuplicateFile,
    Exhausted,
    InsufficientCredits,
    NoTariff,
    Unavailable,
)
from callscribe.ports import Deps
from callscribe.services import creation, directories, jobs, ledger, tariffs
from callscribe.services.accounts import Principal
from callscribe.services.commits import pause_s
from callscribe.services.creation import Beside, Idempotency, NewJob, Source, nothing_beside

DIALECT: Final = "transcripto"
NOBODY_NAMED: Final = "global"  # the operator of a call or a chat that names none
MAX_FILE_NAME_CHARACTERS: Final = 255  # of those that a task shows
ACCOUNTS: Final = {
    TaskType.CALL: Account.CALL_SECONDS,
    TaskType.AUDIO: Account.AUDIO_SECONDS,
    TaskType.YOUTUBE: Account.VIDEO_SECONDS,
    TaskType.CHAT: Account.CHATS,
    TaskType.REPORT: Account.REPORTS,
}
_LISTENED_TO: Final = (TaskType.CALL, TaskType.AUDIO, TaskType.YOUTUBE)
_TRIES: Final = 30  # against others who pay from the same account at the same moment


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a client says about a task; see `TaskFacts`. `language`: BCP 47, None where the engine is to decide.

    `file_name`: all of it; the task shows its first MAX_FILE_NAME_CHARACTERS. `operator_name`: None where there is no
    operator at all.
    `unique_content`: refuse a file of which a task was made before that also asked for it (our extension to T-A12).
    `idempotency`: the same key gives the same task, whatever has changed since it was made.
    """

    type: TaskType
    file_name: str | None = None
    operator_name: str | None = NOBODY_NAMED
    client_id: str | None = None
    direction: Direction | None = None
    call_date: str | None = None
    call_at_ms: int | None = None
    processing_type: str = "standard"
    directory_id: int | None = None
    language: str | None = None
    unique_content: bool = False
    idempotency: Idempotency | None = None

    @property
    def account(self) -> Account:
        """What it is paid from."""
        return ACCOUNTS[self.type]


def require_tariff(deps: Deps, principal: Principal, kind: TaskType) -> None:
    """Raises NoTariff where the tenant has none now, or one that does not cover tasks of this kind."""
    tariff = tariffs.active(deps, principal.tenant_id)
    if kind is TaskType.CALL and not tariff.calls:
        raise NoTariff(f"the tariff {tariff.name} covers no calls")
    if kind in _LISTENED_TO and not tariff.transcription:
        raise NoTariff(f"the tariff {tariff.name} covers no transcription")


def require_directory(deps: Deps, principal: Principal, directory_id: int | None) -> None:
    """Raises Invalid for a directory that the tenant does not have."""
    if directory_id is not None:
        directories.require(deps, principal.tenant_id, directory_id)


def job_of(deps: Deps, new: NewTask, *, source: Source | None = None, known_files: tuple[str, ...] = ()) -> NewJob:
    """The job that does a task of sound."""
    facts = TaskFacts(
        type=new.type,
        file_name=None if new.file_name is None else new.file_name[:MAX_FILE_NAME_CHARACTERS].rstrip(),
        operator_name=new.operator_name,
        client_id=new.client_id,
        call_date=new.call_date,
        call_at_ms=new.call_at_ms,
        processing_type=new.processing_type,
        directory_id=new.directory_id,
        known_files=known_files,
    )
    agent_name = None if new.operator_name == NOBODY_NAMED else new.operator_name
    return NewJob(
        dialect=DIALECT,
        language=new.language,
        limits=deps.settings.tasks,
        call=CallFacts(direction=new.direction, agent_name=agent_name),
        source=source,
        idempotency=new.idempotency,
        task=facts,
        account=new.account,
    )


def require_funds(deps: Deps, principal: Principal, account: Account) -> None:
    """Raises InsufficientCredits where nothing is left to pay from: before it is known how much that will be."""
    ledger.require_funds(deps, tenant_id=principal.tenant_id, price=Price(account, 1))


def made_before(deps: Deps, principal: Principal, idempotency: Idempotency | None) -> Job | None:
    """The task that the same idempotency key made, if it is still there. Raises IdempotencyMismatch."""
    return creation.made_before(deps, idempotency, tenant_id=principal.tenant_id, dialect=DIALECT)


def make(deps: Deps, principal: Principal, new: NewJob, *, amount: int = 0, beside: Beside = nothing_beside) -> Job:
    """Make a task's job and hold `amount` of what it is paid from, in one transaction with the steps of `beside`.

    `beside` is asked again after a lost race. Raises InsufficientCredits, and what `beside` and `creation.create`
    raise; but where a twin with the same idempotency key has just taken what there was, that one's job is the answer.
    """
    try:
        return _made(deps, principal, new, amount, beside)
    except (DuplicateFile, InsufficientCredits):
        twin = made_before(deps, principal, new.idempotency)
        if twin is None:
            raise
        return twin


@contextlib.contextmanager
def bringing(deps: Deps, job: Job, idempotency: Idempotency | None) -> Iterator[None]:
    """Round the put of what a job works on. Whoever is told that it was not taken may send it again: then this task is
    not to be in his way. With an idempotency key it is the one that he then means.
    """
    try:
        yield
    except CallscribeError:
        if idempotency is None:
            with contextlib.suppress(CallscribeError):  # what this leaves the sweeper finds
                jobs.cancel(deps, tenant_id=job.tenant_id, job_id=job.id)
        raise


def _made(deps: Deps, principal: Principal, new: NewJob, amount: int, beside: Beside) -> Job:
    account = new.account
    if account is None:
        raise ValueError("a task says what it is paid from")

    def with_hold(job: Job) -> list[Step]:
        return [*_holding(deps, job, account, amount), *beside(job)]

    too_little: Exhausted | None = None
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(pause_s(deps, attempt))
        try:
            return creation.create(deps, principal, new, beside=with_hold)
        except Conflict:
            continue
        except Exhausted as error:  # others were faster; what is left now says the next try
            too_little = error
    if too_little is not None:
        raise ledger.insufficient(deps, principal.tenant_id, account, amount) from too_little
    raise Unavailable("what the task needs changed too often")


def _holding(deps: Deps, job: Job, account: Account, amount: int) -> list[Step]:
    return ledger.holding(
        deps,
        tenant_id=job.tenant_id,
        hold_id=job.id,
        account=account,
        amount=amount,
        deadline_at_ms=job.deadline_at_ms,
    )
