"""Builds the dependencies of a process. The only reader of the environment."""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from callscribe import dialects, names
from callscribe.domain import tariffs
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.jobs import Job
from callscribe.ports import Deps, OrderQueue, Settings, SpeechPipeline, VideoSite, WorkQueue
from callscribe.services.callbacks import BodySigner, Renderer, Result

if TYPE_CHECKING:
    from callscribe.domain.scaling import ScalingSettings
    from callscribe.services.drain import WorkerSettings

_MOST_SLOTS = 4  # of a worker that was not told how many


class Absent:
    """Stands where a process asked for no adapter; any use of it is a mistake in the handler's list."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> NoReturn:
        raise RuntimeError(f"this process did not ask for '{self._name}' (wanted for '{attribute}')")


@dataclass(frozen=True, repr=False, eq=False)  # nobody prints or compares it, and each start would pay for that
class Environment:
    """The names of a deployed stage's resources, from variables or from stack outputs."""

    variables: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        value = self.variables.get(name, "")
        if not value:
            raise RuntimeError(f"the environment variable {name} is not set")
        return value

    def settings(self) -> Settings:
        """The stage's settings: defaults, overridden by the JSON object in CALLSCRIBE_SETTINGS."""
        return parse_settings(json.loads(self.variables.get(names.ENV_SETTINGS) or "{}"))


def parse_settings(overrides: Mapping[str, Any]) -> Settings:
    """Settings with some fields replaced. Raises ValueError for a field that does not exist."""
    values = _known(overrides, Settings, "unknown settings")
    for name in ("limits", "tasks"):
        if name in values:
            values[name] = AudioLimits(**values[name])
    for name in ("callback_schedule_s", "client_hashes"):
        if name in values:
            values[name] = tuple(values[name])
    if "tariffs" in values:
        values["tariffs"] = tariffs.parse(values["tariffs"])
    return Settings(**values)


def _known(overrides: Mapping[str, Any], kind: type[Any], else_say: str) -> dict[str, Any]:
    """The overrides, each of which is a field of the dataclass. Raises ValueError."""
    unknown = set(overrides) - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"{else_say}: {', '.join(sorted(unknown))}")
    return dict(overrides)


def aws_deps(*wanted: str, environment: Mapping[str, str] | None = None) -> Deps:
    """Dependencies on AWS: the adapters named in `wanted` are built, with their clients, now; the rest are absent.

    `wanted` are field names of Deps; settings, clock and randomness are always there.
    """
    env = Environment(os.environ if environment is None else environment)
    unknown = set(wanted) - set(_BUILDERS)
    if unknown:
        raise ValueError(f"no such adapters: {', '.join(sorted(unknown))}")
    adapters: dict[str, Any] = {
        name: build(env) if name in wanted else Absent(name) for name, build in _BUILDERS.items()
    }
    return Deps(**adapters, settings=env.settings(), now_ms=_now_ms, random_bytes=os.urandom)


def dialect_name() -> str:
    """The dialect that this API function speaks."""
    return Environment(os.environ)[names.ENV_DIALECT]


def stage_name() -> str:
    """The stage that this process belongs to."""
    return os.environ.get(names.ENV_STAGE, "local")


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """How the door stands. `trusted_proxies`: 1 where one proxy is before it, whose word on the client counts."""

    trusted_proxies: int = 0
    wait_s: float = names.DOOR_WAIT_S

    def __post_init__(self) -> None:
        if self.trusted_proxies not in (0, 1):
            raise ValueError(f"{names.ENV_DOOR_TRUSTED_PROXIES} must be 0 or 1")


def door_options(environment: Mapping[str, str] | None = None) -> DoorOptions:
    """What the environment says about the door. Raises ValueError for what it does not understand."""
    variables = os.environ if environment is None else environment
    return DoorOptions(
        trusted_proxies=int(variables.get(names.ENV_DOOR_TRUSTED_PROXIES) or 0),
        wait_s=float(variables.get(names.ENV_DOOR_WAIT_S) or names.DOOR_WAIT_S),
    )


