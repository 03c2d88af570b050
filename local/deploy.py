"""Deploys a synthesised CDK cloud assembly to the emulator, as the CDK CLI would: in seconds, and again at will."""

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config

from local.emulator import REGION, aws_client

Outputs = dict[str, dict[str, str]]

_TAG = "callscribe:template"
_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_STATEFUL_TYPES = (
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)
ZIPPED = ".zipped"  # the folder of an assembly that holds its assets as they are uploaded
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class DeployError(RuntimeError):
    """Raised when a stack cannot be deployed; the message names the failing resource and the reason."""


@dataclass(frozen=True)
class Stack:
    """One stack of a cloud assembly: its template and the ids of the artifacts it depends on."""

    artifact_id: str
    name: str
    template_file: Path
    parameters: dict[str, str]
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class _Asset:
    source: Path
    packaging: str
    bucket: str
    key: str


def deploy(
    assembly_dir: Path,
    endpoint_url: str,
    *,
    timeout_s: float = 120.0,
    report: Callable[[str], None] | None = None,
) -> Outputs:
    """Deploy the assembly's stacks in their order; return their outputs.

    A stack whose template did not change is left alone, a changed one is updated; one that cannot be updated is made
    anew if it holds no data. `report` gets a line per stack. Raises DeployError.
    """
    deployer = _Deployer(assembly_dir, endpoint_url, timeout_s, report or _say_nothing)
    return {stack.name: deployer.deploy(stack) for stack in read_stacks(assembly_dir)}


def stack_outputs(stack_name: str, endpoint_url: str) -> dict[str, str]:
    """The outputs of a deployed stack. Raises DeployError when there is none of that name."""
    stack = _describe(aws_client("cloudformation", endpoint_url), stack_name)
    if stack is None:
        raise DeployError(f"no stack named {stack_name} is deployed")
    return _outputs(stack)


def read_stacks(assembly_dir: Path) -> list[Stack]:
    """The assembly's stacks, each after those it depends on. Raises DeployError when there is no assembly."""
    manifest_file = assembly_dir / "manifest.json"
    if not manifest_file.exists():
        raise DeployError(f"{assembly_dir} holds no cloud assembly: run `make synth` first")
    artifacts = json.loads(manifest_file.read_text())["artifacts"]
    stacks = {
        artifact_id: _read_stack(assembly_dir, artifact_id, artifact)
        for artifact_id, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    return _in_order(stacks)


def zip_folder(folder: Path, target: Path) -> None:
    """Zip a folder so that equal content gives equal bytes: names sorted, times fixed, permissions reduced to two."""
    partial = target.with_suffix(f".{os.getpid()}.part")  # two deployments may share a cache
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for file in _files(folder):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _ZIP_EPOCH)
            entry.external_attr = (0o755 if file.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, file.read_bytes())
    partial.replace(target)


