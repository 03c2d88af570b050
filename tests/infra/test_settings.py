"""Stage settings: what is read from the context, what is refused and how it is said."""

import json
import os
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from callscribe.domain.scaling import ScalingSettings
from callscribe.engines.catalogue import CATALOGUE
from callscribe.wiring import parse_settings
from infra import settings as module
from infra.bundling import ROOT
from infra.settings import GPU_MODELS, BadSetting, StageSettings, from_context

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:captcha/prod-AbCdEf"
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1"


def test_without_any_context_the_stage_is_dev_on_aws_and_keeps_its_data() -> None:
    settings = from_context({})
    assert (settings.target, settings.stage, settings.retain_data) == ("aws", "dev", True)


def test_the_template_tells_the_running_code_every_value_that_it_knows() -> None:
    told = from_context({}).runtime_overrides()
    assert told == {
        "stage": "dev",
        "allow_loopback": False,
        "upload_deadline_s": 3_600,
        "job_deadline_s": 86_400,
        "recheck_s": 300,
        "work_visibility_s": 300,
        "fetch_s": 600,
        "fetched_result_s": 540,
        "requests_per_minute": 60,
        "waiting_calls": 5,
        "basic_everywhere": True,
        "refresh_life_s": 604_800,
        "login_life_s": 86_400,
        "client_hashes": ("sha512", "sha256"),
        "unique_file_names": True,
        "quick_fetch_s": 12,
        "index_delay_s": 60,
        "results_retention_days": 365,
        "videos": False,
    }
    explicit = {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}
    del explicit["allow_loopback"], explicit["videos"]
    assert from_context(explicit).runtime_overrides() == told


def test_the_target_local_is_the_stage_local_unless_it_is_told_otherwise() -> None:
    assert from_context({"target": "local"}).stage == "local"
    assert from_context({"target": "local", "stage": "mine"}).stage == "mine"


def test_text_from_the_command_line_and_json_from_a_file_are_read_alike() -> None:
    text = {
        "callback_schedule_s": "0, 1,2.5",
        "cors_origins": "https://a.example,https://b.example",
        "sweep_minutes": "4",
    }
    file = {
        "callback_schedule_s": [0, 1, 2.5],
        "cors_origins": ["https://a.example", "https://b.example"],
        "sweep_minutes": 4,
    }
    assert from_context(text) == from_context(file)
    assert from_context(text).callback_schedule_s == (0.0, 1.0, 2.5)


def test_names_of_cdk_itself_are_left_alone() -> None:
    context = {"aws:cdk:bundling-stacks": [], "@aws-cdk/core:x": True, "availability-zones:account=1:region=x": []}
    assert from_context(context) == StageSettings()


def test_what_the_running_code_is_told_it_understands() -> None:
    context = {
        "target": "local",
        "allow_loopback": "true",
        "callback_schedule_s": "0,1,1",
        "upload_deadline_s": "9",
        "job_deadline_s": "30",
        "fetch_s": "20",
        "fetched_result_s": "5",
        "requests_per_minute": "7",
        "waiting_calls": "3",
        "admin_units_url": "https://pay.example.com/units",
        "recharge_url": "https://pay.example.com",
        "transcription_failed_text": "Failed to transcribe",
        "basic_everywhere": "false",
        "refresh_life_s": "1000",
        "login_life_s": "900",
        "client_hashes": "sha256",
        "captcha_url": "http://127.0.0.1:9/siteverify",
        "captcha_secret_arn": SECRET,
        "unique_file_names": "false",
        "quick_fetch_s": "3",
    }
    overrides = json.loads(json.dumps(from_context(context).runtime_overrides()))
    understood = parse_settings(overrides)
    for name, value in overrides.items():
        assert getattr(understood, name) == (tuple(value) if isinstance(value, list) else value), name
    assert (understood.upload_deadline_s, understood.job_deadline_s) == (9, 30)
    assert (understood.fetch_s, understood.fetched_result_s, understood.refresh_life_s) == (20, 5, 1_000)
    assert (understood.transcription_failed_text, understood.basic_everywhere) == ("Failed to transcribe", False)
    assert understood.callback_schedule_s == (0, 1, 1)


def test_the_defaults_are_those_of_the_running_code() -> None:
    told = from_context({}).runtime_overrides()
    assert len(told) > 10
    for name in told.keys() - {"stage", "allow_loopback", "videos"}:
        assert getattr(StageSettings(), name) == getattr(parse_settings({}), name)
        default = told[name]
        written = ",".join(default) if isinstance(default, tuple) else json.dumps(default)
        assert f"| `{name}` | `{written}` |" in str(module.__doc__)


