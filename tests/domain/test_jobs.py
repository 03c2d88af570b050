import pytest

from callscribe.domain.jobs import (
    MOVES,
    IllegalMove,
    Job,
    JobState,
    audio_key,
    ids_from_audio_key,
    is_job_id,
    move,
    results_prefix,
    source_key,
)

ID = "08946cd4-94a2-400b-8e93-21af0c225309"
ENDED = {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


def a_job(state: JobState) -> Job:
    return Job("t1", ID, "presign", "k1", state, 0, 1, due_at_ms=5)


@pytest.mark.parametrize("before", JobState)
@pytest.mark.parametrize("after", JobState)
def test_only_the_moves_of_the_table_are_made(before: JobState, after: JobState) -> None:
    if after in MOVES[before]:
        assert move(a_job(before), after).after.state is after
    else:
        with pytest.raises(IllegalMove):
            move(a_job(before), after)


def test_what_has_ended_stays_as_it_is_and_everything_else_can_end() -> None:
    assert {state for state in JobState if not MOVES[state]} == ENDED
    assert all({JobState.FAILED, JobState.CANCELLED} <= MOVES[state] for state in set(JobState) - ENDED)


def test_nothing_is_due_after_the_end_but_what_is_asked_for() -> None:
    job = a_job(JobState.QUEUED)
    assert move(job, JobState.FAILED).after.due_at_ms is None
    assert move(job, JobState.FAILED, due_at_ms=9).after.due_at_ms == 9
    assert move(job, JobState.TRANSCRIBING).after.due_at_ms == 5


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
