"""All secrets of a stage, derived from one rotating root key."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from callscribe.errors import Unavailable


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Root keys by id. `current` signs; the others still verify what they signed, until they are dropped.

    Nothing derived is stored: a secret is HMAC-SHA256 of the root key over its purpose, so that the table
    holds no secret and rotation is one new entry.
    """

    current: str
    roots: Mapping[str, bytes]

    def derive(self, purpose: str, *, root_id: str | None = None) -> bytes:
        """32 bytes for a purpose such as `pepper` or `webhook/<tenant>/<n>`. Raises Unavailable without that key."""
        root = self.roots.get(root_id or self.current)
        if root is None:
            raise Unavailable(f"this stage has no root key {root_id}")
        return hmac.new(root, purpose.encode(), hashlib.sha256).digest()

    def webhook_secret(self, tenant_id: str, key_id: str) -> str:
        """`whsec_` + base64 of 32 bytes, as Standard Webhooks writes it. `key_id` is `<root id>.<n>`.

        Raises Unavailable for a root key we lack.
        """
        root_id, _, number = key_id.partition(".")
        secret = self.derive(f"webhook/{tenant_id}/{number}", root_id=root_id)
        return "whsec_" + base64.b64encode(secret).decode()
