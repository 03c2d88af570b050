"""A transaction's steps as DynamoDB takes them, and what its refusal of them means."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from callscribe import names
from callscribe.adapters.aws import items
from callscribe.adapters.aws.errors import code, translated
from callscribe.domain.counters import Counter
from callscribe.domain.records import Adjustment, Change, Record, Step, identity
from callscribe.errors import Conflict, Exhausted

TRANSACTION_STEPS = 100  # the limit of TransactWriteItems
_CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
_CONTENTION = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "TransactionConflict",
        "TransactionConflictException",
    }
)


def check(steps: tuple[Step, ...]) -> None:
    """Raises ValueError for what no transaction can hold."""
    if len(steps) > TRANSACTION_STEPS:
        raise ValueError(f"a transaction holds at most {TRANSACTION_STEPS} changes")
    places = [{_place(record) for record in _records(step)} for step in steps]
    if not all(places):
        raise ValueError("a change needs a record before or after it")
    if any(len(place) > 1 for place in places) or len(set().union(*places)) < len(steps):
        raise ValueError("a transaction changes each record once, and never its key")


def put(change: Change, table: str, write_id: str) -> dict[str, Any]:
    """The parameters of a PutItem, alone or within a transaction."""
    return {"Item": items.to_item(change.after, write_id=write_id), **_condition(change, table)}


def transact_item(step: Step, table: str, write_id: str) -> dict[str, Any]:
    """A step as an element of TransactItems."""
    if isinstance(step, Adjustment):
        return {"Update": _adjust(step, table, write_id)}
    if step.after is not None:
        return {"Put": put(step, table, write_id)}
    return {"Delete": {"Key": items.key(type(step.before), *identity(step.before)), **_condition(step, table)}}


def increment(counter: Counter, by: int, table: str, write_id: str) -> dict[str, Any]:
    """The parameters of an UpdateItem that adds to a counter, and makes it like `counter` where there is none.

    What is stored besides the count stays as it was first written, so that an answer that was lost, and the
    repetition that follows, leave a gap and never a number that was given out twice.
    """
    new = items.to_item(counter, write_id=write_id)
    counts = ("value", "version")
    kept = [name for name in new if name not in {names.PARTITION_KEY, names.SORT_KEY, *counts}]
    first = [f"#{name} = if_not_exists(#{name}, :{name})" for name in kept]
    added = [f"#{name} = if_not_exists(#{name}, :zero) + :{name}" for name in counts]
    return {
        "TableName": table,
        "Key": items.key(Counter, *identity(counter)),
        "UpdateExpression": "SET " + ", ".join([*first, *added]),
        "ExpressionAttributeNames": {f"#{name}": name for name in (*kept, *counts)},
        "ExpressionAttributeValues": {
            **{f":{name}": new[name] for name in kept},
            **items.to_attributes({":zero": 0, ":value": by, ":version": 1}),
        },
        "ReturnValues": "UPDATED_NEW",
    }


def attempt(
    call: Callable[[], Mapping[str, Any]], steps: tuple[Step, ...] = (), write_id: str = ""
) -> Mapping[str, Any] | None:
    """The answer to a write, empty for one whose first answer was lost; None when others were in its way.

    Raises Conflict, Exhausted and Unavailable.
    """
    try:
        with translated("dynamodb"):
            return call()
    except ClientError as error:
        return {} if _is_written(error, steps, write_id) else None


def _is_written(error: ClientError, steps: tuple[Step, ...], write_id: str) -> bool:
    """Whether what stands in our way is our own write, whose answer was lost; False for passing contention.

    A missing or changed record outweighs contention, and contention a count that was too low: had the other
    steps been judged, they might have conflicted, and the count may be higher the next time.
    """
    reasons = list(_reasons(error))
    # Of a refusal as a whole there is one reason, whatever the number of steps.
    failed = [(step, item) for step, (why, item) in zip(steps, reasons, strict=False) if why in _CONDITION_FAILED]
    if any(item.get(items.WRITE_ID_ATTRIBUTE) == {"S": write_id} for _, item in failed):
        return True
    if any(isinstance(step, Change) or not item for step, item in failed):
        raise Conflict("a record changed since it was read")
    if any(why in _CONTENTION for why, _ in reasons):
        return False
    if failed:
        raise Exhausted("a count is lower than what was to be taken from it")
    raise error


def _reasons(error: ClientError) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Why a write was refused, step by step, with the item that stood in its way."""
    answer: Mapping[str, Any] = error.response
    if code(error) != "TransactionCanceledException":
        yield code(error), answer.get("Item", {})
    for reason in answer.get("CancellationReasons", ()):
        yield reason.get("Code", "None"), reason.get("Item", {})


def _adjust(step: Adjustment, table: str, write_id: str) -> dict[str, Any]:
    added = {**step.add, "version": 1}
    sums = [f"#{name} = #{name} + :{name}" for name in added]
    least = {name: -by for name, by in step.add.items() if by < 0}
    conditions = [f"attribute_exists({names.PARTITION_KEY})", *(f"#{name} >= :least_{name}" for name in least)]
    return {
        "TableName": table,
        "Key": items.key(type(step.record), *identity(step.record)),
        "UpdateExpression": f"SET {', '.join(sums)}, {items.WRITE_ID_ATTRIBUTE} = :write_id",
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": {f"#{name}": name for name in added},
        "ExpressionAttributeValues": items.to_attributes(
            {
                **{f":{name}": by for name, by in added.items()},
                **{f":least_{name}": by for name, by in least.items()},
                ":write_id": write_id,
            }
        ),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _condition(change: Change, table: str) -> dict[str, Any]:
    common = {"TableName": table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if change.before is None:
        return {**common, "ConditionExpression": f"attribute_not_exists({names.PARTITION_KEY})"}
    return {
        **common,
        "ConditionExpression": "#version = :read",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": items.to_attributes({":read": change.before.version}),
    }


def _records(step: Step) -> list[Record]:
    found = [step.record] if isinstance(step, Adjustment) else [step.before, step.after]
    return [record for record in found if record is not None]


def _place(record: Record) -> tuple[type[Any], tuple[str | int, ...]]:
    return type(record), identity(record)
