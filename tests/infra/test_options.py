"""A stage with every option chosen: each one arrives where it belongs, and the checks still find nothing."""

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.dialects import front
from callscribe.dialects.presign import routes
from callscribe.wiring import parse_settings
from infra.settings import StageSettings
from tests.infra.conftest import WITHOUT_LAYERS
from tests.infra.templates import Stage, WithGpu, listed, role_of

CHOICES: dict[str, Any] = {
    "target": "aws",
    "stage": "chosen",
    "region": "eu-central-1",
    "domain_name": "calls.example.com",
    "certificate_arn": "arn:aws:acm:eu-central-1:123456789012:certificate/1",
    "retain_data": "false",
    "log_retention_days": "7",
    "audio_retention_days": "3",
    "results_retention_days": "90",
    "noncurrent_retention_days": "2",
    "cors_origins": "https://console.example.com",
    "throttle_rate": "5",
    "throttle_burst": "6",
    "reserved_concurrency": "4",
    "function_url": "false",
    "source_buckets": "calls-of-one, calls-of-two",
    "fetch_s": "300",
    "fetch_concurrency": "9",
    "callback_schedule_s": "0,1,1",
    "upload_deadline_s": "1800",
    "job_deadline_s": "7200",
    "recheck_s": "120",
    "work_visibility_s": "60",
    "worker_principals": "arn:aws:iam::123456789012:role/worker,arn:aws:iam::123456789012:user/box",
    "sweep_minutes": "1",
    "fetched_result_s": "780",
    "requests_per_minute": "30",
    "waiting_calls": "2",
    "admin_units_url": "https://units.example.com",
    "recharge_url": "https://credits.example.com/buy",
    "transcription_failed_text": "The transcription failed",
    "basic_everywhere": "false",
    "refresh_life_s": "86400",
    "login_life_s": "3600",
    "client_hashes": "sha256",
    "captcha_url": "https://captcha.example.com/siteverify",
    "captcha_secret_arn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:captcha-AbCdEf",
    "tariffs": str(Path(__file__).with_name("chosen_tariffs.toml")),
    "unique_file_names": "false",
    "quick_fetch_s": "5",
    "index_delay_s": "30",
    "video": "true",
    "video_vpc_id": "vpc-0123456789abcdef0",
    "video_subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "gpu": "true",
    "gpu_engine": "transformers",
    "gpu_model": "parakeet-tdt-0.6b-v3",
    "gpu_instance_types": "g6.2xlarge,g5.xlarge",
    "gpu_spot": "false",
    "gpu_max_workers": "3",
    "gpu_hold_s": "900",
    "gpu_target_wait_s": "1200",
    "gpu_cooldown_s": "60",
    "gpu_idle_s": "120",
    "gpu_vpc_id": "vpc-0123456789abcdef0",
    "gpu_subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "gpu_runaway_hours": "6",
    "gpu_budget_usd": "500",
    "alarm_email": "operator@example.com",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from infra.assembly import build_app

    folder = tmp_path_factory.mktemp("chosen")
    build_app({**CHOICES, **WITHOUT_LAYERS}, outdir=str(folder)).synth()  # fails on any finding of cdk-nag
    return folder


@pytest.fixture(scope="module")
def chosen(folder: Path) -> Stage:
    return Stage(folder, "chosen")


@pytest.fixture(scope="module")
def pool(folder: Path) -> WithGpu:
    return WithGpu(folder, "chosen")


def test_the_custom_domain_is_mapped_and_named_in_links(chosen: Stage) -> None:
    (domain,) = chosen.resources("AWS::ApiGatewayV2::DomainName").values()
    assert domain["DomainName"] == "calls.example.com"
    assert len(chosen.resources("AWS::ApiGatewayV2::ApiMapping")) == 1
    assert chosen.output("PublicBaseUrl") == "https://calls.example.com"
    assert "DomainTarget" in chosen.app.outputs


def test_data_that_is_not_to_be_kept_goes_with_the_stack(chosen: Stage) -> None:
    kinds = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret")
    kept = [r for r in chosen.data.body["Resources"].values() if r["Type"] in kinds]
    assert {resource["DeletionPolicy"] for resource in kept} == {"Delete"}
    (table,) = chosen.resources("AWS::DynamoDB::Table").values()
    assert table["DeletionProtectionEnabled"] is False


def test_retention_is_as_chosen(chosen: Stage) -> None:
    buckets = [b for b in chosen.resources("AWS::S3::Bucket").values() if "VersioningConfiguration" in b]
    rules = [bucket["LifecycleConfiguration"]["Rules"][0] for bucket in buckets]
    assert sorted(rule["ExpirationInDays"] for rule in rules) == [3, 90]
    assert {rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules} == {2}
    assert {group["RetentionInDays"] for group in chosen.resources("AWS::Logs::LogGroup").values()} == {7}


def test_browsers_of_the_named_origin_may_call_and_upload(chosen: Stage) -> None:
    (api,) = chosen.resources("AWS::ApiGatewayV2::Api").values()
    assert api["CorsConfiguration"]["AllowOrigins"] == ["https://console.example.com"]
    # x-api-key: dialect `aivoco`, in place of the key in the body; the duplicate check: dialect `transcripto`
    sent = {"authorization", "content-type", "idempotency-key", "x-api-key", routes.VERSION_HEADER.lower()}
    assert set(api["CorsConfiguration"]["AllowHeaders"]) == sent | {"x-callscribe-duplicate-check"}
    # Location and Content-Disposition: dialect `mor`, of new jobs and of downloads
    read = {front.LENIENCY_HEADER, routes.VERSION_HEADER, "Retry-After", "Location", "Content-Disposition"}
    assert set(api["CorsConfiguration"]["ExposeHeaders"]) == read
    cors = [b["CorsConfiguration"] for b in chosen.resources("AWS::S3::Bucket").values() if "CorsConfiguration" in b]
    (rule,) = cors[0]["CorsRules"]
    assert (rule["AllowedMethods"], rule["AllowedOrigins"]) == (["PUT"], ["https://console.example.com"])
    assert len(cors) == 1


def test_limits_clock_and_deadlines_are_as_chosen(chosen: Stage) -> None:
    (gateway,) = chosen.resources("AWS::ApiGatewayV2::Stage").values()
    settings = gateway["DefaultRouteSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (5, 6)
    reserved = {n: f["ReservedConcurrentExecutions"] for n, f in chosen.functions.items() if "ReservedConc" in str(f)}
    assert reserved == {f"api_{dialect}": 4 for dialect in names.DIALECTS}
    (rule,) = chosen.resources("AWS::Events::Rule").values()
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert chosen.resources("AWS::SQS::Queue")[chosen.output("WorkQueueUrl")]["VisibilityTimeout"] == 60
    machines = chosen.resources("AWS::StepFunctions::StateMachine").values()
    assert [m for m in machines if '"TimeoutSeconds": 7200' in m["DefinitionString"]]


def test_the_running_code_is_told(chosen: Stage) -> None:
    assert json.loads(chosen.output("Settings")) == {
        "stage": "chosen",
        "allow_loopback": False,
        "public_base_url": "https://calls.example.com",
        "callback_schedule_s": [0, 1, 1],
        "upload_deadline_s": 1_800,
        "results_retention_days": 90,
        "job_deadline_s": 7200,
        "recheck_s": 120,
        "work_visibility_s": 60,
        "fetch_s": 300,
        "fetched_result_s": 780,
        "requests_per_minute": 30,
        "waiting_calls": 2,
        "admin_units_url": "https://units.example.com",
        "recharge_url": "https://credits.example.com/buy",
        "transcription_failed_text": "The transcription failed",
        "basic_everywhere": False,
        "refresh_life_s": 86_400,
        "login_life_s": 3_600,
        "client_hashes": ["sha256"],
        "captcha_url": "https://captcha.example.com/siteverify",
        "tariffs": tomllib.loads(Path(CHOICES["tariffs"]).read_text())["tariffs"],
        "unique_file_names": False,
        "quick_fetch_s": 5,
        "index_delay_s": 30,
        "videos": True,
    }


def test_T_A24_the_running_code_has_the_chosen_tariffs(chosen: Stage) -> None:
    (small,) = parse_settings(json.loads(chosen.output("Settings"))).tariffs
    assert (small.identifier, small.call_minutes, small.prices) == ("small", 100, {"EUR": 9.5, "USD": 10})


def test_T_A10_the_captcha_services_key_is_read_by_the_log_in_alone_and_stands_in_no_template(chosen: Stage) -> None:
    arn = CHOICES["captcha_secret_arn"]
    readers = {
        name for name in chosen.functions if ("secretsmanager:GetSecretValue", arn) in chosen.function_grants(name)
    }
    told = {name for name, f in chosen.functions.items() if names.ENV_CAPTCHA_SECRET in f["Environment"]["Variables"]}
    assert readers == told == {"api_transcripto"}
    assert chosen.functions["api_transcripto"]["Environment"]["Variables"][names.ENV_CAPTCHA_SECRET] == arn


def test_every_functions_environment_has_room_for_what_the_operator_chose(chosen: Stage) -> None:
    """Lambda takes 4 KB, names included; a name that AWS makes has fewer than 128 characters."""
    for name, function in chosen.functions.items():
        variables = function["Environment"]["Variables"].items()
        assert sum(len(key) + max(len(value), 128 if "<" in value else 0) for key, value in variables) <= 4_096, name


def test_every_setting_is_chosen_here() -> None:
    elsewhere = {"public_base_url", "allow_loopback"}  # one or the other, and the laptop's own
    everything = {field.name for field in fields(StageSettings)}
    the_doors = {name for name in everything if name.startswith("door")}  # see test_door
    assert CHOICES.keys() == everything - elsewhere - the_doors


def test_audio_of_the_named_buckets_may_be_fetched_by_nobody_else(chosen: Stage) -> None:
    granted: dict[str, set[tuple[str, str]]] = {}
    for name in chosen.functions:
        foreign = {grant for grant in chosen.function_grants(name) if ":s3:::" in grant[1]}
        granted |= {name: foreign} if foreign else {}
    arn = "arn:<AWS::Partition>:s3:::calls-of-"
    assert granted == {
        "fetch_audio": {
            (action, resource)
            for bucket in (f"{arn}one", f"{arn}two")
            for action, resource in (
                ("s3:GetObject", f"{bucket}/*"),
                ("s3:GetObjectVersion", f"{bucket}/*"),
                ("s3:ListBucket", bucket),
            )
        }
    }


def test_a_shorter_download_shortens_its_function_and_how_long_the_queue_waits(chosen: Stage) -> None:
    function = chosen.functions["fetch_audio"]
    queue = chosen.resources("AWS::SQS::Queue")[chosen.output("FetchQueueUrl")]
    assert (function["Timeout"], queue["VisibilityTimeout"]) == (420, 480)
    mappings = chosen.resources("AWS::Lambda::EventSourceMapping").values()
    assert [m["ScalingConfig"] for m in mappings if "ScalingConfig" in m] == [{"MaximumConcurrency": 9}]


def test_without_function_urls_nobody_may_call_a_function_but_through_the_gateway(chosen: Stage) -> None:
    assert not chosen.resources("AWS::Lambda::Url")
    assert "AivocoUrl" not in chosen.app.outputs
    assert not [p for p in chosen.resources("AWS::Lambda::Permission").values() if p["Principal"] == "*"]


def test_the_named_workers_and_nobody_else_of_the_account_may_be_the_worker(chosen: Stage) -> None:
    role = chosen.resources("AWS::IAM::Role")[role_of(chosen.output("WorkerRoleArn"))]
    principals = [statement["Principal"] for statement in role["AssumeRolePolicyDocument"]["Statement"]]
    arns = [arn for principal in principals for arn in listed(principal.get("AWS", []))]
    assert arns == CHOICES["worker_principals"].split(",")


def test_every_alarm_is_mailed(chosen: Stage) -> None:
    ((topic, _),) = chosen.resources("AWS::SNS::Topic").items()
    (subscription,) = chosen.resources("AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "operator@example.com")
    alarms = chosen.resources("AWS::CloudWatch::Alarm").values()
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)


def test_the_topic_takes_what_the_accounts_alarms_publish_and_nothing_in_the_clear(chosen: Stage) -> None:
    """A policy of its own takes the place of the default one, by which alarms could publish."""
    ((topic, _),) = chosen.resources("AWS::SNS::Topic").items()
    (policy,) = chosen.resources("AWS::SNS::TopicPolicy").values()
    denied, allowed = sorted(policy["PolicyDocument"]["Statement"], key=lambda each: each["Effect"], reverse=True)
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert (allowed["Effect"], allowed["Action"], allowed["Resource"]) == ("Allow", "sns:Publish", topic)
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "<AWS::AccountId>"},
        "ArnLike": {"aws:SourceArn": "arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*"},
    }


