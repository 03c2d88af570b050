"""Everything that runs: the API, the pipeline, the callbacks, the sweeper and what watches over them."""

from aws_cdk import Annotations, CfnOutput, Stack
from constructs import Construct

from callscribe import names
from infra.api import Api
from infra.callbacks import Callbacks
from infra.data_stack import DataStack
from infra.fetching import Fetching
from infra.findings import CFN_LINT
from infra.functions import CoreLayer, FunctionKit
from infra.indexing import Indexing
from infra.monitoring import Monitoring, Watched
from infra.pipeline import Pipeline
from infra.runtime import variables_of
from infra.settings import StageSettings
from infra.sweeper import Sweeper


class AppStack(Stack):
    """Stack `Callscribe-<stage>-App`; holds no data and can be destroyed and made anew."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: StageSettings, data: DataStack, **options: object
    ) -> None:
        super().__init__(scope, construct_id, description="callscribe: everything that runs", **options)  # type: ignore[arg-type]  # passed on as they came
        self.template_options.metadata = CFN_LINT
        self._settings, self._data = settings, data
        kit = FunctionKit(settings=settings, layers=[CoreLayer(self, settings=settings)])
        self.api = Api(self, kit=kit)
        variables = variables_of(settings, data, base_url=self.api.base_url)
        self.fetching = Fetching(self, kit=kit, data=data, variables=variables)
        self.api.add_dialects(data, variables, self.fetching.queue)
        self.pipeline = Pipeline(self, kit=kit, data=data, variables=variables)
        self.indexing = Indexing(self, kit=kit, data=data, variables=variables)
        index_queue = self.indexing.queue
        self.callbacks = Callbacks(self, kit=kit, data=data, variables=variables, index_queue=index_queue)
        self.sweeper = Sweeper(
            self,
            kit=kit,
            data=data,
            variables=variables,
            transcription=self.pipeline.transcription.machine,
            callback_queue=self.callbacks.queue,
            fetch_queue=self.fetching.queue,
            index_queue=index_queue,
        )
        self._monitor()
        self._outputs(variables.values)
        self._exports()
        self._warn_without_workers()

    def _monitor(self) -> None:
        pipeline, callbacks, fetching, data = self.pipeline, self.callbacks, self.fetching, self._data
        index = self.indexing
        dead = [data.upload_dead_letters, fetching.dead_letters, fetching.video_dead_letters]
        dead += [callbacks.dead_letters, callbacks.record_failures, index.dead_letters]
        functions = [*self.api.functions, fetching.function, *pipeline.functions, *callbacks.functions]
        functions += [index.function, self.sweeper.function]
        watched = Watched(
            dead_letter_queues=dead,
            drained_dead_letters=pipeline.work_dead_letters,
            queues=[data.uploads, fetching.queue, fetching.videos, pipeline.work, callbacks.queue, index.queue],
            work=pipeline.work,
            fetches=fetching.queue,
            changes=index.queue,
            machines=[pipeline.transcription.machine, callbacks.machine.machine],
            functions=functions,
            prepare=pipeline.prepare,
            on_record=callbacks.on_record,
            deliver=callbacks.deliver,
            dialects=self.api.dialects,
            http_api=self.api.http_api,
        )
        Monitoring(self, settings=self._settings, watched=watched)

    def _outputs(self, values: dict[str, str]) -> None:
        """What the command line finds a deployed stage by: see `callscribe.wiring.environment_of`."""
        outputs = {
            "ApiUrl": self.api.http_api.api_endpoint,
            "PublicBaseUrl": self.api.base_url,
            "TableName": values[names.ENV_TABLE],
            "AudioBucket": values[names.ENV_AUDIO_BUCKET],
            "ResultsBucket": values[names.ENV_RESULTS_BUCKET],
            "IndexBucket": values[names.ENV_INDEX_BUCKET],
            "IndexQueueUrl": values[names.ENV_INDEX_QUEUE],
            "RootKeysSecret": values[names.ENV_ROOT_KEYS_SECRET],
            "TranscriptionMachine": values[names.ENV_TRANSCRIPTION_MACHINE],
            "CallbackMachine": values[names.ENV_CALLBACK_MACHINE],
            "CallbackQueueUrl": values[names.ENV_CALLBACK_QUEUE],
            "FetchQueueUrl": values[names.ENV_FETCH_QUEUE],
            "VideoQueueUrl": values[names.ENV_VIDEO_QUEUE],
            "WorkQueueUrl": self.pipeline.work.queue_url,
            "WorkerRoleArn": self.pipeline.worker_role.role_arn,
            "Settings": values[names.ENV_SETTINGS],
        }
        outputs |= {f"{dialect.title()}Url": url.url for dialect, url in self.api.urls.items()}
        if self.api.domain_target:
            outputs["DomainTarget"] = self.api.domain_target
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)

    def _exports(self) -> None:
        """What the GPU and the video stack import, in every stage: or none that has one could go on without it.

        An export cannot go while it is imported, and a setting that removes a stack does not destroy it.
        """
        work, role = self.pipeline.work, self.pipeline.worker_role
        for value in (work.queue_arn, work.queue_url, role.role_arn, self.fetching.videos.queue_arn):
            self.export_value(value)

    def _warn_without_workers(self) -> None:
        if not self._settings.is_local and not self._settings.gpu:
            Annotations.of(self).add_warning_v2(
                "callscribe:no-workers",
                "This stage has no GPU pool: nothing will transcribe until a worker process with the role"
                " WorkerRoleArn drains the work queue",
            )