def test_the_pools_defaults_are_those_of_the_policy() -> None:
    policy, settings = ScalingSettings(), StageSettings()
    for name in ("max_workers", "target_wait_s", "hold_s", "cooldown_s", "idle_s"):
        assert getattr(settings, f"gpu_{name}") == getattr(policy, name), name


def test_the_models_to_choose_from_are_those_of_the_catalogue_by_engine() -> None:
    of_engine = {engine: tuple(m.name for m in CATALOGUE.values() if m.engine == engine) for engine in GPU_MODELS}
    assert of_engine == GPU_MODELS
    assert not [name for models in GPU_MODELS.values() for name in models if CATALOGUE[name].revision is None]


def test_there_is_a_pool_on_aws_and_none_on_the_laptop_unless_it_is_told_otherwise() -> None:
    assert from_context({}).gpu
    assert not from_context({"gpu": "false"}).gpu
    assert not from_context({"target": "local"}).gpu


def test_a_transcript_that_nobody_fetches_is_gone_within_fifteen_minutes_whatever_is_chosen() -> None:
    """A sweep comes once every `sweep_minutes`, and has a minute to get to its erasures."""
    for sweep_minutes in range(1, 13):
        longest_s = 15 * 60 - 60 * sweep_minutes - 60
        assert longest_s >= 60
        StageSettings(sweep_minutes=sweep_minutes, fetched_result_s=longest_s)
        with pytest.raises(BadSetting, match="fetched_result_s"):
            StageSettings(sweep_minutes=sweep_minutes, fetched_result_s=longest_s + 1)


def test_calls_that_wait_leave_a_lambda_to_the_others() -> None:
    """Of a new account's ten, too; and of those that are set aside, down to the fewest."""
    assert StageSettings().waiting_calls <= 10 // 2
    for reserved in (2, 6, 100):
        StageSettings(reserved_concurrency=reserved, waiting_calls=reserved - 1)
        with pytest.raises(BadSetting, match="waiting_calls"):
            StageSettings(reserved_concurrency=reserved, waiting_calls=reserved)


def test_a_certificate_of_the_stages_region_is_taken_and_any_while_the_region_is_not_known() -> None:
    for region in ("eu-central-1", None):
        named = StageSettings(region=region, domain_name="a.example.com", certificate_arn=CERTIFICATE)
        assert named.certificate_arn == CERTIFICATE
        assert StageSettings(region=region, door_certificate_arn=CERTIFICATE).door_certificate_arn == CERTIFICATE