def work_queue() -> WorkQueue:
    """The queue that this worker drains."""
    from callscribe.adapters.aws.queues import SqsWorkQueue

    env = Environment(os.environ)
    return SqsWorkQueue(_client("sqs", env), env[names.ENV_WORK_QUEUE])


def video_orders() -> OrderQueue:
    """The queue of what sound is to be fetched from sites of videos."""
    from callscribe.adapters.aws.queues import SqsOrders

    env = Environment(os.environ)
    return SqsOrders(_client("sqs", env), env[names.ENV_VIDEO_QUEUE])


def video_site() -> VideoSite:
    """The way to sites of videos, and on the laptop to its own media server."""
    from callscribe.adapters.web.videos import YtDlpVideos

    return YtDlpVideos(allow_loopback=Environment(os.environ).settings().allow_loopback)


def put_file(url: str, path: Path) -> None:
    """PUT a file to a presigned URL of our own. Raises OutboundFailed."""
    from callscribe.adapters.web import trusted

    trusted.put_file(url, path)


def transcriber() -> SpeechPipeline:
    """The speech pipeline round the engine that CALLSCRIBE_ENGINE names (default: pocketsphinx).

    CALLSCRIBE_DIARIZER names who tells the speakers of a mono recording apart (default: embedded). Their models are
    loaded now, from CALLSCRIBE_MODEL_DIR and CALLSCRIBE_DIARIZER_DIR. Raises Invalid where they do not fit.
    """
    from callscribe.engines import load_diarizer, load_engine
    from callscribe.engines.pipeline import make_transcriber

    diarizer = load_diarizer(os.environ.get(names.ENV_DIARIZER) or "embedded", _path_in(names.ENV_DIARIZER_DIR))
    engine = load_engine(os.environ.get(names.ENV_ENGINE) or "pocketsphinx", _path_in(names.ENV_MODEL_DIR))
    return make_transcriber(engine, diarizer=diarizer)


