"""The GPU workers: a pool that is empty while nobody calls. On by default on AWS, never on the laptop."""

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.aws_budgets import CfnBudget
from aws_cdk.aws_events import Rule
from aws_cdk.aws_logs import FilterPattern
from constructs import Construct

from callscribe import names
from infra.alarms import PERIOD, Alarms, topic_of_another_stack
from infra.app_stack import AppStack
from infra.data_stack import DataStack
from infra.findings import CFN_LINT
from infra.functions import CoreLayer, FunctionKit
from infra.gpu_pool import GpuPool
from infra.scaler import Scaler
from infra.settings import StageSettings

# Words of `names.SCALING_LOG`, as CloudWatch takes them: each must be there, those with a minus must not.
NOBODY_WORKS = '"workers wanted=" "alive=0 " -"waiting_s=0 " -"reason=gathering"'
NOTHING_TO_DO = '"workers wanted=" -"alive=0 " "waiting_s=0 "'
_NOBODY_MINUTES = 30  # a machine boots in 1 to 6; a spot request that is not met goes on to the next environment
_MOST = 0.9  # of the looks in a period, of which there is one a minute, or some more
_FAILED_MINUTES = 30
STAGE_TAG = "callscribe:stage"


class GpuStack(Stack):
    """Stack `Callscribe-<stage>-Gpu`; holds no data."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StageSettings,
        data: DataStack,
        app: AppStack,
        **options: object,
    ) -> None:
        super().__init__(scope, construct_id, description="callscribe: GPU workers", **options)  # type: ignore[arg-type]  # passed on as they came
        self.template_options.metadata = CFN_LINT
        self._settings = settings
        kit = FunctionKit(settings=settings, layers=[CoreLayer(self, settings=settings)])
        self.pool = GpuPool(self, settings=settings, data=data, app=app)
        self.scaler = Scaler(self, kit=kit, data=data, app=app, pool=self.pool)
        self._alarms = Alarms(self, settings=settings, topic=topic_of_another_stack(self, settings))
        self._watch_work()
        self._watch_workers()
        self._watch_scaler()
        if settings.gpu_budget_usd is not None:
            self._budget(settings.gpu_budget_usd)
        CfnOutput(self, "WorkerPoolQueue", value=self.pool.queue.job_queue_arn)
        CfnOutput(self, "WorkerPoolDefinition", value=self.pool.definition.job_definition_arn)

    def _watch_work(self) -> None:
        """By the line that the function logs at each look: how many looks of a period saw the same trouble."""
        log_group = self.scaler.function.log_group
        nobody = self._alarms.logged(
            "WorkWithoutWorkers",
            FilterPattern.literal(NOBODY_WORKS),
            {"NobodyWorks": log_group},
            period=Duration.minutes(_NOBODY_MINUTES),
        )
        self._alarms.add(
            "WorkWithoutWorkers", nobody, _MOST * _NOBODY_MINUTES, "recordings wait, and no worker has come for 30 min"
        )
        hours = self._settings.gpu_runaway_hours
        idle = self._alarms.logged(
            "WorkersWithoutWork",
            FilterPattern.literal(NOTHING_TO_DO),
            {"NothingToDo": log_group},
            period=Duration.hours(hours),
        )
        self._alarms.add(
            "WorkersWithoutWork", idle, _MOST * 60 * hours, f"GPU workers have been paid for nothing for {hours} h"
        )

    def _watch_workers(self) -> None:
        """By the events that AWS Batch sends of them: it counts nothing itself."""
        failed = _triggered(self.scaler.worker_failed, Duration.minutes(_FAILED_MINUTES))
        self._alarms.add("WorkersFail", failed, 3, "worker after worker ended badly: their log says why, or Batch does")
        blocked = _triggered(self.scaler.queue_blocked, PERIOD)
        self._alarms.add(
            "QueueBlocked",
            blocked,
            1,
            "AWS Batch cannot start workers (capacity, quota, role, network): see its queue, or `callscribe doctor`",
        )

    def _watch_scaler(self) -> None:
        function = self.scaler.function
        self._alarms.add(
            "ScaleWorkersErrors", function.metric_errors(period=PERIOD), 3, "the number of workers is not looked after"
        )
        self._alarms.add(
            "ScaleWorkersThrottles", function.metric_throttles(period=PERIOD), 3, "invocations were throttled"
        )
        self._alarms.add_silence(
            "ScaleWorkersSilent",
            function.metric_invocations(period=Duration.minutes(15)),
            "nobody looks after the number of workers: is its clock off?",
        )

    def _budget(self, usd: int) -> None:
        """By the stage's tag, which bills know once it is activated as a cost allocation tag."""
        filters = {
            "TagKeyValue": [f"user:{STAGE_TAG}${self._settings.stage}"],
            "Service": ["Amazon Elastic Compute Cloud - Compute", "EC2 - Other"],
        }
        budget = CfnBudget.BudgetDataProperty(
            budget_name=f"{names.SERVICE}-{self._settings.stage}-gpu",
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=CfnBudget.SpendProperty(amount=usd, unit="USD"),
            cost_filters=filters,
        )
        mail = CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=str(self._settings.alarm_email))
        notices = [
            CfnBudget.NotificationWithSubscribersProperty(
                notification=CfnBudget.NotificationProperty(
                    comparison_operator="GREATER_THAN",
                    notification_type="ACTUAL",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[mail],
            )
            for percent in (80, 100)
        ]
        CfnBudget(self, "Budget", budget=budget, notifications_with_subscribers=notices)


def _triggered(rule: Rule, period: Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/Events",
        metric_name="TriggeredRules",
        dimensions_map={"RuleName": rule.rule_name},
        period=period,
        statistic="Sum",
    )
