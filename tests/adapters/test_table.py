"""DynamoDB only: the layout of items, and what the store makes of the service's errors."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from callscribe import names
from callscribe.adapters.aws import items
from callscribe.adapters.aws.table import COMMIT_ATTEMPTS, DynamoStore
from callscribe.domain.accounts import ApiKeyDigest
from callscribe.domain.callbacks import Callback
from callscribe.domain.counters import Counter
from callscribe.domain.credits import Balance
from callscribe.domain.jobs import IdempotencyRecord, Job
from callscribe.domain.prices import Account
from callscribe.domain.records import Adjustment, Change, delete, insert, update
from callscribe.errors import Conflict, Exhausted, Unavailable
from tests.adapters.cloud import TABLE, after_calls, before_calls, create_table
from tests.adapters.records import NOW_MS, a_balance, a_callback, a_digest, a_job, an_attempt

LOST = ReadTimeoutError(endpoint_url="https://dynamodb.example")
CONFLICTED = (400, json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException"}))
TAKE_ONE = Adjustment(a_balance(), {"available": -1, "held": 1})
CANCELLED = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the store slept."""
    return []


@pytest.fixture
def store(dynamodb: Any, pauses: list[float]) -> DynamoStore:
    return DynamoStore(dynamodb, TABLE, sleep=pauses.append)


def cancelled(*codes: str) -> tuple[int, str]:
    return 400, json.dumps({"__type": CANCELLED, "CancellationReasons": [{"Code": code} for code in codes]})


def stored_items(dynamodb: Any) -> list[dict[str, Any]]:
    return list(dynamodb.scan(TableName=TABLE)["Items"])


def test_an_items_keys_start_with_the_tenant_and_the_kind(store: DynamoStore, dynamodb: Any) -> None:
    store.commit(insert(an_attempt(tenant_id="t#1", replay=3, number=12)))
    (item,) = stored_items(dynamodb)
    assert item[names.PARTITION_KEY] == {"S": "t%231#Attempt#j1"}
    assert item[names.SORT_KEY] == {"S": "00000000000000000003#00000000000000000012#"}
    assert item[names.KIND_ATTRIBUTE] == {"S": "Attempt"}
    assert item["schema"] == {"N": "1"}


def test_a_global_look_up_is_keyed_by_its_kind(store: DynamoStore, dynamodb: Any) -> None:
    store.commit(insert(a_digest("abc")))
    (item,) = stored_items(dynamodb)
    assert item[names.PARTITION_KEY] == {"S": "ApiKeyDigest#abc"}


def test_fields_that_are_none_and_indexes_that_do_not_apply_are_left_out(store: DynamoStore, dynamodb: Any) -> None:
    store.commit(insert(a_job()))
    (item,) = stored_items(dynamodb)
    absent = {names.DUE_SORT_KEY, names.DUE_PARTITION_KEY, names.TTL_ATTRIBUTE, "language", "audio"}
    assert absent.isdisjoint(item)
    assert item[names.LIST_PARTITION_KEY] == {"S": "t1#Job"}


def test_time_to_live_is_in_seconds_and_never_early(store: DynamoStore, dynamodb: Any) -> None:
    store.commit(insert(IdempotencyRecord("t1", "presign", "key", "sha", "j1", forget_at_ms=1_001)))
    (item,) = stored_items(dynamodb)
    assert item[names.TTL_ATTRIBUTE] == {"N": "2"}


def test_due_records_are_spread_over_all_shards(store: DynamoStore, dynamodb: Any) -> None:
    store.commit(*[insert(a_job(id=f"j{n}", due_at_ms=1)) for n in range(100)])
    partitions = {item[names.DUE_PARTITION_KEY]["S"] for item in stored_items(dynamodb)}
    assert partitions == set(items.due_partitions(Job))
    assert len(partitions) == 8


def test_an_image_of_the_stream_gives_the_record_back() -> None:
    image = items.to_item(a_callback(replay=2), write_id="w")
    assert items.from_item(Callback, image) == a_callback(replay=2)


def test_an_item_of_a_later_schema_is_refused(store: DynamoStore, dynamodb: Any) -> None:
    dynamodb.put_item(TableName=TABLE, Item={**items.to_item(a_job(), write_id="w"), "schema": {"N": "2"}})
    with pytest.raises(ValueError, match="newer"):
        store.get(Job, "t1", "j1")


def test_a_counter_is_an_item_like_others(store: DynamoStore, dynamodb: Any) -> None:
    for _ in range(2):
        store.count("t#1", "requests", forget_at_ms=1_001)
    (counted,) = stored_items(dynamodb)
    dynamodb.delete_item(TableName=TABLE, Key={name: counted[name] for name in (names.PARTITION_KEY, names.SORT_KEY)})
    store.commit(insert(Counter("t#1", "requests", value=2, forget_at_ms=1_001, version=2)))
    (written,) = stored_items(dynamodb)
    assert counted.pop("write_id") != written.pop("write_id")
    assert counted == written


