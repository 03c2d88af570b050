"""One secret of the operator's own: a text in Secrets Manager, read when it is first used and again as it ages."""

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from callscribe.adapters.aws.errors import translated
from callscribe.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

REFRESH_S = 300.0


class SecretText:
    """Gives the secret's text, at most five minutes old, or the one before while Secrets Manager does not answer."""

    def __init__(
        self, client: "SecretsManagerClient", secret_id: str, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._secret_id, self._clock_s = client, secret_id, clock_s
        self._lock = Lock()
        self._text, self._read_at_s = "", 0.0

    def __call__(self) -> str:
        """Raises Unavailable where it was never read, or is empty."""
        with self._lock:
            if not self._text or self._clock_s() - self._read_at_s >= REFRESH_S:
                self._read()
            return self._text

    def _read(self) -> None:
        try:
            with translated("secretsmanager"):
                text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString", "").strip()
        except Unavailable:
            text = ""
        self._read_at_s = self._clock_s()
        self._text = text or self._text
        if not self._text:
            raise Unavailable("a secret of the operator's cannot be read")
