import dataclasses
from typing import Any

import pytest

from callscribe.adapters.memory import ManualClock, MemoryStore, Moment, RaiseAt, Trace, When, faulty, memory_deps
from callscribe.domain.accounts import ApiKey, Scope, Tenant, TenantEntry, format_key, well_formed
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.keyring import KeyRing
from callscribe.domain.prices import Account, Plan
from callscribe.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts


def tenant_of(deps: Deps, name: str = "Example") -> str:
    return accounts.create_tenant(deps, name=name).id


def test_a_key_opens_its_tenant_and_is_never_stored() -> None:
    deps = memory_deps()
    key, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    assert accounts.authenticate(deps, key_id=key.id, secret=secret).tenant_id == key.tenant_id
    stored = [repr(dataclasses.asdict(row)) for row in deps.store.all(ApiKey)]  # type: ignore[attr-defined]  # only the fake lists everything
    assert not any(secret in row for row in stored)


def test_a_key_has_the_documented_form_and_its_checksum_finds_typos() -> None:
    deps = memory_deps()
    _, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    assert secret.startswith("cs_live_")
    assert len(secret) == len("cs_live_") + 36
    assert well_formed(secret)
    for position in range(len("cs_live_"), len(secret)):
        typo = secret[:position] + ("a" if secret[position] != "a" else "b") + secret[position + 1 :]
        assert not well_formed(typo)


@pytest.mark.parametrize("wrong", ["", "cs_live_", "x" * 44, "cs_live_" + "é" * 36])
def test_a_malformed_secret_is_refused_like_an_unknown_one(wrong: str) -> None:
    deps = memory_deps()
    key, _ = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    with pytest.raises(Unauthenticated, match="the credential is not valid"):
        accounts.authenticate(deps, key_id=key.id, secret=wrong)


def test_a_secret_with_another_keys_id_is_refused() -> None:
    deps = memory_deps()
    tenant_id = tenant_of(deps)
    _, secret = accounts.create_key(deps, tenant_id=tenant_id, name="one")
    other, _ = accounts.create_key(deps, tenant_id=tenant_id, name="two")
    with pytest.raises(Unauthenticated):
        accounts.authenticate(deps, key_id=other.id, secret=secret)


def test_an_expired_key_and_a_revoked_key_are_refused() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    tenant_id = tenant_of(deps)
    brief, brief_secret = accounts.create_key(deps, tenant_id=tenant_id, name="brief", expires_at_ms=clock() + 1_000)
    ended, ended_secret = accounts.create_key(deps, tenant_id=tenant_id, name="ended")
    accounts.revoke_key(deps, tenant_id=tenant_id, key_id=ended.id)
    clock.advance(1)
    for key, secret in ((brief, brief_secret), (ended, ended_secret)):
        with pytest.raises(Unauthenticated):
            accounts.authenticate(deps, key_id=key.id, secret=secret)
        with pytest.raises(Unauthenticated):
            accounts.identify(deps, tenant_id=tenant_id, key_id=key.id)


def test_revoking_twice_keeps_the_first_moment() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    tenant_id = tenant_of(deps)
    key, _ = accounts.create_key(deps, tenant_id=tenant_id, name="main")
    first = accounts.revoke_key(deps, tenant_id=tenant_id, key_id=key.id)
    clock.advance(10)
    assert accounts.revoke_key(deps, tenant_id=tenant_id, key_id=key.id) == first


