"""A tenant with a tariff, what its users do, and what the pipeline does to their tasks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from callscribe.adapters.memory import (
    ManualClock,
    MemoryDownloads,
    MemoryInspector,
    MemoryQueue,
    MemoryStore,
    Moment,
    When,
    memory_deps,
)
from callscribe.adapters.memory import (
    Plan as PlanOfFaults,
)
from callscribe.domain.audio import AudioFacts
from callscribe.domain.chats import Chat, Message
from callscribe.domain.credits import Balance, Hold
from callscribe.domain.jobs import Job
from callscribe.domain.known_files import KnownFile
from callscribe.domain.prices import Account
from callscribe.domain.records import insert
from callscribe.domain.shelves import EVERYBODY, Directory
from callscribe.domain.task_facts import TaskType
from callscribe.domain.task_marks import DirtyTask
from callscribe.errors import (
    CallscribeError,
    Unavailable,
)
from callscribe.ports import Deps
from callscribe.services import accounts, erasure, jobs, ledger, preparing, tariffs, tasks
from callscribe.services.accounts import Principal
from callscribe.services.sweep import sweep
from callscribe.services.tasks import NewTask
from callscribe.wiring import renderer_of
from tests.reliability.audit import unbalanced

URL = "https://example.com/calls/rec%20001.wav?token=secret"
LINK = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
CALL = NewTask(TaskType.CALL, file_name="call.wav")
AUDIO = NewTask(TaskType.AUDIO, file_name="memo.mp3")
CHAT = Chat((Message("Operator: hello\nCustomer: hi"),))
LONG = AudioFacts("wav", "pcm_s16le", 1, 8_000, 996.4, 0)


class Office:
    """A tenant with a tariff, and two of its users."""

    def __init__(self, tariff: str | None = "pro", **overrides: Any) -> None:
        self.store, self.clock = MemoryStore(), ManualClock()
        self.inspector, self.downloads, self.fetches = MemoryInspector(), MemoryDownloads(), MemoryQueue(self.clock)
        fakes = {"inspector": self.inspector, "downloader": self.downloads, "fetch_queue": self.fetches}
        self.deps: Deps = memory_deps(**{"store": self.store, "now_ms": self.clock, **fakes, **overrides})
        self.tenant_id = accounts.create_tenant(self.deps, name="Example").id
        self.user = Principal(self.tenant_id, "user-1", frozenset())
        self.colleague = replace(self.user, key_id="user-2")
        if tariff is not None:
            tariffs.subscribe(self.deps, self.tenant_id, tariff)

    def add(self, new: NewTask = CALL, content: bytes | Path = b"sound", **who: Principal) -> Job:
        return tasks.add_file(self.deps, who.get("by", self.user), new, content)

    def job(self, job: Job) -> Job:
        return jobs.find(self.deps, tenant_id=job.tenant_id, job_id=job.id)

    def arrive(self, job: Job) -> Job:
        """What S3's event makes of what was put."""
        info = self.deps.uploads.head(job.audio_key)
        assert info is not None
        jobs.uploaded(self.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=info.version_id)
        return self.job(job)

    def prepare(self, job: Job) -> Job:
        return preparing.prepare(self.deps, tenant_id=job.tenant_id, job_id=job.id)

    def fail(self, job: Job) -> Job:
        render = renderer_of(job.dialect)
        return jobs.fail(self.deps, tenant_id=job.tenant_id, job_id=job.id, render=render)

    def finish(self, job: Job) -> Job:
        render = renderer_of(job.dialect)
        return jobs.finish(self.deps, tenant_id=job.tenant_id, job_id=job.id, render=render)

    def sweep(self, after_s: int) -> None:
        self.clock.advance(after_s)
        sweep(self.deps, renderer_of=renderer_of)

    def balance(self, account: Account) -> tuple[int, int, int]:
        row = self.store.get(Balance, self.tenant_id, account)
        assert row is not None
        return row.available, row.held, row.spent

    def spend(self, account: Account, left: int) -> None:
        """Leave so much in the account."""
        has = ledger.balance(self.deps, tenant_id=self.tenant_id, account=account).available
        ledger.top_up(self.deps, tenant_id=self.tenant_id, account=account, amount=left - has, reference="spent")

    def directory(self, directory_id: int = 7) -> int:
        self.deps.store.commit(insert(Directory(self.tenant_id, EVERYBODY, directory_id, "Sales", self.clock())))
        return directory_id


def nothing_was_made(office: Office) -> bool:
    kinds: tuple[type[Any], ...] = (Job, Hold, DirtyTask, KnownFile)
    return not any(office.store.all(kind) for kind in kinds) and unbalanced(office.store) == []


def raised_by(make: Callable[[], object]) -> type[Exception] | None:
    try:
        make()
    except CallscribeError as error:
        return type(error)
    return None


def failing(method: str) -> PlanOfFaults:
    """A bucket that does not answer when something is put into it."""

    def plan(moment: Moment) -> None:
        if (moment.port, moment.method, moment.when) == ("uploads", method, When.BEFORE):
            raise Unavailable("no answer")

    return plan


def at(method: str, act: Callable[[], object]) -> PlanOfFaults:
    """Somebody does something when results are about to be put."""

    def plan(moment: Moment) -> None:
        if (moment.port, moment.method, moment.when) == ("results", method, When.BEFORE):
            act()

    return plan


def cancel_in(office: Office) -> Callable[[Job], object]:
    return lambda job: jobs.cancel(office.deps, tenant_id=job.tenant_id, job_id=job.id)


def erase_in(office: Office) -> Callable[[Job], object]:
    return lambda job: erasure.erase_job(office.deps, tenant_id=job.tenant_id, job_id=job.id)
