"""Where a stage is: the laptop cloud's own file, or the outputs of a deployed stack."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callscribe import names
from callscribe.cli.edge import UsageError
from callscribe.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from callscribe.adapters.aws.secrets import RootKeys
    from callscribe.ports import Deps
    from callscribe.services.diagnosis import Account

LOCAL_FILE = Path(".callscribe/local.json")
_NOT_THERE = frozenset({"ResourceNotFoundException", "ValidationError"})
_NO_ACCESS = frozenset(
    {"AccessDenied", "AccessDeniedException", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException"}
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage as the command line knows it. Only a laptop's stage comes with a key, a tenant and an AWS endpoint."""

    name: str
    base_url: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    app_id: str | None = None
    api_key: str | None = None
    tenant_id: str | None = None
    aws_endpoint: str | None = None


def find_stage(name: str | None) -> Stage | None:
    """The stage of this name; without a name the laptop's, or None where none runs. Raises UsageError and others."""
    local = read_local_stage(Path.cwd())
    if name is None or (local and local.name == name):
        return local
    return _deployed_stage(name)


def read_local_stage(folder: Path) -> Stage | None:
    """The stage in `.callscribe/local.json` of this folder or the nearest one above it. Raises UsageError."""
    path = next((above / LOCAL_FILE for above in (folder, *folder.parents) if (above / LOCAL_FILE).is_file()), None)
    if path is None:
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _local_stage(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read ({error!r}); `make serve` writes it anew") from error


def open_deps(stage: Stage) -> "Deps":
    """The stage's dependencies: on a laptop by its emulator, else with the operator's AWS credentials.

    Raises UsageError where the stack's outputs do not name what is needed.
    """
    from callscribe import wiring

    _aim_at(stage)
    try:
        return wiring.operator_deps(stage.outputs)
    except RuntimeError as error:
        raise UsageError(f"the outputs of the stage {stage.name} are not complete: {error}") from error


def open_account() -> "Account":
    """The AWS account and region that the operator's credentials name."""
    from callscribe.adapters.aws.account import AwsAccount

    return AwsAccount()


def rotate_root_key(stage: Stage, *, new_key: str, now_ms: int) -> "RootKeys":
    """Publish a new root key of the stage, by the operator's own right to write its secret.

    Raises Conflict, UsageError, Unauthenticated and Unavailable.
    """
    from callscribe.adapters.aws import clients, secrets

    secret_id = stage.outputs.get("RootKeysSecret")
    if not secret_id:
        raise UsageError(f"the outputs of the stage {stage.name} do not name its RootKeysSecret")
    _aim_at(stage)
    with _explained(f"secret {secret_id}"):
        return secrets.rotate(clients.client("secretsmanager"), secret_id, new_key=new_key, now_ms=now_ms)


def _aim_at(stage: Stage) -> None:
    """Let the AWS SDK of this process talk to the emulator of a laptop's stage."""
    if stage.aws_endpoint:
        # The only thing that the AWS SDK can be told by for clients that are made elsewhere.
        os.environ.update(
            AWS_ENDPOINT_URL=stage.aws_endpoint,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION="us-east-1",
        )
        os.environ.pop("AWS_PROFILE", None)


def _local_stage(content: Mapping[str, Any]) -> Stage:
    presign = content.get("presign", {})
    return Stage(
        name=content["stage"],
        base_url=content["base_url"],
        outputs=content.get("outputs", {}),
        app_id=presign.get("app_id"),
        api_key=presign.get("api_key"),
        tenant_id=content.get("tenant_id"),
        aws_endpoint=content["aws_endpoint"],
    )


def _deployed_stage(name: str) -> Stage:
    stack = f"{names.STACK_PREFIX}-{name}-App"
    outputs = _stack_outputs(stack)
    if "ApiUrl" not in outputs:
        raise UsageError(f"the stack {stack} has no output ApiUrl: is it callscribe's?")
    public = outputs.get("PublicBaseUrl", "")
    # A laptop's front has an address that means nothing elsewhere: its gateway's is better.
    base_url = public if public.startswith("https://") else outputs["ApiUrl"]
    return Stage(name=name, base_url=base_url, outputs=outputs)


def _stack_outputs(stack: str) -> dict[str, str]:
    """Outputs by name. Raises UsageError where there is no such stack, Unauthenticated and Unavailable."""
    import boto3

    with _explained(f"stack {stack}"):
        found = boto3.Session().client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raise UsageError, Unauthenticated or Unavailable for what the AWS SDK raises when `what` is asked for."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code in _NOT_THERE:
            raise UsageError(f"no {what} in this account and region: {message}") from error
        kind = Unauthenticated if code in _NO_ACCESS else Unavailable
        raise kind(f"AWS refused access to the {what}: {message}") from error
    except NoCredentialsError as error:
        raise Unauthenticated("no AWS credentials: set AWS_PROFILE or log in") from error
    except (NoRegionError, ProfileNotFound) as error:
        raise UsageError(f"which AWS account and region? Set AWS_PROFILE and AWS_DEFAULT_REGION ({error})") from error
    except BotoCoreError as error:
        raise Unavailable(f"AWS cannot be asked for the {what}: {error}") from error