def test_a_key_that_is_used_at_that_moment_is_revoked_all_the_same() -> None:
    store = MemoryStore()
    plain = memory_deps(store=store)
    tenant_id = tenant_of(plain)
    key, secret = accounts.create_key(plain, tenant_id=tenant_id, name="main")
    users = iter([True])

    def use(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.BEFORE and next(users, False):
            accounts.authenticate(plain, key_id=key.id, secret=secret)

    revoked = accounts.revoke_key(memory_deps(store=faulty(store, use)), tenant_id=tenant_id, key_id=key.id)
    assert revoked.revoked_at_ms is not None
    with pytest.raises(Unauthenticated):
        accounts.authenticate(plain, key_id=key.id, secret=secret)


def test_a_key_of_another_tenant_cannot_be_revoked() -> None:
    deps = memory_deps()
    key, _ = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    with pytest.raises(NotFound):
        accounts.revoke_key(deps, tenant_id=tenant_of(deps, "Other"), key_id=key.id)


def test_a_scope_that_the_key_lacks_is_forbidden() -> None:
    deps = memory_deps()
    key, _ = accounts.create_key(deps, tenant_id=tenant_of(deps), name="none", scopes=())
    principal = accounts.identify(deps, tenant_id=key.tenant_id, key_id=key.id)
    with pytest.raises(Forbidden, match="transcribe"):
        accounts.require(principal, Scope.TRANSCRIBE)


def test_keys_made_before_a_rotation_of_the_root_key_still_open() -> None:
    old, new = b"o" * 32, b"n" * 32
    deps = memory_deps(keyring=KeyRing("1", {"1": old}))
    key, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    rotated = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": new, "1": old}))
    assert accounts.authenticate(rotated, key_id=key.id, secret=secret).id == key.id


def test_a_rotated_webhook_secret_signs_beside_the_one_before_it() -> None:
    deps = memory_deps()
    tenant_id = tenant_of(deps)
    (before,) = accounts.webhook_secrets(deps, tenant_id)
    after = accounts.rotate_webhook_secret(deps, tenant_id)
    assert accounts.webhook_secrets(deps, tenant_id) == (after, before)
    newest = accounts.rotate_webhook_secret(deps, tenant_id)
    assert accounts.webhook_secrets(deps, tenant_id) == (newest, after)


def test_tenants_have_different_webhook_secrets() -> None:
    deps = memory_deps()
    secrets = {accounts.webhook_secrets(deps, tenant_of(deps, name)) for name in ("a", "b", "c")}
    assert len(secrets) == 3


def test_a_tenant_needs_a_name() -> None:
    with pytest.raises(Invalid, match="name"):
        accounts.create_tenant(memory_deps(), name="  ")


def test_tenants_are_listed_newest_first() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    made = []
    for name in ("a", "b", "c"):
        made.append(accounts.create_tenant(deps, name=name))
        clock.advance(1)
    assert accounts.list_tenants(deps) == made[::-1]
    assert accounts.list_tenants(memory_deps()) == []


def test_a_tenant_and_its_line_in_the_list_are_made_together_or_not_at_all() -> None:
    store = MemoryStore()
    deps = memory_deps(store=faulty(store, RaiseAt(0, Unavailable("down"))))
    with pytest.raises(Unavailable):
        accounts.create_tenant(deps, name="a")
    assert (store.all(Tenant), store.all(TenantEntry)) == ([], [])
    trace = Trace()
    accounts.create_tenant(memory_deps(store=faulty(store, trace)), name="a")
    assert [moment.method for moment in trace.moments if moment.when is When.BEFORE] == ["commit"]


def test_a_tenants_plan_facts_and_sources_can_be_changed_one_by_one() -> None:
    deps = memory_deps()
    tenant_id = tenant_of(deps)
    plan, call = Plan(Account.CREDITS, credits_m_per_s=100), CallFacts(agent_channel=1, direction=Direction.OUTBOUND)
    accounts.change_tenant(deps, tenant_id, plan=plan)
    accounts.change_tenant(deps, tenant_id, call=call)
    changed = accounts.change_tenant(
        deps, tenant_id, source_uris=("s3://calls.example/2026/", "s3://calls.example/x y")
    )
    assert accounts.get_tenant(deps, tenant_id) == changed
    assert (changed.plan, changed.call, len(changed.source_uris)) == (plan, call, 2)
    assert accounts.change_tenant(deps, tenant_id, plan=None, source_uris=()).plan is None


@pytest.mark.parametrize("field", ["name", "id", "version", "webhook_key_ids", "created_at_ms", "nonsense"])
def test_nothing_else_of_a_tenant_can_be_changed(field: str) -> None:
    deps = memory_deps()
    tenant_id = tenant_of(deps)
    fields: dict[str, Any] = {field: "x"}
    with pytest.raises(TypeError, match=field):
        accounts.change_tenant(deps, tenant_id, **fields)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "s3://",
        "s3://bucket",
        "s3://bucket/",
        "s3:///prefix",
        "s3://bucket//prefix",
        "s3://Bucket/prefix",
        "s3://b/prefix",
        "s3://bucket_x/prefix",
        "https://bucket/prefix",
        "S3://bucket/prefix",
        "s3://bucket/pre\nfix",
        "s3://bucket/" + "p" * 1_025,
        " s3://bucket/prefix",
    ],
)
def test_a_source_is_a_bucket_with_a_prefix(uri: str) -> None:
    deps = memory_deps()
    tenant_id = tenant_of(deps)
    with pytest.raises(Invalid, match="source_uris"):
        accounts.change_tenant(deps, tenant_id, source_uris=("s3://bucket/prefix", uri))
    assert accounts.get_tenant(deps, tenant_id).source_uris == ()


