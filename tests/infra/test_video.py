"""The video stack: there only when asked for; a pipe starts a container that has no rights, for each order."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.wiring import parse_settings
from infra.assembly import build_app
from infra.settings import BadSetting, from_context
from tests.infra.conftest import WITHOUT_LAYERS
from tests.infra.templates import Stage, WithStack, arn_of, listed, role_of
from tests.infra.test_dockerfiles import DOCKERFILES, arguments_of
from tests.infra.test_door import SUBNET_IDS, VPC_ID
from tests.infra.test_findings import cfn_lint

GIVEN_VPC = {"video_vpc_id": VPC_ID, "video_subnet_ids": ",".join(SUBNET_IDS)}


class WithVideo(WithStack):
    """A stage with the stack that fetches videos."""

    label = "Video"


def synthesised(folder: Path, **context: Any) -> WithVideo:
    build_app({"stage": "test", "video": "true", **WITHOUT_LAYERS, **context}, outdir=str(folder)).synth()
    return WithVideo(folder, "test")  # cdk-nag would have ended the synthesis


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> WithVideo:
    return synthesised(tmp_path_factory.mktemp("video"))


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> WithVideo:
    return synthesised(tmp_path_factory.mktemp("chosen-video"), alarm_email="operator@example.com", **GIVEN_VPC)


def told_videos(stage: Stage) -> set[bool]:
    """What the functions are told about links to videos."""
    variables = [function["Environment"]["Variables"] for function in stage.functions.values()]
    return {
        parse_settings(json.loads(one[names.ENV_SETTINGS])).videos for one in variables if names.ENV_SETTINGS in one
    }


def test_T_A26_videos_are_off_unless_they_are_asked_for(aws: Stage, local: Stage, stage: WithVideo) -> None:
    for without in (aws, local):
        assert not list(without.folder.glob("*-Video.template.json"))
        assert told_videos(without) == {False}
    assert told_videos(stage) == {True}


def test_on_the_laptop_videos_are_a_setting_without_a_stack(tmp_path: Path) -> None:
    synthesised(tmp_path, target="local")
    assert not list(tmp_path.glob("*-Video.template.json"))
    assert told_videos(Stage(tmp_path, "test")) == {True}


def test_the_queue_of_orders_is_in_every_stage_so_that_the_setting_can_be_changed_back(
    aws: Stage, stage: WithVideo
) -> None:
    assert aws.app.exports == stage.app.exports
    assert stage.one("AWS::Pipes::Pipe")["Source"] == arn_of(aws.output("VideoQueueUrl"))


@pytest.mark.parametrize(
    "given", [{"video": "yes"}, {"video_vpc_id": VPC_ID}, {**GIVEN_VPC, "video_subnet_ids": SUBNET_IDS[0]}]
)
def test_a_video_stack_that_could_not_work_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(BadSetting):
        from_context({"video": "true", **given})


@pytest.mark.parametrize("which", ["stage", "chosen"])
def test_cdk_nag_and_cfn_lint_find_nothing(which: str, request: pytest.FixtureRequest) -> None:
    synthesis: WithVideo = request.getfixturevalue(which)
    report = json.loads((synthesis.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    assert cfn_lint(*sorted(synthesis.folder.glob("*-Video.template.json"))) == []


def test_T_A26_the_container_that_reads_strangers_sites_has_no_rights_and_nothing_to_know(stage: WithVideo) -> None:
    task = stage.one("AWS::ECS::TaskDefinition")
    assert stage.grants(role_of(task["TaskRoleArn"])) == set()
    assert "ManagedPolicyArns" not in stage.resources("AWS::IAM::Role")[role_of(task["TaskRoleArn"])]
    (container,) = task["ContainerDefinitions"]
    assert not container.get("Environment")
    assert "Secrets" not in container


def test_the_container_is_bare(stage: WithVideo) -> None:
    task = stage.one("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"]["Drop"] == ["ALL"]
    assert [mount["ContainerPath"] for mount in container["MountPoints"]] == ["/scratch"]
    assert task["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    actions = {action for action, _ in stage.grants(role_of(task["ExecutionRoleArn"]))}
    assert all(action.startswith(("ecr:", "logs:")) for action in actions)


def test_one_message_starts_one_container_with_its_fields_as_arguments(stage: WithVideo) -> None:
    pipe = stage.one("AWS::Pipes::Pipe")
    assert pipe["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 1}}
    run = pipe["TargetParameters"]["EcsTaskParameters"]
    (override,) = run["Overrides"]["ContainerOverrides"]
    (container,) = stage.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    assert override["Name"] == container["Name"]
    options, values = override["Command"][::2], override["Command"][1::2]
    assert options == [f"--{field.replace('_', '-')}" for field in names.VIDEO_ORDER]
    assert values == [f"$.body.{field}" for field in names.VIDEO_ORDER]
    assert (run["LaunchType"], run["TaskCount"]) == ("FARGATE", 1)


def test_the_pipe_may_take_orders_and_run_this_one_task_and_nothing_else(stage: WithVideo) -> None:
    pipe, (task,) = stage.one("AWS::Pipes::Pipe"), stage.own.resources("AWS::ECS::TaskDefinition")
    definition = stage.one("AWS::ECS::TaskDefinition")
    roles = {definition["TaskRoleArn"], definition["ExecutionRoleArn"]}
    queue = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    assert stage.grants(role_of(pipe["RoleArn"])) == (
        {(action, pipe["Source"]) for action in queue}
        | {("ecs:RunTask", task)}
        | {("iam:PassRole", role) for role in roles}
    )
    conditions = {
        action: statement.get("Condition")
        for statement in stage.statements(role_of(pipe["RoleArn"]))
        for action in listed(statement["Action"])
    }
    assert conditions["iam:PassRole"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert conditions["ecs:RunTask"] == {"ArnEquals": {"ecs:cluster": pipe["Target"]}}


def test_T_A26_nothing_comes_in_and_nothing_goes_out_but_tls(stage: WithVideo) -> None:
    groups = stage.own.resources("AWS::EC2::SecurityGroup")
    assert not [rule for group in groups.values() for rule in group.get("SecurityGroupIngress", [])]
    assert not stage.own.resources("AWS::EC2::SecurityGroupIngress")
    leaving = [rule for group in groups.values() for rule in group["SecurityGroupEgress"]]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in leaving} == {(443, 443)}
    assert not stage.own.resources("AWS::EC2::NatGateway")


def test_a_vpc_of_the_operators_is_taken_as_it_is(chosen: WithVideo) -> None:
    assert not chosen.own.resources("AWS::EC2::VPC")
    run = chosen.one("AWS::Pipes::Pipe")["TargetParameters"]["EcsTaskParameters"]
    assert run["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"] == SUBNET_IDS


def test_containers_that_cannot_start_or_end_badly_raise_an_alarm_that_is_mailed(chosen: WithVideo) -> None:
    alarms = chosen.own.resources("AWS::CloudWatch::Alarm").values()
    assert {alarm["MetricName"] for alarm in alarms} == {"ExecutionFailed", "NumberOfMessagesSent"}
    assert all(len(alarm["AlarmActions"]) == 1 for alarm in alarms)
    rule = chosen.one("AWS::Events::Rule")
    assert rule["EventPattern"]["detail"]["containers"]["exitCode"] == [{"anything-but": [0]}, {"exists": False}]
    (target,) = rule["Targets"]
    assert target["Arn"] in {arn_of(queue) for queue in chosen.own.resources("AWS::SQS::Queue")}
    told = set(target["InputTransformer"]["InputPathsMap"].values())
    assert told == {"$.detail.taskArn", "$.detail.stopCode", "$.detail.stoppedReason"}  # not the order, which has a URL


def test_orders_that_nobody_can_start_are_kept_and_raise_an_alarm_in_every_stage(aws: Stage) -> None:
    queues = aws.app.resources("AWS::SQS::Queue")
    (orders,) = (queue for name, queue in queues.items() if re.search(r"FetchingVideos\w{8}>", name))
    dead = orders["RedrivePolicy"]["deadLetterTargetArn"]
    assert "VideoDeadLetters" in dead
    alarms = aws.app.resources("AWS::CloudWatch::Alarm").values()
    assert [one for one in alarms if "VideoDeadLetters" in json.dumps(one.get("Dimensions", ""))]


def test_the_images_build_is_given_what_it_copies_and_nothing_else(stage: WithVideo) -> None:
    assets = json.loads((stage.folder / "Callscribe-test-Video.assets.json").read_text())
    (image,) = assets["dockerImages"].values()
    assert image["source"]["dockerFile"] == "functions/fetch_video/Dockerfile"
    assert image["source"]["platform"] == "linux/arm64"
    context = stage.folder / image["source"]["directory"]
    copies = [a.split() for a in arguments_of(DOCKERFILES["fetch_video"], "COPY") if "--from=" not in a]
    sources = {source for *found, _ in copies for source in found}
    files = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    strays = {name for name in files if not any(name == each or name.startswith(f"{each}/") for each in sources)}
    assert strays == {".dockerignore", "functions/fetch_video/Dockerfile"}


def test_the_images_libraries_are_yt_dlp_and_a_javascript_runtime_and_none_that_opens_sockets_in_c() -> None:
    """The fence of `adapters.web.fence` sees what Python connects."""
    lock = (DOCKERFILES["fetch_video"].parent / "requirements.txt").read_text()
    found = set(re.findall(r"^([\w-]+)==", lock, re.MULTILINE))
    assert {"yt-dlp", "yt-dlp-ejs", "deno", "httpx"} <= found
    assert not found & {"curl-cffi", "boto3", "botocore", "pycurl"}
