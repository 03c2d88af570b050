"""Where an answer sends us on to. The new URL is for the guard to judge, like the first one."""

import re
from collections.abc import Iterable
from urllib.parse import urljoin

from callscribe.adapters.web.guard import Rule
from callscribe.errors import OutboundFailed, OutboundRefused

STATUSES = frozenset({301, 302, 303, 307, 308})
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def next_url(url: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The URL that the headers of a redirect lead to, from `url`; absolute ones are passed on as they are written.

    Raises OutboundFailed (protocol) where there is not exactly one, OutboundRefused for text that is not a URL's.
    """
    locations = [value for name, value in headers if name.lower() == b"location"]
    if len(locations) != 1:
        raise OutboundFailed("protocol", "the answer redirects without saying where to, or to several places")
    location = locations[0].decode("utf-8", errors="replace")
    if not location.isprintable():  # urljoin would drop tabs and line breaks and hide them from the guard
        raise OutboundRefused(Rule.TEXT, "must hold no spaces, control characters or backslashes")
    return location if _ABSOLUTE.match(location) else _joined(url, location)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise OutboundRefused(Rule.SHAPE, "must be an absolute URL such as https://host/path") from None