@pytest.mark.parametrize("plan", [Plan(credits_m_per_s=-1), Plan(units_m_per_s=-1)])
def test_no_price_is_negative(plan: Plan) -> None:
    deps = memory_deps()
    with pytest.raises(Invalid, match="price"):
        accounts.change_tenant(deps, tenant_of(deps), plan=plan)


def test_an_agent_is_on_the_first_or_the_second_channel() -> None:
    deps = memory_deps()
    with pytest.raises(Invalid, match="agent_channel"):
        accounts.change_tenant(deps, tenant_of(deps), call=CallFacts(agent_channel=2))


def test_an_unknown_tenant_cannot_be_changed() -> None:
    with pytest.raises(NotFound):
        accounts.change_tenant(memory_deps(), "t0", plan=None)


def test_two_changes_of_a_tenant_at_once_both_hold() -> None:
    store = MemoryStore()
    plain = memory_deps(store=store)
    tenant_id = tenant_of(plain)
    rivals = iter([True])

    def interfere(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.BEFORE and next(rivals, False):
            accounts.change_tenant(plain, tenant_id, call=CallFacts(agent_channel=0))

    accounts.change_tenant(memory_deps(store=faulty(store, interfere)), tenant_id, plan=Plan())
    changed = accounts.get_tenant(plain, tenant_id)
    assert (changed.plan, changed.call.agent_channel) == (Plan(), 0)


def test_a_tenant_that_never_stands_still_is_an_outage() -> None:
    store = MemoryStore()
    tenant_id = tenant_of(memory_deps(store=store))

    def contend(moment: Moment) -> None:
        if moment.method == "commit":
            raise Conflict("somebody was faster")

    with pytest.raises(Unavailable):
        accounts.change_tenant(memory_deps(store=faulty(store, contend)), tenant_id, plan=None)


def test_a_key_alone_tells_whose_it_is_and_what_it_may() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    tenant_id = tenant_of(deps)
    key, secret = accounts.create_key(
        deps, tenant_id=tenant_id, name="k", scopes={Scope.READ}, options=("lenient",), pays_from=Account.UNITS
    )
    principal = accounts.principal_by_key(deps, secret)
    assert principal == accounts.Principal(tenant_id, key.id, frozenset({Scope.READ}), ("lenient",), Account.UNITS)
    assert principal == accounts.identify(deps, tenant_id=tenant_id, key_id=key.id)
    (stored,) = accounts.list_keys(deps, tenant_id)
    assert stored.last_used_at_ms == clock()


def test_an_unknown_malformed_revoked_or_expired_key_opens_nothing() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    tenant_id = tenant_of(deps)
    revoked, revoked_secret = accounts.create_key(deps, tenant_id=tenant_id, name="revoked")
    accounts.revoke_key(deps, tenant_id=tenant_id, key_id=revoked.id)
    _, expired_secret = accounts.create_key(deps, tenant_id=tenant_id, name="expired", expires_at_ms=clock() + 1)
    foreign_secret = format_key(b"f" * 32)  # well formed, and not one of this stage
    clock.advance(1)
    for secret in ("", "cs_live_", "\udcff", revoked.id, revoked_secret, expired_secret, foreign_secret):
        with pytest.raises(Unauthenticated, match=r"^the credential is not valid$"):
            accounts.principal_by_key(deps, secret)


def test_a_malformed_key_is_refused_without_a_look_up() -> None:
    trace = Trace()
    deps = memory_deps(store=faulty(MemoryStore(), trace))
    with pytest.raises(Unauthenticated):
        accounts.principal_by_key(deps, "cs_live_" + "0" * 36)
    assert trace.moments == []


def test_a_key_alone_still_opens_after_a_rotation_until_its_root_key_is_dropped() -> None:
    old, new = b"o" * 32, b"n" * 32
    deps = memory_deps(keyring=KeyRing("1", {"1": old}))
    key, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    rotated = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": new, "1": old}))
    assert accounts.principal_by_key(rotated, secret).key_id == key.id
    with pytest.raises(Unauthenticated):
        accounts.principal_by_key(memory_deps(store=deps.store, keyring=KeyRing("2", {"2": new})), secret)


def test_an_id_that_is_no_text_is_refused_like_a_wrong_one() -> None:
    deps = memory_deps()
    _, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    with pytest.raises(Unauthenticated):
        accounts.authenticate(deps, key_id="\udcff", secret=secret)


def test_a_user_that_is_not_there_is_nobody() -> None:
    deps = memory_deps()
    with pytest.raises(Unauthenticated, match=r"^the credential is not valid$"):
        accounts.identify(deps, tenant_id=tenant_of(deps), key_id="user-0")
