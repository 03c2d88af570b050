"""Everything an operator may choose about a stage, from the CDK context (`-c name=value`), typed and validated.

A list is written with commas, a switch as `true` or `false`. An unknown name or a bad value ends the synthesis with
an error that names the setting, the value and what is allowed. Names that hold a colon or an @ are CDK's own.

| setting | default | what it does |
| --- | --- | --- |
| `target` | `aws` | `aws`, or `local` for the laptop cloud (layers for this machine's own Python) |
| `stage` | `dev` (`local` on target `local`) | part of the stacks' names: a-z, 0-9 and dashes, 20 at most |
| `region` | the command line's | the one region that everything is in, such as `eu-central-1` |
| `public_base_url` | domain or API address | base URL that callbacks and links name, without a slash at the end |
| `domain_name` | none | custom domain of the API; point its DNS record to the output `DomainTarget` |
| `certificate_arn` | none | ACM certificate of `domain_name`, in the same region; both or none |
| `allow_loopback` | `false` | accept `http://127.0.0.1:<port>` as a receiver; only with stage and target `local` |
| `retain_data` | `true` | keep table, buckets and root keys on destroy (`false`: empty the buckets before) |
| `log_retention_days` | `30` | 1, 3, 5, 7, 14, 30, 60 or 90 |
| `audio_retention_days` | `30` | audio, registered recordings too, is deleted after so many days, 1 to 3650 |
| `results_retention_days` | `365` | days until transcripts, callback bodies and searched words go, 1 to 3650 |
| `noncurrent_retention_days` | `7` | overwritten and deleted object versions are gone after so many days, 1 to 365 |
| `cors_origins` | none | browser origins that may call the API and upload: `https://host`, several, or `*` |
| `throttle_rate` | `100` | requests per second to the whole API, 1 to 10000 |
| `throttle_burst` | `200` | requests at once on top of that, 1 to 5000 |
| `reserved_concurrency` | none | Lambda concurrency set aside for each dialect, 2 to 1000 (a new account has 10) |
| `function_url` | `true` | give dialect `aivoco` a URL of its own (output `AivocoUrl`), where calls may wait |
| `source_buckets` | none | your buckets that `s3_uri` may name; `kms:Decrypt` on a key of yours is not granted along |
| `fetch_s` | `600` | seconds that the download of an audio URL may take, 10 to 780 |
| `fetch_concurrency` | `5` | audio URLs that are downloaded at one time, 2 to 1000 |
| `callback_schedule_s` | 10 attempts in 75 h | seconds before each attempt, the first included: 1 to 20 numbers |
| `upload_deadline_s` | `3600` | seconds until a job without upload fails, 60 (`local`: 1; `video`: 1260) to 604800 |
| `job_deadline_s` | `86400` | seconds a job may wait and be worked on, 300 (`local`: 1) to 604800 |
| `recheck_s` | `300` | seconds of silence before the sweeper asks after a job, 60 (`local`: 1) to 86400 |
| `work_visibility_s` | `300` | seconds until a dead worker's job is another's, 30 (`local`: 2) to 43200 |
| `worker_principals` | none | IAM ARNs that may assume the role `WorkerRoleArn`, for workers of your own |
| `index_delay_s` | `60` | seconds that changes of tasks gather before the index takes them in, 5 (`local`: 1) to 900 |
| `sweep_minutes` | `5` | minutes between two searches for what got lost, 1 to 12 |
| `fetched_result_s` | `540` | seconds that an `aivoco` transcript waits to be fetched, 60 to 840 less one sweep |
| `requests_per_minute` | `60` | requests that `aivoco` takes from one address, 1 to 100000 |
| `waiting_calls` | `5` | one tenant's waiting `aivoco` calls, a Lambda each: 1 to 1000, below `reserved_concurrency` |
| `admin_units_url` | the vendor's | where `aivoco` sends whoever has too few admin units |
| `recharge_url` | the vendor's | where `aivoco` sends whoever has too few credits |
| `transcription_failed_text` | the vendor's | `aivoco`'s answer when a transcription failed, 200 characters at most |
| `basic_everywhere` | `true` | dialect `mor` takes user and password at every path, not at its login alone |
| `refresh_life_s` | `604800` | seconds that a login lives without being refreshed, 900 to 7776000 |
| `login_life_s` | `86400` | seconds that the token of a `transcripto` login lives, 300 to 2592000 |
| `client_hashes` | `sha512,sha256` | by which of these `transcripto` clients may hash passwords |
| `captcha_url` | none | `siteverify` URL of the captcha service for `transcripto` logins; none: any token will do |
| `captcha_secret_arn` | none | your secret in Secrets Manager that holds the service's key; goes with `captcha_url` |
| `tariffs` | the vendor's packages | JSON or TOML file of the tariffs that `transcripto` tenants may have |
| `unique_file_names` | `true` | `transcripto` takes a call's file name once per user (error 4091) |
| `quick_fetch_s` | `12` | seconds that a `transcripto` request waits for the audio that it names by URL, 1 to 18 |
| `video` | `false` | take links to videos: a container for each fetches its sound (on the laptop a process) |
| `video_vpc_id` | a VPC of its own | VPC to put these containers into; goes with `video_subnet_ids` |
| `video_subnet_ids` | two of its own | public subnets of `video_vpc_id`, in two zones or more |
| `door` | `false` | deploy the door: a container behind a load balancer, for bodies to 80 MB and long waits |
| `door_domain_name` | none | the door's own host name; point its DNS record to the output `DoorTarget` |
| `door_certificate_arn` | none | ACM certificate of `door_domain_name`, in the same region; the door needs both |
| `door_vpc_id` | a VPC of its own | VPC to put the door into; goes with `door_subnet_ids` |
| `door_subnet_ids` | two of its own | public subnets of `door_vpc_id`, in two zones or more |
| `door_wait_s` | `900` | seconds that a call may wait for its answer at the door, 30 to 3500 |
| `door_max_tasks` | `4` | containers at most, 1 to 50; one runs always |
| `door_deletion_protection` | `true` | refuse to delete the door's load balancer, whose name DNS records hold |
| `gpu` | `true` (`false` on target `local`) | deploy the pool of GPU workers, which is empty while there is no work |
| `gpu_engine` | `faster-whisper` | the workers' speech engine, `faster-whisper` or `transformers` |
| `gpu_model` | `whisper-large-v3-turbo` | its model, as `callscribe models list` names it; becomes part of the image |
| `gpu_instance_types` | `g6.xlarge,g5.xlarge,g4dn.xlarge` | machines with one GPU; on demand, the first goes first |
| `gpu_spot` | `true` | ask for spot machines first, on demand behind them (`false`: on demand only) |
| `gpu_max_workers` | `10` | workers at most, one to a machine, 1 to 100 |
| `gpu_hold_s` | `0` | seconds that work may wait for more of it while there is no worker, 0 to 86400 |
| `gpu_target_wait_s` | `600` | seconds in which the workers shall have done what waits, 60 to 86400 |
| `gpu_cooldown_s` | `300` | seconds after a change before there are fewer workers, 0 to 3600 |
| `gpu_idle_s` | `300` | seconds without work after which the last workers go, 0 to 86400 |
| `gpu_vpc_id` | a VPC of its own | VPC to put the workers into; goes with `gpu_subnet_ids` |
| `gpu_subnet_ids` | two of its own | subnets of `gpu_vpc_id`, in two zones or more, that give addresses or have NAT |
| `gpu_runaway_hours` | `3` | hours that workers may be there without work before an alarm, 1 to 24 |
| `gpu_budget_usd` | none | dollars a month for machines, 1 to 1000000: mail to `alarm_email` at 80 % and 100 % |
| `alarm_email` | none | where alarms are mailed to; the receiver confirms once |
"""

