"""The store as one DynamoDB table: an item for each record, in the layout that `items` writes.

    pk           <tenant>#<Kind>#<second key value>; <Kind>#<value> for a kind whose key is a single value
    sk           the other key values, each followed by #; # where there are none
    <field>      every field of the record that is not None
    kind         name of the record's class
    version      counts changes; every write is conditional on it
    schema       version of this layout
    write_id     of the commit that wrote the item: tells our own earlier attempt from somebody else's
    list_pk/_sk  <tenant>#<Kind>, <time>#<key values>; index by_tenant
    due_pk       <Kind>#<shard>, with the field due_at_ms: index by_due, sparse
    ttl_s        forget_at_ms in seconds

Both indexes project all attributes. Values are encoded by `keys`, so that no value can leave its place.
"""

import heapq
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from callscribe import names
from callscribe.adapters.aws import items, keys
from callscribe.adapters.aws.errors import code, pause_s, translated
from callscribe.domain.records import Change, Record, identity
from callscribe.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

R = TypeVar("R", bound=Record)

TRANSACTION_CHANGES = 100  # the limit of TransactWriteItems
COMMIT_ATTEMPTS = 8
_CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
_CONTENTION = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "TransactionConflict",
        "TransactionConflictException",
    }
)


class DynamoStore:
    """`ports.Store` on the table. Safe under threads, as the client is."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._new_id = new_id
        self._sleep = sleep

    def get(self, kind: type[R], *key: str | int) -> R | None:
        """See `ports.Store.get`. Raises ValueError for a key of the wrong length."""
        with translated("dynamodb"):
            answer = self._client.get_item(TableName=self._table, Key=items.key(kind, *key), ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else items.from_item(kind, item)

    def children(self, kind: type[R], *key_prefix: str | int) -> list[R]:
        """See `ports.Store.children`. Raises ValueError for a prefix of fewer than two values, or of too many."""
        if not 2 <= len(key_prefix) <= len(kind.KEY):
            raise ValueError(f"{kind.__name__} is read by 2 to {len(kind.KEY)} values, not {len(key_prefix)}")
        condition = f"{names.PARTITION_KEY} = :pk"
        values = {":pk": items.partition(kind, *key_prefix[:2])}
        if sort_prefix := keys.path(*key_prefix[2:]):
            condition += f" AND begins_with({names.SORT_KEY}, :sk)"
            values[":sk"] = sort_prefix
        return list(self._query(kind, condition, values, ConsistentRead=True))

    def listed(self, kind: type[R], tenant_id: str, *, since_ms: int = 0, until_ms: int | None = None) -> Iterator[R]:
        """See `ports.Store.listed`. Raises ValueError for a kind that is not LISTED."""
        if kind.LISTED is None:
            raise ValueError(f"{kind.__name__} is not listed")
        if until_ms is not None and until_ms <= since_ms:
            return iter(())
        # `<until>` alone sorts before `<until>#…`, so that the upper end is left out.
        values = {
            ":pk": items.list_partition(kind, tenant_id),
            ":since": keys.pad(since_ms),
            ":until": keys.LAST_INTEGER if until_ms is None else keys.pad(until_ms),
        }
        condition = f"{names.LIST_PARTITION_KEY} = :pk AND {names.LIST_SORT_KEY} BETWEEN :since AND :until"
        return self._query(kind, condition, values, IndexName=names.LIST_INDEX, ScanIndexForward=False)

    def due(self, kind: type[R], *, now_ms: int, limit: int) -> list[R]:
        """See `ports.Store.due`. One query for each shard."""
        shards = (self._due_in(kind, partition, now_ms, limit) for partition in items.due_partitions(kind))
        return heapq.nsmallest(limit, chain.from_iterable(shards), key=_due_order)

    def commit(self, *changes: Change) -> None:
        """See `ports.Store.commit`. Raises ValueError for what no transaction can hold."""
        _check(changes)
        if not changes:
            return
        write = self._writer(changes, self._new_id())
        for attempt in range(COMMIT_ATTEMPTS):
            if attempt:
                self._sleep(pause_s(attempt - 1))
            if write():
                return
        raise Unavailable("dynamodb: other transactions kept the records busy")

    def _due_in(self, kind: type[R], partition: str, now_ms: int, limit: int) -> Iterator[R]:
        condition = f"{names.DUE_PARTITION_KEY} = :pk AND {names.DUE_SORT_KEY} <= :now"
        values = {":pk": partition, ":now": now_ms}
        return islice(self._query(kind, condition, values, IndexName=names.DUE_INDEX, Limit=limit), limit)

    def _query(self, kind: type[R], condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[R]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=items.to_attributes(values),
            **options,
        )
        with translated("dynamodb"):
            for page in pages:
                for item in page["Items"]:
                    yield items.from_item(kind, item)

    def _writer(self, changes: tuple[Change, ...], write_id: str) -> Callable[[], bool]:
        """A repeatable attempt at one commit: True when it is written, False when others were in its way.

        A single deletion goes as a transaction too: only a transaction's token can tell, after a lost answer,
        that it was we who deleted.
        """
        if len(changes) == 1 and changes[0].after is not None:
            call = partial(self._client.put_item, **self._put(changes[0], write_id))
        else:
            steps = [self._step(change, write_id) for change in changes]
            call = partial(self._client.transact_write_items, TransactItems=steps, ClientRequestToken=write_id)  # type: ignore[assignment,arg-type]  # steps are built from strings
        return partial(_attempt, call, write_id)

    def _step(self, change: Change, write_id: str) -> dict[str, Any]:
        if change.after is not None:
            return {"Put": self._put(change, write_id)}
        return {"Delete": {"Key": items.key(type(change.before), *identity(change.before)), **self._condition(change)}}

    def _put(self, change: Change, write_id: str) -> dict[str, Any]:
        return {"Item": items.to_item(change.after, write_id=write_id), **self._condition(change)}

    def _condition(self, change: Change) -> dict[str, Any]:
        common = {"TableName": self._table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if change.before is None:
            return {**common, "ConditionExpression": f"attribute_not_exists({names.PARTITION_KEY})"}
        return {
            **common,
            "ConditionExpression": "#version = :read",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": items.to_attributes({":read": change.before.version}),
        }


def _attempt(call: Callable[[], Any], write_id: str) -> bool:
    try:
        with translated("dynamodb"):
            call()
    except ClientError as error:
        reasons = list(_reasons(error))
        failed = [item for reason, item in reasons if reason in _CONDITION_FAILED]
        if failed:
            return _wrote_before(failed, write_id)
        if not any(reason in _CONTENTION for reason, _ in reasons):
            raise
        return False
    return True


def _wrote_before(stored: "Iterable[Mapping[str, AttributeValueTypeDef]]", write_id: str) -> bool:
    """Whether what stands in our way is our own write, whose answer was lost. Raises Conflict where it is not."""
    if any(item.get(items.WRITE_ID_ATTRIBUTE) == {"S": write_id} for item in stored):
        return True
    raise Conflict("a record changed since it was read")


def _reasons(error: ClientError) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Why a write was refused, step by step, with the item that stood in its way."""
    answer: Mapping[str, Any] = error.response
    if code(error) != "TransactionCanceledException":
        yield code(error), answer.get("Item", {})
    for reason in answer.get("CancellationReasons", ()):
        yield reason.get("Code", "None"), reason.get("Item", {})


def _due_order(record: Any) -> tuple[Any, ...]:
    return (record.due_at_ms, *identity(record))


def _check(changes: tuple[Change, ...]) -> None:
    if len(changes) > TRANSACTION_CHANGES:
        raise ValueError(f"a transaction holds at most {TRANSACTION_CHANGES} changes")
    if any(change.before is None and change.after is None for change in changes):
        raise ValueError("a change needs a record before or after it")
    places = [{_place(record) for record in (change.before, change.after) if record is not None} for change in changes]
    if any(len(place) > 1 for place in places) or len(set().union(*places)) < len(changes):
        raise ValueError("a transaction changes each record once, and never its key")


def _place(record: Record) -> tuple[type[Any], tuple[str | int, ...]]:
    return type(record), identity(record)
