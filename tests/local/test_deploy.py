"""The deployer: order, repeatability, updates, clear failures."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from local.deploy import DeployError, deploy, read_stacks, stateful_resources, zip_folder
from tests.local import sample
from tests.local.conftest import Cloud


def test_equal_folders_give_equal_archives(tmp_path: Path) -> None:
    archives = []
    for number, names in enumerate((("a.py", "b.py"), ("b.py", "a.py"))):
        folder = tmp_path / str(number)
        (folder / "package").mkdir(parents=True)
        for name in names:
            (folder / "package" / name).write_text(name)
            os.utime(folder / "package" / name, (number, number))
        archives.append(tmp_path / f"{number}.zip")
        zip_folder(folder, archives[-1])
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert zipfile.ZipFile(archives[0]).namelist() == ["package/a.py", "package/b.py"]


def test_a_stack_comes_after_those_it_depends_on(tmp_path: Path) -> None:
    _write_manifest(tmp_path, {"App": ["Data", "App.assets"], "Data": []})
    assert [stack.name for stack in read_stacks(tmp_path)] == ["callscribe-Data", "callscribe-App"]


def test_a_missing_assembly_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="make synth"):
        read_stacks(tmp_path)


def test_stores_and_whatever_is_retained_hold_data() -> None:
    resources = {
        "Table": {"Type": "AWS::DynamoDB::Table"},
        "Log": {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "RetainExceptOnCreate"},
        "Function": {"Type": "AWS::Lambda::Function", "DeletionPolicy": "Delete"},
    }
    assert stateful_resources({"Resources": resources}) == ["Log", "Table"]


@pytest.mark.emulator
def test_an_unchanged_stack_is_left_alone(cloud: Cloud) -> None:
    said: list[str] = []
    outputs = deploy(cloud.assembly_dir, cloud.emulator.endpoint_url, report=said.append)
    assert outputs[sample.STACK] == cloud.outputs
    assert said == ["sample: unchanged"]


@pytest.mark.emulator
def test_changed_code_is_updated_and_data_stays(cloud: Cloud, tmp_path: Path) -> None:
    cloud.put_item("job#stays")
    cloud.invoke("ImportsName", {"names": []})
    said: list[str] = []
    changed = sample.write_assembly(tmp_path / "changed", marker="two")
    outputs = deploy(changed, cloud.emulator.endpoint_url, report=said.append)
    assert said[0].startswith("sample: updated")
    assert outputs[sample.STACK]["Table"] == cloud.outputs["Table"]
    key = {"pk": {"S": "job#stays"}, "sk": {"S": "a"}}
    assert "Item" in cloud.client("dynamodb").get_item(TableName=cloud.outputs["Table"], Key=key)
    assert cloud.invoke("ImportsName", {"names": ["two_of_two"]}) == {"two_of_two": False}
    assert cloud.invoke("StepName", {"name": "marker"})["marker"] == "two"


@pytest.mark.emulator
def test_a_failing_stack_names_the_resource_and_the_reason(cloud: Cloud, tmp_path: Path) -> None:
    resources = {"Broken": {"Type": "AWS::Batch::ComputeEnvironment", "Properties": {}}}
    _write_manifest(tmp_path, {"Bad": []}, {"Resources": resources})
    with pytest.raises(DeployError, match=r"callscribe-Bad.*Batch"):
        deploy(tmp_path, cloud.emulator.endpoint_url)
    # It can be mended and deployed again.
    _write_manifest(tmp_path, {"Bad": []}, {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    deploy(tmp_path, cloud.emulator.endpoint_url)


def _write_manifest(
    folder: Path, dependencies: dict[str, list[str]], template: dict[str, object] | None = None
) -> None:
    artifacts = {}
    for name, depends_on in dependencies.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template or {}))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": f"{name}.template.json", "stackName": f"callscribe-{name}"},
            "dependencies": depends_on,
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
