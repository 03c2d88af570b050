"""Who makes a request (T-01): the holder of a log-in's token, or of an API key."""

from collections.abc import Mapping
from typing import Any

from callscribe.dialects.front import credentials
from callscribe.domain.accounts import Scope, well_formed
from callscribe.ports import Deps
from callscribe.services import accounts, tokens
from callscribe.services.accounts import Principal


def admit(deps: Deps, event: Mapping[str, Any], scope: Scope) -> Principal:
    """Who it is, if he has the permission. Raises Unauthenticated, Forbidden."""
    given = credentials(event, "bearer")
    principal = accounts.principal_by_key(deps, given) if well_formed(given) else tokens.verify(deps, given)
    accounts.require(principal, scope)
    return principal