import json
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from callscribe import names
from infra.tariffs import read_tariffs

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90)
# By engine, of those whose image functions/transcribe_worker/Dockerfile can build; as in the package's own catalogue.
GPU_MODELS = {
    "faster-whisper": ("whisper-large-v3-turbo", "whisper-large-v3", "whisper-small"),
    "transformers": ("parakeet-tdt-0.6b-v3",),
}
# Sizes with one GPU, and their vCPUs; the same in all families that are taken.
GPU_VCPUS = {"xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "16xlarge": 64}
# As `callscribe.ports.Settings.video_message_s` adds them up.
_VIDEO_S = names.VIDEO_S + names.VIDEO_START_S + names.FETCH_STORE_S + names.FETCH_MARGIN_S
_HIGHEST_DEADLINE_S = 604_800
_RUNTIME_FIELDS = (
    "stage",
    "allow_loopback",
    "callback_schedule_s",
    "upload_deadline_s",
    "job_deadline_s",
    "recheck_s",
    "work_visibility_s",
    "index_delay_s",
    "results_retention_days",
    "fetch_s",
    "fetched_result_s",
    "requests_per_minute",
    "waiting_calls",
    "admin_units_url",
    "recharge_url",
    "transcription_failed_text",
    "basic_everywhere",
    "refresh_life_s",
    "login_life_s",
    "client_hashes",
    "captcha_url",
    "unique_file_names",
    "quick_fetch_s",
)
# A Lambda's variables have 4 KB, names included; ARNs, queues and buckets need the rest.
_MOST_SETTINGS_BYTES = 2_700
_LONGEST_UNFETCHED_S = 840  # a minute less than the promised 15: the sweeper needs time, too


class BadSetting(ValueError):
    """A context value that is not allowed; the message names the setting, the value and what is allowed."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"setting {name}={value!s}: {allowed}")
        self.name = name


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSettings:
    """One stage's settings; the module's docstring is the table of what each means."""

    target: str = "aws"
    stage: str = "dev"
    region: str | None = None
    public_base_url: str | None = None
    domain_name: str | None = None
    certificate_arn: str | None = None
    allow_loopback: bool = False
    retain_data: bool = True
    log_retention_days: int = 30
    audio_retention_days: int = 30
    results_retention_days: int = 365
    noncurrent_retention_days: int = 7
    cors_origins: tuple[str, ...] = ()
    throttle_rate: int = 100
    throttle_burst: int = 200
    reserved_concurrency: int | None = None
    function_url: bool = True
    source_buckets: tuple[str, ...] = ()
    fetch_s: int = 600
    fetch_concurrency: int = 5
    callback_schedule_s: tuple[float, ...] | None = None
    upload_deadline_s: int = 3_600
    job_deadline_s: int = 86_400
    recheck_s: int = 300
    work_visibility_s: int = names.WORK_MESSAGE_VISIBILITY_S
    worker_principals: tuple[str, ...] = ()
    index_delay_s: int = 60
    sweep_minutes: int = 5
    fetched_result_s: int = 540
    requests_per_minute: int = 60
    waiting_calls: int = 5
    admin_units_url: str | None = None
    recharge_url: str | None = None
    transcription_failed_text: str | None = None
    basic_everywhere: bool = True
    refresh_life_s: int = 604_800
    login_life_s: int = 86_400
    client_hashes: tuple[str, ...] = ("sha512", "sha256")
    captcha_url: str | None = None
    captcha_secret_arn: str | None = None
    tariffs: str | None = None
    unique_file_names: bool = True
    quick_fetch_s: int = 12
    video: bool = False
    video_vpc_id: str | None = None
    video_subnet_ids: tuple[str, ...] = ()
    door: bool = False
    door_domain_name: str | None = None
    door_certificate_arn: str | None = None
    door_vpc_id: str | None = None
    door_subnet_ids: tuple[str, ...] = ()
    door_wait_s: int = names.DOOR_WAIT_S
    door_max_tasks: int = 4
    door_deletion_protection: bool = True
    gpu: bool = True
    gpu_engine: str = "faster-whisper"
    gpu_model: str = "whisper-large-v3-turbo"
    gpu_instance_types: tuple[str, ...] = ("g6.xlarge", "g5.xlarge", "g4dn.xlarge")
    gpu_spot: bool = True
    gpu_max_workers: int = 10
    gpu_hold_s: int = 0
    gpu_target_wait_s: int = 600
    gpu_cooldown_s: int = 300
    gpu_idle_s: int = 300
    gpu_vpc_id: str | None = None
    gpu_subnet_ids: tuple[str, ...] = ()
    gpu_runaway_hours: int = 3
    gpu_budget_usd: int | None = None
    alarm_email: str | None = None

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_patterns(self)
        _check_numbers(self)
        _check_combinations(self)
        _check_certificates(self)
        _check_waiting(self)
        _check_captcha(self)
        _check_tariffs(self)
        _check_video(self)
        _check_door(self)
        _check_gpu(self)

    @property
    def is_local(self) -> bool:
        """Whether the template is for the laptop cloud."""
        return self.target == "local"

    def runtime_overrides(self) -> dict[str, Any]:
        """Fields of `callscribe.ports.Settings`, the base URL aside: all that is known here, whatever it is there."""
        told = {name: getattr(self, name) for name in _RUNTIME_FIELDS}
        told["videos"] = self.video
        told["tariffs"] = read_tariffs(self.tariffs) if self.tariffs else None
        return {name: value for name, value in told.items() if value is not None}


_DEFAULTS: dict[str, Any] = {entry.name: entry.default for entry in fields(StageSettings)}


def from_context(context: Mapping[str, Any]) -> StageSettings:
    """Settings from the CDK context. Names with a colon or an @ belong to CDK and are left alone. Raises BadSetting."""
    own = {name: value for name, value in context.items() if not re.search("[:@]", name)}
    for name in own:
        if name not in _DEFAULTS:
            raise BadSetting(name, own[name], _unknown(name))
    types_by_name = get_type_hints(StageSettings)
    values = {name: _parse(name, value, types_by_name[name]) for name, value in own.items()}
    if values.get("target") == "local":
        values.setdefault("stage", "local")
        values.setdefault("gpu", False)
    return StageSettings(**values)


def _unknown(name: str) -> str:
    close = get_close_matches(name, _DEFAULTS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(_DEFAULTS)}"
    return f"there is no such setting; {hint}"


def _parse(name: str, value: Any, kind: Any) -> Any:
    """A context value (text from the command line, any JSON from cdk.json) as the field's type."""
    if isinstance(kind, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_args(kind):
        return tuple(_parse_one(name, item, get_args(kind)[0]) for item in _items(value))
    return _parse_one(name, value, kind)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [item.strip() for item in str(value).split(",") if item.strip()]


def _parse_one(name: str, value: Any, kind: type) -> Any:
    text = str(value).strip()
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise BadSetting(name, value, "allowed are true and false")
        return text.lower() == "true"
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError:
        raise BadSetting(name, value, f"allowed is {'a whole number' if kind is int else 'a number'}") from None


def _check_choices(settings: StageSettings) -> None:
    choices: dict[str, tuple[Any, ...]] = {
        "target": ("aws", "local"),
        "log_retention_days": LOG_RETENTION_DAYS,
        "gpu_engine": tuple(GPU_MODELS),
        "gpu_model": GPU_MODELS.get(settings.gpu_engine, ()),
    }
    for name, allowed in choices.items():
        value = getattr(settings, name)
        if value not in allowed:
            raise BadSetting(name, value, f"allowed are {', '.join(map(str, allowed))}")


_WEB_PAGE = r"https?://[^\s/?#]+[^\s]*"
_PATTERNS = {
    "stage": (r"[a-z][a-z0-9-]{0,19}", "lower-case letters, digits and dashes, a letter first, at most 20"),
    "region": (r"[a-z]{2}(-[a-z]+)+-\d", "a region's name such as eu-central-1"),
    "public_base_url": (r"https?://[^\s/?#]+(/[^\s?#]*)?(?<!/)", "an http or https URL without a slash at the end"),
    "domain_name": (r"[a-z0-9-]+(\.[a-z0-9-]+)+", "a host name such as calls.example.com"),
    "certificate_arn": (r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+", "the ARN of an ACM certificate"),
    "worker_principals": (
        r"arn:aws[a-z-]*:iam::\d{12}:((role|user)/[^\s*]+|root)",
        "ARNs of roles, users, accounts",
    ),
    "cors_origins": (r"\*|https?://[^\s/]+", "origins such as https://console.example.com, or *"),
    "source_buckets": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "names of S3 buckets"),
    "admin_units_url": (_WEB_PAGE, "an http or https URL"),
    "recharge_url": (_WEB_PAGE, "an http or https URL"),
    "captcha_url": (r"https?://[^\s/?#@]+/[^\s]*", "a URL such as https://captcha.example.com/siteverify"),
    "captcha_secret_arn": (
        r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]{1,256}-[A-Za-z0-9]{6}",
        "the whole ARN of a secret, its last six characters included",
    ),
    "client_hashes": (r"sha512|sha256", "sha512 and sha256"),
    "transcription_failed_text": (r"[^\x00-\x1f\x7f]{1,200}", "1 to 200 characters, no control character"),
    "door_domain_name": (r"[a-z0-9-]+(\.[a-z0-9-]+)+", "a host name such as door.example.com"),
    "door_certificate_arn": (r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+", "the ARN of an ACM certificate"),
    "video_vpc_id": (r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", "a VPC's id such as vpc-0123456789abcdef0"),
    "video_subnet_ids": (r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", "ids of subnets"),
    "door_vpc_id": (r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", "a VPC's id such as vpc-0123456789abcdef0"),
    "door_subnet_ids": (r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", "ids of subnets"),
    "gpu_instance_types": (
        rf"(g4dn|g5|g6|g6e)\.({'|'.join(GPU_VCPUS)})",
        "machines with one NVIDIA GPU: g4dn, g5, g6 and g6e from xlarge to 16xlarge, but no 12xlarge",
    ),
    "gpu_vpc_id": (r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", "a VPC's id such as vpc-0123456789abcdef0"),
    "gpu_subnet_ids": (r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", "ids of subnets"),
    "alarm_email": (r"[^\s@]+@[^\s@]+\.[^\s@]+", "an e-mail address"),
}


def _check_patterns(settings: StageSettings) -> None:
    for name, (pattern, meaning) in _PATTERNS.items():
        value = getattr(settings, name)
        for text in value if isinstance(value, tuple) else (value,):
            if text is not None and not re.fullmatch(pattern, text):
                raise BadSetting(name, text, f"allowed: {meaning}")


def _check_numbers(settings: StageSettings) -> None:
    local = settings.is_local
    ranges = {
        "audio_retention_days": (1, 3_650),
        "results_retention_days": (1, 3_650),
        "noncurrent_retention_days": (1, 365),
        "throttle_rate": (1, 10_000),
        "throttle_burst": (1, 5_000),
        "reserved_concurrency": (2, 1_000),
        "upload_deadline_s": (1 if local else 60, _HIGHEST_DEADLINE_S),
        "job_deadline_s": (1 if local else 300, _HIGHEST_DEADLINE_S),
        "recheck_s": (1 if local else 60, 86_400),
        "work_visibility_s": (2 if local else 30, 43_200),
        "index_delay_s": (1 if local else 5, 900),
        "sweep_minutes": (1, 12),
        "fetch_s": (10, 780),
        "fetch_concurrency": (2, 1_000),
        "fetched_result_s": (1 if local else 60, _LONGEST_UNFETCHED_S),
        "requests_per_minute": (1, 100_000),
        "waiting_calls": (1, 1_000),
        "refresh_life_s": (900, 7_776_000),
        "login_life_s": (300, 2_592_000),
        "quick_fetch_s": (1, 18),
        "door_wait_s": (30, 3_500),
        "door_max_tasks": (1, 50),
        "gpu_max_workers": (1, 100),
        "gpu_hold_s": (0, 86_400),
        "gpu_target_wait_s": (60, 86_400),
        "gpu_cooldown_s": (0, 3_600),
        "gpu_idle_s": (0, 86_400),
        "gpu_runaway_hours": (1, 24),
        "gpu_budget_usd": (1, 1_000_000),
    }
    for name, (lowest, highest) in ranges.items():
        value = getattr(settings, name)
        if value is not None and not lowest <= value <= highest:
            raise BadSetting(name, value, f"allowed is {lowest} to {highest}")


def _check_combinations(settings: StageSettings) -> None:
    if settings.allow_loopback and not (settings.is_local and settings.stage == "local"):
        raise BadSetting("allow_loopback", "true", "allowed only with stage=local and target=local")
    if (settings.domain_name is None) != (settings.certificate_arn is None):
        raise BadSetting("domain_name", settings.domain_name, "domain_name and certificate_arn go together")
    if settings.public_base_url and not settings.is_local and not settings.public_base_url.startswith("https://"):
        raise BadSetting("public_base_url", settings.public_base_url, "allowed is https, http only on target local")
    longest_s = _LONGEST_UNFETCHED_S - 60 * settings.sweep_minutes
    if settings.fetched_result_s > longest_s:
        raise BadSetting(
            "fetched_result_s",
            settings.fetched_result_s,
            f"with sweep_minutes={settings.sweep_minutes} allowed is at most {longest_s}",
        )
    schedule = settings.callback_schedule_s
    if schedule is not None and not (1 <= len(schedule) <= 20 and all(0 <= delay <= 86_400 for delay in schedule)):
        raise BadSetting("callback_schedule_s", schedule, "allowed are 1 to 20 numbers from 0 to 86400")


def _check_certificates(settings: StageSettings) -> None:
    """Gateway and load balancer take certificates of their own region only; secrets are read in ours."""
    for name in ("certificate_arn", "door_certificate_arn", "captcha_secret_arn"):
        arn = getattr(settings, name)
        if arn and settings.region and arn.split(":")[3] != settings.region:
            kind = "secret" if "secret" in name else "certificate"
            raise BadSetting(name, arn, f"allowed is a {kind} in the region of the stage, {settings.region}")


def _check_waiting(settings: StageSettings) -> None:
    """Those of one tenant that wait must leave a Lambda to whoever comes for what is ready."""
    reserved = settings.reserved_concurrency
    if reserved is not None and settings.waiting_calls >= reserved:
        raise BadSetting(
            "waiting_calls",
            settings.waiting_calls,
            f"with reserved_concurrency={reserved} allowed is at most {reserved - 1}",
        )


def _check_captcha(settings: StageSettings) -> None:
    if (settings.captcha_url is None) != (settings.captcha_secret_arn is None):
        raise BadSetting("captcha_url", settings.captcha_url, "captcha_url and captcha_secret_arn go together")
    if settings.captcha_url and not settings.is_local and not settings.captcha_url.startswith("https://"):
        raise BadSetting("captcha_url", settings.captcha_url, "allowed is https, http only on target local")
    if not settings.client_hashes or len(set(settings.client_hashes)) < len(settings.client_hashes):
        raise BadSetting("client_hashes", ",".join(settings.client_hashes), "allowed are one or more, each once")


def _check_tariffs(settings: StageSettings) -> None:
    """The file, and whether Lambda's environment has room for what it says."""
    try:
        told = json.dumps(settings.runtime_overrides(), separators=(",", ":"))
    except ValueError as error:
        raise BadSetting("tariffs", settings.tariffs, str(error)) from error
    if settings.tariffs and len(told) > _MOST_SETTINGS_BYTES:
        raise BadSetting(
            "tariffs",
            settings.tariffs,
            f"with it the settings take {len(told)} bytes of each function's environment, {_MOST_SETTINGS_BYTES} are"
            " allowed: leave out tariffs that nobody has, and fields that are as the default",
        )


def _check_video(settings: StageSettings) -> None:
    if bool(settings.video_vpc_id) != bool(settings.video_subnet_ids) or len(settings.video_subnet_ids) == 1:
        raise BadSetting("video_vpc_id", settings.video_vpc_id, "it goes with video_subnet_ids, two or more")
    if settings.video and settings.upload_deadline_s < _VIDEO_S:
        allowed = (
            f"with video=true allowed is at least {_VIDEO_S}: a fetcher is started, and brings up to hours of sound"
        )
        raise BadSetting("upload_deadline_s", settings.upload_deadline_s, allowed)


def _check_door(settings: StageSettings) -> None:
    if settings.door and settings.is_local:
        raise BadSetting("door", "true", "on the laptop the door is a process beside the cloud: `make serve` starts it")
    if settings.door and not (settings.door_domain_name and settings.door_certificate_arn):
        raise BadSetting("door", "true", "the door speaks TLS only: set door_domain_name and door_certificate_arn")
    if bool(settings.door_vpc_id) != bool(settings.door_subnet_ids) or len(settings.door_subnet_ids) == 1:
        raise BadSetting("door_vpc_id", settings.door_vpc_id, "it goes with door_subnet_ids, two or more")


def _check_gpu(settings: StageSettings) -> None:
    if settings.gpu and settings.is_local:
        raise BadSetting("gpu", "true", "the laptop cloud has no AWS Batch: its worker is a process beside it")
    types = settings.gpu_instance_types
    if not types or len(set(types)) < len(types):
        raise BadSetting("gpu_instance_types", ",".join(types), "allowed are one or more, each once")
    if bool(settings.gpu_vpc_id) != bool(settings.gpu_subnet_ids) or len(settings.gpu_subnet_ids) == 1:
        raise BadSetting("gpu_vpc_id", settings.gpu_vpc_id, "it goes with gpu_subnet_ids, two or more")
    if settings.gpu_budget_usd is not None and not settings.alarm_email:
        raise BadSetting("gpu_budget_usd", settings.gpu_budget_usd, "it needs alarm_email to mail to")
