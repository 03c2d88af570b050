"""The store as one DynamoDB table: an item for each record, in the layout that `items` writes.

    pk           <tenant>#<Kind>#<second key value>; <Kind>#<value> for a kind whose key is a single value
    sk           the other key values, each followed by #; # where there are none
    <field>      every field of the record that is not None
    kind         name of the record's class
    version      counts changes; every `Change` is conditional on it
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
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from callscribe import names
from callscribe.adapters.aws import items, keys, writes
from callscribe.adapters.aws.errors import pause_s, translated
from callscribe.domain.counters import Counter
from callscribe.domain.records import Change, Record, Step, identity
from callscribe.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

R = TypeVar("R", bound=Record)

COMMIT_ATTEMPTS = 8


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

    def children(self, kind: type[R], *key_prefix: str | int, limit: int | None = None) -> list[R]:
        """See `ports.Store.children`. Raises ValueError for a prefix of fewer than two values, or of too many."""
        if not 2 <= len(key_prefix) <= len(kind.KEY):
            raise ValueError(f"{kind.__name__} is read by 2 to {len(kind.KEY)} values, not {len(key_prefix)}")
        condition = f"{names.PARTITION_KEY} = :pk"
        values = {":pk": items.partition(kind, *key_prefix[:2])}
        if sort_prefix := keys.path(*key_prefix[2:]):
            condition += f" AND begins_with({names.SORT_KEY}, :sk)"
            values[":sk"] = sort_prefix
        options = {} if limit is None else {"Limit": limit}  # of one page; together it is islice that ends them
        return list(islice(self._query(kind, condition, values, ConsistentRead=True, **options), limit))

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

    def commit(self, *steps: Step) -> None:
        """See `ports.Store.commit`. Raises ValueError for what no transaction can hold."""
        writes.check(steps)
        if steps:
            self._insist(self._writer(steps, self._new_id()))

    def count(self, scope: str, name: str, *, by: int = 1, forget_at_ms: int | None = None) -> int:
        """See `ports.Store.count`. An answer that is lost on its way leaves a gap in the numbers."""
        counter = Counter(scope, name, forget_at_ms=forget_at_ms)
        call = partial(self._client.update_item, **writes.increment(counter, by, self._table, self._new_id()))
        answer = self._insist(partial(writes.attempt, call))
        return int(answer["Attributes"]["value"]["N"])

    def _insist(self, attempt: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any]:
        """The first answer that is not None, with pauses between the attempts. Raises Unavailable in the end."""
        for number in range(COMMIT_ATTEMPTS):
            if number:
                self._sleep(pause_s(number - 1))
            if (answer := attempt()) is not None:
                return answer
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

    def _writer(self, steps: tuple[Step, ...], write_id: str) -> Callable[[], Mapping[str, Any] | None]:
        """A repeatable attempt at one commit, see `writes.attempt`.

        A single deletion or adjustment goes as a transaction too: only a transaction's token can tell, after a
        lost answer, that it was we who wrote.
        """
        call: Callable[[], Any]
        first = steps[0]
        if len(steps) == 1 and isinstance(first, Change) and first.after is not None:
            call = partial(self._client.put_item, **writes.put(first, self._table, write_id))
        else:
            transaction: Any = [writes.transact_item(step, self._table, write_id) for step in steps]
            call = partial(self._client.transact_write_items, TransactItems=transaction, ClientRequestToken=write_id)
        return partial(writes.attempt, call, steps, write_id)


def _due_order(record: Any) -> tuple[Any, ...]:
    return (record.due_at_ms, *identity(record))