def _path_in(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def worker_settings(*, idle_s: float | None = None, environment: Mapping[str, str] | None = None) -> "WorkerSettings":
    """The worker's settings: defaults, overridden by the JSON object in CALLSCRIBE_WORKER, `idle_s` by what is given.

    By default a recording for each core, up to 4: the embedded engine runs on these. Raises ValueError for what it does
    not understand.
    """
    from callscribe.services.drain import WorkerSettings

    variables = os.environ if environment is None else environment
    overrides = json.loads(variables.get(names.ENV_WORKER) or "{}")
    known = _known(overrides, WorkerSettings, "unknown settings of the worker")
    told = {} if idle_s is None else {"idle_s": idle_s}
    return WorkerSettings(**{"slots": min(os.cpu_count() or 1, _MOST_SLOTS), **known, **told})


def worker_id() -> str | None:
    """What the pool calls this worker; None outside one."""
    return os.environ.get(names.ENV_WORKER_ID)


def scaling_settings(environment: Mapping[str, str] | None = None) -> "ScalingSettings":
    """How many workers there may be, and when: defaults, overridden by the JSON object in CALLSCRIBE_SCALING.

    Raises ValueError for what it does not understand.
    """
    from callscribe.domain.scaling import ScalingSettings

    variables = os.environ if environment is None else environment
    told = json.loads(variables.get(names.ENV_SCALING) or "{}")
    return ScalingSettings(**_known(told, ScalingSettings, "unknown settings of the scaling"))


def spot_notice() -> Callable[[], bool]:
    """Asks the machine whether it is about to be taken away."""
    from callscribe.adapters.aws.spot import SpotNotice

    return SpotNotice()


def renderer_of(dialect: str) -> Renderer:
    """The callback renderer of a dialect, loaded when it is first asked for."""
    return dialects.load(dialect).renderer()


def render(result: Result, sign: BodySigner) -> bytes | None:
    """The body of a callback, by the renderer of its job's own dialect."""
    return renderer_of(result.job.dialect)(result, sign)


def user_agent_of_job(deps: Deps, tenant_id: str, job_id: str) -> str:
    """The User-Agent that a job's dialect sends callbacks with; our own name for a deleted job, which sends none."""
    job = deps.store.get(Job, tenant_id, job_id)
    return names.SERVICE if job is None else dialects.load(job.dialect).user_agent


def configure_logging() -> None:
    """Log INFO of ours and WARNING of others. In a Lambda the runtime adds time and request id."""
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    root.setLevel(logging.WARNING)
    logging.getLogger(names.SERVICE).setLevel(logging.INFO)


_OUTPUT_VARIABLES = {
    "TableName": names.ENV_TABLE,
    "AudioBucket": names.ENV_AUDIO_BUCKET,
    "ResultsBucket": names.ENV_RESULTS_BUCKET,
    "RootKeysSecret": names.ENV_ROOT_KEYS_SECRET,
    "TranscriptionMachine": names.ENV_TRANSCRIPTION_MACHINE,
    "CallbackMachine": names.ENV_CALLBACK_MACHINE,
    "CallbackQueueUrl": names.ENV_CALLBACK_QUEUE,
    "FetchQueueUrl": names.ENV_FETCH_QUEUE,
    "VideoQueueUrl": names.ENV_VIDEO_QUEUE,
    "IndexQueueUrl": names.ENV_INDEX_QUEUE,
    "IndexBucket": names.ENV_INDEX_BUCKET,
    "WorkQueueUrl": names.ENV_WORK_QUEUE,
    "Settings": names.ENV_SETTINGS,
}


def environment_of(outputs: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that a process of this stage needs, from the App stack's outputs."""
    return {variable: outputs[name] for name, variable in _OUTPUT_VARIABLES.items() if name in outputs}


def operator_deps(outputs: Mapping[str, str], *, aws: Mapping[str, str] | None = None) -> Deps:
    """Dependencies of the operator's command line. `aws`: AWS_* variables that say where and as whom, if not ours."""
    wanted = ["store", "uploads", "results", "keyring", "webhooks", "downloader", "callback_queue"]
    wanted += ["task_index"] if "IndexBucket" in outputs else []  # an older stage has none
    return aws_deps(*wanted, environment={**environment_of(outputs), **(aws or {})})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _client(service: str, env: Environment) -> Any:
    """One boto3 client per service and target, shared by the adapters of this process that need it.

    For this process's own environment boto3 looks by itself (roles, profiles); another one must say all.
    """
    told = {} if env.variables is os.environ else env.variables
    return _client_of(service, tuple(sorted(item for item in told.items() if item[0].startswith("AWS_"))))


@cache
def _client_of(service: str, target: tuple[tuple[str, str], ...]) -> Any:
    from callscribe.adapters.aws.clients import client

    return client(service, dict(target))


def _store(env: Environment) -> Any:
    from callscribe.adapters.aws.table import DynamoStore

    return DynamoStore(_client("dynamodb", env), env[names.ENV_TABLE])


def _objects(variable: str) -> Callable[[Environment], Any]:
    def build(env: Environment) -> Any:
        from callscribe.adapters.aws.objects import S3Objects

        return S3Objects(_client("s3", env), env[variable])

    return build


def _executions(variable: str) -> Callable[[Environment], Any]:
    def build(env: Environment) -> Any:
        from callscribe.adapters.aws.executions import StepFunctionsExecutions

        return StepFunctionsExecutions(_client("stepfunctions", env), env[variable])

    return build


def _sender(variable: str, *, group_by: str | None = None) -> Callable[[Environment], Any]:
    def build(env: Environment) -> Any:
        from callscribe.adapters.aws.queues import SqsSender

        return SqsSender(_client("sqs", env), env[variable], group_by=group_by)

    return build


def require_words_index() -> None:
    """Raises RuntimeError where this interpreter's SQLite cannot search by words."""
    from callscribe.adapters.sqlite.index import has_words_index

    if not has_words_index():
        raise RuntimeError("this interpreter's SQLite has no FTS5, which the index of tasks is made with")


def _task_index(env: Environment) -> Any:
    from callscribe.adapters.aws.index_files import S3IndexFiles
    from callscribe.adapters.sqlite.index import SqliteTaskIndex

    return SqliteTaskIndex(S3IndexFiles(_client("s3", env), env[names.ENV_INDEX_BUCKET]))


def _captcha(env: Environment) -> Any:
    """Any token will do, unless the operator named a service that judges them."""
    settings = env.settings()
    if settings.captcha_url:
        from callscribe.adapters.aws.secret_text import SecretText
        from callscribe.adapters.web.captcha import SiteVerify

        secret = SecretText(_client("secretsmanager", env), env[names.ENV_CAPTCHA_SECRET])
        return SiteVerify(settings.captcha_url, secret, allow_loopback=settings.allow_loopback)

    def any_token(token: str, *, address: str) -> bool:  # noqa: ARG001 - the port's
        return bool(token.strip())

    return any_token


def _task_reports(env: Environment) -> Any:
    from callscribe.adapters.aws.task_reports import StepFunctionsTaskReports

    return StepFunctionsTaskReports(_client("stepfunctions", env))


def _work_gauge(env: Environment) -> Any:
    from callscribe.adapters.aws.queues import SqsGauge

    return SqsGauge(_client("sqs", env), env[names.ENV_WORK_QUEUE])


def _worker_pool(env: Environment) -> Any:
    from callscribe.adapters.aws.batch import BatchWorkers

    where = json.loads(env[names.ENV_WORKER_POOL])
    return BatchWorkers(_client("batch", env), queue=where["queue"], definition=where["definition"])


def _webhooks(env: Environment) -> Any:
    from callscribe.adapters.web.webhooks import GuardedWebhooks

    return GuardedWebhooks(env.settings())


def _downloader(env: Environment) -> Any:
    from callscribe.adapters.web.downloads import GuardedDownloads

    return GuardedDownloads(env.settings())


def _keyring(env: Environment) -> Any:
    from callscribe.adapters.aws.secrets import SecretKeys

    return SecretKeys(_client("secretsmanager", env), env[names.ENV_ROOT_KEYS_SECRET], now_ms=_now_ms)


def _inspector(_env: Environment) -> Any:
    def inspect_late(path: Path, limits: AudioLimits, *, within_s: float | None = None) -> AudioFacts:
        from callscribe.media.inspect import inspect

        return inspect(path, limits, within_s=within_s)

    return inspect_late


_BUILDERS: dict[str, Callable[[Environment], Any]] = {
    "store": _store,
    "uploads": _objects(names.ENV_AUDIO_BUCKET),
    "results": _objects(names.ENV_RESULTS_BUCKET),
    "transcriptions": _executions(names.ENV_TRANSCRIPTION_MACHINE),
    "redeliveries": _executions(names.ENV_CALLBACK_MACHINE),
    "callback_queue": _sender(names.ENV_CALLBACK_QUEUE),
    "fetch_queue": _sender(names.ENV_FETCH_QUEUE, group_by="tenant_id"),
    "video_queue": _sender(names.ENV_VIDEO_QUEUE),
    "index_queue": _sender(names.ENV_INDEX_QUEUE, group_by="tenant_id"),
    "task_index": _task_index,
    "task_reports": _task_reports,
    "work_gauge": _work_gauge,
    "worker_pool": _worker_pool,
    "webhooks": _webhooks,
    "downloader": _downloader,
    "inspector": _inspector,
    "captcha": _captcha,
    "keyring": _keyring,
}