def test_lists_read_every_page(store: DynamoStore, dynamodb: Any) -> None:
    excerpt = "x" * 100_000  # 30 of these take more than two pages of 1 MB
    store.commit(*[insert(a_job(id=f"j{n}", media_type=excerpt)) for n in range(30)])
    sent = before_calls(dynamodb, "Query")
    assert len(list(store.listed(Job, "t1"))) == 30
    assert len(sent.bodies) > 2


@pytest.mark.parametrize("fault", [LOST, ConnectionClosedError(endpoint_url="https://dynamodb.example"), (500, "{}")])
@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ("PutItem", insert(a_digest())),
        ("PutItem", update(a_job(), language="en")),
        ("TransactWriteItems", delete(a_job())),
    ],
    ids=["insert", "update", "delete"],
)
def test_a_write_whose_answer_was_lost_is_no_conflict(
    store: DynamoStore, dynamodb: Any, fault: Any, operation: str, change: Change
) -> None:
    store.commit(insert(a_job()))
    sent = after_calls(dynamodb, operation, fault)
    store.commit(change)
    assert len(sent.bodies) == 2
    place = change.before if change.after is None else change.after
    kept = store.get(type(place), *[getattr(place, name) for name in place.KEY])
    assert kept == change.after


def test_a_repeated_transaction_carries_the_same_token_and_is_no_conflict(store: DynamoStore, dynamodb: Any) -> None:
    sent = after_calls(dynamodb, "TransactWriteItems", LOST)
    store.commit(insert(a_job()), insert(a_digest()))
    tokens = {json.loads(body)["ClientRequestToken"] for body in sent.bodies}
    assert (len(sent.bodies), len(tokens)) == (2, 1)
    store.commit(delete(a_job()), delete(a_digest()))
    assert tokens.isdisjoint({json.loads(sent.bodies[-1])["ClientRequestToken"]})


def test_a_write_that_really_lost_the_race_still_conflicts_after_a_retry(store: DynamoStore, dynamodb: Any) -> None:
    store.commit(insert(a_job(language="en")))
    before_calls(dynamodb, "PutItem", LOST)
    with pytest.raises(Conflict):
        store.commit(insert(a_job()))


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_in_the_way_of_others_is_tried_again(
    store: DynamoStore, dynamodb: Any, pauses: list[float], code: str
) -> None:
    sent = before_calls(dynamodb, "TransactWriteItems", cancelled("None", code), cancelled(code, "None"))
    store.commit(insert(a_job()), insert(a_digest()))
    assert store.get(ApiKeyDigest, "d1") == a_digest()
    assert len(pauses) == 2
    assert len(sent.bodies) == 3


def test_a_single_write_in_the_way_of_a_transaction_is_tried_again(
    store: DynamoStore, dynamodb: Any, pauses: list[float]
) -> None:
    before_calls(dynamodb, "PutItem", CONFLICTED)
    store.commit(insert(a_job()))
    assert store.get(Job, "t1", "j1") == a_job()
    assert len(pauses) == 1


def test_a_record_that_stays_busy_is_unavailable_in_the_end(
    store: DynamoStore, dynamodb: Any, pauses: list[float]
) -> None:
    before_calls(dynamodb, "PutItem", *[CONFLICTED] * COMMIT_ATTEMPTS)
    with pytest.raises(Unavailable):
        store.commit(insert(a_job()))
    assert len(pauses) == COMMIT_ATTEMPTS - 1
    assert all(0 <= pause <= 1 for pause in pauses)
    assert store.get(Job, "t1", "j1") is None


def test_a_failed_condition_outweighs_contention(store: DynamoStore, dynamodb: Any, pauses: list[float]) -> None:
    before_calls(dynamodb, "TransactWriteItems", cancelled("TransactionConflict", "ConditionalCheckFailed"))
    with pytest.raises(Conflict):
        store.commit(insert(a_job()), insert(a_digest()))
    assert pauses == []


@pytest.mark.parametrize("available", [1, 5])
def test_an_adjustment_whose_answer_was_lost_counts_once(store: DynamoStore, dynamodb: Any, available: int) -> None:
    store.commit(insert(a_balance(available=available)))
    sent = after_calls(dynamodb, "TransactWriteItems", LOST)
    store.commit(TAKE_ONE)
    tokens = {json.loads(body)["ClientRequestToken"] for body in sent.bodies}
    assert (len(sent.bodies), len(tokens)) == (2, 1)
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=available - 1, held=1, version=1)


def test_our_own_item_in_the_way_of_a_repetition_is_no_conflict(aws: Callable[[str], Any]) -> None:
    forgetful = aws("dynamodb")  # like the service when it has forgotten a token
    create_table(forgetful)
    store = DynamoStore(forgetful, TABLE)
    store.commit(insert(a_balance(available=1)))
    after_calls(forgetful, "TransactWriteItems", LOST)
    store.commit(TAKE_ONE, insert(a_job()))
    after_calls(forgetful, "TransactWriteItems", LOST)
    store.commit(Adjustment(a_balance(), {"held": -1}))
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=0, held=0, version=2)


