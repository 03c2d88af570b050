"""Records ↔ DynamoDB items: the layout that the docstring of `table` draws."""

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from callscribe import names
from callscribe.adapters.aws import codec, keys
from callscribe.domain.records import Record, identity

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

R = TypeVar("R", bound=Record)

SCHEMA = 1
SCHEMA_ATTRIBUTE = "schema"
WRITE_ID_ATTRIBUTE = "write_id"
DUE_SHARDS = 8
_OWN_ATTRIBUTES = frozenset(
    {
        names.PARTITION_KEY,
        names.SORT_KEY,
        names.KIND_ATTRIBUTE,
        names.TTL_ATTRIBUTE,
        names.LIST_PARTITION_KEY,
        names.LIST_SORT_KEY,
        names.DUE_PARTITION_KEY,
        SCHEMA_ATTRIBUTE,
        WRITE_ID_ATTRIBUTE,
    }
)
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def key(kind: type[Any], *values: str | int) -> "dict[str, AttributeValueTypeDef]":
    """The primary key of the record with these values of KEY. Raises ValueError where their number is wrong."""
    if len(values) != len(kind.KEY):
        raise ValueError(f"{kind.__name__} has the key {kind.KEY}, not {len(values)} values")
    sort_key = keys.path(*values[2:]) or keys.SEPARATOR  # DynamoDB takes no empty key
    return to_attributes({names.PARTITION_KEY: partition(kind, *values[:2]), names.SORT_KEY: sort_key})


def partition(kind: type[Any], *values: str | int) -> str:
    """`<tenant>#<Kind>#<second key value>`, or `<Kind>#<value>` for a kind whose key is a single value."""
    first, *rest = values
    return keys.join(first, kind.__name__, *rest) if rest else keys.join(kind.__name__, first)


def list_partition(kind: type[Any], tenant_id: str) -> str:
    """Where the index of a tenant's records of a kind keeps them."""
    return keys.join(tenant_id, kind.__name__)


def due_partitions(kind: type[Any]) -> list[str]:
    """The partitions over which the due records of a kind are spread."""
    return [keys.join(kind.__name__, shard) for shard in range(DUE_SHARDS)]


def to_item(record: Record, *, write_id: str) -> "dict[str, AttributeValueTypeDef]":
    """The whole item. Raises ValueError for a record whose field would hide one of our attributes."""
    plain = codec.to_plain(record)
    if hidden := _OWN_ATTRIBUTES & plain.keys():
        raise ValueError(f"{type(record).__name__} has fields named {sorted(hidden)}, which the table uses itself")
    own: dict[str, Any] = {
        names.KIND_ATTRIBUTE: type(record).__name__,
        SCHEMA_ATTRIBUTE: SCHEMA,
        WRITE_ID_ATTRIBUTE: write_id,
        **_index_attributes(record),
    }
    return {**to_attributes({**plain, **own}), **key(type(record), *identity(record))}


def from_item(kind: type[R], item: "Mapping[str, AttributeValueTypeDef]") -> R:
    """The record in an item, or in an image of the table's stream. Raises ValueError for a later schema."""
    plain = {name: _deserialize(value) for name, value in item.items()}
    if plain[SCHEMA_ATTRIBUTE] > SCHEMA:
        raise ValueError(f"{kind.__name__} was written by a newer callscribe (schema {plain[SCHEMA_ATTRIBUTE]})")
    return codec.from_plain(kind, plain)


def to_attributes(plain: Mapping[str, Any]) -> "dict[str, AttributeValueTypeDef]":
    """Plain values in DynamoDB's typed notation."""
    return {name: _serialize(value) for name, value in plain.items()}


def _index_attributes(record: Record) -> dict[str, Any]:
    kind, values = type(record), identity(record)
    attributes: dict[str, Any] = {}
    if kind.LISTED is not None:
        attributes[names.LIST_PARTITION_KEY] = list_partition(kind, str(values[0]))
        attributes[names.LIST_SORT_KEY] = keys.join(getattr(record, kind.LISTED), *values)
    if getattr(record, names.DUE_SORT_KEY, None) is not None:
        shard = zlib.crc32(keys.join(*values).encode()) % DUE_SHARDS
        attributes[names.DUE_PARTITION_KEY] = due_partitions(kind)[shard]
    if (expires_ms := getattr(record, "forget_at_ms", None)) is not None:
        attributes[names.TTL_ATTRIBUTE] = -(-expires_ms // 1000)  # never early
    return attributes
