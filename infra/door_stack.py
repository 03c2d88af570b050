"""The door: a container behind a load balancer, for bodies and waits that no gateway lets through. Off by default.

It runs the handlers of all dialects, so its role is the sum of theirs.
"""

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk.aws_certificatemanager import Certificate
from aws_cdk.aws_logs import FilterPattern
from constructs import Construct

from callscribe import names
from infra import containers
from infra.alarms import PERIOD, SERVER_ERROR_LOG, UNEXPECTED_LOG, Alarms, topic_of_another_stack
from infra.api import grant_dialect
from infra.app_stack import AppStack
from infra.data_stack import DataStack
from infra.dialects import PARTS
from infra.findings import CFN_LINT, acknowledge
from infra.functions import log_group
from infra.network import PUBLIC_SUBNETS, network, only_tls_out
from infra.permissions import Grants
from infra.runtime import variables_of
from infra.settings import StageSettings

PORT = 8080
HEALTH = "/healthz"
_ANSWER_S = 60  # beyond the longest wait: the load balancer must not give up before the door does
_STOP_S = 120  # Fargate's longest
_SCALE_AT_PERCENT = 60
_FULL_PERCENT = 85  # of memory, in one container: the others do not relieve it of the bodies it holds


class DoorStack(Stack):
    """Stack `Callscribe-<stage>-Door`; holds no data. Image and container are made from `functions/door/Dockerfile`."""

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
        super().__init__(scope, construct_id, description="callscribe: the door", **options)  # type: ignore[arg-type]  # passed on as they came
        self.template_options.metadata = CFN_LINT
        self._settings, self._data, self._app = settings, data, app
        # Also where a domain makes it needless: an export cannot go while the deployed door still imports it.
        app.export_value(app.api.http_api.api_endpoint)
        self.logs = log_group(self, "Logs", settings)
        self.vpc = network(self, settings, vpc_id=settings.door_vpc_id, subnet_ids=settings.door_subnet_ids)
        task = self._task()
        service = self._service(task)
        self._grant(task)
        balancer = self._balancer()
        targets = self._listen(balancer, service)
        self._scale(service)
        self._watch(service, balancer, targets)
        CfnOutput(self, "DoorUrl", value=f"https://{settings.door_domain_name}")
        CfnOutput(self, "DoorTarget", value=balancer.load_balancer_dns_name)

    def _task(self) -> ecs.FargateTaskDefinition:
        task = containers.task_of(self)
        container = containers.add_container(
            self,
            task,
            "Door",
            folder="door",
            logs=self.logs,
            log_prefix="door",
            environment=self._environment(),
            stop_timeout=Duration.seconds(_STOP_S),
            port_mappings=[ecs.PortMapping(container_port=PORT)],
        )
        container.add_ulimits(ecs.Ulimit(name=ecs.UlimitName.NOFILE, soft_limit=8_192, hard_limit=8_192))
        acknowledge(task, {"AwsSolutions-ECS2": "the variables are names of resources and settings, none is a secret"})
        return task

    def _environment(self) -> dict[str, str]:
        variables = variables_of(self._settings, self._data, base_url=self._app.api.base_url)
        return {
            **variables.values,
            names.ENV_FETCH_QUEUE: self._app.fetching.queue.queue_url,
            names.ENV_STAGE: self._settings.stage,
            names.ENV_DOOR_TRUSTED_PROXIES: "1",
            names.ENV_DOOR_WAIT_S: str(self._settings.door_wait_s),
        }

    def _service(self, task: ecs.FargateTaskDefinition) -> ecs.FargateService:
        group = only_tls_out(self, "TaskGroup", self.vpc, "the door")
        return ecs.FargateService(
            self,
            "Service",
            cluster=containers.cluster(self, self.vpc),
            task_definition=task,
            security_groups=[group],
            assign_public_ip=True,
            vpc_subnets=PUBLIC_SUBNETS,
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            health_check_grace_period=Duration.seconds(60),
        )

    def _grant(self, task: ecs.FargateTaskDefinition) -> None:
        """What the Lambda of each dialect may do."""
        grants = Grants(task.task_role)
        for part in PARTS.values():
            grant_dialect(grants, part, self._data, self._app.fetching.queue, self._settings)

    def _balancer(self) -> elb.ApplicationLoadBalancer:
        settings = self._settings
        group = ec2.SecurityGroup(
            self, "BalancerGroup", vpc=self.vpc, allow_all_outbound=False, description="load balancer of the door"
        )
        balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=self.vpc,
            internet_facing=True,
            security_group=group,
            vpc_subnets=PUBLIC_SUBNETS,
            idle_timeout=Duration.seconds(settings.door_wait_s + _ANSWER_S),
            deletion_protection=settings.door_deletion_protection,
            drop_invalid_header_fields=True,
        )
        acknowledge(group, {"AwsSolutions-EC23": "the door is a public API: its only open port is that of TLS"})
        acknowledge(
            balancer,
            {"AwsSolutions-ELB2": "an access log would hold whole paths, and result links carry their token there"},
        )
        return balancer

    def _listen(self, balancer: elb.ApplicationLoadBalancer, service: ecs.FargateService) -> elb.ApplicationTargetGroup:
        """TLS only: whoever comes by plain HTTP would have sent the key already."""
        settings = self._settings
        certificate = Certificate.from_certificate_arn(self, "Certificate", str(settings.door_certificate_arn))
        listener = balancer.add_listener(
            "Https",
            port=443,
            protocol=elb.ApplicationProtocol.HTTPS,
            certificates=[certificate],
            ssl_policy=elb.SslPolicy.TLS13_RES,
            open=True,
        )
        return listener.add_targets(
            "Door",
            port=PORT,
            protocol=elb.ApplicationProtocol.HTTP,
            targets=[service],
            # A container that is to go first answers those who wait.
            deregistration_delay=Duration.seconds(settings.door_wait_s + _ANSWER_S),
            health_check=elb.HealthCheck(
                path=HEALTH,
                healthy_http_codes="200",
                interval=Duration.seconds(15),
                timeout=Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )

    def _scale(self, service: ecs.FargateService) -> None:
        """By work and by held bodies: those who wait take neither."""
        scaling = service.auto_scale_task_count(min_capacity=1, max_capacity=self._settings.door_max_tasks)
        scaling.scale_on_cpu_utilization("Cpu", target_utilization_percent=_SCALE_AT_PERCENT)
        scaling.scale_on_memory_utilization("Memory", target_utilization_percent=_SCALE_AT_PERCENT)

    def _watch(
        self,
        service: ecs.FargateService,
        balancer: elb.ApplicationLoadBalancer,
        targets: elb.ApplicationTargetGroup,
    ) -> None:
        """A 500 is counted by the log, as for the Lambdas: the containers' 5xx are mostly 503s that say to come again.

        A 5xx of the load balancer's own is always a fault: no container, or one that broke off.
        """
        alarms = Alarms(self, settings=self._settings, topic=topic_of_another_stack(self, self._settings))
        unhealthy = targets.metrics.unhealthy_host_count(period=PERIOD, statistic="Maximum")
        alarms.add("Unhealthy", unhealthy, 1, "a container of the door does not answer its health check")
        errors = FilterPattern.any_term(SERVER_ERROR_LOG, UNEXPECTED_LOG)
        answered = alarms.logged("DoorServerErrors", errors, {"Answers": self.logs})
        alarms.add("ServerErrors", answered, 1, "the door answered a request with 500: its log says why")
        refused = balancer.metrics.http_code_elb(elb.HttpCodeElb.ELB_5XX_COUNT, period=PERIOD, statistic="Sum")
        alarms.add("NotReached", refused, 5, "requests did not reach the door, or got no answer of it")
        memory = service.metric_memory_utilization(period=PERIOD, statistic="Maximum")
        alarms.add("MemoryFull", memory, _FULL_PERCENT, "a container of the door is nearly out of memory")