def test_an_adjustment_in_the_way_of_others_is_tried_again(
    store: DynamoStore, dynamodb: Any, pauses: list[float]
) -> None:
    store.commit(insert(a_balance(available=1)))
    before_calls(dynamodb, "TransactWriteItems", cancelled("TransactionConflict"), cancelled("ThrottlingError"))
    store.commit(TAKE_ONE)
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=0, held=1, version=1)
    assert len(pauses) == 2


def test_a_count_that_is_too_low_beside_contention_is_judged_again(
    store: DynamoStore, dynamodb: Any, pauses: list[float]
) -> None:
    store.commit(insert(a_balance(available=0)), insert(a_job()))
    too_low = {"Code": "ConditionalCheckFailed", "Item": items.to_item(a_balance(), write_id="other")}
    reasons = {"CancellationReasons": [{"Code": "TransactionConflict"}, too_low]}
    before_calls(dynamodb, "TransactWriteItems", (400, json.dumps({"__type": CANCELLED, **reasons})))
    with pytest.raises(Conflict):  # which the contention had hidden
        store.commit(insert(a_job()), TAKE_ONE)
    assert len(pauses) == 1


def test_a_count_that_is_too_low_is_final(store: DynamoStore, dynamodb: Any, pauses: list[float]) -> None:
    store.commit(insert(a_balance(available=0)))
    sent = before_calls(dynamodb, "TransactWriteItems")
    with pytest.raises(Exhausted):
        store.commit(TAKE_ONE)
    assert (len(sent.bodies), pauses) == (1, [])


def test_a_count_whose_answer_was_lost_leaves_a_gap(store: DynamoStore, dynamodb: Any) -> None:
    after_calls(dynamodb, "UpdateItem", LOST)
    assert [store.count("t1", "jobs"), store.count("t1", "jobs")] == [2, 3]


def test_a_busy_counter_is_tried_again_and_unavailable_in_the_end(
    store: DynamoStore, dynamodb: Any, pauses: list[float]
) -> None:
    before_calls(dynamodb, "UpdateItem", *[CONFLICTED] * (COMMIT_ATTEMPTS + 1))
    with pytest.raises(Unavailable):
        store.count("t1", "jobs")
    assert len(pauses) == COMMIT_ATTEMPTS - 1
    assert store.count("t1", "jobs") == 1
    assert len(pauses) == COMMIT_ATTEMPTS


READS: list[tuple[str, Callable[[DynamoStore], Any]]] = [
    ("GetItem", lambda store: store.get(Job, "t1", "j1")),
    ("Query", lambda store: store.children(Callback, "t1", "j1")),
    ("Query", lambda store: list(store.listed(Job, "t1"))),
    ("Query", lambda store: store.due(Job, now_ms=NOW_MS, limit=1)),
    ("PutItem", lambda store: store.commit(insert(a_job()))),
    ("TransactWriteItems", lambda store: store.commit(insert(a_job()), insert(a_digest()))),
    ("TransactWriteItems", lambda store: store.commit(TAKE_ONE)),
    ("UpdateItem", lambda store: store.count("t1", "jobs")),
]
READ_IDS = ["get", "children", "listed", "due", "put", "transact", "adjust", "count"]


@pytest.mark.parametrize("fault", [LOST, (500, "{}"), (400, '{"__type": "x#ThrottlingException"}')], ids=str)
@pytest.mark.parametrize(("operation", "call"), READS, ids=READ_IDS)
def test_a_service_that_stays_silent_broken_or_busy_is_unavailable(
    store: DynamoStore, dynamodb: Any, fault: Any, operation: str, call: Callable[[DynamoStore], Any]
) -> None:
    sent = before_calls(dynamodb, operation, fault, fault, fault)
    with pytest.raises(Unavailable):
        call(store)
    assert len(sent.bodies) == 3  # botocore's own attempts, and none besides


@pytest.mark.parametrize(("operation", "call"), READS, ids=READ_IDS)
def test_a_missing_grant_stays_loud(
    store: DynamoStore, dynamodb: Any, operation: str, call: Callable[[DynamoStore], Any]
) -> None:
    before_calls(dynamodb, operation, (400, '{"__type": "x#AccessDeniedException"}'))
    with pytest.raises(ClientError, match="AccessDenied"):
        call(store)


def test_a_transaction_cancelled_for_a_defect_of_ours_stays_loud(store: DynamoStore, dynamodb: Any) -> None:
    before_calls(dynamodb, "TransactWriteItems", cancelled("ValidationError", "None"))
    with pytest.raises(ClientError):
        store.commit(insert(a_job()), insert(a_digest()))
