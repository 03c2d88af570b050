"""Jobs that are tasks, changed as the use cases change them: each change with its dirty row."""

from dataclasses import dataclass, replace
from typing import Any

from callscribe.domain import transcripts
from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job, JobNumber, JobState
from callscribe.domain.records import delete, insert, update
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.domain.task_marks import marks
from callscribe.domain.tasks import TaskRow
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.ports import Deps
from callscribe.services import task_rows

TENANT = "t1"
JANUARY_MS = 1_767_225_600_000
FEBRUARY_MS = 1_769_904_000_000
AUDIO = AudioFacts("wav", "pcm_s16le", 1, 8_000, 90.0, 1_440_000)


@dataclass
class Tasks:
    """One tenant's tasks, in `deps.store`."""

    deps: Deps
    tenant_id: str = TENANT
    clock_ms: int = FEBRUARY_MS

    def make(self, number: int, *, created_at_ms: int = JANUARY_MS, words: str = "", **fields: Any) -> Job:
        """A new task; with words a completed one, whose transcript says them."""
        task = fields.pop("task", TaskFacts(TaskType.CALL, operator_name=f"op{number}"))
        job = Job(
            tenant_id=self.tenant_id,
            id=f"{number:08x}-0000-4000-8000-000000000000",
            dialect="transcripto",
            key_id="u1",
            state=JobState.COMPLETED if words else JobState.QUEUED,
            created_at_ms=created_at_ms,
            deadline_at_ms=created_at_ms,
            due_at_ms=None,
            number=number,
            audio=AUDIO,
            changed_at_ms=self._tick(),
            task=task,
        )
        job = replace(job, **fields)
        if words:
            self._say(job, words)
        change = insert(job)
        number_record = insert(JobNumber(self.tenant_id, number, job.id))
        self.deps.store.commit(change, number_record, *marks(change))
        return job

    def change(self, number: int, **fields: Any) -> Job:
        """Something that lists show."""
        change = update(self.job(number), changed_at_ms=self._tick(), **fields)
        self.deps.store.commit(change, *marks(change))
        changed: Job = change.after
        return changed

    def operator(self, number: int, name: str) -> Job:
        """Another operator's name."""
        return self.change(number, task=TaskFacts(TaskType.CALL, operator_name=name))

    def remove(self, number: int) -> None:
        """As a deletion does."""
        gone = delete(self.job(number))
        record = self.deps.store.get(JobNumber, self.tenant_id, number)
        assert record
        self.deps.store.commit(gone, delete(record), *marks(gone))

    def job(self, number: int) -> Job:
        record = self.deps.store.get(JobNumber, self.tenant_id, number)
        assert record
        found = self.deps.store.get(Job, self.tenant_id, record.job_id)
        assert found
        return found

    def truth(self) -> list[TaskRow]:
        """What lists should show now."""
        jobs = self.deps.store.listed(Job, self.tenant_id)
        return [task_rows.row_of(job, task_rows.words_of(self.deps, job)) for job in jobs if job.task]

    def _say(self, job: Job, words: str) -> None:
        said = Transcript((Segment(words, 0.0, 1.0, 0, "0", None),), "en", None, "fake", "fake", 1.0, 1.0)
        body = transcripts.to_json(said)
        self.deps.results.put_if_absent(job.transcript_key, body, content_type="application/json")

    def _tick(self) -> int:
        self.clock_ms += 1
        return self.clock_ms
