"""The root keys of a stage in one secret, read again while the process lives, and their rotation.

The secret: `{"id": "2", "key": "…", "signs_from_ms": 1767225600000, "previous": {"1": "…"}}`. CloudFormation's
GenerateSecretString makes the first form, `{"id": "1", "key": "…"}`.

A new key is published before it is used: it verifies at once and signs from `signs_from_ms` on, by when every process
has read it. So nobody meets a token or an API key that it cannot verify yet.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from callscribe.adapters.aws.errors import translated
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROOT_KEY_BYTES = 32  # the least
REFRESH_MS = 60_000  # a process reads the secret again when it is used after so long
SEEK_AGAIN_MS = 5_000  # and for an unknown root id, but not more often: anybody can forge ids
PUBLISHED_BEFORE_MS = REFRESH_MS + 30_000  # clocks may differ by the half minute

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RootKeys:
    """What the secret holds: root keys by id, the newest of which signs from a moment on."""

    newest: str
    roots: Mapping[str, bytes]
    signs_from_ms: int = 0

    def keyring(self, now_ms: int) -> KeyRing:
        """The keyring at this moment."""
        older = set(self.roots) - {self.newest}
        waits = now_ms < self.signs_from_ms and older
        return KeyRing(max(older, key=int) if waits else self.newest, self.roots)


class SecretKeys:
    """The keyring that a secret holds, at most a minute old; works as a `KeyRing`, and may be shared by threads.

    While Secrets Manager does not answer, the keys that were read last stay in use.
    """

    def __init__(self, client: "SecretsManagerClient", secret_id: str, *, now_ms: Callable[[], int]) -> None:
        """Reads the secret. Raises Unavailable, and ValueError for a secret that holds no root keys."""
        self._client, self._secret_id, self._now_ms = client, secret_id, now_ms
        self._lock = Lock()
        self._read_at_ms = now_ms()
        self._sought_at_ms = self._read_at_ms - SEEK_AGAIN_MS
        self._keyring = load_root_keys(client, secret_id).keyring(self._read_at_ms)

    @property
    def current(self) -> str:
        """The id of the root key that signs."""
        return self.keyring().current

    @property
    def roots(self) -> Mapping[str, bytes]:
        """Root keys by id; to ask for an unknown one reads the secret again."""
        return _Roots(self)

    def derive(self, purpose: str, *, root_id: str | None = None) -> bytes:
        """See `KeyRing.derive`."""
        return self.keyring(root_id).derive(purpose, root_id=root_id)

    def webhook_secret(self, tenant_id: str, key_id: str) -> str:
        """See `KeyRing.webhook_secret`."""
        return self.keyring(key_id.partition(".")[0]).webhook_secret(tenant_id, key_id)

    def keyring(self, root_id: str | None = None) -> KeyRing:
        """The keyring; read again when it is too old, or lacks `root_id`."""
        with self._lock:
            now_ms = self._now_ms()
            unknown = root_id is not None and root_id not in self._keyring.roots
            too_old = now_ms - self._read_at_ms >= REFRESH_MS
            if too_old or (unknown and now_ms - self._sought_at_ms >= SEEK_AGAIN_MS):
                self._read_at_ms = now_ms
                self._sought_at_ms = now_ms if unknown else self._sought_at_ms
                self._read_again(now_ms)
            return self._keyring

    def _read_again(self, now_ms: int) -> None:
        try:
            self._keyring = load_root_keys(self._client, self._secret_id).keyring(now_ms)
        except (Unavailable, ValueError) as error:
            log.warning("the root keys were not read again: %s", error)


class _Roots(Mapping[str, bytes]):
    """Root keys by id, which are looked for again when one is missing."""

    def __init__(self, keys: SecretKeys) -> None:
        self._keys = keys

    def __getitem__(self, root_id: str) -> bytes:
        return self._keys.keyring(root_id).roots[root_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys.keyring().roots)

    def __len__(self) -> int:
        return len(self._keys.keyring().roots)


def load_root_keys(client: "SecretsManagerClient", secret_id: str) -> RootKeys:
    """What a secret (its name or ARN) holds. Raises ValueError when that is no root keys."""
    document, _ = _read(client, secret_id)
    return _root_keys(document)


def rotate(client: "SecretsManagerClient", secret_id: str, *, new_key: str, now_ms: int) -> RootKeys:
    """Publish `new_key` under the next number; it signs from a minute and a half later on. All others keep verifying.

    Raises Conflict when somebody else rotated at the same time or a moment ago, ValueError for a key that is too short.
    """
    document, version_id = _read(client, secret_id)
    if now_ms < _root_keys(document).signs_from_ms:
        raise Conflict(f"root key {document['id']} was made a moment ago and does not sign yet")
    rotated = {
        "id": str(int(document["id"]) + 1),
        "key": new_key,
        "signs_from_ms": now_ms + PUBLISHED_BEFORE_MS,
        "previous": {**document.get("previous", {}), document["id"]: document["key"]},
    }
    root_keys = _root_keys(rotated)
    # A version has one successor: the same token with another key is refused, and with the same key (a repeat
    # after a lost answer) it is accepted once.
    token = str(uuid.uuid5(uuid.NAMESPACE_OID, version_id))
    try:
        with translated("secretsmanager"):
            client.put_secret_value(SecretId=secret_id, ClientRequestToken=token, SecretString=json.dumps(rotated))
    except client.exceptions.ResourceExistsException as error:
        raise Conflict("the root keys were rotated by somebody else") from error
    return root_keys


def _read(client: "SecretsManagerClient", secret_id: str) -> tuple[dict[str, Any], str]:
    with translated("secretsmanager"):
        answer = client.get_secret_value(SecretId=secret_id)
    document = json.loads(answer["SecretString"])
    if not isinstance(document, dict) or not {"id", "key"} <= document.keys():
        raise ValueError("the secret of the root keys lacks id or key")
    return document, answer["VersionId"]


def _root_keys(document: dict[str, Any]) -> RootKeys:
    keys = {**document.get("previous", {}), document["id"]: document["key"]}
    roots = {root_id: key.encode() for root_id, key in keys.items()}
    if any(len(key) < ROOT_KEY_BYTES for key in roots.values()):
        raise ValueError(f"a root key has at least {ROOT_KEY_BYTES} bytes")
    return RootKeys(document["id"], roots, document.get("signs_from_ms", 0))
