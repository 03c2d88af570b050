from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from callscribe.adapters.memory import Moment, When, faulty_deps
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.callbacks import Callback
from callscribe.domain.credits import Balance, Hold, HoldState
from callscribe.domain.jobs import IdempotencyRecord, Job, JobNumber, JobState, ResultLink
from callscribe.domain.prices import Account, Plan, Price
from callscribe.domain.records import insert, update
from callscribe.errors import (
    Conflict,
    Exhausted,
    Failure,
    FailureCode,
    IdempotencyMismatch,
    JobFailed,
    NotFound,
    OutboundRefused,
    Unavailable,
)
from callscribe.services import accounts, creation, erasure, jobs, ledger, preparing
from callscribe.services.jobs import Idempotency, NewJob, Source
from tests.reliability.audit import unbalanced
from tests.reliability.cloud import PRICE_M, PRICE_M_PER_S, RECORDING, Cloud, render
from tests.reliability.judge import leftovers, problems

KEY = Idempotency("key-1", "a" * 64)


def create(cloud: Cloud, **fields: Any) -> Job:
    return jobs.create(cloud.plain, cloud.principal, NewJob(**{"dialect": "presign", **fields}))


def queued(cloud: Cloud, **fields: Any) -> Job:
    job = create(cloud, **fields)
    cloud.upload(job)
    return cloud.run_until(job, JobState.QUEUED)


def prepare(cloud: Cloud, job: Job, deps: Any = None) -> Job:
    return preparing.prepare(deps or cloud.plain, tenant_id=job.tenant_id, job_id=job.id)


def fail(cloud: Cloud, job: Job) -> Job:
    return jobs.fail(cloud.plain, tenant_id=job.tenant_id, job_id=job.id, render=render("presign"))


def transcribed(cloud: Cloud, **fields: Any) -> Job:
    """A job whose transcript is stored, and which nobody has finished yet."""
    job = create(cloud, **fields)
    cloud.upload(job)
    cloud.lost.add("finish")
    while cloud.step():
        pass
    return cloud.job(job)


def at_commit(act: Callable[[], object]) -> Callable[[Moment], None]:
    """Somebody else is faster, once."""
    done = False

    def plan(moment: Moment) -> None:
        nonlocal done
        if moment == Moment("store", "commit", When.BEFORE) and not done:
            done = True
            act()

    return plan


