"""What the cost model says of a stage is what its template has: counted there, so that neither drifts from the other."""

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from callscribe.costs.inputs import number, table
from callscribe.services.diagnosis import LAST_RESORTS
from infra.machines import transcription_definition
from infra.settings import StageSettings
from tests.infra.templates import Stage

Json = dict[str, Any]
_DAY_MINUTES = 1_440
_POLLERS = 5  # that Lambda has for each queue, each with a long poll of 20 s


@pytest.fixture(scope="module")
def resources(aws: Stage) -> list[tuple[str, Json]]:
    """Logical id and resource, of all stacks of a stage as it is deployed by default."""
    templates = [json.loads(path.read_text()) for path in Path(aws.folder).glob("Callscribe-*.template.json")]
    assert len(templates) == 3
    return list(chain.from_iterable(template["Resources"].items() for template in templates))


def properties(resources: list[tuple[str, Json]], kind: str) -> list[Json]:
    return [body.get("Properties", {}) for _, body in resources if body["Type"] == kind]


@pytest.mark.parametrize(
    ("name", "kind"), [("fixed.alarms", "AWS::CloudWatch::Alarm"), ("fixed.secrets", "AWS::SecretsManager::Secret")]
)
def test_what_is_paid_by_the_month_is_counted(resources: list[tuple[str, Json]], name: str, kind: str) -> None:
    assert number(name) == len(properties(resources, kind))


def test_functions_that_run_by_the_clock_are_counted(resources: list[tuple[str, Json]]) -> None:
    rates = [
        rule["ScheduleExpression"]
        for rule in properties(resources, "AWS::Events::Rule")
        if "ScheduleExpression" in rule
    ]
    minutes = [int(found[1]) for rate in rates if (found := re.fullmatch(r"rate\((\d+) minutes?\)", rate))]
    assert len(minutes) == len(rates)
    assert number("fixed.lambda_runs_day") == sum(_DAY_MINUTES / one for one in minutes)


def test_queues_that_lambda_polls_are_counted(resources: list[tuple[str, Json]]) -> None:
    mappings = properties(resources, "AWS::Lambda::EventSourceMapping")
    queues = [one for one in mappings if "StartingPosition" not in one]  # the other is the table's stream
    assert number("fixed.empty_receives_day") == len(queues) * _POLLERS * _DAY_MINUTES * 3


def test_a_workers_disk_is_as_large_as_stated(resources: list[tuple[str, Json]]) -> None:
    (template,) = properties(resources, "AWS::EC2::LaunchTemplate")
    (disk,) = template["LaunchTemplateData"]["BlockDeviceMappings"]
    assert number("fixed.machine_disk_gb") == disk["Ebs"]["VolumeSize"]


def test_nothing_stands_idle_that_the_cost_model_does_not_know(resources: list[tuple[str, Json]]) -> None:
    """What AWS charges by the hour, called or not."""
    kinds = {body["Type"] for _, body in resources}
    assert not kinds & {"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::KMS::Key", "AWS::ECS::Service"}
    endpoints = properties(resources, "AWS::EC2::VPCEndpoint")
    assert {one.get("VpcEndpointType", "Gateway") for one in endpoints} == {"Gateway"}
    environments = properties(resources, "AWS::Batch::ComputeEnvironment")
    assert {one["ComputeResources"]["MinvCpus"] for one in environments} == {0}


def test_the_states_of_a_successful_job_are_counted_with_its_start() -> None:
    machine = transcription_definition(prepare_arn="p", finish_arn="f", work_queue_url="q", deadline_s=60)
    passed, state = 0, machine["StartAt"]
    while state:
        found = machine["States"][state]
        passed, state = passed + 1, found.get("Next", found.get("Default"))
    assert number("job.transitions") == 1 + passed


def test_the_memory_of_a_jobs_functions_is_the_templates(aws: Stage) -> None:
    runs = table("job.lambda_runs")
    functions = {name.partition(" ")[0]: body for name, body in aws.functions.items()}
    for name, (_, memory_mb, _) in runs.items():
        own = "api_presign" if name == "api" else name  # by which the counted job comes
        found = {body["MemorySize"] for key, body in functions.items() if key == own}
        assert found == {memory_mb}, name


def test_retention_is_what_a_stage_has_by_default() -> None:
    stage = StageSettings()
    assert number("job.audio_kept_days") == stage.audio_retention_days + stage.noncurrent_retention_days
    assert number("job.results_kept_days") == stage.results_retention_days
    assert number("policy.tick_s") == 60


def test_every_queue_of_last_resort_is_known_to_the_doctor_by_its_name(resources: list[tuple[str, Json]]) -> None:
    queues = {logical: body for logical, body in resources if body["Type"] == "AWS::SQS::Queue"}
    targets = {
        body["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for body in queues.values()
        if "RedrivePolicy" in body["Properties"]
    }
    failures = {
        one["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for one in properties(resources, "AWS::Lambda::EventSourceMapping")
        if "DestinationConfig" in one
    }
    known = {logical for logical in queues if any(word in logical for word in LAST_RESORTS)}
    assert known == targets | failures
