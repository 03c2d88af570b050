"""The door's stack: there only when asked for, closed but for TLS, and allowed what the dialects' Lambdas are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.wiring import door_options
from functions.door import app as door_app
from infra import door_stack
from infra.alarms import SERVER_ERROR_LOG, UNEXPECTED_LOG
from infra.assembly import build_app
from infra.bundling import ROOT
from infra.settings import BadSetting, from_context
from tests.infra.conftest import WITHOUT_LAYERS
from tests.infra.templates import Stage, WithStack, listed, role_of
from tests.infra.test_findings import cfn_lint

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
VPC_ID, SUBNET_IDS = "vpc-0123456789abcdef0", ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
ASKED: dict[str, Any] = {"door": "true", "door_domain_name": "door.example.com", "door_certificate_arn": CERTIFICATE}
GIVEN_VPC = {"door_vpc_id": VPC_ID, "door_subnet_ids": ",".join(SUBNET_IDS)}


class WithDoor(WithStack):
    """A stage with the door's stack."""

    label = "Door"


def synthesised(folder: Path, **context: Any) -> WithDoor:
    build_app({"stage": "test", **ASKED, **WITHOUT_LAYERS, **context}, outdir=str(folder)).synth()
    return WithDoor(folder, "test")  # cdk-nag would have ended the synthesis


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> WithDoor:
    return synthesised(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> WithDoor:
    choices = {"door_wait_s": "300", "door_max_tasks": "9", "door_deletion_protection": "false", **GIVEN_VPC}
    named = {"domain_name": "calls.example.com", "certificate_arn": CERTIFICATE}
    return synthesised(
        tmp_path_factory.mktemp("chosen-door"),
        log_retention_days="7",
        alarm_email="operator@example.com",
        **choices,
        **named,
    )


def test_there_is_no_door_unless_it_is_asked_for(aws: Stage, local: Stage) -> None:
    for without in (aws, local):
        assert not list(without.folder.glob("*-Door.template.json"))
        assert not [value for value in without.app.exports.values() if "Api" in value]


@pytest.mark.parametrize("missing", ["door_domain_name", "door_certificate_arn"])
def test_a_door_without_a_name_or_a_certificate_is_refused(missing: str) -> None:
    with pytest.raises(BadSetting, match="TLS only"):
        from_context({name: value for name, value in ASKED.items() if name != missing})


@pytest.mark.parametrize(
    "given",
    [
        {"target": "local"},
        {"door_vpc_id": VPC_ID},
        {"door_subnet_ids": ",".join(SUBNET_IDS)},
        {"door_vpc_id": VPC_ID, "door_subnet_ids": SUBNET_IDS[0]},
        {"door_wait_s": "4000"},
        {"door_max_tasks": "0"},
        {"door_domain_name": "https://door.example.com"},
        {"door_certificate_arn": "1"},
    ],
)
def test_a_door_that_could_not_work_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(BadSetting):
        from_context({**ASKED, **given})


@pytest.mark.parametrize("which", ["stage", "chosen"])
def test_cdk_nag_and_cfn_lint_find_nothing(which: str, request: pytest.FixtureRequest) -> None:
    synthesis: WithDoor = request.getfixturevalue(which)
    report = json.loads((synthesis.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    assert cfn_lint(*sorted(synthesis.folder.glob("*.template.json"))) == []


def test_the_door_may_do_what_the_dialects_lambdas_may_and_nothing_else(stage: WithDoor) -> None:
    (role,) = (r for r in stage.own.resources("AWS::IAM::Role") if "TaskRole" in r and "Execution" not in r)
    of_the_lambdas = {
        (action, resource)
        for reference, function in stage.app.resources("AWS::Lambda::Function").items()
        if function["Environment"]["Variables"].get(names.ENV_DIALECT)
        for action, resource in stage.grants(role_of(function["Role"]))
        if reference and not action.startswith(("logs:", "xray:"))
    }
    assert {action for action, _ in of_the_lambdas} >= {"dynamodb:GetItem", "s3:PutObject"}
    assert stage.grants(role) == of_the_lambdas


def test_the_door_is_told_what_the_dialects_lambdas_are_told_and_how_it_stands(stage: WithDoor) -> None:
    (container,) = stage.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    told = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
    for function in stage.app.resources("AWS::Lambda::Function").values():
        variables = function["Environment"]["Variables"]
        if variables.pop(names.ENV_DIALECT, None):
            assert variables.items() <= told.items()
    options = door_options({name: value for name, value in told.items() if "DOOR" in name})
    assert (options.trusted_proxies, options.wait_s) == (1, names.DOOR_WAIT_S)


def test_the_container_is_bare(stage: WithDoor) -> None:
    task = stage.one("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"]["Drop"] == ["ALL"]
    assert [mount["ContainerPath"] for mount in container["MountPoints"]] == ["/scratch"]
    assert task["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    assert "Secrets" not in container


def test_only_tls_comes_in_and_only_to_the_load_balancer(stage: WithDoor) -> None:
    listener = stage.one("AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    groups = stage.own.resources("AWS::EC2::SecurityGroup")
    opened = [rule for group in groups.values() for rule in group.get("SecurityGroupIngress", [])]
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in opened] == [("0.0.0.0/0", 443, 443)]
    between = stage.one("AWS::EC2::SecurityGroupIngress")
    assert (between["FromPort"], between["ToPort"]) == (door_stack.PORT, door_stack.PORT)
    assert "BalancerGroup" in between["SourceSecurityGroupId"]
    leaving = [rule for group in groups.values() for rule in group.get("SecurityGroupEgress", [])]
    assert {rule["ToPort"] for rule in leaving if rule["CidrIp"] == "0.0.0.0/0"} == {443}


def test_the_load_balancer_waits_longer_than_the_door_and_the_door_keeps_connections_longer_still(
    stage: WithDoor, chosen: WithDoor
) -> None:
    for synthesis, wait_s in ((stage, names.DOOR_WAIT_S), (chosen, 300)):
        idle_s = int(attribute(synthesis.one("AWS::ElasticLoadBalancingV2::LoadBalancer"), "idle_timeout"))
        group = synthesis.one("AWS::ElasticLoadBalancingV2::TargetGroup")
        delay_s = int(target_attribute(group, "deregistration_delay"))
        options = door_options({names.ENV_DOOR_TRUSTED_PROXIES: "1", names.ENV_DOOR_WAIT_S: str(wait_s)})
        assert wait_s < idle_s == delay_s
        assert idle_s < door_app.keep_alive_s(options)


def test_the_load_balancer_asks_for_the_doors_own_health(stage: WithDoor) -> None:
    group = stage.one("AWS::ElasticLoadBalancingV2::TargetGroup")
    assert (group["HealthCheckPath"], group["Port"], group["Protocol"]) == (door_app.HEALTH, door_stack.PORT, "HTTP")
    assert group["TargetType"] == "ip"


def test_the_load_balancer_is_not_deleted_by_mistake_unless_that_is_chosen(stage: WithDoor, chosen: WithDoor) -> None:
    kind = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    assert attribute(stage.one(kind), "deletion_protection") == "true"
    assert attribute(chosen.one(kind), "deletion_protection") == "false"
    assert attribute(stage.one(kind), "drop_invalid_header_fields") == "true"


def test_its_own_network_has_two_zones_and_no_nat(stage: WithDoor) -> None:
    assert len(stage.own.resources("AWS::EC2::Subnet")) == 2
    assert not stage.own.resources("AWS::EC2::NatGateway")
    assert {one["VpcEndpointType"] for one in stage.own.resources("AWS::EC2::VPCEndpoint").values()} == {"Gateway"}
    assert stage.one("AWS::EC2::FlowLog")["TrafficType"] == "REJECT"
    network = stage.one("AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "ENABLED"


def test_a_given_network_is_used_and_none_is_made(chosen: WithDoor) -> None:
    assert not chosen.own.resources("AWS::EC2::VPC")
    network = chosen.one("AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["Subnets"] == SUBNET_IDS
    assert chosen.one("AWS::ElasticLoadBalancingV2::LoadBalancer")["Subnets"] == SUBNET_IDS
    assert {group["VpcId"] for group in chosen.own.resources("AWS::EC2::SecurityGroup").values()} == {VPC_ID}


def test_the_door_grows_with_its_work_to_what_is_chosen(stage: WithDoor, chosen: WithDoor) -> None:
    for synthesis, most in ((stage, 4), (chosen, 9)):
        target = synthesis.one("AWS::ApplicationAutoScaling::ScalableTarget")
        assert (target["MinCapacity"], target["MaxCapacity"]) == (1, most)
    assert len(stage.own.resources("AWS::ApplicationAutoScaling::ScalingPolicy")) == 2


def test_logs_are_forgotten_after_the_stages_retention(stage: WithDoor, chosen: WithDoor) -> None:
    for synthesis, days in ((stage, 30), (chosen, 7)):
        groups = synthesis.own.resources("AWS::Logs::LogGroup").values()
        assert groups
        assert {group["RetentionInDays"] for group in groups} == {days}


def test_the_door_says_where_it_is(stage: WithDoor) -> None:
    outputs = stage.own.outputs
    assert outputs["DoorUrl"]["Value"] == "https://door.example.com"
    assert outputs["DoorTarget"]["Value"].endswith(".DNSName>")


def test_no_role_of_the_door_uses_wildcards_but_where_aws_has_nothing_narrower(stage: WithDoor) -> None:
    for role in stage.own.resources("AWS::IAM::Role"):
        for action, resource in stage.grants(role):
            assert "*" not in action
            if resource == "*":
                assert action == "ecr:GetAuthorizationToken"
            elif "*" in resource:
                assert re.fullmatch(r"<Data:(Audio|Results|Index)\w+\.Arn>/\w+/\*", resource), resource


def test_neither_a_domain_nor_another_setting_changes_what_the_deployed_door_imports(
    stage: WithDoor, chosen: WithDoor
) -> None:
    assert stage.data.exports == chosen.data.exports
    assert stage.app.exports == chosen.app.exports
    assert not stage.own.exports


def test_a_door_that_fails_is_full_or_is_not_reached_raises_an_alarm(stage: WithDoor) -> None:
    alarms = stage.own.resources("AWS::CloudWatch::Alarm").values()
    found = {(a["Namespace"], a["MetricName"]): (a["Threshold"], a["Statistic"]) for a in alarms}
    assert found == {
        ("AWS/ApplicationELB", "UnHealthyHostCount"): (1, "Maximum"),
        ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"): (5, "Sum"),
        ("AWS/ECS", "MemoryUtilization"): (85, "Maximum"),
        ("callscribe/test", "DoorServerErrors"): (1, "Sum"),
    }


def test_the_doors_500s_are_counted_by_its_log_and_its_503s_are_not(stage: WithDoor) -> None:
    counted = stage.one("AWS::Logs::MetricFilter")
    (container,) = stage.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    assert counted["LogGroupName"] == container["LogConfiguration"]["Options"]["awslogs-group"]
    assert counted["FilterPattern"] == f'?"{SERVER_ERROR_LOG}" ?"{UNEXPECTED_LOG}"'
    (metric,) = counted["MetricTransformations"]
    assert (metric["MetricNamespace"], metric["MetricName"]) == ("callscribe/test", "DoorServerErrors")


def test_the_doors_alarms_are_mailed_by_the_topic_of_the_others_which_it_does_not_import(
    stage: WithDoor, chosen: WithDoor
) -> None:
    (topic,) = chosen.app.resources("AWS::SNS::Topic").values()
    arn = f"arn:<AWS::Partition>:sns:<AWS::Region>:<AWS::AccountId>:{topic['TopicName']}"
    assert all(a["AlarmActions"] == [arn] for a in chosen.own.resources("AWS::CloudWatch::Alarm").values())
    assert not chosen.own.resources("AWS::SNS::Topic")
    assert not [a for a in stage.own.resources("AWS::CloudWatch::Alarm").values() if "AlarmActions" in a]


def test_the_image_takes_the_package_and_the_door_and_nothing_else(stage: WithDoor) -> None:
    assets = json.loads((stage.folder / "Callscribe-test-Door.assets.json").read_text())
    (image,) = assets["dockerImages"].values()
    assert (image["source"]["dockerFile"], image["source"]["platform"]) == ("functions/door/Dockerfile", "linux/arm64")
    context = stage.folder / image["source"]["directory"]
    files = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert files >= {"functions/door/app.py", "functions/door/requirements.txt"}
    assert "layers/core/python/callscribe/wiring.py" in files
    strays = [name for name in files if not name.startswith(("functions/door/", "layers/core/python/callscribe/"))]
    assert strays == [".dockerignore"]
    assert not [name for name in files if name.endswith(".pyc")]


def test_the_image_runs_as_nobody_in_particular_from_pinned_libraries() -> None:
    lines = (ROOT / "functions" / "door" / "Dockerfile").read_text()
    stages = [line for line in lines.splitlines() if line.startswith("FROM ")]
    assert all(line.startswith("FROM python:3.13-slim") for line in stages)
    assert "--require-hashes" in lines
    assert "USER 10001:10001" in lines
    assert door_app.HEALTH in lines
    assert f'"{door_stack.PORT}"' in lines
    assert 'VOLUME ["/scratch"]' in lines


def attribute(balancer: dict[str, Any], part: str) -> str:
    return named(balancer["LoadBalancerAttributes"], part)


def target_attribute(group: dict[str, Any], part: str) -> str:
    return named(group["TargetGroupAttributes"], part)


def named(pairs: list[dict[str, str]], part: str) -> str:
    (value,) = (str(pair["Value"]) for pair in listed(pairs) if part in pair["Key"])
    return value
