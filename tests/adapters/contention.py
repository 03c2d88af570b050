"""Many threads that want more of one balance than there is: figure 8 of the money's rules."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from moto import mock_aws

from callscribe.adapters.aws.clients import client
from callscribe.adapters.aws.table import DynamoStore
from callscribe.domain.credits import Balance
from callscribe.domain.prices import Account
from callscribe.errors import InsufficientCredits
from callscribe.ports import Deps
from callscribe.services import ledger
from tests.adapters.cloud import (
    REGION,
    TABLE,
    Fault,
    Nth,
    create_table,
    every_nth_call,
    honour_tokens,
    locked,
    quick_backups,
)

TENANT = "t1"
_TYPE = "com.amazonaws.dynamodb.v20120810#"
NTH = 4  # of the transactions meets a fault
FAULTS: tuple[Fault, ...] = tuple(
    (400, json.dumps({"__type": f"{_TYPE}TransactionCanceledException", "CancellationReasons": reasons}))
    for reasons in (
        [{"Code": "None"}, {"Code": "TransactionConflict"}, {"Code": "None"}],
        [{"Code": "ThrottlingError"}, {"Code": "None"}, {"Code": "None"}],
    )
)


@dataclass(frozen=True)
class Contention:
    """How many holds were made, how many refused, and the balance afterwards."""

    succeeded: int
    refused: int
    balance: Balance


def contend(deps: Deps, threads: int, holds: int, covered: int) -> Contention:
    """Ask, from several threads, for holds of 1 unit each of a balance that covers so many of them."""
    ledger.top_up(deps, tenant_id=TENANT, account=Account.CREDITS, amount=covered, reference="first")
    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(lambda number: _hold(deps, f"hold-{number}"), range(holds)))
    balance = ledger.balance(deps, tenant_id=TENANT, account=Account.CREDITS)
    return Contention(made.count(True), made.count(False), balance)


@contextmanager
def contended_table() -> Iterator[tuple[DynamoStore, Nth]]:
    """A store on moto, whose every fourth transaction is refused for contention or throttling, and those refusals."""
    with mock_aws(), quick_backups():
        dynamodb = locked(client("dynamodb", {"AWS_REGION": REGION}))
        create_table(dynamodb)
        honour_tokens(dynamodb)
        yield DynamoStore(dynamodb, TABLE), every_nth_call(dynamodb, "TransactWriteItems", NTH, *FAULTS)


def _hold(deps: Deps, hold_id: str) -> bool:
    account, deadline_at_ms = Account.CREDITS, deps.now_ms() + 1
    try:
        ledger.hold(deps, tenant_id=TENANT, hold_id=hold_id, account=account, amount=1, deadline_at_ms=deadline_at_ms)
    except InsufficientCredits:
        return False
    return True
