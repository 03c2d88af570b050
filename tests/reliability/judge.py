"""What must be so at the end of every way, whatever happened on it."""

from collections.abc import Iterable

from callscribe.adapters.memory import MemoryObjects
from callscribe.domain.callbacks import Callback, CallbackState
from callscribe.domain.counters import Counter
from callscribe.domain.credits import Balance, Entry, Hold
from callscribe.domain.jobs import IdempotencyRecord, Job, JobState
from tests.reliability.audit import net_of, unbalanced
from tests.reliability.cloud import PRICE_M, Cloud

LASTING = (Balance, Entry, Hold, IdempotencyRecord, Counter)  # what stays of a deleted job: ids, amounts, a digest


def stored(cloud: Cloud, job: Job) -> Job | None:
    return cloud.store.get(Job, job.tenant_id, job.id)


def paid_m(cloud: Cloud, job: Job) -> int:
    """What was spent on the job, all told."""
    available, held, spent = net_of(cloud.store, job.id)
    assert available + held + spent == 0
    return spent


def problems(
    cloud: Cloud, job: Job, *, paid: bool | None = None, price_m: int = PRICE_M, all_jobs: Iterable[Job] = ()
) -> list[str]:
    """What is wrong: with the job's end, its money, its callbacks, or what it left behind.

    `paid` None: as its state says. `price_m`: of a transcript. `all_jobs`: of this cloud, where there are more.
    """
    now = stored(cloud, job)
    found = unbalanced(cloud.store)
    if now is not None and not now.finished:
        found.append(f"the job is still {now.state}")
    if paid is None and now is not None:
        paid = now.state is JobState.COMPLETED
    spent = paid_m(cloud, job)
    if spent not in (0, price_m) or (paid is not None and spent != price_m * paid):
        found.append(f"{spent} was paid")
    if any(row.held for row in cloud.store.all(Balance)):
        found.append("something is still held")
    found += [f"left behind: {what}" for what in leftovers(cloud, job)]
    return found + _callback_problems(cloud, job, now, {one.id for one in (job, *all_jobs)})


def leftovers(cloud: Cloud, job: Job) -> list[str]:
    """What must not be there: of a deleted or cancelled job, of one that is not kept, of a source that was used."""
    now = stored(cloud, job)
    keys = [*_keys(cloud.uploads, job), *_keys(cloud.results, job)]
    if now is None:
        return keys + rows_of(cloud, job)
    if now.state is JobState.CANCELLED or not now.kept:
        return keys
    return [key for key in keys if key == now.source_key]


def rows_of(cloud: Cloud, job: Job) -> list[str]:
    """Rows of any kind that name the job."""
    kinds = cloud.store._kinds  # every kind there is, also those that nobody thought of here
    rows = [row for kind, records in kinds.items() if kind not in LASTING for row in records.values()]
    return [repr(row) for row in rows if job.id in repr(row)]


def _keys(bucket: MemoryObjects, job: Job) -> list[str]:
    """Keys that have any version."""
    return [key for key in bucket.keys() if job.id in key]  # noqa: SIM118 - no dictionary


def _callback_problems(cloud: Cloud, job: Job, now: Job | None, known: set[str]) -> list[str]:
    posts = [post for post in cloud.webhooks.posts if post.headers["webhook-id"] == f"msg_{job.id}"]
    strange = {post.headers["webhook-id"] for post in cloud.webhooks.posts} - {f"msg_{job_id}" for job_id in known}
    found = [f"a strange webhook-id: {one}" for one in strange]
    if len({post.body for post in posts}) > 1:
        found.append("two different bodies were sent")
    rows = [row for row in cloud.store.all(Callback) if row.job_id == job.id]
    wanted = 0 if now is None or now.callback_url is None or now.state is JobState.CANCELLED else 1
    if len(rows) != wanted:
        found.append(f"{len(rows)} callbacks, not {wanted}")
    if any(row.state is CallbackState.PENDING for row in rows):
        found.append("a callback is still to be sent")
    return found
