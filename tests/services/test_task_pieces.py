"""Tasks that are counted: chats, which are their own transcripts, and reports."""

import json

import pytest

from callscribe.adapters.memory import (
    faulty_deps,
)
from callscribe.domain import chats, transcripts
from callscribe.domain.chats import Chat, Message
from callscribe.domain.credits import Hold, HoldState
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account
from callscribe.domain.reports import PublicReport
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.errors import (
    FailureCode,
    InsufficientCredits,
    Invalid,
    JobFailed,
    NotFound,
    Unavailable,
)
from callscribe.services import arrivals, jobs, preparing, tasks
from callscribe.services.tasks import NewTask
from tests.services.office import CHAT, Office, at, cancel_in, erase_in, failing, nothing_was_made


@pytest.fixture
def office() -> Office:
    return Office()


class TestChats:
    def test_T_16_a_chat_becomes_its_transcript_without_anybody_who_listens(self, office: Office) -> None:
        new = NewTask(TaskType.CHAT, operator_name="Operator 1", call_date="2025-10-20")
        job = tasks.add_chat(office.deps, office.user, new, CHAT)
        assert job.task == TaskFacts(TaskType.CHAT, operator_name="Operator 1", call_date="2025-10-20")
        assert chats.from_json(office.deps.uploads.read(job.audio_key)) == CHAT
        assert office.balance(Account.CHATS) == (4_999, 1, 0)
        prepared = office.prepare(office.arrive(job))
        assert (prepared.state, prepared.audio, prepared.is_written) == (JobState.TRANSCRIBING, None, True)
        ended = office.finish(prepared)
        assert ended.state is JobState.COMPLETED
        assert jobs.transcript(office.deps, ended) == chats.to_transcript(CHAT)
        assert jobs.chat(office.deps, ended) == CHAT
        assert office.inspector.inspected == []
        assert office.balance(Account.CHATS) == (4_999, 0, 1)

    @pytest.mark.parametrize(
        ("size", "pieces"),
        [(1, 1), (chats.PIECE_BYTES, 1), (chats.PIECE_BYTES + 1, 2), (5 * chats.PIECE_BYTES, 5)],
    )
    def test_T_16_each_50_kb_that_is_begun_counts_as_a_chat(self, office: Office, size: int, pieces: int) -> None:
        tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), Chat((Message("x" * size),)))
        assert office.balance(Account.CHATS) == (5_000 - pieces, pieces, 0)

    def test_bytes_count_not_characters_nor_what_the_messages_are_called(self) -> None:
        assert Chat((Message("й" * chats.PIECE_BYTES, role="x" * 99),)).pieces == 2

    @pytest.mark.parametrize(
        "messages", [(), (Message(""),), (Message(" \n"), Message("\t", role="Operator")), (Message("\x00\u200b"),)]
    )
    def test_T_A20_a_chat_in_which_nobody_says_anything_is_refused(
        self, office: Office, messages: tuple[Message, ...]
    ) -> None:
        with pytest.raises(Invalid) as error:
            tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), Chat(messages))
        assert (error.value.field, nothing_was_made(office)) == ("text", True)

    def test_a_chat_has_a_largest_size(self, office: Office) -> None:
        marks = len(json.dumps(json.dumps("")))
        most = Chat((Message("x" * (chats.MAX_BYTES - marks)),))
        tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), most)
        with pytest.raises(Invalid):
            tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), Chat((*most.messages, Message("x"))))

    @pytest.mark.parametrize(
        "messages",
        [
            (Message('"' * 1_950_000),),
            (Message("\n" * 1_500_000 + "x"),),
            (Message("\x01" * 600_000),),
            tuple(Message("x", role="r" * 200, time="t" * 200) for _ in range(10_000)),
        ],
        ids=["quotes", "lines", "controls", "roles and times"],
    )
    def test_T_19_a_chat_that_no_answer_could_show_is_refused_when_it_comes(
        self, office: Office, messages: tuple[Message, ...]
    ) -> None:
        assert Chat(messages).size_bytes < chats.MAX_BYTES
        with pytest.raises(Invalid) as error:
            tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), Chat(messages))
        assert (error.value.field, nothing_was_made(office)) == ("text", True)

    def test_a_chat_that_could_not_be_put_costs_nothing(self, office: Office) -> None:
        deps = faulty_deps(office.deps, failing("put_if_absent"))
        with pytest.raises(Unavailable):
            tasks.add_chat(deps, office.user, NewTask(TaskType.CHAT), CHAT)
        assert office.balance(Account.CHATS) == (5_000, 0, 0)

    def test_a_chat_that_is_cancelled_while_its_words_are_stored_leaves_none(self, office: Office) -> None:
        job = office.arrive(tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT))
        deps = faulty_deps(office.deps, at("put_if_absent", lambda: cancel_in(office)(job)))
        with pytest.raises(JobFailed):
            preparing.prepare(deps, tenant_id=job.tenant_id, job_id=job.id)
        assert office.fail(job).state is JobState.CANCELLED  # what the machine does next
        assert office.deps.results.head(job.transcript_key) is None
        assert office.deps.results.head(job.chat_key) is None
        assert office.balance(Account.CHATS) == (5_000, 0, 0)

    def test_a_chat_that_is_deleted_while_its_words_are_stored_leaves_none(self, office: Office) -> None:
        job = office.arrive(tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT))
        deps = faulty_deps(office.deps, at("put_if_absent", lambda: erase_in(office)(job)))
        with pytest.raises(NotFound):
            preparing.prepare(deps, tenant_id=job.tenant_id, job_id=job.id)
        with pytest.raises(NotFound):
            office.fail(job)  # what the machine does next
        assert office.deps.results.head(job.transcript_key) is None
        assert office.deps.results.head(job.chat_key) is None

    def test_preparing_a_chat_removes_nothing_and_the_sweeper_clears_up_where_nobody_did(self, office: Office) -> None:
        job = office.arrive(tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT))
        deps = faulty_deps(office.deps, at("put_if_absent", lambda: cancel_in(office)(job)))
        with pytest.raises(JobFailed):
            preparing.prepare(deps, tenant_id=job.tenant_id, job_id=job.id)
        assert office.deps.results.head(job.transcript_key) is not None
        office.sweep(office.deps.settings.recheck_s)
        assert office.deps.results.head(job.transcript_key) is None
        assert office.deps.results.head(job.chat_key) is None

    def test_preparing_a_chat_twice_is_once(self, office: Office) -> None:
        job = office.arrive(tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT))
        assert office.prepare(job) == office.prepare(job)
        body = office.deps.results.read(job.transcript_key)
        assert transcripts.from_json(body).engine == "text"

    def test_a_chat_is_no_work_for_a_worker_and_does_not_count_as_such(self, office: Office) -> None:
        job = office.arrive(tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT))
        office.prepare(job)
        assert arrivals.recent(office.deps).recordings == 0


