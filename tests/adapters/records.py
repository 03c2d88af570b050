"""Records to store."""

from typing import Any

from callscribe.domain.accounts import ApiKeyDigest
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.callbacks import Attempt, Callback, CallbackState
from callscribe.domain.credits import Balance
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.known_files import KnownFile
from callscribe.domain.prices import Account, Price
from callscribe.domain.task_facts import ChecklistAnswer, TaskFacts, TaskType
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import Failure, FailureCode

NOW_MS = 1_767_225_600_000


def a_job(**fields: Any) -> Job:
    defaults: dict[str, Any] = {
        "tenant_id": "t1",
        "id": "j1",
        "dialect": "presign",
        "key_id": "k1",
        "state": JobState.AWAITING_UPLOAD,
        "created_at_ms": NOW_MS,
        "deadline_at_ms": NOW_MS + 1,
        "due_at_ms": None,
    }
    return Job(**{**defaults, **fields})


def a_callback(**fields: Any) -> Callback:
    defaults: dict[str, Any] = {
        "tenant_id": "t1",
        "job_id": "j1",
        "replay": 0,
        "url": "https://receiver.example/",
        "state": CallbackState.PENDING,
        "created_at_ms": NOW_MS,
        "due_at_ms": NOW_MS,
    }
    defaults |= {"body_key": "results/t1/j1/callback.json", "deadline_at_ms": NOW_MS + 1}
    return Callback(**{**defaults, **fields})


def an_attempt(**fields: Any) -> Attempt:
    defaults: dict[str, Any] = {"tenant_id": "t1", "job_id": "j1", "replay": 0, "number": 1, "started_at_ms": NOW_MS}
    return Attempt(**{**defaults, **fields})


def a_digest(digest: str = "d1", tenant_id: str = "t1") -> ApiKeyDigest:
    return ApiKeyDigest(digest, tenant_id, "k1")


def a_balance(**fields: Any) -> Balance:
    defaults: dict[str, Any] = {"tenant_id": "t1", "account": Account.CREDITS}
    return Balance(**{**defaults, **fields})


def a_task(**fields: Any) -> Job:
    """A job with a value in every field that may have none."""
    facts = TaskFacts(
        type=TaskType.CALL,
        file_name="Größe #1.wav",
        operator_name="Ivan",
        client_id="C-42",
        call_date="2025-10-20",
        call_at_ms=1_760_943_600_000,
        processing_type="standard",
        directory_id=7,
        report_type="business",
        report_from="2025-10-01",
        report_until="2025-10-31",
        answers=(ChecklistAnswer(1, "yes"), ChecklistAnswer(2, "")),
        known_files=("name-1", "content-2"),
    )
    defaults: dict[str, Any] = {
        "audio": AudioFacts("wav", "pcm_s16le", 2, 8_000, 0.1 + 0.2, 2**40, dual_mono=True),
        "failure": Failure(FailureCode.AUDIO_TOO_LONG, "longer than 12 h"),
        "limits": AudioLimits(5, 2.0, 14_400.0),
        "price": Price(Account.CALL_SECONDS, 1),
        "call": CallFacts(1, Direction.OUTBOUND, "Ivan", "Example"),
        "work": WorkFigures(2.5, 1 / 3, 0.1, None, 1e-7),
        "options": ("a", "b"),
        "number": 101,
        "changed_at_ms": NOW_MS + 1,
        "task": facts,
    }
    return a_job(**{**defaults, **fields})


def a_dirty_task(**fields: Any) -> DirtyTask:
    defaults: dict[str, Any] = {
        "tenant_id": "t1",
        "list_name": TASKS,
        "task_id": 101,
        "of_version": 0,
        "created_at_ms": NOW_MS,
        "job": a_task(),
    }
    return DirtyTask(**{**defaults, **fields})


def a_known_file(**fields: Any) -> KnownFile:
    defaults: dict[str, Any] = {"tenant_id": "t1", "owner": "user-1", "digest": "name-1", "job_id": "j1"}
    return KnownFile(**{**defaults, **fields})