class _Deployer:
    def __init__(self, assembly_dir: Path, endpoint_url: str, timeout_s: float, report: Callable[[str], None]) -> None:
        self.assembly_dir = assembly_dir
        self.endpoint_url = endpoint_url
        self.timeout_s = timeout_s
        self.report = report
        self.cloudformation = aws_client("cloudformation", endpoint_url)
        # A layer of 200 MB need not be hashed twice more on its way over loopback.
        unsigned = Config(
            s3={"addressing_style": "path", "payload_signing_enabled": False},
            request_checksum_calculation="when_required",
        )
        self.s3 = aws_client("s3", endpoint_url, config=unsigned)
        self.account = aws_client("sts", endpoint_url).get_caller_identity()["Account"]
        self._buckets: set[str] = set()

    def deploy(self, stack: Stack) -> dict[str, str]:
        started = time.monotonic()
        template = stack.template_file.read_bytes()
        mark = _mark(template, stack.parameters)
        deployed = _describe(self.cloudformation, stack.name)
        if deployed and deployed["StackStatus"] in _GOOD and _tags(deployed).get(_TAG) == mark:
            self.report(f"{stack.name}: unchanged")
            return _outputs(deployed)
        self._bootstrap(json.loads(template))
        template_asset = self._upload_assets(stack)
        verb = self._apply(stack, deployed, self._request(stack, template, template_asset, mark))
        self.report(f"{stack.name}: {verb} in {time.monotonic() - started:.1f} s")
        return stack_outputs(stack.name, self.endpoint_url)

    def _apply(self, stack: Stack, deployed: dict[str, Any] | None, request: dict[str, Any]) -> str:
        if deployed is None:
            return self._create(stack, request)
        if deployed["StackStatus"] not in (*_GOOD, "UPDATE_ROLLBACK_COMPLETE"):
            return self._recreate(stack, request, f"its state is {deployed['StackStatus']}")
        try:
            self.cloudformation.update_stack(**request)
            self._wait(stack.name, "UPDATE_COMPLETE")
        except (DeployError, self.cloudformation.exceptions.ClientError) as error:
            if "No updates" in str(error):
                return "unchanged"
            return self._recreate(stack, request, str(error))
        return "updated"

    def _create(self, stack: Stack, request: dict[str, Any]) -> str:
        try:
            self.cloudformation.create_stack(**request, OnFailure="DO_NOTHING")
        except self.cloudformation.exceptions.ClientError as error:
            raise DeployError(f"{stack.name} cannot be created: {error}") from error
        self._wait(stack.name, "CREATE_COMPLETE")
        return "created"

    def _recreate(self, stack: Stack, request: dict[str, Any], reason: str) -> str:
        stateful = stateful_resources(json.loads(stack.template_file.read_text()))
        if stateful:
            raise DeployError(
                f"{stack.name} cannot be updated ({reason}) and is not made anew because it holds data"
                f" ({', '.join(stateful)}); `make clean` starts from nothing"
            )
        self.cloudformation.delete_stack(StackName=stack.name)
        self._wait(stack.name, None)
        self._create(stack, request)
        return "made anew"

    def _request(self, stack: Stack, template: bytes, asset: _Asset | None, mark: str) -> dict[str, Any]:
        request: dict[str, Any] = {
            "StackName": stack.name,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()],
            "Tags": [{"Key": _TAG, "Value": mark}],
        }
        if asset is None:
            return request | {"TemplateBody": template.decode()}
        return request | {"TemplateURL": f"{self.endpoint_url}/{asset.bucket}/{asset.key}"}

    def _wait(self, stack_name: str, wanted: str | None) -> None:
        """Wait for a status, or for the stack to be gone (None)."""
        deadline = time.monotonic() + self.timeout_s
        while time.monotonic() < deadline:
            stack = _describe(self.cloudformation, stack_name)
            status = stack["StackStatus"] if stack else None
            if status == wanted:
                return
            if status is None or status.endswith("_FAILED") or (status.endswith("_COMPLETE") and wanted):
                raise DeployError(f"{stack_name} ended as {status}: {self._first_failure(stack_name)}")
            time.sleep(0.05)
        raise DeployError(f"{stack_name} did not finish within {self.timeout_s:g} s")

    def _first_failure(self, stack_name: str) -> str:
        try:
            events = self.cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
        except self.cloudformation.exceptions.ClientError as error:
            return str(error)
        failures = [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', 'no reason')}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED") and event["ResourceType"] != "AWS::CloudFormation::Stack"
        ]
        return failures[-1] if failures else "no resource reports a reason"

    def _bootstrap(self, template: dict[str, Any]) -> None:
        """Put the SSM parameter there that a CDK template asks for: the version of the bootstrap stack."""
        version = template.get("Parameters", {}).get("BootstrapVersion", {}).get("Default")
        if version:
            aws_client("ssm", self.endpoint_url).put_parameter(Name=version, Value="30", Type="String", Overwrite=True)

    def _upload_assets(self, stack: Stack) -> _Asset | None:
        """Upload what is not there yet; return the asset that is the template itself."""
        template_asset = None
        for asset in self._assets(stack):
            if asset.source == stack.template_file:
                template_asset = asset
            self._ensure_bucket(asset.bucket)
            if not self._is_uploaded(asset):
                self.s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=self._asset_bytes(asset))
        return template_asset

    def _assets(self, stack: Stack) -> Iterator[_Asset]:
        listing = self.assembly_dir / f"{stack.artifact_id}.assets.json"
        if not listing.exists():
            return
        for entry in json.loads(listing.read_text()).get("files", {}).values():
            for destination in entry["destinations"].values():
                yield _Asset(
                    source=self.assembly_dir / entry["source"]["path"],
                    packaging=entry["source"]["packaging"],
                    bucket=self._fill_in(destination["bucketName"]),
                    key=self._fill_in(destination["objectKey"]),
                )

    def _fill_in(self, text: str) -> str:
        values = {"AccountId": self.account, "Region": REGION, "Partition": "aws"}
        for name, value in values.items():
            text = text.replace(f"${{AWS::{name}}}", value)
        return text

    def _ensure_bucket(self, bucket: str) -> None:
        if bucket in self._buckets:
            return
        try:
            self.s3.head_bucket(Bucket=bucket)
        except self.s3.exceptions.ClientError:
            self.s3.create_bucket(Bucket=bucket)
        self._buckets.add(bucket)

    def _is_uploaded(self, asset: _Asset) -> bool:
        try:
            self.s3.head_object(Bucket=asset.bucket, Key=asset.key)
        except self.s3.exceptions.ClientError:
            return False
        return True

    def _asset_bytes(self, asset: _Asset) -> bytes:
        if asset.packaging != "zip" or asset.source.is_file():
            return asset.source.read_bytes()
        archive = self.assembly_dir / ZIPPED / Path(asset.key).name
        if not archive.exists():
            archive.parent.mkdir(exist_ok=True)
            zip_folder(asset.source, archive)
        return archive.read_bytes()


