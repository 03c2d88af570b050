"""CloudFormation: the secrets that it makes."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

import json
import secrets
import string
from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from .registry import Json, expect, expect_source, patch, replace


@patch
def a_secret_is_referred_to_by_its_arn() -> None:
    """`Ref` of an `AWS::SecretsManager::Secret` gives the secret's ARN.

    Emulator: its name, so a policy that CDK writes with `Ref` as its resource matches nothing. AWS: its ARN.
    """
    expect_source(provisioners._sm_secret_create, 'return name, {"Id": arn, "Arn": arn}')
    expect_source(provisioners._sm_secret_update, "_sm._secrets.get(physical_id)")
    expect_source(provisioners._sm_secret_delete, "_sm._secrets.get(physical_id)")
    entry = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    expect(entry["create"] is provisioners._sm_secret_create, "the registered create handler")

    def create(*args: Any) -> Any:
        return _with_arn(provisioners._sm_secret_create(*args))

    def update(physical_id: str, *args: Any, **kwargs: Any) -> Any:
        return _with_arn(provisioners._sm_secret_update(_secret_name(physical_id), *args, **kwargs))

    def delete(physical_id: str, *args: Any) -> Any:
        return provisioners._sm_secret_delete(_secret_name(physical_id), *args)

    entry |= {"create": create, "update": update, "delete": delete}
    expect(provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["create"] is create, "handlers to be used")


def _with_arn(result: Any) -> Any:
    """A provisioner's result with the secret's ARN for its physical id."""
    name, attributes, *rest = result
    return (secretsmanager._secrets[name]["ARN"], attributes, *rest)


def _secret_name(physical_id: str) -> str:
    """The name of the secret with this ARN, or the id itself for one made before the patch."""
    for name, secret in secretsmanager._secrets.items():
        if secret["ARN"] == physical_id:
            return str(name)
    return physical_id


@patch
def generated_secrets_follow_their_options() -> None:
    """`GenerateSecretString` makes a secret even without options, and heeds all of them.

    Emulator: `{}`, which CDK writes by default, gives an empty secret, and the `Exclude…` switches are ignored. AWS:
    32 characters of letters, digits and punctuation, less what is excluded.
    """
    expect_source(provisioners._sm_secret_create, "secret_string = _sm_secret_string(props)")
    expect_source(provisioners._sm_secret_string, "if gen and not secret_string:")

    def make(original: Any) -> Any:
        def secret_string(properties: Json) -> str:
            options = properties.get("GenerateSecretString")
            if options is None or properties.get("SecretString"):
                return str(original(properties))
            return _generated_secret(options)

        return secret_string

    replace(provisioners, "_sm_secret_string", make)
    expect(len(provisioners._sm_secret_string({"GenerateSecretString": {}})) == 32, "32 characters by default")


_SECRET_ALPHABETS = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}


def _generated_secret(options: Json) -> str:
    alphabet = "".join(part for switch, part in _SECRET_ALPHABETS.items() if not options.get(switch))
    alphabet += " " if options.get("IncludeSpace") else ""
    alphabet = "".join(set(alphabet) - set(options.get("ExcludeCharacters", "")))
    password = "".join(secrets.choice(alphabet) for _ in range(int(options.get("PasswordLength", 32))))
    if "SecretStringTemplate" not in options:
        return password
    return json.dumps({**json.loads(options["SecretStringTemplate"]), options["GenerateStringKey"]: password})
