"""From upload to transcript: the upload handler, the transcription machine, the work queue and its worker's role."""

from aws_cdk.aws_iam import AccountRootPrincipal, ArnPrincipal, CompositePrincipal, Role, ServicePrincipal
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from callscribe import names
from infra.data_stack import UPLOAD_HANDLER_TIMEOUT_S, DataStack
from infra.functions import FunctionKit, FunctionSize, MediaLayer, python_function
from infra.machines import Machine, transcription_definition
from infra.permissions import READ_OBJECT, READ_VERSION, WRITE_OBJECT, Grants
from infra.queues import dead_letter_queue, queue
from infra.runtime import Variables

_WORK_FAILED_TIMEOUT_S = 30
_BIGGEST_FILE_MB = 2_048


class Pipeline(Construct):
    """Everything between an uploaded object and a finished job."""

    def __init__(self, scope: Construct, *, kit: FunctionKit, data: DataStack, variables: Variables) -> None:
        super().__init__(scope, "Pipeline")
        self._kit, self._data, self._variables = kit, data, variables
        self.work_dead_letters = dead_letter_queue(self, "WorkDeadLetters", visibility_s=6 * _WORK_FAILED_TIMEOUT_S)
        self.work = self._work_queue()
        self.prepare = self._prepare_function()
        self.finish = self._finish_function()
        self.transcription = self._transcription_machine()
        self.audio_uploaded = self._upload_function()
        self.work_failed = self._work_failed_function()
        self.worker_role = self._worker_role()

    @property
    def functions(self) -> list[Function]:
        """All of the pipeline's Lambdas."""
        return [self.prepare, self.finish, self.audio_uploaded, self.work_failed]

    def _work_queue(self) -> Queue:
        visibility_s = self._kit.settings.work_visibility_s
        return queue(self, "Work", visibility_s=visibility_s, dead_letters=self.work_dead_letters)

    def _prepare_function(self) -> Function:
        function = python_function(
            self,
            "prepare_audio",
            self._kit,
            environment=self._variables.pick(names.ENV_TABLE, names.ENV_AUDIO_BUCKET, names.ENV_RESULTS_BUCKET),
            size=FunctionSize(memory_mb=2_048, timeout_s=900, scratch_mb=2 * _BIGGEST_FILE_MB),
            extra_layers=[MediaLayer(self, settings=self._kit.settings)],
        )
        grants = Grants.of(function).table(self._data.table)
        grants.objects(self._data.audio, names.AUDIO_PREFIX, READ_VERSION).missing_objects(self._data.audio)
        # The words of a chat. It opens files of strangers, so it may remove nothing: Finish does, and the sweeper.
        grants.objects(self._data.results, names.RESULTS_PREFIX, WRITE_OBJECT)
        return function

    def _finish_function(self) -> Function:
        wanted = (names.ENV_TABLE, names.ENV_AUDIO_BUCKET, names.ENV_RESULTS_BUCKET, names.ENV_ROOT_KEYS_SECRET)
        function = python_function(
            self,
            "finish_job",
            self._kit,
            environment=self._variables.pick(*wanted),
            size=FunctionSize(memory_mb=1_024, timeout_s=60),
        )
        grants = Grants.of(function).table(self._data.table).secret(self._data.root_keys)
        grants.objects(self._data.results, names.RESULTS_PREFIX, READ_OBJECT + WRITE_OBJECT)
        grants.missing_objects(self._data.results).cleaning_up(self._data.audio, self._data.results)
        return function

    def _transcription_machine(self) -> Machine:
        definition = transcription_definition(
            prepare_arn=self.prepare.function_arn,
            finish_arn=self.finish.function_arn,
            work_queue_url=self.work.queue_url,
            deadline_s=self._kit.settings.job_deadline_s,
        )
        machine = Machine(
            self, "Transcription", title="transcription", definition=definition, settings=self._kit.settings
        )
        machine.grants.allow(["lambda:InvokeFunction"], self.prepare.function_arn, self.finish.function_arn)
        machine.grants.send(self.work)
        self._variables.values[names.ENV_TRANSCRIPTION_MACHINE] = machine.machine.state_machine_arn
        return machine

    def _upload_function(self) -> Function:
        wanted = (names.ENV_TABLE, names.ENV_AUDIO_BUCKET, names.ENV_TRANSCRIPTION_MACHINE)
        function = python_function(
            self,
            "audio_uploaded",
            self._kit,
            environment=self._variables.pick(*wanted),
            size=FunctionSize(timeout_s=UPLOAD_HANDLER_TIMEOUT_S),
        )
        grants = Grants.of(function).table(self._data.table).start(self.transcription.machine)
        grants.erase(self._data.audio, names.AUDIO_PREFIX)  # what came for a job that is over
        function.add_event_source(SqsEventSource(self._data.uploads, batch_size=10, report_batch_item_failures=True))
        return function

    def _work_failed_function(self) -> Function:
        function = python_function(
            self,
            "work_failed",
            self._kit,
            environment=self._variables.pick(),
            size=FunctionSize(timeout_s=_WORK_FAILED_TIMEOUT_S),
        )
        Grants.of(function).allow(["states:SendTaskFailure"], self.transcription.machine.state_machine_arn)
        function.add_event_source(
            SqsEventSource(self.work_dead_letters, batch_size=10, report_batch_item_failures=True)
        )
        return function

    def _worker_role(self) -> Role:
        """The role of the process that transcribes; on the laptop it is a child of whoever started the cloud."""
        settings = self._kit.settings
        containers = ServicePrincipal("ecs-tasks.amazonaws.com")
        laptop = [AccountRootPrincipal()] if settings.is_local else []
        named = [ArnPrincipal(arn) for arn in settings.worker_principals]
        role = Role(self, "WorkerRole", assumed_by=CompositePrincipal(containers, *laptop, *named))
        queue_actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
        grants = Grants(role).allow(queue_actions, self.work.queue_arn).table(self._data.table)
        reports = ["states:SendTaskSuccess", "states:SendTaskFailure"]
        grants.allow(reports, self.transcription.machine.state_machine_arn)
        grants.objects(self._data.audio, names.AUDIO_PREFIX, READ_VERSION).missing_objects(self._data.audio)
        grants.objects(self._data.results, names.RESULTS_PREFIX, READ_OBJECT + WRITE_OBJECT)
        grants.missing_objects(self._data.results)
        grants.erase(self._data.results, names.RESULTS_PREFIX)  # the work for a job that was cancelled meanwhile
        return role
