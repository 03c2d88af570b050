"""One dashboard and the alarms: dead letters, machines, what waits in queues, Lambdas, receivers, stream, API."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.aws_apigatewayv2 import HttpApi
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_logs import FilterPattern
from aws_cdk.aws_sqs import Queue
from aws_cdk.aws_stepfunctions import StateMachine
from constructs import Construct

from callscribe import names
from infra.alarms import PERIOD, SERVER_ERROR_LOG, Alarms, new_topic
from infra.settings import StageSettings

_OLDEST_WORK_S = 3_600
_OLDEST_FETCH_S = 1_800  # one download may take some ten minutes; a job without audio fails after an hour
_OLDEST_RECORD_MS = 300_000
_OLDEST_CHANGE_S = 1_800  # twice as long as changes of tasks may gather


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What is looked at."""

    dead_letter_queues: Sequence[Queue]
    drained_dead_letters: Queue  # a function empties it, so it is never seen to hold anything
    queues: Sequence[Queue]
    work: Queue
    fetches: Queue
    changes: Queue
    machines: Sequence[StateMachine]
    functions: Sequence[Function]
    prepare: Function  # its errors are mostly other people's bad files
    on_record: Function
    deliver: Function
    dialects: Sequence[Function]
    http_api: HttpApi


class Monitoring(Construct):
    """Alarms, mailed when the stage has an address to mail to."""

    def __init__(self, scope: Construct, *, settings: StageSettings, watched: Watched) -> None:
        super().__init__(scope, "Monitoring")
        self._alarms = Alarms(self, settings=settings, topic=new_topic(self, settings))
        self._watch_queues(watched)
        self._watch_machines(watched)
        self._watch_functions(watched)
        self._watch_receivers(watched)
        self._watch_api(watched)
        self._dashboard(watched)

    def _watch_queues(self, watched: Watched) -> None:
        for queue in watched.dead_letter_queues:
            metric = queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum")
            self._alarms.add(f"{_short(queue)}NotEmpty", metric, 1, "messages that nobody could handle")
        drained = watched.drained_dead_letters
        received = drained.metric_number_of_messages_received(period=PERIOD, statistic="Sum")
        self._alarms.add(f"{_short(drained)}Received", received, 1, "recordings that five workers in turn left undone")
        age = watched.work.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")
        self._alarms.add(
            "WorkTooOld", age, _OLDEST_WORK_S, "recordings wait for over an hour: too few workers, or none"
        )
        age = watched.fetches.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")
        self._alarms.add(
            "FetchTooOld", age, _OLDEST_FETCH_S, "audio URLs wait for over half an hour: see fetch_concurrency"
        )
        age = watched.changes.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")
        self._alarms.add(
            "IndexTooOld", age, _OLDEST_CHANGE_S, "changed tasks wait for over half an hour to be taken into the index"
        )

    def _watch_machines(self, watched: Watched) -> None:
        for machine in watched.machines:
            name = _short(machine)
            failed = machine.metric_failed(period=PERIOD, statistic="Sum")
            self._alarms.add(
                f"{name}Failed", failed, 10, "ten executions failed within five minutes; single ones are bad files"
            )
            timed_out = machine.metric_timed_out(period=PERIOD, statistic="Sum")
            self._alarms.add(f"{name}TimedOut", timed_out, 1, "an execution timed out")

    def _watch_functions(self, watched: Watched) -> None:
        for function in watched.functions:
            name = _short(function)
            limit = 10 if function is watched.prepare else 1
            self._alarms.add(f"{name}Errors", function.metric_errors(period=PERIOD), limit, "invocations failed")
            self._alarms.add(
                f"{name}Throttles", function.metric_throttles(period=PERIOD), 1, "invocations were throttled"
            )
        age = watched.on_record.metric("IteratorAge", period=PERIOD, statistic="Maximum")
        self._alarms.add("StreamTooOld", age, _OLDEST_RECORD_MS, "callbacks lag over five minutes behind the table")

    def _watch_receivers(self, watched: Watched) -> None:
        pattern = FilterPattern.all_terms(names.ENDPOINT_DISABLED_LOG)
        metric = self._alarms.logged("EndpointsDisabled", pattern, {"EndpointDisabled": watched.deliver.log_group})
        self._alarms.add("EndpointsDisabled", metric, 1, "a receiver gets no more callbacks: tell its owner")

    def _watch_api(self, watched: Watched) -> None:
        """By what the dialects log, not by the gateway's 5xx, most of which would be no alarm of ours.

        Dialect `aivoco` answers 503 by design ("still transcribing"). What the gateway makes a 5xx of by itself is a
        function that failed, ran out of time or was throttled: each has its alarms for that. The difference of the
        two counts would say no more, and be wrong where a function's own URL shares its log.
        """
        groups = {f"{_short(function)}Answers": function.log_group for function in watched.dialects}
        metric = self._alarms.logged("ServerErrors", FilterPattern.all_terms(SERVER_ERROR_LOG), groups)
        self._alarms.add("ServerErrors", metric, 1, "a request was answered 500: the log of its function says why")

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
