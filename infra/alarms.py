"""How an alarm is written, and the topic that mails it; the stacks' own modules say what is watched."""

from collections.abc import Mapping

from aws_cdk import ArnFormat, Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_logs import IFilterPattern, ILogGroup, MetricFilter
from aws_cdk.aws_sns import ITopic, Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from constructs import Construct

from callscribe import names
from infra.settings import StageSettings

PERIOD = Duration.minutes(5)
# What the dialects' front logs of each call that it answered with status 500; a 503 only says to come again.
SERVER_ERROR_LOG = "status=500 tenant="
# What is logged of every error that nobody expected; the door answers some of them by itself.
UNEXPECTED_LOG = "unexpected error:"


class Alarms:
    """The alarms of one construct; mailed where there is a topic."""

    def __init__(self, scope: Construct, *, settings: StageSettings, topic: ITopic | None) -> None:
        self._scope, self._settings, self._topic = scope, settings, topic

    def add(self, construct_id: str, metric: cloudwatch.Metric, threshold: float, meaning: str) -> None:
        """An alarm for a metric that reaches a threshold within one period; no data is no alarm."""
        alarm = cloudwatch.Alarm(
            self._scope,
            construct_id,
            alarm_description=self._description(meaning),
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self._mail(alarm)

    def add_silence(self, construct_id: str, metric: cloudwatch.Metric, meaning: str) -> None:
        """An alarm for something that should happen, and did not within one period."""
        alarm = cloudwatch.Alarm(
            self._scope,
            construct_id,
            alarm_description=self._description(meaning),
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        self._mail(alarm)

    def logged(
        self,
        metric_name: str,
        pattern: IFilterPattern,
        log_groups: Mapping[str, ILogGroup],
        *,
        period: Duration = PERIOD,
    ) -> cloudwatch.Metric:
        """How often a pattern was logged, to whichever of the groups; they are given by the ids of their filters."""
        namespace = f"{names.SERVICE}/{self._settings.stage}"
        for construct_id, log_group in log_groups.items():
            MetricFilter(
                self._scope,
                construct_id,
                log_group=log_group,
                filter_pattern=pattern,
                metric_namespace=namespace,
                metric_name=metric_name,
            )
        return cloudwatch.Metric(namespace=namespace, metric_name=metric_name, period=period, statistic="Sum")

    def _description(self, meaning: str) -> str:
        return f"callscribe {self._settings.stage}: {meaning}"

    def _mail(self, alarm: cloudwatch.Alarm) -> None:
        if self._topic:
            alarm.add_alarm_action(SnsAction(self._topic))


def new_topic(scope: Construct, settings: StageSettings) -> Topic | None:
    """The topic of a stage's alarms, None without an address to mail to."""
    if not settings.alarm_email:
        return None
    topic = Topic(scope, "Alarms", topic_name=_topic_name(settings), enforce_ssl=True)
    topic.add_subscription(EmailSubscription(settings.alarm_email))
    # A policy that only denies takes the place of the default one, which lets the account's alarms publish.
    alarms = f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:*"
    topic.add_to_resource_policy(
        PolicyStatement(
            principals=[ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": alarms},
            },
        )
    )
    return topic


def topic_of_another_stack(scope: Construct, settings: StageSettings) -> ITopic | None:
    """The same topic by its name: an export of it would keep the app stack from ever giving it up."""
    if not settings.alarm_email:
        return None
    arn = Stack.of(scope).format_arn(
        service="sns", resource=_topic_name(settings), arn_format=ArnFormat.NO_RESOURCE_NAME
    )
    return Topic.from_topic_arn(scope, "Alarms", arn)


def _topic_name(settings: StageSettings) -> str:
    return f"{names.SERVICE}-{settings.stage}-alarms"
