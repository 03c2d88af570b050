"""Tariffs of tenants: which one somebody has, what is left of it, and how somebody gets one."""

from callscribe.domain.accounts import Tenant
from callscribe.domain.prices import Account
from callscribe.domain.records import Step, update
from callscribe.domain.tariffs import ACCOUNTS, DAY_MS, MOST_DAYS, Subscription, Tariff
from callscribe.errors import Conflict, Exhausted, Invalid, NoTariff, NotFound, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, ledger

_TRIES = 10  # of a change that lost a race; each one reads again


def find(deps: Deps, identifier: str) -> Tariff:
    """The tariff of this identifier. Raises NotFound."""
    for tariff in deps.settings.tariffs:
        if tariff.identifier == identifier:
            return tariff
    raise NotFound(f"no tariff {identifier}; there are: {', '.join(one.identifier for one in deps.settings.tariffs)}")


def tariff_of(deps: Deps, tenant: Tenant) -> tuple[Tariff, Subscription] | None:
    """What a tenant has subscribed to, be it over or not; None without a subscription, and where the stage no longer
    has that tariff.
    """
    if tenant.subscription is None:
        return None
    try:
        return find(deps, tenant.subscription.tariff), tenant.subscription
    except NotFound:
        return None


def active(deps: Deps, tenant_id: str) -> Tariff:
    """The tariff that a tenant has now. Raises NoTariff."""
    has = tariff_of(deps, accounts.get_tenant(deps, tenant_id))
    if has is None:
        raise NoTariff("there is no active tariff")
    tariff, subscription = has
    if not subscription.is_active(deps.now_ms()):
        is_over = deps.now_ms() >= subscription.ends_at_ms
        raise NoTariff(f"the tariff {tariff.name} {'has expired' if is_over else 'has not begun'}")
    return tariff


def subscribe(
    deps: Deps, tenant_id: str, tariff_identifier: str, *, starts_at_ms: int | None = None, days: int | None = None
) -> Tenant:
    """Give a tenant a tariff, in place of the one it has, from now (or `starts_at_ms`) on, for the tariff's days.

    In one transaction: what is available in each account becomes what the tariff grants; what is held for tasks under
    way stays so. Done twice it is as good as done once, but for its number. Raises Invalid, NotFound.
    """
    tariff = find(deps, tariff_identifier)
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Invalid("days", f"must be 1 to {MOST_DAYS}")
    from_ms = deps.now_ms() if starts_at_ms is None else starts_at_ms
    until_ms = from_ms + DAY_MS * (tariff.days if days is None else days)
    for _ in range(_TRIES):
        tenant = accounts.get_tenant(deps, tenant_id)
        number = 1 if tenant.subscription is None else tenant.subscription.number + 1
        change = update(tenant, subscription=Subscription(tariff.identifier, number, from_ms, until_ms))
        try:
            deps.store.commit(change, *_granting(deps, tenant_id, tariff, number))
        except (Conflict, Exhausted):  # Exhausted: a task has just taken what was to be taken back
            continue
        subscribed: Tenant = change.after
        return subscribed
    raise Unavailable(f"tenant {tenant_id} changed too often")


def remaining(deps: Deps, tenant_id: str) -> dict[Account, int]:
    """What is available of all that tariffs grant, in each account's smallest unit. What is held counts as used."""
    return {account: ledger.balance(deps, tenant_id=tenant_id, account=account).available for account in ACCOUNTS}


def _granting(deps: Deps, tenant_id: str, tariff: Tariff, number: int) -> list[Step]:
    """The steps that make available what the tariff grants, from what is available now."""
    available = remaining(deps, tenant_id)
    steps: list[Step] = []
    for account, granted in tariff.granted().items():
        steps += ledger.topping_up(
            deps,
            tenant_id=tenant_id,
            account=account,
            amount=granted - available[account],
            reference=f"tariff/{number}/{account}",
            note=f"tariff {tariff.identifier}",
        )
    return steps