def test_workers_run_on_what_is_chosen_on_demand_only(pool: WithGpu) -> None:
    environments = [each["ComputeResources"] for each in pool.own.resources("AWS::Batch::ComputeEnvironment").values()]
    assert [(each["Type"], each["InstanceTypes"]) for each in environments] == [
        ("EC2", ["g6.2xlarge"]),
        ("EC2", ["g5.xlarge"]),
    ]
    assert [each["MaxvCpus"] for each in environments] == [3 * 8, 3 * 4]
    assert all(each["Subnets"] == CHOICES["gpu_subnet_ids"].split(",") for each in environments)
    assert not pool.own.resources("AWS::EC2::VPC")
    assert pool.one("AWS::EC2::SecurityGroup")["VpcId"] == CHOICES["gpu_vpc_id"]


def test_the_workers_image_has_the_chosen_engine_and_model(pool: WithGpu) -> None:
    assets = json.loads((pool.folder / "Callscribe-chosen-Gpu.assets.json").read_text())
    (image,) = assets["dockerImages"].values()
    assert image["source"]["dockerBuildArgs"] == {"ENGINE": "transformers", "MODEL": "parakeet-tdt-0.6b-v3"}
    container = pool.one("AWS::Batch::JobDefinition")["ContainerProperties"]
    told = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
    assert told[names.ENV_ENGINE] == "transformers"
    assert told[names.ENV_MODEL_DIR] == "/opt/models/parakeet-tdt-0.6b-v3"


