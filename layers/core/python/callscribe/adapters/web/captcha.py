"""The protocol by which Turnstile, hCaptcha and reCAPTCHA tell whether a client's token holds ("siteverify").

POST of `secret`, `response` and `remoteip` as a form; the answer is a JSON object with a boolean `success`, and
`error-codes` where it is false. It goes out by the guard's rules like everything else: a Lambda has no other client.
"""

import json
import logging
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from callscribe.adapters.web.guard import Purpose
from callscribe.errors import OutboundFailed, OutboundRefused, Unavailable

if TYPE_CHECKING:
    from callscribe.adapters.web.connector import GuardedClient

_TOTAL_S = 8.0
_MAX_ANSWER_BYTES = 64 * 1024
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
# Not the client's fault: the operator's secret is wrong, or the service has no answer now.
_OURS = frozenset({"missing-input-secret", "invalid-input-secret", "internal-error"})

log = logging.getLogger(__name__)


class SiteVerify:
    """A `Captcha` that asks the service at the operator's own URL. `secret` gives what the service knows us by.

    The client is made at the first question: a cold start needs no HTTP library.
    """

    def __init__(self, url: str, secret: Callable[[], str], *, allow_loopback: bool = False) -> None:
        self._url, self._secret, self._allow_loopback = url, secret, allow_loopback

    def __call__(self, token: str, *, address: str) -> bool:
        """Raises Unavailable where the service gives no verdict."""
        if not token.strip():
            return False
        form = urlencode({"secret": self._secret(), "response": token, "remoteip": address}, errors="replace")
        status, verdict = self._ask(form.encode())
        success, codes = verdict.get("success"), _codes(verdict.get("error-codes"))
        if not isinstance(success, bool) or (not success and codes & _OURS):
            log.warning("the captcha service gave no verdict: status %d, %s", status, ", ".join(sorted(codes)))
            raise Unavailable("the captcha service gave no verdict")
        return success

    def _ask(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of the answer, {} where it is not one."""
        try:
            with self._client.stream(
                "POST",
                self._url,
                purpose=Purpose.CALLBACK,
                total_s=_TOTAL_S,
                max_bytes=_MAX_ANSWER_BYTES,
                headers=_FORM,
                body=body,
            ) as response:
                return response.status, _object(b"".join(response.iter_stream()))
        except (OutboundFailed, OutboundRefused) as error:
            log.warning("the captcha service was not reached: %s", error)
            raise Unavailable("the captcha service did not answer") from error

    @cached_property
    def _client(self) -> "GuardedClient":
        from callscribe.adapters.web.connector import GuardedClient

        return GuardedClient(allow_loopback=self._allow_loopback)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _codes(given: object) -> frozenset[str]:
    """The error codes, those that can be read: the answer is somebody else's."""
    return frozenset(code for code in given if isinstance(code, str)) if isinstance(given, list) else frozenset()
