"""The fetcher of videos: a container for each, started by what lies in the queue of orders. Off by default.

What it runs reads pages of strangers' sites, so it has no rights at all: its order (see `services.videos`) says where
the sound is, and names the one URL that it may put it to. Whoever may describe tasks or read the events of ECS sees
that URL among the task's arguments, so it is short-lived (see `services.videos.order`).
"""

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_pipes as pipes
from aws_cdk.aws_events import EventField, EventPattern, Match, Rule, RuleTargetInput
from aws_cdk.aws_events_targets import SqsQueue
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from callscribe import names
from infra import containers
from infra.alarms import PERIOD, Alarms, topic_of_another_stack
from infra.app_stack import AppStack
from infra.findings import CFN_LINT, acknowledge
from infra.functions import log_group
from infra.network import PUBLIC_SUBNETS, network, only_tls_out
from infra.permissions import Grants
from infra.queues import dead_letter_queue
from infra.settings import StageSettings

_CONTAINER = "Fetcher"
_FAILED = 3  # in half an hour; one that fails is asked for again
_FAILED_MINUTES = 30


class VideoStack(Stack):
    """Stack `Callscribe-<stage>-Video`; holds no data. Image and task are made from `functions/fetch_video`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: StageSettings, app: AppStack, **options: object
    ) -> None:
        super().__init__(scope, construct_id, description="callscribe: the fetcher of videos", **options)  # type: ignore[arg-type]  # passed on as they came
        self.template_options.metadata = CFN_LINT
        self._settings, self._app = settings, app
        self.logs = log_group(self, "Logs", settings)
        self.vpc = network(self, settings, vpc_id=settings.video_vpc_id, subnet_ids=settings.video_subnet_ids)
        self.cluster = containers.cluster(self, self.vpc)
        self.task = containers.task_of(self)
        containers.add_container(self, self.task, _CONTAINER, folder="fetch_video", logs=self.logs, log_prefix="video")
        self.pipe = self._pipe()
        self._watch()

    def _pipe(self) -> pipes.CfnPipe:
        """One message, one task. The message is gone once its task is started: who waits in vain asks again.

        How many run at once a pipe cannot be told. What bounds them is the account's quota of Fargate vCPUs: what it
        has no room for stays in the queue, and is asked for again once its order is too old.
        """
        source = self._app.fetching.videos
        return pipes.CfnPipe(
            self,
            "Pipe",
            role_arn=self._pipe_role().role_arn,
            source=source.queue_arn,
            source_parameters=pipes.CfnPipe.PipeSourceParametersProperty(
                sqs_queue_parameters=pipes.CfnPipe.PipeSourceSqsQueueParametersProperty(batch_size=1)
            ),
            target=self.cluster.cluster_arn,
            target_parameters=pipes.CfnPipe.PipeTargetParametersProperty(ecs_task_parameters=self._run()),
        )

    def _run(self) -> pipes.CfnPipe.PipeTargetEcsTaskParametersProperty:
        group = only_tls_out(self, "TaskGroup", self.vpc, "the fetcher of videos")
        network_configuration = pipes.CfnPipe.NetworkConfigurationProperty(
            awsvpc_configuration=pipes.CfnPipe.AwsVpcConfigurationProperty(
                subnets=self.vpc.select_subnets(subnet_type=PUBLIC_SUBNETS.subnet_type).subnet_ids,
                security_groups=[group.security_group_id],
                assign_public_ip="ENABLED",
            )
        )
        override = pipes.CfnPipe.EcsContainerOverrideProperty(name=_CONTAINER, command=_arguments())
        return pipes.CfnPipe.PipeTargetEcsTaskParametersProperty(
            task_definition_arn=self.task.task_definition_arn,
            task_count=1,
            launch_type="FARGATE",
            network_configuration=network_configuration,
            overrides=pipes.CfnPipe.EcsTaskOverrideProperty(container_overrides=[override]),
        )

    def _pipe_role(self) -> Role:
        only_ours = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        role = Role(self, "PipeRole", assumed_by=ServicePrincipal("pipes.amazonaws.com").with_conditions(only_ours))
        receive = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
        Grants(role).allow(receive, self._app.fetching.videos.queue_arn)
        here = {"ArnEquals": {"ecs:cluster": self.cluster.cluster_arn}}
        to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        roles = [self.task.task_role.role_arn, self.task.obtain_execution_role().role_arn]
        for actions, resources, conditions in (
            (["ecs:RunTask"], [self.task.task_definition_arn], here),
            (["iam:PassRole"], roles, to_tasks),
        ):
            role.add_to_principal_policy(PolicyStatement(actions=actions, resources=resources, conditions=conditions))
        return role

    def _watch(self) -> None:
        alarms = Alarms(self, settings=self._settings, topic=topic_of_another_stack(self, self._settings))
        stuck = cloudwatch.Metric(
            namespace="AWS/EventBridge/Pipes",
            metric_name="ExecutionFailed",
            dimensions_map={"PipeName": self.pipe.ref},
            period=PERIOD,
            statistic="Sum",
        )
        alarms.add("PipeFails", stuck, 1, "fetchers of videos cannot be started: capacity, quota, role or network")
        ended = self._failures().metric_number_of_messages_sent(
            period=Duration.minutes(_FAILED_MINUTES), statistic="Sum"
        )
        alarms.add("FetchersFail", ended, _FAILED, "fetchers of videos end badly: see the queue Failures")

    def _failures(self) -> Queue:
        """What ECS says of tasks that ended with another status than 0, or never ran; without their orders."""
        failures = dead_letter_queue(self, "Failures")
        acknowledge(failures, {"AwsSolutions-SQS3": "it is where reports of failures end; nothing receives from it"})
        stopped = {
            "clusterArn": [self.cluster.cluster_arn],
            "lastStatus": ["STOPPED"],
            "containers": {"exitCode": Match.any_of(Match.anything_but(0), Match.does_not_exist())},
        }
        told = {name: EventField.from_path(f"$.detail.{name}") for name in ("taskArn", "stopCode", "stoppedReason")}
        Rule(
            self,
            "FetcherFailed",
            event_pattern=EventPattern(source=["aws.ecs"], detail_type=["ECS Task State Change"], detail=stopped),
            targets=[SqsQueue(failures, message=RuleTargetInput.from_object(told))],
        )
        return failures


def _arguments() -> list[str]:
    """The order, as `functions/fetch_video` takes it; a pipe puts the message's fields in place of the paths."""
    return [text for field in names.VIDEO_ORDER for text in (f"--{field.replace('_', '-')}", f"$.body.{field}")]