class TestCreate:
    def test_jobs_of_a_tenant_are_numbered_from_1_and_found_by_number_or_uuid_in_either_case(self) -> None:
        cloud = Cloud()
        first, second = create(cloud), create(cloud)
        assert (first.number, second.number) == (1, 2)
        for given in (second.id, second.id.upper(), "2", "002"):
            assert jobs.find_by_any_id(cloud.plain, tenant_id=second.tenant_id, given=given) == second

    @pytest.mark.parametrize("given", ["3", "0", "-1", "²", "1" * 16, "1 ", "", "x", "1.0"])
    def test_what_names_no_job_finds_none(self, given: str) -> None:
        cloud = Cloud()
        create(cloud), create(cloud)
        with pytest.raises(NotFound):
            jobs.find_by_any_id(cloud.plain, tenant_id=cloud.principal.tenant_id, given=given)

    def test_a_job_of_another_tenant_is_not_found_by_any_id(self) -> None:
        cloud = Cloud()
        job = create(cloud)
        for given in (job.id, str(job.number)):
            with pytest.raises(NotFound):
                jobs.find_by_any_id(cloud.plain, tenant_id="t-other", given=given)

    def test_the_price_is_that_of_the_day_it_was_made(self) -> None:
        cloud = Cloud()
        job = queued(cloud)
        accounts.change_tenant(
            cloud.plain, job.tenant_id, plan=Plan(Account.CREDITS, credits_m_per_s=9 * PRICE_M_PER_S)
        )
        later = create(cloud)
        cloud.settle()
        assert cloud.job(job).state is JobState.COMPLETED
        assert problems(cloud, job, paid=True) == []
        assert later.price == Price(Account.CREDITS, 9 * PRICE_M_PER_S)

    def test_a_tenant_without_a_plan_pays_nothing_also_when_it_gets_one_meanwhile(self) -> None:
        cloud = Cloud()
        accounts.change_tenant(cloud.plain, cloud.principal.tenant_id, plan=None)
        job = queued(cloud)
        accounts.change_tenant(cloud.plain, job.tenant_id, plan=Plan(Account.SECONDS))
        cloud.settle()
        assert cloud.job(job).state is JobState.COMPLETED
        assert cloud.store.all(Hold) == []

    def test_a_key_that_pays_from_another_account_does(self) -> None:
        cloud = Cloud()
        ledger.top_up(
            cloud.plain, tenant_id=cloud.principal.tenant_id, account=Account.SECONDS, amount=12, reference="seconds"
        )
        principal = replace(cloud.principal, pays_from=Account.SECONDS)
        job = jobs.create(cloud.plain, principal, NewJob(dialect="presign"))
        cloud.upload(job)
        cloud.settle()
        balance = cloud.store.get(Balance, job.tenant_id, Account.SECONDS)
        assert balance is not None
        assert (balance.available, balance.held, balance.spent) == (2, 0, 10)

    def test_what_a_job_does_not_say_of_its_call_the_tenant_says(self) -> None:
        cloud = Cloud()
        call = CallFacts(agent_channel=1, direction=Direction.INBOUND)
        accounts.change_tenant(cloud.plain, cloud.principal.tenant_id, call=call)
        assert create(cloud, call=CallFacts(agent_channel=0)).call == replace(call, agent_channel=0)

    def test_the_same_key_gives_the_same_job_for_24_hours_and_another_body_is_refused(self) -> None:
        cloud = Cloud()
        first = create(cloud, idempotency=KEY)
        cloud.clock.advance(86_399)
        assert create(cloud, idempotency=KEY).id == first.id
        with pytest.raises(IdempotencyMismatch):
            create(cloud, idempotency=Idempotency(KEY.key, "b" * 64))
        cloud.clock.advance(1)
        again = create(cloud, idempotency=Idempotency(KEY.key, "b" * 64))
        assert again.id != first.id
        assert len(cloud.store.all(Job)) == len(cloud.store.all(JobNumber)) == 2
        assert len(cloud.store.all(IdempotencyRecord)) == 1

    def test_the_same_key_at_another_dialect_is_another_key(self) -> None:
        cloud = Cloud()
        there = Idempotency(KEY.key, "b" * 64)
        first = create(cloud, idempotency=KEY)
        assert not creation.is_repeated(cloud.plain, NewJob("mor", idempotency=there), tenant_id=first.tenant_id)
        other = jobs.create(cloud.plain, cloud.principal, NewJob("mor", idempotency=there))
        assert other.id != first.id
        assert creation.is_repeated(cloud.plain, NewJob("mor", idempotency=there), tenant_id=first.tenant_id)
        assert create(cloud, idempotency=KEY).id == first.id

    def test_a_key_whose_job_was_deleted_makes_a_new_one(self) -> None:
        cloud = Cloud()
        first = create(cloud, idempotency=KEY)
        erasure.erase_job(cloud.plain, tenant_id=first.tenant_id, job_id=first.id)
        again = create(cloud, idempotency=KEY)
        assert again.id != first.id
        assert create(cloud, idempotency=KEY).id == again.id

    def test_two_requests_with_one_key_at_the_same_moment_get_one_job(self) -> None:
        cloud = Cloud()
        faster: list[Job] = []
        deps = faulty_deps(cloud.plain, at_commit(lambda: faster.append(create(cloud, idempotency=KEY))))
        job = jobs.create(deps, cloud.principal, NewJob("presign", idempotency=KEY))
        assert cloud.store.all(Job) == faster == [job]

    def test_what_is_stored_beside_a_job_is_stored_with_it_or_not_at_all(self) -> None:
        cloud = Cloud()

        def beside(job: Job) -> list[Any]:
            return [insert(ResultLink("digest", job.tenant_id, job.id, 1))]

        new = NewJob("presign", idempotency=KEY)
        job = jobs.create(cloud.plain, cloud.principal, new, beside=beside)
        assert cloud.store.all(ResultLink) == [ResultLink("digest", job.tenant_id, job.id, 1)]
        for other in (NewJob("presign"), NewJob("presign", idempotency=Idempotency("key-2", "a" * 64))):
            with pytest.raises(Conflict):
                jobs.create(cloud.plain, cloud.principal, other, beside=beside)
        assert jobs.create(cloud.plain, cloud.principal, new, beside=beside) == job
        assert cloud.store.all(Job) == [job]

    def test_a_url_that_breaks_a_rule_makes_no_job(self) -> None:
        cloud = Cloud()
        cloud.webhooks.refuse["https://10.0.0.1/"] = "address"
        cloud.downloads.refuse["https://10.0.0.1/"] = "address"
        for fields in ({"callback_url": "https://10.0.0.1/"}, {"source": Source(url="https://10.0.0.1/")}):
            with pytest.raises(OutboundRefused):
                create(cloud, **fields)
        assert cloud.store.all(Job) == []
        assert cloud.uploads.keys() == []

    def test_a_job_that_ends_while_its_source_is_stored_keeps_none(self) -> None:
        cloud = Cloud()

        def plan(moment: Moment) -> None:
            if moment == Moment("uploads", "put_if_absent", When.BEFORE):
                (job,) = cloud.store.all(Job)
                jobs.cancel(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)

        job = jobs.create(faulty_deps(cloud.plain, plan), cloud.principal, NewJob("presign", source=Source(RECORDING)))
        assert leftovers(cloud, cloud.job(job)) == []
        assert cloud.fetches.bodies == []

    def test_the_same_order_after_its_end_fetches_nothing_again(self) -> None:
        cloud = Cloud()
        first = create(cloud, idempotency=KEY, source=Source(RECORDING))
        cloud.settle()
        assert create(cloud, idempotency=KEY, source=Source(RECORDING)).state is JobState.COMPLETED
        assert leftovers(cloud, first) == []
        assert cloud.fetches.bodies == []


