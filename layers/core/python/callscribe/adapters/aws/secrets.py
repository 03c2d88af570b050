"""The root keys of a stage in one secret: `{"id": "2", "key": "…", "previous": {"1": "…"}}`.

CloudFormation's GenerateSecretString makes the first form, `{"id": "1", "key": "…"}`.
"""

import json
import uuid
from typing import TYPE_CHECKING, Any

from callscribe.adapters.aws.errors import translated
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Conflict

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROOT_KEY_BYTES = 32  # the least


def load_keyring(client: "SecretsManagerClient", secret_id: str) -> KeyRing:
    """The keyring in a secret (its name or ARN). Raises ValueError for a secret that holds none."""
    document, _ = _read(client, secret_id)
    return _keyring(document)


def rotate(client: "SecretsManagerClient", secret_id: str, *, new_key: str) -> KeyRing:
    """Make `new_key` the current root key under the next number; the keys before it keep verifying.

    Raises Conflict when somebody else rotated at the same time, ValueError for a key that is too short.
    """
    document, version_id = _read(client, secret_id)
    previous = {document["id"]: document["key"], **document.get("previous", {})}
    rotated = {"id": str(int(document["id"]) + 1), "key": new_key, "previous": previous}
    keyring = _keyring(rotated)
    # A version has one successor: the same token with another key is refused, and with the same key (a repeat
    # after a lost answer) it is accepted once.
    token = str(uuid.uuid5(uuid.NAMESPACE_OID, version_id))
    try:
        with translated("secretsmanager"):
            client.put_secret_value(SecretId=secret_id, ClientRequestToken=token, SecretString=json.dumps(rotated))
    except client.exceptions.ResourceExistsException as error:
        raise Conflict("the root keys were rotated by somebody else") from error
    return keyring


def _read(client: "SecretsManagerClient", secret_id: str) -> tuple[dict[str, Any], str]:
    with translated("secretsmanager"):
        answer = client.get_secret_value(SecretId=secret_id)
    document = json.loads(answer["SecretString"])
    if not isinstance(document, dict) or not {"id", "key"} <= document.keys():
        raise ValueError("the secret of the root keys lacks id or key")
    return document, answer["VersionId"]


def _keyring(document: dict[str, Any]) -> KeyRing:
    roots = {**document.get("previous", {}), document["id"]: document["key"]}
    encoded = {root_id: key.encode() for root_id, key in roots.items()}
    if any(len(key) < ROOT_KEY_BYTES for key in encoded.values()):
        raise ValueError(f"a root key has at least {ROOT_KEY_BYTES} bytes")
    return KeyRing(document["id"], encoded)