@pytest.mark.parametrize(
    ("context", "name", "allowed"),
    [
        ({"target": "azure"}, "target=azure", "allowed are aws, local"),
        ({"stage": "My Stage"}, "stage=My Stage", "lower-case letters"),
        ({"stage": "a" * 21}, "stage=", "at most 20"),
        ({"stagee": "dev"}, "stagee=dev", "did you mean stage?"),
        ({"quux": "1"}, "quux=1", "there are target, stage"),
        ({"region": "Frankfurt"}, "region=Frankfurt", "eu-central-1"),
        ({"public_base_url": "https://x.example/"}, "public_base_url=", "without a slash at the end"),
        ({"public_base_url": "http://x.example"}, "public_base_url=", "https, http only on target local"),
        ({"domain_name": "calls.example.com"}, "domain_name=", "go together"),
        ({"certificate_arn": "mine"}, "certificate_arn=mine", "ARN"),
        ({"allow_loopback": "true"}, "allow_loopback=true", "stage=local and target=local"),
        ({"allow_loopback": "true", "target": "local", "stage": "prod"}, "allow_loopback=true", "stage=local"),
        ({"allow_loopback": "true", "target": "aws", "stage": "local"}, "allow_loopback=true", "target=local"),
        ({"retain_data": "maybe"}, "retain_data=maybe", "true and false"),
        ({"log_retention_days": "365"}, "log_retention_days=365", "1, 3, 5, 7, 14, 30, 60, 90"),
        ({"audio_retention_days": "0"}, "audio_retention_days=0", "1 to 3650"),
        ({"results_retention_days": "x"}, "results_retention_days=x", "a whole number"),
        ({"noncurrent_retention_days": "999"}, "noncurrent_retention_days=999", "1 to 365"),
        ({"cors_origins": "console.example.com"}, "cors_origins=console.example.com", "origins such as"),
        ({"throttle_rate": "0"}, "throttle_rate=0", "1 to 10000"),
        ({"throttle_burst": "99999"}, "throttle_burst=99999", "1 to 5000"),
        ({"reserved_concurrency": "1"}, "reserved_concurrency=1", "2 to 1000"),
        ({"callback_schedule_s": "0,soon"}, "callback_schedule_s=", "a number"),
        ({"callback_schedule_s": ""}, "callback_schedule_s=", "1 to 20 numbers"),
        ({"callback_schedule_s": "0,-1"}, "callback_schedule_s=", "0 to 86400"),
        ({"callback_schedule_s": "nan"}, "callback_schedule_s=", "0 to 86400"),
        ({"upload_deadline_s": "5"}, "upload_deadline_s=5", "60 to 604800"),
        (
            {"upload_deadline_s": "1259", "video": "true"},
            "upload_deadline_s=1259",
            "with video=true allowed is at least 1260",
        ),
        ({"job_deadline_s": "5"}, "job_deadline_s=5", "300 to 604800"),
        ({"recheck_s": "5"}, "recheck_s=5", "60 to 86400"),
        ({"work_visibility_s": "5"}, "work_visibility_s=5", "30 to 43200"),
        ({"worker_principals": "arn:aws:iam::123456789012:role/*"}, "worker_principals=", "ARNs of roles"),
        ({"worker_principals": "*"}, "worker_principals=*", "ARNs of roles"),
        ({"sweep_minutes": "13"}, "sweep_minutes=13", "1 to 12"),
        ({"sweep_minutes": "6"}, "fetched_result_s=540", "with sweep_minutes=6 allowed is at most 480"),
        ({"fetched_result_s": "59"}, "fetched_result_s=59", "60 to 840"),
        ({"fetched_result_s": "600"}, "fetched_result_s=600", "with sweep_minutes=5 allowed is at most 540"),
        ({"fetch_s": "781"}, "fetch_s=781", "10 to 780"),
        ({"fetch_concurrency": "1"}, "fetch_concurrency=1", "2 to 1000"),
        ({"function_url": "perhaps"}, "function_url=perhaps", "true and false"),
        ({"source_buckets": "calls,s3://calls"}, "source_buckets=s3://calls", "names of S3 buckets"),
        ({"source_buckets": "*"}, "source_buckets=*", "names of S3 buckets"),
        ({"requests_per_minute": "0"}, "requests_per_minute=0", "1 to 100000"),
        ({"waiting_calls": "0"}, "waiting_calls=0", "1 to 1000"),
        ({"waiting_calls": "8", "reserved_concurrency": "8"}, "waiting_calls=8", "with reserved_concurrency=8"),
        ({"reserved_concurrency": "5"}, "waiting_calls=5", "allowed is at most 4"),
        (
            {"domain_name": "calls.example.com", "certificate_arn": CERTIFICATE, "region": "eu-west-1"},
            f"certificate_arn={CERTIFICATE}",
            "the region of the stage, eu-west-1",
        ),
        (
            {"captcha_url": "https://c.example/v", "captcha_secret_arn": SECRET, "region": "us-east-1"},
            "captcha_secret_arn",
            "a secret in the region of the stage, us-east-1",
        ),
        ({"captcha_url": "https://c.example/v"}, "captcha_url", "go together"),
        ({"captcha_secret_arn": SECRET}, "captcha_url", "go together"),
        ({"captcha_url": "http://c.example/v", "captcha_secret_arn": SECRET}, "captcha_url", "https"),
        ({"captcha_url": "https://c.example/v", "captcha_secret_arn": SECRET[:-7]}, "captcha_secret_arn", "whole ARN"),
        ({"client_hashes": "md5"}, "client_hashes=md5", "sha512 and sha256"),
        ({"client_hashes": "sha256,sha256"}, "client_hashes", "each once"),
        ({"client_hashes": ""}, "client_hashes", "one or more"),
        ({"login_life_s": "1"}, "login_life_s=1", "300 to 2592000"),
        ({"quick_fetch_s": "19"}, "quick_fetch_s=19", "1 to 18"),
        ({"tariffs": "no-such-file.json"}, "tariffs=no-such-file.json", "cannot be read"),
        (
            {"door_certificate_arn": CERTIFICATE, "region": "us-east-1"},
            f"door_certificate_arn={CERTIFICATE}",
            "the region of the stage, us-east-1",
        ),
        ({"admin_units_url": "cloud.example.com"}, "admin_units_url=cloud", "http or https URL"),
        ({"recharge_url": "javascript:alert(1)"}, "recharge_url=javascript", "http or https URL"),
        ({"transcription_failed_text": ""}, "transcription_failed_text=", "1 to 200 characters"),
        ({"transcription_failed_text": "two\nlines"}, "transcription_failed_text=two", "no control character"),
        ({"basic_everywhere": "no"}, "basic_everywhere=no", "true and false"),
        ({"refresh_life_s": "60"}, "refresh_life_s=60", "900 to 7776000"),
        ({"gpu": "true", "target": "local"}, "gpu=true", "no AWS Batch"),
        ({"gpu_engine": "pocketsphinx"}, "gpu_engine=pocketsphinx", "allowed are faster-whisper, transformers"),
        ({"gpu_model": "whisper-huge"}, "gpu_model=whisper-huge", "whisper-large-v3-turbo, whisper-large-v3"),
        ({"gpu_engine": "transformers"}, "gpu_model=whisper-large-v3-turbo", "allowed are parakeet-tdt-0.6b-v3"),
        ({"gpu_instance_types": "g6.12xlarge"}, "gpu_instance_types=g6.12xlarge", "one NVIDIA GPU"),
        ({"gpu_instance_types": "g5g.xlarge"}, "gpu_instance_types=g5g.xlarge", "one NVIDIA GPU"),
        ({"gpu_instance_types": ""}, "gpu_instance_types=", "one or more"),
        ({"gpu_instance_types": "g6.xlarge,g6.xlarge"}, "gpu_instance_types=g6.xlarge,g6.xlarge", "each once"),
        ({"gpu_spot": "sometimes"}, "gpu_spot=sometimes", "true and false"),
        ({"gpu_max_workers": "0"}, "gpu_max_workers=0", "1 to 100"),
        ({"gpu_hold_s": "-1"}, "gpu_hold_s=-1", "0 to 86400"),
        ({"gpu_target_wait_s": "5"}, "gpu_target_wait_s=5", "60 to 86400"),
        ({"gpu_cooldown_s": "4000"}, "gpu_cooldown_s=4000", "0 to 3600"),
        ({"gpu_idle_s": "-1"}, "gpu_idle_s=-1", "0 to 86400"),
        ({"gpu_vpc_id": "vpc-0123456789abcdef0"}, "gpu_vpc_id=vpc-0123456789abcdef0", "gpu_subnet_ids, two or more"),
        ({"gpu_vpc_id": "mine"}, "gpu_vpc_id=mine", "a VPC's id"),
        ({"gpu_subnet_ids": "subnet-01234567,subnet-89abcdef"}, "gpu_vpc_id=None", "gpu_subnet_ids, two or more"),
        (
            {"gpu_vpc_id": "vpc-01234567", "gpu_subnet_ids": "subnet-01234567"},
            "gpu_vpc_id=vpc-01234567",
            "two or more",
        ),
        ({"gpu_runaway_hours": "25"}, "gpu_runaway_hours=25", "1 to 24"),
        ({"gpu_budget_usd": "0", "alarm_email": "a@example.com"}, "gpu_budget_usd=0", "1 to 1000000"),
        ({"gpu_budget_usd": "100"}, "gpu_budget_usd=100", "needs alarm_email"),
        ({"alarm_email": "nobody"}, "alarm_email=nobody", "e-mail"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_value_is_refused_by_name_value_and_what_is_allowed(
    context: dict[str, Any], name: str, allowed: str
) -> None:
    with pytest.raises(BadSetting) as refused:
        from_context(context)
    assert f"setting {name}" in str(refused.value)
    assert allowed in str(refused.value)


def test_every_setting_is_in_the_table_and_the_table_names_no_other() -> None:
    rows = [line.split("`")[1] for line in str(module.__doc__).splitlines() if line.startswith("| `")]
    assert rows == [field.name for field in fields(StageSettings)]


def test_the_command_line_prints_one_line_for_a_bad_setting() -> None:
    environment = os.environ | {"CDK_CONTEXT_JSON": json.dumps({"stage": "No!"})}
    command = [sys.executable, "app.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        "callscribe: setting stage=No!: allowed: lower-case letters, digits and dashes, a letter first, at most 20"
    ]
