"""Failed log-ins, counted: whoever guesses passwords is told to wait before another one is checked.

Counted are those of one address at one user name, and those of one address at any name. A name alone is not: anybody
could lock its owner out. Names are counted whether or not there is such a user, so that the answer does not tell.
"""

import hashlib
import hmac
from collections.abc import Iterator

from callscribe.domain.counters import Counter
from callscribe.errors import RateLimited
from callscribe.ports import Deps

WINDOW_MS = 900_000
NAMES_OF_ADDRESS = 5  # an address may fail so many times as often, over all names: several people may share it
SCOPE = "failed-logins"  # of its counters, which belong to no tenant
_PURPOSE = "failed-logins"


def require_few(deps: Deps, *, address: str, username: str) -> None:
    """Raises RateLimited after `settings.failed_logins` failures in this window, of 15 minutes."""
    now_ms = deps.now_ms()
    for name, most in _limits(deps, address, username, now_ms):
        counter = deps.store.get(Counter, SCOPE, name)
        if counter is not None and counter.value >= most:
            raise RateLimited(-(-(_ends_ms(now_ms) - now_ms) // 1000))


def note(deps: Deps, *, address: str, username: str) -> None:
    """Count one failure. No log-in that succeeds takes it back."""
    now_ms = deps.now_ms()
    for name, _ in _limits(deps, address, username, now_ms):
        deps.store.count(SCOPE, name, forget_at_ms=_ends_ms(now_ms) + WINDOW_MS)


def _limits(deps: Deps, address: str, username: str, now_ms: int) -> Iterator[tuple[str, int]]:
    """The counters' names, and how far each may count. No name holds an address or a user's name."""
    key, most = deps.keyring.derive(_PURPOSE), deps.settings.failed_logins
    for said, limit in ((f"{address}\n{username}", most), (address, NAMES_OF_ADDRESS * most)):
        digest = hmac.new(key, said.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        yield f"{digest}/{now_ms // WINDOW_MS}", limit


def _ends_ms(now_ms: int) -> int:
    return (now_ms // WINDOW_MS + 1) * WINDOW_MS
