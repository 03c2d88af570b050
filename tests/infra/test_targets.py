"""The laptop's template and the one for AWS are the same but for a list; exports do not depend on code."""

import json
import re
from typing import Any

from tests.infra.templates import Stage

LAYERS = ("CoreLayer", "MediaLayer", "DocumentsLayer")


def test_the_templates_of_both_targets_differ_in_layer_contents_and_the_workers_trust_only(
    aws: Stage, local: Stage
) -> None:
    assert aws.data.body == local.data.body
    differences = set(_differences(_normal(aws), _normal(local)))
    (worker,) = (n for n, r in aws.app.body["Resources"].items() if r["Type"] == "AWS::IAM::Role" and "Worker" in n)
    trust = f"/Resources/{worker}/Properties/AssumeRolePolicyDocument/Statement"
    layers = {
        f"/Resources/{name}/Properties/Content/S3Key"
        for name, resource in _normal(aws)["Resources"].items()
        if resource["Type"] == "AWS::Lambda::LayerVersion"
    }
    assert len(layers) == len(LAYERS)
    assert differences == layers | {trust}


def test_only_on_the_laptop_may_the_account_itself_be_the_worker(aws: Stage, local: Stage) -> None:
    assert _worker_principals(aws) == [{"Service": "ecs-tasks.amazonaws.com"}]
    account = "arn:<AWS::Partition>:iam::<AWS::AccountId>:root"
    assert _worker_principals(local) == [{"AWS": account}, {"Service": "ecs-tasks.amazonaws.com"}]


def test_other_layer_contents_change_no_export(aws: Stage, local: Stage) -> None:
    assert _layer_keys(aws).isdisjoint(_layer_keys(local))  # the code does differ between the two
    assert aws.data.exports == local.data.exports
    assert aws.app.exports == local.app.exports
    assert sorted(re.sub(r"\w{8}(\.\w+)?>$", "", value) for value in aws.app.exports.values()) == [
        "<App:FetchingVideos",
        "<App:PipelineWork",
        "<App:PipelineWork",
        "<App:PipelineWorkerRole",
    ]


def test_the_data_stack_holds_no_code_and_knows_nothing_of_the_app_stack(stage: Stage) -> None:
    kinds = {resource["Type"] for resource in stage.data.body["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::Lambda::", "Custom::"))}
    manifest = json.loads((stage.folder / "manifest.json").read_text())["artifacts"]
    dependencies = manifest["Callscribe-test-Data"].get("dependencies", [])
    assert not [name for name in dependencies if name.endswith("-App")]


def _normal(stage: Stage) -> dict[str, Any]:
    """The app template with layer versions named by their construct: their logical ids hold a content hash."""
    text = json.dumps(stage.app.body)
    layers = [n for n, r in stage.app.body["Resources"].items() if r["Type"] == "AWS::Lambda::LayerVersion"]
    for name in layers:
        (short,) = (layer for layer in LAYERS if layer in name)
        text = text.replace(name, short)
    body: dict[str, Any] = json.loads(text)
    return body


def _differences(one: Any, other: Any, path: str = "") -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [p for key in keys for p in _differences(one.get(key), other.get(key), f"{path}/{key}")]
    return [] if one == other else [path]


def _worker_principals(stage: Stage) -> list[Any]:
    (role,) = (r for r in stage.resources("AWS::IAM::Role").values() if "ecs-tasks" in str(r))
    found = [statement["Principal"] for statement in role["AssumeRolePolicyDocument"]["Statement"]]
    merged = [{key: value} for principal in found for key, value in principal.items()]
    return sorted(merged, key=str)


def _layer_keys(stage: Stage) -> set[str]:
    return {layer["Content"]["S3Key"] for layer in stage.resources("AWS::Lambda::LayerVersion").values()}
