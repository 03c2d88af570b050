"""Random histories: whatever is committed and read, both stores answer the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callscribe.adapters.aws.table import DynamoStore
from callscribe.adapters.memory import MemoryStore
from callscribe.domain.callbacks import Attempt
from callscribe.domain.counters import Counter
from callscribe.domain.credits import Balance
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.known_files import KnownFile
from callscribe.domain.prices import Account
from callscribe.domain.records import Adjustment, Step, delete, insert, update
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import Conflict, Exhausted
from callscribe.ports import Store
from tests.adapters.cloud import TABLE, create_table
from tests.adapters.records import a_balance, a_dirty_task, a_job, a_known_file, a_task, an_attempt

TENANTS = st.sampled_from(["t", "t#Job", "t%"])
IDS = st.sampled_from(["a", "a#", "a b", "b"])
MOMENTS = st.integers(0, 12)
AMOUNTS = st.floats(0, 1e9, allow_subnormal=False).filter(lambda s: s == 0 or s > 1e-9)

new_jobs = st.builds(
    a_job,
    tenant_id=TENANTS,
    id=IDS,
    created_at_ms=MOMENTS,
    due_at_ms=st.none() | MOMENTS,
    work=st.none() | st.builds(WorkFigures, AMOUNTS, AMOUNTS, AMOUNTS, st.none() | AMOUNTS, AMOUNTS),
    language=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    options=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    version=st.integers(0, 1),
)
new_attempts = st.builds(
    an_attempt, tenant_id=TENANTS, job_id=IDS, replay=st.sampled_from([0, 1, 10]), number=st.integers(1, 11)
)
new_rows = st.builds(
    a_dirty_task,
    tenant_id=TENANTS,
    task_id=st.sampled_from([1, 2, 10]),
    of_version=st.integers(0, 11),
    job=st.none() | st.builds(a_task, tenant_id=TENANTS, id=IDS, changed_at_ms=MOMENTS),
)
new_files = st.builds(a_known_file, tenant_id=TENANTS, owner=IDS, digest=IDS, job_id=IDS)
balances = st.builds(a_balance, tenant_id=TENANTS)
new_balances = st.builds(a_balance, tenant_id=TENANTS, available=st.integers(0, 9), held=st.integers(0, 2))
adjustments = st.builds(
    Adjustment, balances, st.dictionaries(st.sampled_from(["available", "held", "spent"]), st.integers(-4, 4))
)
steps = st.one_of(
    st.tuples(st.just("insert"), new_jobs | new_attempts),
    st.tuples(st.just("insert"), new_rows | new_files),
    st.tuples(st.just("insert"), new_balances),
    st.tuples(st.just("delete"), new_jobs | new_attempts | new_rows | new_files),
    st.tuples(st.just("update"), new_jobs | new_files),
    st.tuples(st.just("adjust"), adjustments),
    st.tuples(st.just("adjust"), adjustments),
)
transactions = st.lists(steps, min_size=1, max_size=3)
counts = st.builds(Counter, scope=TENANTS, name=IDS, value=st.integers(1, 9), forget_at_ms=st.none() | MOMENTS)
histories = st.lists(transactions | counts, max_size=15)


@given(history=histories)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_stores_agree_on_every_history(aws: Callable[[str], Any], history: list[Any]) -> None:
    with _fresh_table(aws("dynamodb")) as on_aws:
        in_memory = MemoryStore()
        for event in history:
            assert _apply(in_memory, event) == _apply(on_aws, event)
        assert _everything(in_memory) == _everything(on_aws)


@contextmanager
def _fresh_table(client: Any) -> Iterator[DynamoStore]:
    create_table(client)
    yield DynamoStore(client, TABLE, sleep=lambda _: None)
    client.delete_table(TableName=TABLE)


def _apply(store: Store, event: Counter | list[tuple[str, Any]]) -> str | int:
    if isinstance(event, Counter):
        return store.count(event.scope, event.name, by=event.value, forget_at_ms=event.forget_at_ms)
    try:
        store.commit(*[_step(store, verb, record) for verb, record in event])
    except Conflict:
        return "conflict"
    except Exhausted:
        return "exhausted"
    except ValueError:
        return "refused"
    return "written"


def _step(store: Store, verb: str, record: Any) -> Step:
    if isinstance(record, Adjustment):
        return record
    if verb == "insert":
        return insert(record)
    stored = store.get(Job, record.tenant_id, record.id) if isinstance(record, Job) else None
    before = stored or record  # an unknown or outdated record must conflict in both
    if verb == "delete":
        return delete(before)
    if isinstance(before, KnownFile):
        return update(before, job_id="another")
    return update(before, state=JobState.QUEUED, due_at_ms=record.due_at_ms, work=record.work)


def _everything(store: Store) -> list[Any]:
    tenants, ids = ["t", "t#Job", "t%"], ["a", "a#", "a b", "b"]
    gets = [store.get(Job, tenant, own) for tenant in tenants for own in ids]
    children = [store.children(Attempt, tenant, own) for tenant in tenants for own in ids]
    replays = [store.children(Attempt, tenant, "a", replay) for tenant in tenants for replay in (0, 1, 10)]
    lists = [list(store.listed(Job, tenant, since_ms=2, until_ms=until)) for tenant in tenants for until in (None, 9)]
    # Among equally due records the order is nobody's promise, but both keep the same one.
    due = [store.due(Job, now_ms=now_ms, limit=limit) for now_ms in (5, 99) for limit in (2, 50)]
    dirty = [store.children(DirtyTask, tenant, TASKS) for tenant in tenants]
    dirty += [store.children(DirtyTask, tenant, TASKS, number) for tenant in tenants for number in (1, 2, 10)]
    dirty += [store.children(DirtyTask, tenant, TASKS, limit=2) for tenant in tenants]
    files = [store.children(KnownFile, tenant, owner) for tenant in tenants for owner in ids]
    balances = [store.get(Balance, tenant, Account.CREDITS) for tenant in tenants]
    counters = [store.get(Counter, tenant, own) for tenant in tenants for own in ids]
    return [gets, children, replays, lists, due, dirty, files, balances, counters]
