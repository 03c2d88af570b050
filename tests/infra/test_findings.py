"""cdk-nag and cfn-lint find nothing that is not acknowledged, and both would say so."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App

from infra import data_stack
from infra.assembly import build_app
from infra.findings import CHECKOV, acknowledge
from tests.infra.conftest import WITHOUT_LAYERS
from tests.infra.templates import Stage


def cfn_lint(*templates: Path) -> list[str]:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "json", *map(str, templates)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return [finding["Rule"]["Id"] for finding in json.loads(done.stdout)]


def test_cdk_nag_finds_nothing_in_either_stack(stage: Stage) -> None:
    report = json.loads((stage.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []


def test_a_finding_without_acknowledgement_ends_the_synthesis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_stack, "acknowledge", lambda construct, reasons: None)
    app = build_app({"target": "local", **WITHOUT_LAYERS}, outdir=str(tmp_path))
    with pytest.raises(RuntimeError, match=r"Validation ?[Ff]ailed"):
        app.synth()
    (nag,) = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    assert nag["conclusion"] == "failure"
    assert {violation["ruleName"] for violation in nag["violations"]} == {"AwsSolutions-S1", "AwsSolutions-SMG4"}


def test_an_acknowledgement_needs_a_reason_of_some_length() -> None:
    with pytest.raises(ValueError, match="at least 20 characters"):
        acknowledge(App(), {"AwsSolutions-S1": "because"})


def test_cfn_lint_finds_nothing(stage: Stage) -> None:
    assert cfn_lint(*sorted(stage.folder.glob("*.template.json"))) == []


def test_cfn_lint_would_find_a_mistake(aws: Stage, tmp_path: Path) -> None:
    body = json.loads(json.dumps(aws.data.body))
    (table,) = (r for r in body["Resources"].values() if r["Type"] == "AWS::DynamoDB::Table")
    table["Properties"]["BillingMode"] = "FREE"
    broken = tmp_path / "broken.template.json"
    broken.write_text(json.dumps(body))
    assert "E3030" in cfn_lint(broken)


checkov = shutil.which(os.environ.get("CHECKOV", "checkov"))


@pytest.mark.skipif(checkov is None, reason="checkov has an environment of its own: CHECKOV=<its path> runs this")
def test_checkov_finds_what_is_acknowledged_and_nothing_else(aws: Stage, tmp_path: Path) -> None:
    for template in aws.folder.glob("*.template.json"):
        shutil.copy(template, tmp_path)
    command = [str(checkov), "--skip-download", "--compact", "--framework", "cloudformation", "--output", "json"]
    done = subprocess.run([*command, "-d", str(tmp_path)], capture_output=True, text=True, check=False)
    failed = json.loads(done.stdout)["results"]["failed_checks"]
    assert {finding["check_id"] for finding in failed} == set(CHECKOV)


def test_every_finding_of_checkov_is_acknowledged_with_a_reason() -> None:
    assert all(len(reason) >= 20 for reason in CHECKOV.values())
