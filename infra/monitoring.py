"""One dashboard and the alarms: dead-letter queues, machines, the work queue's age, Lambdas, receivers, stream, API."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.aws_apigatewayv2 import HttpApi
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_logs import FilterPattern, MetricFilter
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from aws_cdk.aws_sqs import Queue
from aws_cdk.aws_stepfunctions import StateMachine
from constructs import Construct

from callscribe import names
from infra.settings import StageSettings

_PERIOD = Duration.minutes(5)
_OLDEST_WORK_S = 3_600
_OLDEST_RECORD_MS = 300_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What is looked at."""

    dead_letter_queues: Sequence[Queue]
    drained_dead_letters: Queue  # a function empties it, so it is never seen to hold anything
    queues: Sequence[Queue]
    work: Queue
    machines: Sequence[StateMachine]
    functions: Sequence[Function]
    prepare: Function  # its errors are mostly other people's bad files
    on_record: Function
    deliver: Function
    http_api: HttpApi


class Monitoring(Construct):
    """Alarms, mailed when the stage has an address to mail to."""

    def __init__(self, scope: Construct, *, settings: StageSettings, watched: Watched) -> None:
        super().__init__(scope, "Monitoring")
        self._settings = settings
        self._topic = self._alarm_topic()
        self._watch_queues(watched)
        self._watch_machines(watched)
        self._watch_functions(watched)
        self._watch_receivers(watched)
        self._watch_api(watched)
        self._dashboard(watched)

    def _alarm_topic(self) -> Topic | None:
        if not self._settings.alarm_email:
            return None
        topic = Topic(self, "Alarms", enforce_ssl=True)
        topic.add_subscription(EmailSubscription(self._settings.alarm_email))
        return topic

    def _watch_queues(self, watched: Watched) -> None:
        for queue in watched.dead_letter_queues:
            metric = queue.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum")
            self._alarm(f"{_short(queue)}NotEmpty", metric, 1, "messages that nobody could handle")
        drained = watched.drained_dead_letters
        received = drained.metric_number_of_messages_received(period=_PERIOD, statistic="Sum")
        self._alarm(f"{_short(drained)}Received", received, 1, "recordings that five workers in turn left undone")
        age = watched.work.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic="Maximum")
        self._alarm("WorkTooOld", age, _OLDEST_WORK_S, "recordings wait for over an hour: too few workers, or none")

    def _watch_machines(self, watched: Watched) -> None:
        for machine in watched.machines:
            name = _short(machine)
            failed = machine.metric_failed(period=_PERIOD, statistic="Sum")
            self._alarm(
                f"{name}Failed", failed, 10, "ten executions failed within five minutes; single ones are bad files"
            )
            timed_out = machine.metric_timed_out(period=_PERIOD, statistic="Sum")
            self._alarm(f"{name}TimedOut", timed_out, 1, "an execution timed out")

    def _watch_functions(self, watched: Watched) -> None:
        for function in watched.functions:
            name = _short(function)
            limit = 10 if function is watched.prepare else 1
            self._alarm(f"{name}Errors", function.metric_errors(period=_PERIOD), limit, "invocations failed")
            self._alarm(f"{name}Throttles", function.metric_throttles(period=_PERIOD), 1, "invocations were throttled")
        age = watched.on_record.metric("IteratorAge", period=_PERIOD, statistic="Maximum")
        self._alarm("StreamTooOld", age, _OLDEST_RECORD_MS, "callbacks lag over five minutes behind the table")

    def _watch_receivers(self, watched: Watched) -> None:
        disabled = MetricFilter(
            self,
            "EndpointDisabled",
            log_group=watched.deliver.log_group,
            filter_pattern=FilterPattern.all_terms(names.ENDPOINT_DISABLED_LOG),
            metric_namespace=f"{names.SERVICE}/{self._settings.stage}",
            metric_name="EndpointsDisabled",
        )
        metric = disabled.metric(period=_PERIOD, statistic="Sum")
        self._alarm("EndpointsDisabled", metric, 1, "a receiver gets no more callbacks: tell its owner")

    def _watch_api(self, watched: Watched) -> None:
        metric = watched.http_api.metric_server_error(period=_PERIOD, statistic="Sum")
        self._alarm("ServerErrors", metric, 5, "the API answered 5xx")

    def _alarm(self, construct_id: str, metric: cloudwatch.Metric, threshold: int, meaning: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_description=f"callscribe {self._settings.stage}: {meaning}",
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic:
            alarm.add_alarm_action(SnsAction(self._topic))

    def _dashboard(self, watched: Watched) -> None:
        api = watched.http_api
        rows: dict[str, list[cloudwatch.Metric]] = {
            "API requests": [api.metric_count(), api.metric_client_error(), api.metric_server_error()],
            "API latency": [api.metric_latency(statistic="p50"), api.metric_latency(statistic="p99")],
            "Executions": [m for each in watched.machines for m in (each.metric_succeeded(), each.metric_failed())],
            "Messages waiting": [queue.metric_approximate_number_of_messages_visible() for queue in watched.queues],
            "Oldest work": [watched.work.metric_approximate_age_of_oldest_message()],
            "Dead letters": [
                *(queue.metric_approximate_number_of_messages_visible() for queue in watched.dead_letter_queues),
                watched.drained_dead_letters.metric_number_of_messages_received(),
            ],
            "Lambda errors": [function.metric_errors() for function in watched.functions],
            "Lambda duration": [function.metric_duration(statistic="p99") for function in watched.functions],
        }
        graphs = [cloudwatch.GraphWidget(title=title, left=metrics, width=12) for title, metrics in rows.items()]
        board = cloudwatch.Dashboard(self, "Dashboard", default_interval=Duration.hours(6))
        for left, right in zip(graphs[::2], graphs[1::2], strict=True):
            board.add_widgets(left, right)


def _short(construct: Construct) -> str:
    """The construct's path below its stack as one word, such as PipelineWorkDeadLetters."""
    parts = [part.title() if part.islower() else part for part in construct.node.path.split("/")[1:]]
    return "".join(dict.fromkeys(parts))