class TestUploaded:
    def test_an_object_whose_name_is_no_job_id_is_left_alone_for_it_might_be_the_beginning_of_others(self) -> None:
        cloud = Cloud()
        job = create(cloud)
        cloud.upload(job, lose_event=True)
        for name in ("", job.id[0], job.id[:-1]):
            assert not jobs.uploaded(cloud.plain, tenant_id=job.tenant_id, job_id=name, version_id="v9")
        assert cloud.uploads.keys() == [job.audio_key]

    def test_an_upload_for_a_deleted_job_is_removed(self) -> None:
        cloud = Cloud()
        job = create(cloud)
        cloud.erase(job)
        cloud.upload(job)
        assert cloud.step()
        assert cloud.uploads.keys() == []

    @pytest.mark.parametrize(("kept", "left"), [(True, 1), (False, 0)])
    def test_a_second_upload_after_the_end_stays_only_where_audio_is_kept(self, kept: bool, left: int) -> None:
        cloud = Cloud()
        job = create(cloud, kept=kept)
        cloud.upload(job)
        cloud.settle()
        cloud.upload(job, b"other words")
        cloud.settle()
        assert len(cloud.uploads.keys()) == left
        assert cloud.job(job).state is JobState.COMPLETED


class TestPrepare:
    def test_the_hold_covers_every_started_second_and_stands_in_one_transaction_with_the_job(self) -> None:
        cloud = Cloud()
        cloud.inspector.facts = AudioFacts("wav", "pcm_s16le", 1, 8_000, 10.001, 0)
        job = prepare(cloud, queued(cloud))
        (hold,) = cloud.store.all(Hold)
        assert (hold.id, hold.amount, hold.state) == (job.id, 11 * PRICE_M_PER_S, HoldState.OPEN)
        assert hold.deadline_at_ms == job.deadline_at_ms
        assert prepare(cloud, job) == job
        assert cloud.store.all(Hold) == [hold]

    def test_a_free_job_holds_nothing(self) -> None:
        cloud = Cloud(funds_m=0)
        accounts.change_tenant(cloud.plain, cloud.principal.tenant_id, plan=Plan())
        assert prepare(cloud, queued(cloud)).state is JobState.TRANSCRIBING
        assert cloud.store.all(Hold) == []

    def test_too_little_is_noted_with_what_it_costs_and_what_there_is(self) -> None:
        cloud = Cloud(funds_m=150_000)
        job = queued(cloud)
        with pytest.raises(JobFailed, match=r"costs 0\.2 credits, and 0\.15 are available"):
            prepare(cloud, job)
        noted = cloud.job(job)
        assert noted.failure is not None
        assert (noted.failure.code, noted.state) == (FailureCode.INSUFFICIENT_CREDITS, JobState.QUEUED)
        assert noted.audio is not None
        assert noted.audio.duration_s == 10

    def test_the_first_reason_stays_even_if_the_step_comes_again_after_a_top_up(self) -> None:
        cloud = Cloud(funds_m=0)
        job = queued(cloud)
        with pytest.raises(JobFailed):
            prepare(cloud, job)
        ledger.top_up(cloud.plain, tenant_id=job.tenant_id, account=Account.CREDITS, amount=10**9, reference="late")
        with pytest.raises(JobFailed, match="insufficient_credits"):
            prepare(cloud, job)
        assert fail(cloud, job).state is JobState.FAILED
        assert cloud.store.all(Hold) == []

    def test_a_balance_that_others_empty_at_that_moment_ends_as_insufficient_credits(self) -> None:
        cloud = Cloud(funds_m=PRICE_M)
        job = queued(cloud)

        def take() -> None:
            ledger.hold(
                cloud.plain, tenant_id=job.tenant_id, hold_id="h", account=Account.CREDITS, amount=1, deadline_at_ms=1
            )

        with pytest.raises(JobFailed, match="insufficient_credits"):
            prepare(cloud, job, faulty_deps(cloud.plain, at_commit(take)))
        assert unbalanced(cloud.store) == []

    def test_a_balance_that_is_always_too_low_when_it_counts_ends_as_insufficient_credits_too(self) -> None:
        cloud = Cloud()
        job = queued(cloud)
        refused = 0

        class Grudging:
            """Every hold meets somebody who was faster, and who has given back when one looks again."""

            def __getattr__(self, name: str) -> Any:
                return getattr(cloud.store, name)

            def commit(self, *steps: Any) -> None:
                nonlocal refused
                if len(steps) > 1:
                    refused += 1
                    raise Exhausted("others were faster")
                cloud.store.commit(*steps)

        with pytest.raises(JobFailed, match="insufficient_credits"):
            prepare(cloud, job, replace(cloud.plain, store=Grudging()))
        assert refused == 5
        noted = cloud.job(job).failure
        assert noted is not None
        assert noted.code is FailureCode.INSUFFICIENT_CREDITS

    def test_a_copy_of_the_step_that_finds_its_own_hold_has_emptied_the_balance_goes_on(self) -> None:
        cloud = Cloud(funds_m=PRICE_M)
        job = queued(cloud)
        first: list[Job] = []

        def plan(moment: Moment) -> None:
            if moment.port == "inspector" and moment.when is When.AFTER:
                first.append(prepare(cloud, job))

        assert [prepare(cloud, job, faulty_deps(cloud.plain, plan))] == first
        assert (cloud.job(job).state, cloud.job(job).failure) == (JobState.TRANSCRIBING, None)
        assert unbalanced(cloud.store) == []

    def test_a_failure_that_another_copy_has_noted_meanwhile_stays_whatever_the_balance_is_now(self) -> None:
        cloud = Cloud(funds_m=0)
        job = queued(cloud)

        def plan(moment: Moment) -> None:
            if moment.port == "inspector" and moment.when is When.AFTER:
                jobs.note_failure(cloud.plain, job, Failure(FailureCode.INSUFFICIENT_CREDITS, "too little"))
                ledger.top_up(
                    cloud.plain, tenant_id=job.tenant_id, account=Account.CREDITS, amount=10**9, reference="late"
                )

        with pytest.raises(JobFailed, match="too little"):
            prepare(cloud, job, faulty_deps(cloud.plain, plan))
        assert cloud.store.all(Hold) == []

    def test_a_job_that_is_cancelled_meanwhile_holds_nothing(self) -> None:
        cloud = Cloud()
        job = queued(cloud)
        with pytest.raises(JobFailed):
            prepare(cloud, job, faulty_deps(cloud.plain, at_commit(lambda: cloud.cancel(job))))
        assert problems(cloud, job, paid=False) == []
        assert cloud.store.all(Hold) == []

    def test_its_own_limits_come_before_the_stages(self) -> None:
        cloud = Cloud()
        job = queued(cloud, limits=AudioLimits(max_bytes=3))
        with pytest.raises(JobFailed, match="upload_too_large"):
            prepare(cloud, job)
        assert cloud.inspector.inspected == []


