"""The stack of the GPU workers: empty while nobody calls, bare containers, least rights, alarms that hear their words."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.domain.deployment import SMALLEST_VCPUS, VCPUS
from callscribe.domain.scaling import Reason
from callscribe.wiring import scaling_settings, worker_settings
from infra import functions, gpu_machines, gpu_pool, gpu_stack
from infra.assembly import build_app
from infra.settings import GPU_VCPUS
from tests.functions.test_imports import adapters_of
from tests.infra.conftest import WITHOUT_LAYERS
from tests.infra.templates import Stage, WithGpu, role_of
from tests.infra.test_findings import cfn_lint
from tests.infra.test_rights import OWN, TABLE, VARIABLES

DEFAULT_TYPES = ["g6.xlarge", "g5.xlarge", "g4dn.xlarge"]


@pytest.fixture(scope="session")
def pool(aws: Stage) -> WithGpu:
    return WithGpu(aws.folder, aws.name)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> WithGpu:
    """Another version of the code, with one type of machine."""
    folder = tmp_path_factory.mktemp("other")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functions, "CORE", replace(functions.CORE, left_out=functions.CORE.left_out | {"exports"}))
        context = {"stage": "test", "gpu_instance_types": "g6.xlarge", "gpu_model": "whisper-small"}
        build_app({**context, **WITHOUT_LAYERS}, outdir=str(folder)).synth()
    return WithGpu(folder, "test")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("without")
    build_app({"stage": "test", "gpu": "false", **WITHOUT_LAYERS}, outdir=str(folder)).synth()
    return Stage(folder, "test")


def environments(synthesis: WithGpu) -> dict[str, dict[str, Any]]:
    """Compute resources by reference, in the order in which the queue asks them."""
    found = synthesis.own.resources("AWS::Batch::ComputeEnvironment")
    order = synthesis.one("AWS::Batch::JobQueue")["ComputeEnvironmentOrder"]
    assert [each["Order"] for each in order] == list(range(1, len(found) + 1))
    references = [each["ComputeEnvironment"].replace(".ComputeEnvironmentArn>", ">") for each in order]
    return {reference: found[reference]["ComputeResources"] for reference in references}


def container(synthesis: WithGpu) -> dict[str, Any]:
    properties: dict[str, Any] = synthesis.one("AWS::Batch::JobDefinition")["ContainerProperties"]
    return properties


def told(synthesis: WithGpu) -> dict[str, str]:
    return {entry["Name"]: entry["Value"] for entry in container(synthesis)["Environment"]}


def template(synthesis: WithGpu) -> dict[str, Any]:
    data: dict[str, Any] = synthesis.one("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    return data


def role_named(synthesis: WithGpu, part: str) -> str:
    (role,) = (reference for reference in synthesis.own.resources("AWS::IAM::Role") if part in reference)
    return role


def test_there_is_a_pool_on_aws_and_none_where_it_is_not_wanted_or_on_the_laptop(
    pool: WithGpu, without: Stage, local: Stage
) -> None:
    assert pool.own.resources("AWS::Batch::JobQueue")
    for stage in (without, local):
        assert not list(stage.folder.glob("*-Gpu.template.json"))
        kinds = {r["Type"] for each in (stage.data, stage.app) for r in each.body["Resources"].values()}
        assert not {kind for kind in kinds if kind.startswith(("AWS::Batch::", "AWS::EC2::"))}


def test_a_stage_on_aws_without_a_pool_warns_that_nothing_will_transcribe(
    pool: WithGpu, without: Stage, local: Stage
) -> None:
    assert "nothing will transcribe" in annotations(without)
    assert "nothing will transcribe" not in annotations(pool)
    assert "nothing will transcribe" not in annotations(local)


def test_cdk_nag_and_cfn_lint_find_nothing_in_any_form_of_it(pool: WithGpu, other: WithGpu, without: Stage) -> None:
    for stage in (pool, other, without):
        report = json.loads((stage.folder / "validation-report.json").read_text())
        assert report["pluginReports"] == []
        assert cfn_lint(*sorted(stage.folder.glob("*.template.json"))) == []


def test_neither_code_nor_settings_change_what_the_deployed_pool_imports(
    pool: WithGpu, other: WithGpu, without: Stage
) -> None:
    layers = [{v["Content"]["S3Key"] for v in s.resources("AWS::Lambda::LayerVersion").values()} for s in (pool, other)]
    assert layers[0] != layers[1]  # the code does differ
    for stage in (other, without):
        assert stage.data.exports == pool.data.exports
        assert stage.app.exports == pool.app.exports
    assert not pool.own.exports


def test_nothing_runs_while_there_is_no_work_and_no_more_than_the_most(pool: WithGpu) -> None:
    for each in environments(pool).values():
        assert (each["MinvCpus"], each["MaxvCpus"]) == (0, 10 * gpu_pool.VCPUS)
        assert "DesiredvCpus" not in each


def test_spot_machines_are_asked_for_first_then_the_first_type_on_demand_then_the_others(pool: WithGpu) -> None:
    assert [
        (each["Type"], each["InstanceTypes"], each["AllocationStrategy"]) for each in environments(pool).values()
    ] == [
        ("SPOT", DEFAULT_TYPES, "SPOT_PRICE_CAPACITY_OPTIMIZED"),
        ("EC2", DEFAULT_TYPES[:1], "BEST_FIT_PROGRESSIVE"),
        ("EC2", DEFAULT_TYPES[1:], "BEST_FIT_PROGRESSIVE"),
    ]
    assert {str(each["Ec2Configuration"]) for each in environments(pool).values()} == {
        "[{'ImageType': 'ECS_AL2023_NVIDIA'}]"
    }
    assert "BidPercentage" not in str(environments(pool))  # at most what it costs on demand


def test_with_one_type_there_is_one_environment_for_each_way_to_pay(other: WithGpu) -> None:
    assert [(each["Type"], each["InstanceTypes"]) for each in environments(other).values()] == [
        ("SPOT", ["g6.xlarge"]),
        ("EC2", ["g6.xlarge"]),
    ]


def test_a_queue_takes_no_more_environments_than_aws_allows(pool: WithGpu) -> None:
    assert len(environments(pool)) <= 3


def test_a_new_template_or_image_replaces_machines_and_not_the_environment(pool: WithGpu) -> None:
    for each in pool.own.resources("AWS::Batch::ComputeEnvironment").values():
        assert each["ReplaceComputeEnvironment"] is False
        assert each["UpdatePolicy"]["TerminateJobsOnUpdate"] is False
        assert "ServiceRole" not in each  # with one, AWS Batch updates nothing in place
        assert each["ComputeResources"]["UpdateToLatestImageVersion"] is True
        assert each["ComputeResources"]["LaunchTemplate"]["Version"].endswith(".LatestVersionNumber>")


def test_disks_are_encrypted_and_go_with_their_machine(pool: WithGpu) -> None:
    (device,) = template(pool)["BlockDeviceMappings"]
    assert device["DeviceName"] == "/dev/xvda"
    assert device["Ebs"] == {
        "Encrypted": True,
        "DeleteOnTermination": True,
        "VolumeType": "gp3",
        "VolumeSize": gpu_machines.DISK_GIB,
        "Throughput": 250,
    }


def test_a_container_may_ask_the_machine_for_its_spot_notice_by_sessions_only(pool: WithGpu) -> None:
    assert template(pool)["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}


def test_machines_give_containers_time_and_take_no_new_one_when_their_end_is_announced(pool: WithGpu) -> None:
    user_data = template(pool)["UserData"]["Fn::Base64"]
    assert user_data.startswith("Content-Type: multipart/mixed")  # AWS Batch adds a part of its own
    for line in ("ECS_ENABLE_SPOT_INSTANCE_DRAINING=true", f"ECS_CONTAINER_STOP_TIMEOUT={gpu_machines.STOP_S}s"):
        assert f"echo {line} >> /etc/ecs/ecs.config" in user_data
    grace_s = worker_settings(environment=told(pool)).grace_s
    assert grace_s < gpu_machines.STOP_S < 120  # a spot machine's last two minutes


def test_nothing_comes_in_and_only_tls_goes_out(pool: WithGpu) -> None:
    group = pool.one("AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group
    assert [(rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) for rule in group["SecurityGroupEgress"]] == [
        (443, 443, "tcp")
    ]
    assert not pool.own.resources("AWS::EC2::SecurityGroupIngress")


def test_its_own_network_has_two_zones_no_nat_and_free_ways_to_s3_and_the_table(pool: WithGpu) -> None:
    subnets = pool.own.resources("AWS::EC2::Subnet")
    assert len({str(each["AvailabilityZone"]) for each in subnets.values()}) == len(subnets) == 2
    assert all(each["MapPublicIpOnLaunch"] for each in subnets.values())  # AWS Batch asks for no address
    assert not pool.own.resources("AWS::EC2::NatGateway")
    endpoints = pool.own.resources("AWS::EC2::VPCEndpoint").values()
    assert {(e["VpcEndpointType"], e["ServiceName"].rpartition(".")[2]) for e in endpoints} == {
        ("Gateway", "s3"),
        ("Gateway", "dynamodb"),
    }
    assert pool.one("AWS::EC2::FlowLog")["TrafficType"] == "REJECT"
    for each in environments(pool).values():
        assert set(each["Subnets"]) == set(subnets)


def test_doctor_counts_machines_as_the_settings_do() -> None:
    assert VCPUS == GPU_VCPUS
    assert SMALLEST_VCPUS == gpu_pool.VCPUS


def test_one_worker_fills_one_machine(pool: WithGpu) -> None:
    wanted = {each["Type"]: int(each["Value"]) for each in container(pool)["ResourceRequirements"]}
    assert wanted == {"GPU": 1, "VCPU": 4, "MEMORY": gpu_pool.MEMORY_MIB}
    installed_mib, system_share, agent_mib = 16 * 1024, 0.05, 32  # of an xlarge
    assert installed_mib / 2 < wanted["MEMORY"] <= installed_mib * (1 - system_share) - agent_mib


def test_the_container_is_bare(pool: WithGpu) -> None:
    bare = container(pool)
    assert bare["ReadonlyRootFilesystem"] is True
    assert bare["Privileged"] is False
    assert bare["User"] == "10001:10001"
    assert bare["LinuxParameters"] == {"InitProcessEnabled": True}
    assert bare["MountPoints"] == [{"ContainerPath": "/scratch", "ReadOnly": False, "SourceVolume": "scratch"}]
    assert bare["Volumes"] == [{"Name": "scratch", "Host": {}}]  # of Docker's making, not a folder of the machine
    assert "Secrets" not in bare
    assert "Command" not in bare


def test_a_worker_whose_machine_was_taken_is_tried_again_and_any_other_end_is_one(pool: WithGpu) -> None:
    definition = pool.one("AWS::Batch::JobDefinition")
    assert definition["RetryStrategy"] == {
        "Attempts": 5,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "EXIT", "OnReason": "*"},
        ],
    }
    assert definition["Timeout"] == {"AttemptDurationSeconds": 86_400}


def test_the_worker_is_the_app_stacks_worker_and_is_told_all_it_asks_for(pool: WithGpu) -> None:
    assert container(pool)["JobRoleArn"] == pool.output("WorkerRoleArn")
    assert told(pool) == {
        names.ENV_STAGE: "test",
        names.ENV_TABLE: pool.output("TableName"),
        names.ENV_AUDIO_BUCKET: pool.output("AudioBucket"),
        names.ENV_RESULTS_BUCKET: pool.output("ResultsBucket"),
        names.ENV_WORK_QUEUE: pool.output("WorkQueueUrl"),
        names.ENV_ENGINE: "faster-whisper",
        names.ENV_MODEL_DIR: "/opt/models/whisper-large-v3-turbo",
        names.ENV_WORKER: json.dumps({"slots": 16, "idle_s": 900, "grace_s": 100, "spot_notice": True}),
        names.ENV_SETTINGS: told(pool)[names.ENV_SETTINGS],
        "AWS_DEFAULT_REGION": "<AWS::Region>",
    }
    settings = json.loads(told(pool)[names.ENV_SETTINGS])
    assert settings == {**json.loads(pool.output("Settings")), "public_base_url": ""}


def test_the_worker_understands_what_it_is_told_and_goes_by_itself_later_than_it_is_sent(pool: WithGpu) -> None:
    settings = worker_settings(environment=told(pool))
    assert (settings.slots, settings.spot_notice) == (gpu_pool.SLOTS, True)
    assert settings.idle_s is not None
    assert settings.idle_s > scaling_settings(scaler(pool)["Environment"]["Variables"]).idle_s


def test_the_workers_role_reaches_the_table_by_which_it_says_that_it_lives(pool: WithGpu) -> None:
    grants = pool.grants(role_of(container(pool)["JobRoleArn"]))
    table = {action for action, resource in grants if re.fullmatch(r"<Data:Table\w+\.Arn>", resource)}
    assert table >= TABLE


def test_the_workers_log_is_kept_as_long_as_the_stages(pool: WithGpu) -> None:
    logged = container(pool)["LogConfiguration"]
    assert logged["LogDriver"] == "awslogs"
    groups = pool.own.resources("AWS::Logs::LogGroup")
    assert groups[logged["Options"]["awslogs-group"]]["RetentionInDays"] == 30
    assert {group["RetentionInDays"] for group in groups.values()} == {30}


def test_starting_the_container_takes_the_image_and_its_log_and_nothing_else(pool: WithGpu) -> None:
    grants = pool.grants(role_named(pool, "ExecutionRole"))
    assert {action for action, _ in grants} == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert {action for action, resource in grants if resource == "*"} == {"ecr:GetAuthorizationToken"}


def test_a_machine_may_be_a_container_instance_and_read_no_data(pool: WithGpu) -> None:
    (role,) = {role_named(pool, "MachinesRole")}
    for profile in pool.own.resources("AWS::IAM::InstanceProfile").values():
        assert profile["Roles"] == [role]
    grants = pool.grants(role)
    assert {action.partition(":")[0] for action, _ in grants} == {"ecs", "ecr"}
    assert {action for action, resource in grants if resource == "*"} == {
        "ecs:DiscoverPollEndpoint",
        "ecr:GetAuthorizationToken",
    }
    account = "arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>"
    of_ecs = {r for a, r in grants if a.startswith("ecs:") and r != "*"}
    assert of_ecs == {f"{account}:cluster/*", f"{account}:container-instance/*"}
    (tagging,) = (s for s in pool.statements(role) if s["Action"] == "ecs:TagResource")
    assert tagging["Condition"] == {"StringEquals": {"ecs:CreateAction": "RegisterContainerInstance"}}


def test_no_role_of_the_stack_uses_a_managed_policy_or_an_action_with_a_wildcard(pool: WithGpu) -> None:
    for role, properties in pool.own.resources("AWS::IAM::Role").items():
        assert "ManagedPolicyArns" not in properties
        assert not [action for action, _ in pool.grants(role) if "*" in action]


def scaler(synthesis: WithGpu) -> dict[str, Any]:
    return synthesis.one("AWS::Lambda::Function")


def test_the_function_that_scales_may_count_ask_and_end_and_nothing_else(pool: WithGpu) -> None:
    grants = pool.grants(role_of(scaler(pool)["Role"]))
    ours = {(action, resource) for action, resource in grants if action not in OWN and not action.startswith("dynamo")}
    queue, definition = (output(pool, name) for name in ("WorkerPoolQueue", "WorkerPoolDefinition"))
    assert ours == {
        ("sqs:GetQueueAttributes", pool.output("WorkQueueUrl").replace(">", ".Arn>")),
        ("batch:SubmitJob", queue),
        ("batch:SubmitJob", definition),
        ("batch:ListJobs", "*"),
        ("batch:TerminateJob", "arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job/*"),
    }
    assert {action for action, _ in grants} - {action for action, _ in ours} == TABLE | OWN


def test_the_function_that_scales_is_told_what_its_handler_asks_for(pool: WithGpu) -> None:
    variables = scaler(pool)["Environment"]["Variables"]
    wanted = {variable for adapter in adapters_of("scale_workers") for variable in VARIABLES[adapter]}
    assert set(variables) == wanted | {names.ENV_STAGE, names.ENV_SETTINGS, names.ENV_SCALING}
    assert json.loads(variables[names.ENV_WORKER_POOL]) == {
        "queue": output(pool, "WorkerPoolQueue"),
        "definition": output(pool, "WorkerPoolDefinition"),
    }
    assert scaling_settings(variables) == replace(scaling_settings({}), expected_rate=95)  # else the defaults


def test_the_function_that_scales_is_as_all_functions_are(pool: WithGpu) -> None:
    function = scaler(pool)
    assert (function["Runtime"], function["Architectures"], function["Handler"]) == (
        "python3.13",
        ["arm64"],
        "handler.handler",
    )
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["Timeout"] < 60
    assert "ReservedConcurrentExecutions" not in function  # a new account has ten, of which none may be set aside


def test_it_looks_every_minute_and_at_once_when_a_worker_failed_or_none_can_come(pool: WithGpu) -> None:
    rules = pool.own.resources("AWS::Events::Rule")
    function = output_arn(pool)
    assert [rule["ScheduleExpression"] for rule in rules.values() if "ScheduleExpression" in rule] == ["rate(1 minute)"]
    permissions = pool.own.resources("AWS::Lambda::Permission").values()
    for reference, rule in rules.items():
        assert [target["Arn"] for target in rule["Targets"]] == [function]
        assert [p for p in permissions if p["SourceArn"] == reference.replace(">", ".Arn>")]
    patterns = {r["EventPattern"]["detail-type"][0]: r["EventPattern"] for r in rules.values() if "EventPattern" in r}
    queue = [output(pool, "WorkerPoolQueue")]
    assert patterns["Batch Job Queue Blocked"]["detail"] == {"jobQueue": queue}
    assert patterns["Batch Job State Change"]["detail"] == {
        "jobQueue": queue,
        "status": ["FAILED"],
        "statusReason": [{"anything-but": {"prefix": names.SENT_AWAY}}],
    }


def heard(pattern: str, line: str) -> bool:
    """Whether CloudWatch would count the line: every quoted term is in it, none that has a minus before it."""
    terms = re.findall(r'(-?)"([^"]*)"', pattern)
    assert terms
    return all((term in line) != bool(minus) for minus, term in terms)


def scaling_line(*, alive: int, waiting_s: int, reason: Reason = Reason.STEADY) -> str:
    """As Lambda's JSON format writes it."""
    message = names.SCALING_LOG % (1, alive, 0, waiting_s, reason)
    return json.dumps({"timestamp": "2026-11-21T10:00:00Z", "level": "INFO", "message": message})


