"""How an integrator talks to the running system, and what a test does to what is behind it."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from callscribe import names
from callscribe.domain.jobs import Job
from callscribe.services import jobs
from local.front import Front, api_id_of
from local.system import LocalSystem

WAIT_S = 60.0
MOR = f"{names.DIALECTS['mor']}/ai"
JOBS = "/transcriptions"
UNDER_WAY = ("queued", "processing")
VIA_DOOR = "1.1 callscribe-door"


@contextlib.contextmanager
def mor_client(system: LocalSystem) -> Iterator[httpx.Client]:
    """A client of dialect `mor`, logged in by user and password."""
    made = system.credentials
    with httpx.Client(base_url=system.base_url + MOR, trust_env=False, timeout=WAIT_S) as client:
        session = client.post("/authentication/login", auth=(made.username, made.password))
        assert session.status_code == 200, session.text
        client.headers["Authorization"] = f"Bearer {session.json()['token']}"
        yield client


def create(mor: httpx.Client, **fields: Any) -> dict[str, Any]:
    """The answer to a new job."""
    answer = mor.post(JOBS, json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def upload(made: dict[str, Any], audio: bytes) -> None:
    """PUT a new job's audio to where its answer says."""
    httpx.put(made["upload_url"], content=audio, trust_env=False).raise_for_status()


def uploaded(mor: httpx.Client, audio: bytes, **fields: Any) -> dict[str, Any]:
    """A new job whose audio is there."""
    made = create(mor, **fields)
    upload(made, audio)
    return made


def ended(mor: httpx.Client, made: dict[str, Any]) -> dict[str, Any]:
    """How a job stands once it is no longer under way."""
    status: dict[str, Any] = {}

    def has_ended() -> bool:
        status.update(mor.get(f"{JOBS}/{made['id']}").json())
        return status["status"] not in UNDER_WAY

    wait_for(has_ended, f"job {made['id']} to end")
    return status


def usage(mor: httpx.Client) -> dict[str, Any]:
    """What is left, used and held."""
    answer: dict[str, Any] = mor.get("/usage").json()
    return answer


def transcribe(base_url: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """One call of dialect `aivoco`."""
    return httpx.post(f"{base_url}/transcribe", json=body, headers=headers, timeout=4 * WAIT_S, trust_env=False)


def newest_job(system: LocalSystem, tenant_id: str | None = None) -> Job:
    """The tenant's job that was made last."""
    return next(iter(system.deps().store.listed(Job, tenant_id or system.credentials.tenant_id)))


def job_of(system: LocalSystem, job_id: str) -> Job:
    """The job of the system's tenant."""
    return jobs.find(system.deps(), tenant_id=system.credentials.tenant_id, job_id=job_id)


def count_jobs(system: LocalSystem) -> int:
    """How many jobs the system's tenant has."""
    return sum(1 for _ in system.deps().store.listed(Job, system.credentials.tenant_id))


def executions_of(system: LocalSystem, job_id: str) -> list[str]:
    """Names of all executions of a job."""
    states = system.emulator.client("stepfunctions")
    listed = states.list_executions(stateMachineArn=system.outputs["TranscriptionMachine"], maxResults=1000)
    return [one["name"] for one in listed["executions"] if one["name"].startswith(job_id)]


def gateway_alone(system: LocalSystem) -> Front:
    """Another front of the same system, without a door."""
    return Front(system.emulator.endpoint_url, api_id_of(system.outputs["ApiUrl"]))


@contextlib.contextmanager
def worker_paused(system: LocalSystem) -> Iterator[None]:
    """Nothing is transcribed while this lasts."""
    group = system.workers[0].process.pid
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGCONT)


def worker_log(system: LocalSystem) -> str:
    """What the worker has said."""
    path: Path = system.settings.log_dir / "worker-0.log"
    return path.read_text()


def wait_for(condition: Callable[[], object], what: str, *, timeout_s: float = WAIT_S) -> None:
    """Look again and again. Raises TimeoutError."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.1)
