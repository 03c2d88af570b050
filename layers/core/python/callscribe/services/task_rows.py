"""Jobs as the rows of a list of tasks."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from sys import getsizeof
from typing import Final, TypeVar

from callscribe.domain.jobs import Job, JobState
from callscribe.domain.tasks import MOST_INTEGER, TaskRow, TaskStatus, TaskType, storable
from callscribe.errors import NotFound
from callscribe.ports import Deps
from callscribe.services import jobs

log = logging.getLogger(__name__)

STATUSES: Final = {
    JobState.AWAITING_UPLOAD: TaskStatus.PENDING,
    JobState.QUEUED: TaskStatus.PENDING,
    JobState.TRANSCRIBING: TaskStatus.PROCESSING,
    JobState.COMPLETED: TaskStatus.COMPLETED,
    JobState.FAILED: TaskStatus.ERROR,
    JobState.CANCELLED: TaskStatus.ERROR,
}
_UNTIMED: Final = frozenset({TaskType.CHAT, TaskType.EMAIL})
MOST_WORDS = 1_000_000  # characters of one task that are searched: more than twelve hours of speech have
BATCH_BYTES = 32_000_000  # of words, as they lie in memory
_READERS = 8  # transcripts that are read side by side

T = TypeVar("T")


def row_of(job: Job, words: str = "") -> TaskRow:
    """The row of a job that is a task, as far as an index can hold it. Raises ValueError for a job that is none."""
    task = job.task
    if task is None:
        raise ValueError(f"job {job.id} is no task")
    return TaskRow(
        id=job.number,
        code=job.id,
        type=task.type,
        status=STATUSES[job.state],
        created_at_ms=job.created_at_ms,
        updated_at_ms=job.changed_at_ms,
        version=job.version,
        file_name=_text(task.file_name),
        operator_name=_text(task.operator_name),
        call_at_ms=_integer(task.call_at_ms),
        call_type=None if job.call.direction is None else job.call.direction.value,
        call_date=_text(task.call_date),
        error_message=_text(_error_of(job)),
        directory_id=_integer(task.directory_id),
        length_min=length_min(job),
        report_type=_text(task.report_type),
        answers=tuple(
            (one.checklist_id, storable(one.answer)) for one in task.answers if _integer(one.checklist_id) is not None
        ),
        words=storable(words),
    )


def length_min(job: Job) -> float:
    """Minutes with two decimals; 0 for what has no length, and while it is not known (T-A21)."""
    if job.audio is None or job.task is None or job.task.type in _UNTIMED:
        return 0.0
    return round(job.audio.duration_s / 60, 2)


def words_of(deps: Deps, job: Job) -> str:
    """What is searched by words: the text of the transcript, or of the chat, its first MOST_WORDS characters; nothing
    before there is one and after it is gone. One that cannot be read is told in the log, and costs its own words alone.
    """
    if job.state is not JobState.COMPLETED:
        return ""
    try:
        said = jobs.chat(deps, job) if job.is_written else jobs.transcript(deps, job)
        return said.text[:MOST_WORDS]
    except NotFound:
        return ""
    except ValueError:
        log.exception("job %s: what was said cannot be read, and is not searched", job.id)
        return ""


def with_words(deps: Deps, found: Iterable[Job]) -> Iterator[TaskRow]:
    """The rows of jobs with what is searched by words: a few transcripts at a time, read when they are asked for."""
    with ThreadPoolExecutor(_READERS) as readers:
        for some in batches(found, _READERS):
            yield from map(row_of, some, readers.map(partial(words_of, deps), some))


def by_size(rows: Iterable[TaskRow]) -> Iterator[list[TaskRow]]:
    """The rows in order, in batches that end with the row that makes BATCH_BYTES of words of them."""
    batch: list[TaskRow] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += getsizeof(row.words)
        if held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in order, at most `size` at a time."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def _text(told: str | None) -> str | None:
    return None if told is None else storable(told)


def _integer(told: int | None) -> int | None:
    """None for one that no file of the index can hold, and that so equals nothing that anybody asks for."""
    return None if told is None or abs(told) > MOST_INTEGER else told


def _error_of(job: Job) -> str | None:
    if job.state is JobState.CANCELLED:
        return "cancelled"
    return job.failure.message if job.state is JobState.FAILED and job.failure is not None else None
