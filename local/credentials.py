"""The tenant of the laptop's stage, funded, and every kind of credential that a dialect asks for."""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from callscribe.domain.prices import MICRO, Account, Plan
from callscribe.errors import NoTariff, NotFound
from callscribe.ports import Deps
from callscribe.services import accounts, ledger, tariffs, users

KEPT_FILE = "credentials.json"
USERNAME = "local"
# What a second costs and what the tenant has is made up, and enough for days of audio.
PLAN = Plan(Account.CREDITS, credits_m_per_s=500, units_m_per_s=500)
TARIFF, TARIFF_DAYS = "enterprise", 3_650
FUNDS = {Account.CREDITS: 1_000 * MICRO, Account.UNITS: 1_000 * MICRO}


@dataclass(frozen=True)
class Credentials:
    """The tenant that demo, tests and the newcomer use: its key, its user, and the secret of its callbacks."""

    tenant_id: str
    app_id: str
    api_key: str
    username: str
    password: str
    webhook_secret: str

    @property
    def log_in(self) -> dict[str, str]:
        """The body of a log-in at dialect `transcripto`."""
        digest = hashlib.sha512(self.password.encode()).hexdigest()
        return {"email": self.username, "password_hash": digest, "captcha_token": "any"}


def credentials(deps: Deps, state_dir: Path | None) -> Credentials:
    """Those kept with the state, or new ones of a new tenant, which are then kept. None of them expires."""
    kept = state_dir / KEPT_FILE if state_dir else None
    known = _known(deps, kept) if kept and kept.exists() else None
    if known is not None:
        _bring_up_to_date(deps, known)
        return known
    made = _made(deps)
    if kept:
        write_private(kept, {name: value for name, value in asdict(made).items() if name != "webhook_secret"})
    return made


def write_private(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON so that nobody else can read it and nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    partial.replace(path)


def _known(deps: Deps, kept: Path) -> Credentials | None:
    """What the file says, where the cloud still knows the tenant: one that was killed has lost its last writes."""
    with contextlib.suppress(NotFound, TypeError):  # TypeError: written by an older version, without a user
        known = json.loads(kept.read_text())
        (secret, *_) = accounts.webhook_secrets(deps, known["tenant_id"])  # it may have been rotated
        return Credentials(**known, webhook_secret=secret)
    return None


def _bring_up_to_date(deps: Deps, known: Credentials) -> None:
    """A state of an older version has no tariff, and knows no digest of the password."""
    try:
        tariffs.active(deps, known.tenant_id)
    except NoTariff:
        tariffs.subscribe(deps, known.tenant_id, TARIFF, days=TARIFF_DAYS)
    for user in users.list_users(deps, known.tenant_id):
        if user.username == known.username and user.sha512_hash is None:
            users.set_password(deps, tenant_id=user.tenant_id, user_id=user.id, password=known.password)


def _made(deps: Deps) -> Credentials:
    tenant = accounts.create_tenant(deps, name="Local")
    accounts.change_tenant(deps, tenant.id, plan=PLAN)
    tariffs.subscribe(deps, tenant.id, TARIFF, days=TARIFF_DAYS)
    for account, amount in FUNDS.items():
        ledger.top_up(deps, tenant_id=tenant.id, account=account, amount=amount, reference=f"local-{account}")
    key, api_key = accounts.create_key(deps, tenant_id=tenant.id, name="local")
    # Names are unique in a stage: a state that has lost this tenant's record may still hold its user's name.
    username, password = f"{USERNAME}-{secrets.token_hex(3)}", secrets.token_urlsafe(15)
    users.create_user(deps, tenant_id=tenant.id, username=username, password=password)
    return Credentials(
        tenant_id=tenant.id,
        app_id=key.id,
        api_key=api_key,
        username=username,
        password=password,
        webhook_secret=accounts.webhook_secrets(deps, tenant.id)[0],
    )
