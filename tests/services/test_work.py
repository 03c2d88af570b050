from collections.abc import Callable
from pathlib import Path

import pytest

from callscribe.adapters.memory import Crash, Moment, When, faulty_deps
from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import update
from callscribe.errors import FailureCode, JobFailed
from callscribe.ports import DEFAULT_OPTIONS, Deps, Transcribed, TranscriptionOptions, WorkMessage
from callscribe.services import accounts, jobs, work
from tests.reliability.cloud import Cloud, render, some_transcript
from tests.reliability.judge import leftovers, problems


def transcribing(cloud: Cloud, **fields: object) -> Job:
    cloud.lost.add("work")
    job = cloud.order(**fields)
    cloud.upload(job)
    return cloud.run_until(job, JobState.TRANSCRIBING)


def do_work(cloud: Cloud, job: Job, meanwhile: Callable[[], object] = lambda: None, deps: Deps | None = None) -> None:
    def hear(path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
        meanwhile()
        return some_transcript(path, facts, options)

    work.transcribe(deps or cloud.plain, WorkMessage("receipt", job.tenant_id, job.id, job.id, 1), hear)


def finish(cloud: Cloud, job: Job) -> None:
    jobs.finish(cloud.plain, tenant_id=job.tenant_id, job_id=job.id, render=render("presign"))


@pytest.mark.parametrize("end", ["cancel", "erase"])
def test_a_transcript_whose_job_ended_meanwhile_is_gone_when_the_worker_is_done(end: str) -> None:
    cloud = Cloud()
    job = transcribing(cloud)
    do_work(cloud, job, lambda: getattr(cloud, end)(job))
    assert leftovers(cloud, job) == []
    assert cloud.results.keys() == []


@pytest.mark.parametrize("end", ["cancel", "erase"])
def test_a_worker_that_dies_before_it_can_look_leaves_it_to_the_next_one(end: str) -> None:
    cloud = Cloud()
    job = transcribing(cloud)

    def die(moment: Moment) -> None:
        if moment == Moment("results", "put_if_absent", When.AFTER):
            raise Crash

    with pytest.raises(Crash):
        do_work(cloud, job, lambda: getattr(cloud, end)(job), faulty_deps(cloud.plain, die))
    assert cloud.results.keys() == [job.transcript_key]
    do_work(cloud, job, lambda: pytest.fail("there is nothing to hear"))
    assert cloud.results.keys() == []


def test_a_second_worker_that_is_late_brings_nothing_back_that_was_fetched_and_erased() -> None:
    cloud = Cloud()
    job = transcribing(cloud, kept=False, callback_url=None)

    def another_is_faster() -> None:
        do_work(cloud, job)
        finish(cloud, job)
        cloud.results.erase(job.results_prefix)  # it was fetched
        cloud.clock.advance(1)

    do_work(cloud, job, another_is_faster)
    assert cloud.results.keys() == []


@pytest.mark.parametrize("late_s", [1, 100_000])
def test_a_second_worker_that_is_late_and_dies_leaves_it_to_the_next_one_once_nobody_fetches_any_more(
    late_s: int,
) -> None:
    cloud = Cloud()
    job = transcribing(cloud, kept=False, callback_url=None)

    def another_is_faster() -> None:
        do_work(cloud, job)
        finish(cloud, job)
        cloud.results.erase(job.results_prefix)  # it was fetched
        cloud.clock.advance(late_s)

    def die(moment: Moment) -> None:
        if moment == Moment("results", "put_if_absent", When.AFTER) and cloud.job(job).finished:
            raise Crash

    with pytest.raises(Crash):
        do_work(cloud, job, another_is_faster, faulty_deps(cloud.plain, die))
    do_work(cloud, job, lambda: pytest.fail("there is nothing to hear"))
    assert cloud.results.keys() == ([job.transcript_key] if late_s == 1 else [])
    cloud.clock.advance(cloud.plain.settings.fetched_result_s + cloud.plain.settings.recheck_s)
    cloud.sweep()
    assert cloud.results.keys() == []


def test_a_transcript_that_comes_after_a_failure_goes_but_not_the_body_of_its_callback() -> None:
    cloud = Cloud()
    job = transcribing(cloud, kept=False, callback_url="https://receiver.example.com/hook")

    def give_up() -> None:
        jobs.fail(cloud.plain, tenant_id=job.tenant_id, job_id=job.id, render=render("presign"))

    do_work(cloud, job, give_up)
    (body,) = cloud.results.keys()
    assert body.startswith(f"{job.results_prefix}callback-")


def test_a_second_worker_that_is_late_takes_nothing_away_from_a_job_that_is_kept() -> None:
    cloud = Cloud()
    job = transcribing(cloud)

    def another_is_faster() -> None:
        do_work(cloud, job)
        finish(cloud, job)
        cloud.clock.advance(1)

    do_work(cloud, job, another_is_faster)
    assert jobs.transcript(cloud.plain, cloud.job(job)).text == "some words"


def test_what_it_cost_is_noted_on_the_job() -> None:
    cloud = Cloud()
    job = transcribing(cloud)
    do_work(cloud, job)
    assert cloud.job(job).work is not None


def test_a_worker_that_cannot_do_it_notes_why_and_the_job_costs_nothing() -> None:
    cloud = Cloud()
    job = transcribing(cloud)

    def cannot() -> None:
        raise JobFailed(FailureCode.LANGUAGE_UNSUPPORTED, "no engine hears this language")

    do_work(cloud, job, cannot)
    cloud.settle()
    failure = cloud.job(job).failure
    assert failure is not None
    assert failure.code is FailureCode.LANGUAGE_UNSUPPORTED
    assert problems(cloud, job, paid=False) == []


def test_the_words_to_listen_for_are_the_jobs_own_and_then_its_tenants_as_they_are_now() -> None:
    cloud = Cloud()
    job = transcribing(cloud)
    cloud.plain.store.commit(update(job, vocabulary=("eSIM", "Callscribe")))
    accounts.change_tenant(cloud.plain, job.tenant_id, vocabulary=("Callscribe", "Müller"))
    asked: list[TranscriptionOptions] = []

    def hear(path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
        asked.append(options)
        return some_transcript(path, facts, options)

    work.transcribe(cloud.plain, WorkMessage("receipt", job.tenant_id, job.id, job.id, 1), hear)
    assert [(options.vocabulary, options.tenant_id) for options in asked] == [
        (("eSIM", "Callscribe", "Müller"), job.tenant_id)
    ]