def stateful_resources(template: dict[str, Any]) -> list[str]:
    """The logical ids of a template's resources that hold data, which deleting the stack could lose."""
    return sorted(
        logical_id
        for logical_id, resource in template.get("Resources", {}).items()
        if resource["Type"] in _STATEFUL_TYPES or resource.get("DeletionPolicy", "").startswith("Retain")
    )


def _say_nothing(line: str) -> None:
    del line


def _read_stack(assembly_dir: Path, artifact_id: str, artifact: dict[str, Any]) -> Stack:
    properties = artifact["properties"]
    return Stack(
        artifact_id=artifact_id,
        name=properties.get("stackName", artifact_id),
        template_file=assembly_dir / properties["templateFile"],
        parameters=properties.get("parameters", {}),
        depends_on=tuple(artifact.get("dependencies", ())),
    )


def _in_order(stacks: dict[str, Stack]) -> list[Stack]:
    ordered: dict[str, Stack] = {}

    def visit(artifact_id: str) -> None:
        if artifact_id in stacks and artifact_id not in ordered:
            for dependency in stacks[artifact_id].depends_on:
                visit(dependency)
            ordered[artifact_id] = stacks[artifact_id]

    for artifact_id in stacks:
        visit(artifact_id)
    return list(ordered.values())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _mark(template: bytes, parameters: dict[str, str]) -> str:
    digest = hashlib.sha256(template)
    digest.update(json.dumps(parameters, sort_keys=True).encode())
    return digest.hexdigest()


def _describe(cloudformation: Any, stack_name: str) -> dict[str, Any] | None:
    try:
        stacks = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    except cloudformation.exceptions.ClientError:
        return None
    live = [stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
    return live[0] if live else None


def _tags(stack: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
