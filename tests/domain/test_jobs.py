from dataclasses import replace

import pytest

from callscribe.domain.jobs import (
    MOVES,
    IllegalMove,
    Job,
    JobState,
    audio_key,
    change_task,
    ids_from_audio_key,
    is_job_id,
    move,
    results_prefix,
    source_key,
)
from callscribe.domain.task_facts import TaskFacts, TaskType

ID = "08946cd4-94a2-400b-8e93-21af0c225309"
ENDED = {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


def a_job(state: JobState) -> Job:
    return Job("t1", ID, "presign", "k1", state, 0, 1, due_at_ms=5)


@pytest.mark.parametrize("before", JobState)
@pytest.mark.parametrize("after", JobState)
def test_only_the_moves_of_the_table_are_made(before: JobState, after: JobState) -> None:
    if after in MOVES[before]:
        assert move(a_job(before), after, at_ms=7).after.state is after
    else:
        with pytest.raises(IllegalMove):
            move(a_job(before), after, at_ms=7)


def test_what_has_ended_stays_as_it_is_and_everything_else_can_end() -> None:
    assert {state for state in JobState if not MOVES[state]} == ENDED
    assert all({JobState.FAILED, JobState.CANCELLED} <= MOVES[state] for state in set(JobState) - ENDED)


def test_nothing_is_due_after_the_end_but_what_is_asked_for() -> None:
    job = a_job(JobState.QUEUED)
    assert move(job, JobState.FAILED, at_ms=7).after.due_at_ms is None
    assert move(job, JobState.FAILED, at_ms=7, due_at_ms=9).after.due_at_ms == 9
    assert move(job, JobState.TRANSCRIBING, at_ms=7).after.due_at_ms == 5


def test_each_move_and_each_change_of_a_task_comes_after_the_one_before_whatever_the_clock_says() -> None:
    job = replace(a_job(JobState.QUEUED), changed_at_ms=6, task=TaskFacts(TaskType.CALL))
    assert move(job, JobState.TRANSCRIBING, at_ms=7).after.changed_at_ms == 7
    assert move(job, JobState.TRANSCRIBING, at_ms=6).after.changed_at_ms == 7
    named = change_task(job, TaskFacts(TaskType.CALL, file_name="a.wav"), at_ms=5).after
    assert (named.changed_at_ms, named.task.file_name, named.state) == (7, "a.wav", job.state)


def test_only_a_chat_is_written() -> None:
    job = a_job(JobState.QUEUED)
    assert not job.is_written
    assert [kind for kind in TaskType if replace(job, task=TaskFacts(kind)).is_written] == [TaskType.CHAT]


def test_all_keys_of_a_job_lead_through_its_tenant_and_back() -> None:
    job = a_job(JobState.QUEUED)
    assert job.audio_key == audio_key("t1", ID) == f"audio/t1/{ID}"
    assert job.source_key == source_key("t1", ID) == f"sources/t1/{ID}"
    assert job.transcript_key == f"{results_prefix('t1', ID)}transcript.json" == f"results/t1/{ID}/transcript.json"
    assert ids_from_audio_key(job.audio_key) == ("t1", ID)


@pytest.mark.parametrize("text", ["", "0", ID[:-1], ID + "0", ID.upper(), f"{ID}\n", "../" + ID, ID.replace("-", "_")])
def test_what_is_no_job_id_is_not_taken_for_one(text: str) -> None:
    assert is_job_id(ID)
    assert not is_job_id(text)
