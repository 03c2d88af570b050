"""functions/prepare_audio and functions/finish_job on the events of the transcription machine's states."""

import io
import json
import math
import struct
import wave
from dataclasses import replace
from typing import Any

import pytest

from callscribe.domain import chats
from callscribe.domain.credits import HoldState
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.task_facts import TaskType
from callscribe.errors import Failure, FailureCode, JobFailed, NotFound
from callscribe.media.inspect import inspect
from callscribe.services import jobs, ledger, tariffs, tasks
from tests.functions.stage import Stage, handler_of

RECEIVER = "https://receiver.example.com/hook"


def a_recording(seconds: float = 1.0) -> bytes:
    """Two channels of 16 bits at 8 kHz: a tone and another one."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8_000)
        tones = [
            (round(9_000 * math.sin(at / 5)), round(9_000 * math.sin(at / 7))) for at in range(round(8_000 * seconds))
        ]
        out.writeframes(b"".join(struct.pack("<hh", *frame) for frame in tones))
    return file.getvalue()


def ids(job: Job, **more: str) -> dict[str, Any]:
    return {"tenant_id": job.tenant_id, "job_id": job.id, **more}


def test_prepare_measures_the_audio_and_lets_the_job_be_transcribed(stage: Stage) -> None:
    job = stage.queued(a_recording(1.5))
    assert handler_of("prepare_audio")(ids(job), None) == {"words": False}
    stored = stage.job(job)
    assert stored.state is JobState.TRANSCRIBING
    assert stored.audio is not None
    assert (stored.audio.channels, stored.audio.sample_rate_hz, stored.audio.duration_s) == (2, 8_000, 1.5)


def test_prepare_twice_is_once(stage: Stage) -> None:
    job = stage.queued(a_recording())
    handler = handler_of("prepare_audio")
    first = handler(ids(job), None)
    prepared = stage.job(job)
    assert handler(ids(job), None) == first
    assert stage.job(job) == prepared


def test_prepare_looks_at_the_version_that_was_taken_up_not_at_a_later_one(stage: Stage) -> None:
    job = stage.queued(a_recording(1.0))
    stage.upload(job, b"something else")
    handler_of("prepare_audio")(ids(job), None)
    assert stage.job(job).state is JobState.TRANSCRIBING


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", FailureCode.AUDIO_EMPTY),
        (b"<html>no audio here</html>", FailureCode.AUDIO_UNSUPPORTED),
        (a_recording(0.01), FailureCode.AUDIO_TOO_SHORT),
    ],
)
def test_prepare_raises_for_bad_audio_and_notes_why_on_the_job(stage: Stage, body: bytes, code: FailureCode) -> None:
    job = stage.queued(body)
    with pytest.raises(JobFailed) as failed:
        handler_of("prepare_audio")(ids(job), None)
    # The machine tells "retry" from "do not" by the class's name.
    assert type(failed.value).__name__ == "JobFailed"
    stored = stage.job(job)
    assert (stored.state, stored.failure) == (JobState.QUEUED, failed.value.failure)
    assert stored.failure is not None
    assert stored.failure.code is code


def test_the_execution_of_a_deleted_job_comes_to_its_end_without_retries(stage: Stage) -> None:
    gone = {"tenant_id": "t1", "job_id": "j1"}
    with pytest.raises(JobFailed, match="deleted"):
        handler_of("prepare_audio")(gone, None)
    ended = {"job_id": "j1", "state": "DELETED"}
    assert handler_of("finish_job")({**gone, "error": "JobFailed"}, None) == ended
    assert handler_of("finish_job")(gone, None) == ended


def test_finish_completes_the_job_and_writes_its_outbox_row(stage: Stage) -> None:
    job = stage.transcribed(callback_url=RECEIVER)
    assert handler_of("finish_job")(ids(job), None) == {"job_id": job.id, "state": "COMPLETED"}
    assert stage.job(job).state is JobState.COMPLETED
    assert [(row.url, row.replay) for row in stage.callbacks(job)] == [(RECEIVER, 0)]
    body = json.loads(stage.deps.results.read(stage.callbacks(job)[0].body_key))
    assert body["transcription"] == [{"text": "hello there", "start": 0.0, "end": 1.0, "speaker": "0"}]


def test_finish_twice_is_once(stage: Stage) -> None:
    job = stage.transcribed(callback_url=RECEIVER)
    handler = handler_of("finish_job")
    first = handler(ids(job), None)
    ended, body = stage.job(job), stage.deps.results.read(stage.callbacks(job)[0].body_key)
    assert handler(ids(job), None) == first
    assert handler(ids(job, error="States.Timeout"), None) == first
    assert stage.job(job) == ended
    assert len(stage.callbacks(job)) == 1
    assert stage.deps.results.read(stage.callbacks(job)[0].body_key) == body


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("States.Timeout", FailureCode.DEADLINE_EXCEEDED),
        ("States.TaskFailed", FailureCode.INTERNAL),
        ("Lambda.Unknown", FailureCode.INTERNAL),
        ("internal", FailureCode.INTERNAL),
        ("", FailureCode.INTERNAL),
    ],
)
def test_finish_with_an_error_fails_the_job_with_its_code(stage: Stage, error: str, code: FailureCode) -> None:
    job = stage.transcribing(callback_url=RECEIVER)
    assert handler_of("finish_job")(ids(job, error=error), None) == {"job_id": job.id, "state": "FAILED"}
    failure = stage.job(job).failure
    assert failure is not None
    assert failure.code is code
    body = json.loads(stage.deps.results.read(stage.callbacks(job)[0].body_key))
    assert (body["status"], body["error"]["code"]) == ("ERROR", code)


def test_finish_tells_the_reason_that_was_noted_not_the_errors_name(stage: Stage) -> None:
    job = stage.queued()
    jobs.note_failure(stage.deps, job, Failure(FailureCode.AUDIO_UNREADABLE, "the file cannot be decoded"))
    handler_of("finish_job")(ids(job, error="JobFailed"), None)
    failure = stage.job(job).failure
    assert failure == Failure(FailureCode.AUDIO_UNREADABLE, "the file cannot be decoded")


def test_finish_without_a_transcript_raises_so_that_the_machine_tries_again(stage: Stage) -> None:
    job = stage.transcribing()
    with pytest.raises(NotFound):
        handler_of("finish_job")(ids(job), None)
    assert stage.job(job) == job


def test_finish_erases_the_audio_of_a_job_that_keeps_none_and_where_it_came_from(stage: Stage) -> None:
    job = stage.transcribed(source=jobs.Source(url="https://media.example.com/call.wav"), kept=False)
    assert stage.deps.uploads.head(job.source_key) is not None
    assert handler_of("finish_job")(ids(job), None) == {"job_id": job.id, "state": "COMPLETED"}
    assert stage.deps.uploads.head(job.source_key) is None
    assert stage.deps.uploads.head(job.audio_key, version_id=job.audio_version_id) is None
    assert stage.deps.results.head(job.transcript_key) is not None  # until it is fetched


def test_prepare_stores_the_words_of_a_chat_and_says_that_they_are_there(stage: Stage) -> None:
    tariffs.subscribe(stage.deps, stage.principal.tenant_id, "pro")
    chat = chats.of("Operator: hello\nCustomer: hi")
    made = tasks.add_chat(stage.deps, stage.principal, tasks.NewTask(TaskType.CHAT), chat)
    info = stage.deps.uploads.head(made.audio_key)
    assert info is not None
    jobs.uploaded(stage.deps, tenant_id=made.tenant_id, job_id=made.id, version_id=info.version_id)
    for _ in range(2):
        assert handler_of("prepare_audio")(ids(made), None) == {"words": True}
    assert handler_of("finish_job")(ids(made), None) == {"job_id": made.id, "state": "COMPLETED"}
    assert jobs.transcript(stage.deps, stage.job(made)) == chats.to_transcript(chat)
    hold = ledger.find_hold(stage.deps, tenant_id=made.tenant_id, hold_id=made.id)
    assert hold is not None
    assert (hold.state, hold.settled) == (HoldState.SETTLED, 1)


def test_a_file_that_was_measured_when_it_came_is_not_measured_again(stage: Stage) -> None:
    tariffs.subscribe(stage.deps, stage.principal.tenant_id, "pro")
    deps = replace(stage.deps, inspector=inspect)
    made = tasks.add_file(deps, stage.principal, tasks.NewTask(TaskType.CALL, file_name="a.wav"), a_recording(2.5))
    assert made.audio is not None
    assert made.audio.duration_s == 2.5
    info = stage.deps.uploads.head(made.audio_key)
    assert info is not None
    jobs.uploaded(stage.deps, tenant_id=made.tenant_id, job_id=made.id, version_id=info.version_id)
    assert handler_of("prepare_audio")(ids(made), None) == {"words": False}
    assert stage.job(made).audio == made.audio
    hold = ledger.find_hold(stage.deps, tenant_id=made.tenant_id, hold_id=made.id)
    assert hold is not None
    assert (hold.state, hold.amount) == (HoldState.OPEN, 3)