def test_the_number_of_workers_follows_the_chosen_policy(pool: WithGpu) -> None:
    function = pool.one("AWS::Lambda::Function")
    assert json.loads(function["Environment"]["Variables"][names.ENV_SCALING]) == {
        "max_workers": 3,
        "target_wait_s": 1200,
        "hold_s": 900,
        "cooldown_s": 60,
        "idle_s": 120,
        "expected_rate": 400,  # of the chosen engine
    }
    assert function["ReservedConcurrentExecutions"] == 1  # this account has some to set aside


def test_the_pools_alarms_are_mailed_by_the_topic_of_the_others_which_it_does_not_import(pool: WithGpu) -> None:
    (topic,) = pool.app.resources("AWS::SNS::Topic").values()
    arn = f"arn:<AWS::Partition>:sns:{CHOICES['region']}:<AWS::AccountId>:{topic['TopicName']}"
    alarms = pool.own.resources("AWS::CloudWatch::Alarm").values()
    assert all(alarm["AlarmActions"] == [arn] for alarm in alarms)
    assert [alarm["Period"] for alarm in alarms if alarm["MetricName"] == "WorkersWithoutWork"] == [6 * 3600]


def test_the_budget_counts_the_stages_machines_and_mails_before_it_is_spent(pool: WithGpu) -> None:
    budget = pool.one("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 500, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"]["TagKeyValue"] == ["user:callscribe:stage$chosen"]
    notices = budget["NotificationsWithSubscribers"]
    assert [notice["Notification"]["Threshold"] for notice in notices] == [80, 100]
    assert {notice["Subscribers"][0]["Address"] for notice in notices} == {"operator@example.com"}


def test_everything_is_in_the_one_region(chosen: Stage) -> None:
    manifest = json.loads((chosen.folder / "manifest.json").read_text())["artifacts"]
    environments = {a["environment"] for a in manifest.values() if a["type"] == "aws:cloudformation:stack"}
    assert environments == {"aws://unknown-account/eu-central-1"}