class TestReports:
    def add(self, office: Office, report_type: str) -> tuple[Job, int | None]:
        return tasks.add_report(office.deps, office.user, start="2025-10-01", end="2025-10-31", report_type=report_type)

    def test_T_17_a_business_report_takes_one_and_says_how_many_are_left(self, office: Office) -> None:
        job, left = self.add(office, "business")
        assert left == 30
        assert office.balance(Account.REPORTS) == (30, 1, 0)
        facts = TaskFacts(TaskType.REPORT, report_type="business", report_from="2025-10-01", report_until="2025-10-31")
        assert job.task == facts
        assert office.store.all(PublicReport) == [PublicReport(job.id, office.tenant_id, job.id)]

    @pytest.mark.parametrize("report_type", ["standard", "daily"])
    def test_T_17_other_reports_are_free_also_when_none_is_left(self, office: Office, report_type: str) -> None:
        office.spend(Account.REPORTS, 0)
        _, left = self.add(office, report_type)
        assert (left, office.balance(Account.REPORTS)) == (None, (0, 0, 0))

    def test_T_17_without_one_left_there_is_no_business_report(self, office: Office) -> None:
        office.spend(Account.REPORTS, 0)
        with pytest.raises(InsufficientCredits) as error:
            self.add(office, "business")
        assert error.value.account is Account.REPORTS
        assert nothing_was_made(office)
        assert office.store.all(PublicReport) == []

    def test_T_17_a_report_fails_honestly_until_there_are_reports_and_gives_its_piece_back(
        self, office: Office
    ) -> None:
        job, _ = self.add(office, "business")
        with pytest.raises(JobFailed):
            office.prepare(office.arrive(job))
        failure = office.fail(job).failure
        assert failure is not None
        assert failure.code is FailureCode.REPORT_FAILED
        assert office.balance(Account.REPORTS) == (31, 0, 0)

    def test_a_deleted_report_is_no_longer_public(self, office: Office) -> None:
        job, _ = self.add(office, "standard")
        erase_in(office)(job)
        assert office.store.all(PublicReport) == []


def test_no_hold_of_a_finished_task_is_open(office: Office) -> None:
    job = office.arrive(tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT))
    office.finish(office.prepare(job))
    assert [hold.state for hold in office.store.all(Hold)] == [HoldState.SETTLED]
