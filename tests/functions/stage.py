"""A deployed stage as far as the functions see it: resources in an account that moto makes up, and handlers in it."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from callscribe import names, wiring
from callscribe.domain import transcripts
from callscribe.domain.callbacks import Callback
from callscribe.domain.jobs import Job, JobState, move
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.ports import Deps
from callscribe.services import accounts, jobs
from callscribe.services.accounts import Principal
from tests.adapters.cloud import REGION, TABLE, StateMachine, create_table

ROOT = Path(__file__).parents[2]
ALL = (
    "store",
    "uploads",
    "results",
    "transcriptions",
    "redeliveries",
    "callback_queue",
    "fetch_queue",
    "video_queue",
    "index_queue",
    "task_index",
    "task_reports",
    "webhooks",
    "downloader",
    "keyring",
)
SOME_TRANSCRIPT = Transcript((Segment("hello there", 0.0, 1.0, 0, "0", None),), "en", None, "fake", "fake", 1.0, 1.0)

Handler = Callable[[dict[str, Any], Any], Any]


def load(name: str) -> ModuleType:
    """A function's module, run anew: what a cold start does."""
    path = ROOT / "functions" / name / "handler.py"
    spec = importlib.util.spec_from_file_location(f"handler_of_{name}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def handler_of(name: str) -> Handler:
    """A function's handler after a cold start."""
    handler: Handler = load(name).handler
    return handler


@dataclass(frozen=True)
class Stage:
    """`deps` reach everything in the stage; `secret` is the API key's."""

    deps: Deps
    principal: Principal
    secret: str
    machine: StateMachine
    client: Callable[[str], Any]

    def create(self, *, age_s: int = 0, **fields: Any) -> Job:
        """A job that waits for its upload, made so long ago."""
        created_at_ms = self.deps.now_ms() - 1000 * age_s
        then = replace(self.deps, now_ms=lambda: created_at_ms)
        fields = {"dialect": "presign", "media_type": "audio/wav", **fields}
        return jobs.create_upload(then, self.principal, jobs.NewJob(**fields)).job

    def upload(self, job: Job, body: bytes = b"some bytes") -> str:
        """A client's PUT; the version that S3 made of it."""
        answer = self.client("s3").put_object(Bucket="audio", Key=job.audio_key, Body=body)
        return str(answer["VersionId"])

    def queued(self, body: bytes = b"some bytes", **fields: Any) -> Job:
        """A job whose upload was seen."""
        job = self.create(**fields)
        return self._moved(job, JobState.QUEUED, audio_version_id=self.upload(job, body))

    def transcribing(self, **fields: Any) -> Job:
        """A job that a worker has."""
        return self._moved(self.queued(**fields), JobState.TRANSCRIBING)

    def transcribed(self, **fields: Any) -> Job:
        """A job whose worker is done."""
        job = self.transcribing(**fields)
        body = transcripts.to_json(SOME_TRANSCRIPT)
        self.deps.results.put_if_absent(job.transcript_key, body, content_type="application/json")
        return job

    def completed(self, callback_url: str) -> Job:
        """A job that has ended, its outbox row written."""
        job = self.transcribed(callback_url=callback_url)
        render = wiring.renderer_of(job.dialect)
        return jobs.finish(self.deps, tenant_id=job.tenant_id, job_id=job.id, render=render)

    def job(self, job: Job) -> Job:
        """The job as it is stored now."""
        return jobs.find(self.deps, tenant_id=job.tenant_id, job_id=job.id)

    def callbacks(self, job: Job) -> list[Callback]:
        """The outbox rows of a job."""
        return self.deps.store.children(Callback, job.tenant_id, job.id)

    def executions(self, machine: str) -> dict[str, Any]:
        """Inputs of all executions of a machine, by name."""
        states = self.client("stepfunctions")
        arns = {one["name"]: one["stateMachineArn"] for one in states.list_state_machines()["stateMachines"]}
        listed = states.list_executions(stateMachineArn=arns[machine])["executions"]
        described = [states.describe_execution(executionArn=one["executionArn"]) for one in listed]
        return {one["name"]: json.loads(one["input"]) for one in described}

    def messages(self, queue: str) -> list[Any]:
        """The bodies of the messages in a queue, which are taken out."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]

    def _moved(self, job: Job, state: JobState, **fields: Any) -> Job:
        change = move(job, state, at_ms=self.deps.now_ms(), **fields)
        self.deps.store.commit(change)
        moved: Job = change.after
        return moved


def make_stage(client: Callable[[str], Any]) -> tuple[StateMachine, dict[str, str]]:
    """Make the stage's resources; its transcription machine, and the environment of its functions."""
    create_table(client("dynamodb"))
    for bucket in ("audio", "results", "index"):
        client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    versioned = {"Status": "Enabled"}
    for bucket in ("audio", "results"):
        client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioned)
    root_keys = json.dumps({"id": "1", "key": "an example root key of 32 bytes!"})
    secret = client("secretsmanager").create_secret(Name="root-keys", SecretString=root_keys)
    machine = StateMachine(client("stepfunctions"), client("sqs"), client("iam"))
    settings = {"stage": "local", "allow_loopback": True, "public_base_url": "https://callscribe.example"}
    return machine, {
        names.ENV_STAGE: "local",
        names.ENV_DIALECT: "presign",
        names.ENV_SETTINGS: json.dumps(settings),
        names.ENV_TABLE: TABLE,
        names.ENV_AUDIO_BUCKET: "audio",
        names.ENV_RESULTS_BUCKET: "results",
        names.ENV_ROOT_KEYS_SECRET: secret["ARN"],
        names.ENV_TRANSCRIPTION_MACHINE: machine.arn,
        names.ENV_CALLBACK_MACHINE: _callback_machine(client),
        names.ENV_CALLBACK_QUEUE: client("sqs").create_queue(QueueName="callbacks")["QueueUrl"],
        names.ENV_FETCH_QUEUE: client("sqs").create_queue(QueueName="fetches")["QueueUrl"],
        names.ENV_VIDEO_QUEUE: client("sqs").create_queue(QueueName="videos")["QueueUrl"],
        names.ENV_INDEX_QUEUE: _index_queue(client),
        names.ENV_INDEX_BUCKET: "index",
        names.ENV_WORK_QUEUE: client("sqs").create_queue(QueueName="work")["QueueUrl"],
    }


def open_stage(machine: StateMachine, client: Callable[[str], Any]) -> Stage:
    """The stage that the environment names, with a tenant and a key."""
    deps = wiring.aws_deps(*ALL)
    tenant = accounts.create_tenant(deps, name="Example")
    key, secret = accounts.create_key(deps, tenant_id=tenant.id, name="key")
    return Stage(deps, accounts.identify(deps, tenant_id=tenant.id, key_id=key.id), secret, machine, client)


def _index_queue(client: Callable[[str], Any]) -> str:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return str(client("sqs").create_queue(QueueName="index.fifo", Attributes=attributes)["QueueUrl"])


def _callback_machine(client: Callable[[str], Any]) -> str:
    definition = {"StartAt": "Stay", "States": {"Stay": {"Type": "Pass", "End": True}}}
    role = client("iam").get_role(RoleName="machine")["Role"]["Arn"]
    made = client("stepfunctions").create_state_machine(
        name="callback", definition=json.dumps(definition), roleArn=role
    )
    return str(made["stateMachineArn"])