class TestEnds:
    def test_a_failure_that_another_worker_noted_is_void_once_there_is_a_transcript(self) -> None:
        cloud = Cloud()
        job = transcribed(cloud)
        jobs.note_failure(cloud.plain, job, Failure(FailureCode.INTERNAL, "it was too dark"))
        ended = jobs.finish(cloud.plain, tenant_id=job.tenant_id, job_id=job.id, render=render("presign"))
        assert (ended.state, ended.failure) == (JobState.COMPLETED, None)
        assert problems(cloud, job, paid=True) == []

    @pytest.mark.parametrize("first", ["finish", "fail", "cancel"])
    def test_whichever_end_comes_first_stays_and_moves_the_money_once(self, first: str) -> None:
        cloud = Cloud()
        job = transcribed(cloud)
        ids: dict[str, Any] = {"tenant_id": job.tenant_id, "job_id": job.id}
        ends: dict[str, Callable[[], Job]] = {
            "finish": lambda: jobs.finish(cloud.plain, **ids, render=render("presign")),
            "fail": lambda: jobs.fail(cloud.plain, **ids, render=render("presign")),
            "cancel": lambda: jobs.cancel(cloud.plain, **ids),
        }
        ended = ends[first]()
        for name in (*ends, *ends):
            assert ends[name]() == ended
        assert problems(cloud, job, paid=first == "finish") == []

    def test_a_finish_that_loses_to_a_deletion_takes_its_bytes_with_it(self) -> None:
        cloud = Cloud(settings={"inline_callback_bytes": 100})
        job = transcribed(cloud, callback_url="https://receiver.example.com/hook")

        def plan(moment: Moment) -> None:
            if moment == Moment("results", "put_if_absent", When.BEFORE):
                cloud.erase(job)

        with pytest.raises(jobs.NoSuchJob):
            jobs.finish(
                faulty_deps(cloud.plain, plan), tenant_id=job.tenant_id, job_id=job.id, render=render("presign")
            )
        assert leftovers(cloud, job) == []
        assert problems(cloud, job, paid=False) == []

    def test_a_link_that_is_made_while_the_job_is_deleted_is_closed_again(self) -> None:
        cloud = Cloud()
        job = transcribed(cloud)
        deps = faulty_deps(cloud.plain, at_commit(lambda: cloud.erase(job)))
        jobs.result_link(deps, job)
        assert leftovers(cloud, job) == []

    def test_a_cancelled_job_sends_no_callback_and_leaves_neither_audio_nor_transcript(self) -> None:
        cloud = Cloud()
        job = transcribed(cloud, callback_url="https://receiver.example.com/hook")
        assert cloud.cancel(job).state is JobState.CANCELLED
        assert leftovers(cloud, job) == []
        assert cloud.store.all(Callback) == []

    def test_what_is_not_kept_goes_at_the_end_audio_at_once_and_the_transcript_when_its_time_is_over(self) -> None:
        cloud = Cloud()
        job = create(cloud, kept=False)
        cloud.upload(job)
        while cloud.step():
            pass
        assert cloud.uploads.keys() == []
        assert jobs.transcript(cloud.plain, cloud.job(job)).text == "some words"
        cloud.clock.advance(cloud.plain.settings.fetched_result_s + cloud.plain.settings.recheck_s)
        cloud.sweep()
        assert cloud.results.keys() == []
        with pytest.raises(NotFound):
            jobs.transcript(cloud.plain, cloud.job(job))

    def test_swapping_the_roles_twice_is_no_swap(self) -> None:
        cloud = Cloud()
        job = create(cloud)
        swapped = jobs.swap_roles(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)
        again = jobs.swap_roles(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)
        assert (swapped.roles_swapped, again.roles_swapped) == (True, False)

    def test_a_job_that_changes_all_the_time_is_given_up_aloud(self) -> None:
        cloud = Cloud()
        job = create(cloud)

        def interfere(moment: Moment) -> None:
            if moment == Moment("store", "commit", When.BEFORE):
                cloud.store.commit(update(cloud.job(job)))

        with pytest.raises(Unavailable):
            jobs.cancel(faulty_deps(cloud.plain, interfere), tenant_id=job.tenant_id, job_id=job.id)
        assert cloud.job(job).state is JobState.AWAITING_UPLOAD