@pytest.mark.parametrize(
    ("line", "nobody_works", "nothing_to_do"),
    [
        (scaling_line(alive=0, waiting_s=0, reason=Reason.EMPTY), False, False),
        (scaling_line(alive=0, waiting_s=1, reason=Reason.BEHIND), True, False),
        (scaling_line(alive=0, waiting_s=900, reason=Reason.GATHERING), False, False),
        (scaling_line(alive=10, waiting_s=900), False, False),
        (scaling_line(alive=1, waiting_s=10), False, False),
        (scaling_line(alive=1, waiting_s=0), False, True),
        (scaling_line(alive=10, waiting_s=0), False, True),
        ('{"message": "alive=0 waiting_s=7 of another line"}', False, False),
    ],
)
def test_the_alarms_hear_the_looks_they_are_meant_for(line: str, nobody_works: bool, nothing_to_do: bool) -> None:
    assert heard(gpu_stack.NOBODY_WORKS, line) is nobody_works
    assert heard(gpu_stack.NOTHING_TO_DO, line) is nothing_to_do


def test_what_goes_wrong_with_workers_raises_an_alarm(pool: WithGpu) -> None:
    alarms = pool.own.resources("AWS::CloudWatch::Alarm").values()
    found = {(a["Namespace"], a["MetricName"], a["Period"]): (a["Threshold"], a["TreatMissingData"]) for a in alarms}
    assert found.pop(("AWS/Events", "TriggeredRules", 1_800)) == (3, "notBreaching")  # workers that fail
    assert found.pop(("AWS/Events", "TriggeredRules", 300)) == (1, "notBreaching")  # none can be started
    assert found == {
        ("callscribe/test", "WorkWithoutWorkers", 1_800): (27, "notBreaching"),
        ("callscribe/test", "WorkersWithoutWork", 3 * 3_600): (162, "notBreaching"),
        ("AWS/Lambda", "Errors", 300): (3, "notBreaching"),
        ("AWS/Lambda", "Throttles", 300): (3, "notBreaching"),
        ("AWS/Lambda", "Invocations", 900): (1, "breaching"),
    }
    (silent,) = (a for a in alarms if a["MetricName"] == "Invocations")
    assert silent["ComparisonOperator"] == "LessThanThreshold"
    assert not [a for a in alarms if "AlarmActions" in a]  # nobody to mail to


