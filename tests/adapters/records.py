"""Records to store."""

from typing import Any

from callscribe.domain.accounts import ApiKeyDigest
from callscribe.domain.callbacks import Attempt, Callback, CallbackState
from callscribe.domain.credits import Account, Balance
from callscribe.domain.jobs import Job, JobState

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
