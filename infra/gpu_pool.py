"""The pool of GPU workers: a queue of AWS Batch, whose every job is one worker, and what such a job is."""

import json
from pathlib import PurePosixPath

from aws_cdk import Aws, Duration, Size
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecs as ecs
from aws_cdk.aws_ecr_assets import DockerImageAsset, Platform
from aws_cdk.aws_logs import LogGroup
from constructs import Construct

from callscribe import names
from infra.app_stack import AppStack
from infra.bundling import ROOT
from infra.data_stack import DataStack
from infra.findings import acknowledge
from infra.functions import log_group
from infra.gpu_machines import STOP_S, GpuMachines
from infra.runtime import variables_of
from infra.settings import StageSettings

# One worker fills an xlarge: its one GPU, all of its 4 vCPUs, and of its 16 GiB (16,384 MiB) what is surely there: the
# kernel keeps 2 to 4 % (some 500 MiB), the ECS agent 32 MiB, and some 1.5 GiB stay for Docker and the page cache.
VCPUS, MEMORY_MIB = 4, 14_336
MODELS = PurePosixPath("/opt/models")  # where the image has its weights
USER = "10001:10001"
SLOTS = 16  # recordings at a time: enough speech for full batches; 16 decoders take 3 to 4 GiB
_STOP_MARGIN_S = 10
_SCRATCH = "/scratch"
# Nobody would end it but Batch, were the function that scales out of order: see `_worker_settings`.
_IDLE_BACKSTOP_S = 600
_LONGEST_H = 24
_ATTEMPTS = 5


class GpuPool(Construct):
    """Queue, job definition, image and machines. `functions/scale_workers` says how many jobs there are."""

    def __init__(self, scope: Construct, *, settings: StageSettings, data: DataStack, app: AppStack) -> None:
        super().__init__(scope, "Pool")
        self._settings, self._data, self._app = settings, data, app
        self.logs: LogGroup = log_group(self, "WorkerLogs", settings)
        self._image = self._worker_image()
        machines = GpuMachines(self, settings=settings, image=self._image.repository)
        ordered = [
            batch.OrderedComputeEnvironment(compute_environment=environment, order=order)
            for order, environment in enumerate(machines.environments, 1)
        ]
        self.queue = batch.JobQueue(self, "Queue", compute_environments=ordered, priority=1)
        self.definition = self._job_definition()

    def _worker_image(self) -> DockerImageAsset:
        return DockerImageAsset(
            self,
            "Image",
            directory=str(ROOT),
            file="functions/transcribe_worker/Dockerfile",
            platform=Platform.LINUX_AMD64,
            build_args={"ENGINE": self._settings.gpu_engine, "MODEL": self._settings.gpu_model},
            exclude=["functions/door", "functions/fetch_video"],
        )

    def _job_definition(self) -> batch.EcsJobDefinition:
        return batch.EcsJobDefinition(
            self,
            "Worker",
            container=self._container(),
            retry_attempts=_ATTEMPTS,
            # A spot machine that was taken away; whatever else ends a worker would end the next one as well, and it
            # is for the function that scales to ask for another.
            retry_strategies=[
                batch.RetryStrategy.of(batch.Action.RETRY, batch.Reason.SPOT_INSTANCE_RECLAIMED),
                batch.RetryStrategy.of(batch.Action.EXIT, batch.Reason.custom(on_reason="*")),
            ],
            timeout=Duration.hours(_LONGEST_H),
        )

    def _container(self) -> batch.EcsEc2ContainerDefinition:
        """AWS Batch lets nobody drop capabilities; a user that is not root has none of them in effect."""
        container = batch.EcsEc2ContainerDefinition(
            self,
            "Container",
            image=ecs.ContainerImage.from_docker_image_asset(self._image),
            gpu=1,
            cpu=VCPUS,
            memory=Size.mebibytes(MEMORY_MIB),
            job_role=self._app.pipeline.worker_role,
            environment=self._environment(),
            logging=ecs.LogDriver.aws_logs(stream_prefix="worker", log_group=self.logs),
            user=USER,
            privileged=False,
            readonly_root_filesystem=True,
            linux_parameters=batch.LinuxParameters(self, "Linux", init_process_enabled=True),
            # Docker makes an empty volume on the machine's encrypted disk, owned as the image's folder is.
            volumes=[batch.EcsVolume.host(name="scratch", container_path=_SCRATCH, readonly=False)],
        )
        acknowledge(
            container.execution_role,
            {"AwsSolutions-IAM5[Resource::*]": "ECR gives its log-in token on the resource * only"},
        )
        return container

    def _environment(self) -> dict[str, str]:
        """No base URL: a worker writes no links, and the API's address would have to be exported for it."""
        variables = variables_of(self._settings, self._data, base_url="")
        return {
            **variables.pick(names.ENV_TABLE, names.ENV_AUDIO_BUCKET, names.ENV_RESULTS_BUCKET),
            names.ENV_STAGE: self._settings.stage,
            names.ENV_WORK_QUEUE: self._app.pipeline.work.queue_url,
            names.ENV_ENGINE: self._settings.gpu_engine,
            names.ENV_MODEL_DIR: str(MODELS / self._settings.gpu_model),
            names.ENV_WORKER: json.dumps(self._worker_settings()),
            "AWS_DEFAULT_REGION": Aws.REGION,  # on EC2 nobody else tells a container
        }

    def _worker_settings(self) -> dict[str, int | bool]:
        """`callscribe.services.drain.WorkerSettings`, by field name.

        Workers are told to go by who scales; that they go by themselves, later, is for the day when nobody tells them.
        """
        return {
            "slots": SLOTS,
            "idle_s": self._settings.gpu_idle_s + _IDLE_BACKSTOP_S,
            "grace_s": STOP_S - _STOP_MARGIN_S,
            "spot_notice": True,
        }
