"""What the running stage's ledger says."""

from callscribe.domain.credits import Balance, Entry, EntryKind
from callscribe.services import ledger
from local.system import LocalSystem


def lines_of(system: LocalSystem, job_id: str, *, tenant_id: str | None = None) -> dict[EntryKind, Entry]:
    """A job's lines by their kind: each kind is written at most once."""
    lines = [
        line
        for line in ledger.entries(system.deps(), tenant_id or system.credentials.tenant_id)
        if line.id.endswith(f"/{job_id}")
    ]
    by_kind = {line.event: line for line in lines}
    assert len(by_kind) == len(lines), lines
    return by_kind


def paid(system: LocalSystem, job_id: str, *, tenant_id: str | None = None) -> int:
    """What a job has cost, in millionths. Checks that it was held and settled once, and nothing is held any more."""
    lines = lines_of(system, job_id, tenant_id=tenant_id)
    assert set(lines) == {EntryKind.HOLD, EntryKind.SETTLE}, lines
    assert sum(line.held for line in lines.values()) == 0
    spent = sum(line.spent for line in lines.values())
    assert sum(line.available for line in lines.values()) == -spent
    return spent


def assert_nets_zero(system: LocalSystem, job_id: str, *kinds: EntryKind, tenant_id: str | None = None) -> None:
    """The job has these lines and no other, and they sum to nothing."""
    lines = lines_of(system, job_id, tenant_id=tenant_id)
    assert set(lines) == set(kinds)
    for field in ("available", "held", "spent"):
        assert sum(getattr(line, field) for line in lines.values()) == 0, lines


def assert_sums_to_the_balance(system: LocalSystem, tenant_id: str | None = None) -> None:
    """Every account's lines sum to what it says it has, and nothing is held."""
    deps, owner = system.deps(), tenant_id or system.credentials.tenant_id
    lines = list(ledger.entries(deps, owner))
    for account in {line.account for line in lines}:
        mine = [line for line in lines if line.account is account]
        summed = Balance(owner, account, *(sum(getattr(line, name) for line in mine) for name in _FIGURES))
        balance = ledger.balance(deps, tenant_id=owner, account=account)
        assert [getattr(summed, name) for name in _FIGURES] == [getattr(balance, name) for name in _FIGURES]
        assert balance.held == 0


_FIGURES = ("available", "held", "spent")