def test_the_alarms_count_the_log_of_the_function_and_the_rules_of_the_queue(pool: WithGpu) -> None:
    filters = pool.own.resources("AWS::Logs::MetricFilter").values()
    assert {each["LogGroupName"] for each in filters} == {scaler(pool)["LoggingConfig"]["LogGroup"]}
    assert {each["FilterPattern"] for each in filters} == {gpu_stack.NOBODY_WORKS, gpu_stack.NOTHING_TO_DO}
    alarms = pool.own.resources("AWS::CloudWatch::Alarm").values()
    watched = {a["Period"]: a["Dimensions"][0]["Value"] for a in alarms if a["MetricName"] == "TriggeredRules"}
    rules = pool.own.resources("AWS::Events::Rule")
    assert rules[watched[300]]["EventPattern"]["detail-type"] == ["Batch Job Queue Blocked"]
    assert rules[watched[1_800]]["EventPattern"]["detail-type"] == ["Batch Job State Change"]


def test_a_stage_without_a_budget_has_none(pool: WithGpu) -> None:
    assert not pool.own.resources("AWS::Budgets::Budget")


def test_machines_bear_the_stages_tag_by_which_bills_are_told_apart(pool: WithGpu) -> None:
    for each in environments(pool).values():
        assert each["Tags"] == {gpu_stack.STAGE_TAG: "test"}
    of_disks = next(tags for tags in template(pool)["TagSpecifications"] if tags["ResourceType"] == "volume")
    assert {"Key": gpu_stack.STAGE_TAG, "Value": "test"} in of_disks["Tags"]


def test_the_stack_says_where_workers_are_asked_for(pool: WithGpu) -> None:
    assert set(pool.own.outputs) == {"WorkerPoolQueue", "WorkerPoolDefinition"}
    assert output(pool, "WorkerPoolQueue").endswith(".JobQueueArn>")


def output(synthesis: WithGpu, name: str) -> str:
    return str(synthesis.own.outputs[name]["Value"])


def output_arn(synthesis: WithGpu) -> str:
    """Of the function that scales."""
    (reference,) = synthesis.own.resources("AWS::Lambda::Function")
    return reference.replace(">", ".Arn>")


def annotations(stage: Stage) -> str:
    files: list[Path] = [*stage.folder.glob("*.metadata.json"), stage.folder / "manifest.json"]
    return "".join(path.read_text() for path in files)
