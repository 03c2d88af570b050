"""Where a stage is: the laptop cloud's own file, or the outputs of a deployed stack."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callscribe import names
from callscribe.cli.edge import UsageError
from callscribe.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from callscribe.ports import Deps

LOCAL_FILE = Path(".callscribe/local.json")
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

    if stage.aws_endpoint:
        # The only thing that the AWS SDK can be told by for clients that are made elsewhere.
        os.environ.update(
            AWS_ENDPOINT_URL=stage.aws_endpoint,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION="us-east-1",
        )
        os.environ.pop("AWS_PROFILE", None)
    try:
        return wiring.operator_deps(stage.outputs)
    except RuntimeError as error:
        raise UsageError(f"the outputs of the stage {stage.name} are not complete: {error}") from error


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
    return Stage(name=name, base_url=outputs["ApiUrl"], outputs=outputs)


def _stack_outputs(stack: str) -> dict[str, str]:
    """Outputs by name. Raises UsageError where there is no such stack, Unauthenticated and Unavailable."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

    try:
        found = boto3.Session().client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "ValidationError":
            raise UsageError(f"no stack {stack} in this account and region: {message}") from error
        kind = Unauthenticated if code in _NO_ACCESS else Unavailable
        raise kind(f"AWS did not say where {stack} is: {message}") from error
    except NoCredentialsError as error:
        raise Unauthenticated("no AWS credentials: set AWS_PROFILE or log in") from error
    except (NoRegionError, ProfileNotFound) as error:
        raise UsageError(f"which AWS account and region? Set AWS_PROFILE and AWS_DEFAULT_REGION ({error})") from error
    except BotoCoreError as error:
        raise Unavailable(f"AWS cannot be asked where {stack} is: {error}") from error
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
