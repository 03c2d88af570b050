"""An AWS account as boto3 shows it: the answers are botocore's own shapes, checked by its Stubber."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from callscribe.adapters.aws.account import AwsAccount
from callscribe.domain.deployment import FailedWorker, Identity, PoolPart, Subscription, WorkerDefinition
from callscribe.errors import Forbidden, Invalid, Unauthenticated, Unavailable
from callscribe.services.diagnosis import SPOT_QUOTA

QUEUE = "arn:aws:batch:eu-west-1:123456789012:job-queue/q"
SPOT, ON_DEMAND = (f"arn:aws:batch:eu-west-1:123456789012:compute-environment/{name}" for name in ("spot", "od"))
DEFINITION = "arn:aws:batch:eu-west-1:123456789012:job-definition/worker:3"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/cdk-hnb-container-assets"


class Stubbed:
    """Clients whose answers are given in order."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._stubbers: dict[str, Stubber] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            self._clients[service] = boto3.client(service, region_name="eu-west-1", **keys)  # type: ignore[call-overload]  # any service
            self._stubbers[service] = Stubber(self._clients[service])
            self._stubbers[service].activate()
        return self._clients[service]

    def answers(self, service: str, method: str, answer: dict[str, Any], asked: dict[str, Any] | None = None) -> None:
        self.client(service)
        self._stubbers[service].add_response(method, answer, asked)

    def refuses(self, service: str, method: str, code: str, message: str = "") -> None:
        self.client(service)
        self._stubbers[service].add_client_error(method, code, message)

    def done(self) -> None:
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def aws() -> Stubbed:
    return Stubbed()


@pytest.fixture
def account(aws: Stubbed) -> AwsAccount:
    return AwsAccount(aws.client)


def test_the_caller_is_told_with_the_region_that_is_looked_at(aws: Stubbed, account: AwsAccount) -> None:
    aws.answers(
        "sts", "get_caller_identity", {"Account": "123456789012", "Arn": "arn:aws:iam::1:user/me", "UserId": "u"}
    )
    assert account.whoami() == Identity("123456789012", "arn:aws:iam::1:user/me", "eu-west-1")


def test_a_stack_comes_with_its_outputs_queues_and_topics_from_every_page(aws: Stubbed, account: AwsAccount) -> None:
    when = datetime.now(UTC)
    described = {
        "StackName": "Callscribe-prod-App",
        "CreationTime": when,
        "StackStatus": "UPDATE_COMPLETE",
        "Outputs": [{"OutputKey": "ApiUrl", "OutputValue": "https://api"}],
    }
    aws.answers("cloudformation", "describe_stacks", {"Stacks": [described]}, {"StackName": "Callscribe-prod-App"})

    def resource(logical: str, kind: str, physical: str | None) -> dict[str, Any]:
        named = {"LogicalResourceId": logical, "ResourceType": kind}
        more = {"LastUpdatedTimestamp": when, "ResourceStatus": "CREATE_COMPLETE"}
        return {**named, **more, **({"PhysicalResourceId": physical} if physical else {})}

    first = [resource("Work", "AWS::SQS::Queue", "https://work"), resource("Role", "AWS::IAM::Role", "role")]
    second = [resource("Topic", "AWS::SNS::Topic", TOPIC), resource("Late", "AWS::SQS::Queue", None)]
    aws.answers("cloudformation", "list_stack_resources", {"StackResourceSummaries": first, "NextToken": "n"})
    aws.answers("cloudformation", "list_stack_resources", {"StackResourceSummaries": second})
    stack = account.stack("Callscribe-prod-App")
    assert stack is not None
    assert (stack.status, stack.outputs) == ("UPDATE_COMPLETE", {"ApiUrl": "https://api"})
    assert (stack.queues, stack.topics) == ({"Work": "https://work"}, (TOPIC,))
    aws.done()


def test_a_stack_that_does_not_exist_is_none(aws: Stubbed, account: AwsAccount) -> None:
    aws.refuses("cloudformation", "describe_stacks", "ValidationError", "Stack with id x does not exist")
    assert account.stack("x") is None
    aws.refuses("cloudformation", "describe_stacks", "ValidationError", "1 validation error detected")
    with pytest.raises(Unavailable):
        account.stack("x y")


def test_a_quota_is_the_accounts_own_or_else_the_default(aws: Stubbed, account: AwsAccount) -> None:
    asked = {"ServiceCode": "ec2", "QuotaCode": SPOT_QUOTA}
    aws.answers("service-quotas", "get_service_quota", {"Quota": {"Value": 64.0}}, asked)
    assert account.machine_vcpus(SPOT_QUOTA) == 64
    aws.refuses("service-quotas", "get_service_quota", "NoSuchResourceException")
    aws.answers("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 0.0}}, asked)
    assert account.machine_vcpus(SPOT_QUOTA) == 0
    aws.done()


def test_lambdas_limit_is_read(aws: Stubbed, account: AwsAccount) -> None:
    aws.answers("lambda", "get_account_settings", {"AccountLimit": {"ConcurrentExecutions": 10}})
    assert account.concurrent_executions() == 10


def test_a_pool_has_its_environments_in_the_order_of_the_queue(aws: Stubbed, account: AwsAccount) -> None:
    order = [{"order": 1, "computeEnvironment": SPOT}, {"order": 2, "computeEnvironment": ON_DEMAND}]
    queue = {"jobQueueName": "q", "jobQueueArn": QUEUE, "state": "ENABLED", "priority": 1}
    queue |= {"status": "VALID", "statusReason": "JobQueue Healthy", "computeEnvironmentOrder": order}
    aws.answers("batch", "describe_job_queues", {"jobQueues": [queue]}, {"jobQueues": [QUEUE]})

    def environment(arn: str, kind: str, status: str, reason: str) -> dict[str, Any]:
        types = ["g6.xlarge", "g5.2xlarge"] if kind == "SPOT" else ["g6.xlarge"]
        resources = {"type": kind, "maxvCpus": 40, "subnets": ["subnet-1"], "instanceTypes": types}
        named = {"computeEnvironmentName": arn.rpartition("/")[2], "computeEnvironmentArn": arn}
        return {**named, "state": "ENABLED", "status": status, "statusReason": reason, "computeResources": resources}

    found = [environment(ON_DEMAND, "EC2", "VALID", ""), environment(SPOT, "SPOT", "INVALID", "no such role")]
    aws.answers("batch", "describe_compute_environments", {"computeEnvironments": found})
    pool = account.pool(QUEUE)
    assert pool is not None
    assert pool.queue == PoolPart("q", "ENABLED", "VALID", "JobQueue Healthy")
    assert pool.environments == (
        PoolPart("spot", "ENABLED", "INVALID", "no such role", 40, spot=True, machine_vcpus=8),
        PoolPart("od", "ENABLED", "VALID", "", 40, spot=False),
    )
    assert (pool.most_vcpus(spot=True), pool.most_vcpus(spot=False)) == (40, 40)
    assert (pool.machine_vcpus(spot=True), pool.machine_vcpus(spot=False)) == (8, 4)
    aws.done()


def test_a_queue_that_is_gone_is_none(aws: Stubbed, account: AwsAccount) -> None:
    aws.answers("batch", "describe_job_queues", {"jobQueues": []})
    assert account.pool(QUEUE) is None


def test_only_an_active_job_definition_counts(aws: Stubbed, account: AwsAccount) -> None:
    container = {"image": "image:tag", "environment": [{"name": "CALLSCRIBE_ENGINE", "value": "faster-whisper"}]}
    found = {"jobDefinitionName": "worker", "jobDefinitionArn": DEFINITION, "revision": 3, "type": "container"}
    active = {**found, "status": "ACTIVE", "containerProperties": container}
    aws.answers("batch", "describe_job_definitions", {"jobDefinitions": [active]}, {"jobDefinitions": [DEFINITION]})
    expected = WorkerDefinition("image:tag", {"CALLSCRIBE_ENGINE": "faster-whisper"})
    assert account.worker_definition(DEFINITION) == expected
    aws.answers("batch", "describe_job_definitions", {"jobDefinitions": [{**active, "status": "INACTIVE"}]})
    assert account.worker_definition(DEFINITION) is None


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (f"{IMAGE}:abc", {"imageTag": "abc"}),
        (f"{IMAGE}@sha256:{'0' * 64}", {"imageDigest": f"sha256:{'0' * 64}"}),
    ],
)
def test_an_image_is_looked_for_by_tag_or_digest(
    aws: Stubbed, account: AwsAccount, image: str, named: dict[str, str]
) -> None:
    asked = {"registryId": "123456789012", "repositoryName": "cdk-hnb-container-assets", "imageIds": [named]}
    aws.answers("ecr", "describe_images", {"imageDetails": [{}]}, asked)
    assert account.has_image(image)
    for code in ("ImageNotFoundException", "RepositoryNotFoundException"):
        aws.refuses("ecr", "describe_images", code)
        assert not account.has_image(image)
    aws.done()


def test_an_image_of_another_registry_cannot_be_looked_for(account: AwsAccount) -> None:
    with pytest.raises(Unavailable, match="is not in ECR"):
        account.has_image("ghcr.io/someone/worker:1")


def test_the_worker_that_failed_last_is_told_with_every_reason(aws: Stubbed, account: AwsAccount) -> None:
    def job(name: str, stopped_at: int, **more: Any) -> dict[str, Any]:
        return {"jobId": name, "jobName": "worker", "stoppedAt": stopped_at, **more}

    reasons = {"statusReason": "Task failed to start", "container": {"exitCode": 137, "reason": "OutOfMemoryError"}}
    aws.answers("batch", "list_jobs", {"jobSummaryList": [job("a", 1_000)], "nextToken": "n"})
    aws.answers("batch", "list_jobs", {"jobSummaryList": [job("c", 3_000, **reasons), job("b", 2_000)]})
    reason = "Task failed to start; OutOfMemoryError; exit code 137"
    assert account.last_failed(QUEUE) == FailedWorker("c", reason, 3_000)
    aws.answers("batch", "list_jobs", {"jobSummaryList": []})
    assert account.last_failed(QUEUE) is None
    aws.answers("batch", "list_jobs", {"jobSummaryList": [job("d", 1)]})
    silent = account.last_failed(QUEUE)
    assert silent is not None
    assert silent.reason == "AWS Batch gives no reason"


def test_messages_and_subscriptions_are_read(aws: Stubbed, account: AwsAccount) -> None:
    aws.answers("sqs", "get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": "7"}})
    assert account.messages("https://queue") == 7
    told = [
        {"Endpoint": "a@example.com", "SubscriptionArn": f"{TOPIC}:1", "Protocol": "email"},
        {"Endpoint": "b@example.com", "SubscriptionArn": "PendingConfirmation", "Protocol": "email"},
    ]
    aws.answers("sns", "list_subscriptions_by_topic", {"Subscriptions": told}, {"TopicArn": TOPIC})
    expected = (Subscription("a@example.com", confirmed=True), Subscription("b@example.com", confirmed=False))
    assert account.subscriptions(TOPIC) == expected


Look = Callable[[AwsAccount], Any]
LOOKS: dict[str, tuple[str, str, Look]] = {
    "sts:GetCallerIdentity": ("sts", "get_caller_identity", lambda account: account.whoami()),
    "cloudformation:DescribeStacks": ("cloudformation", "describe_stacks", lambda account: account.stack("x")),
    "servicequotas:GetServiceQuota": (
        "service-quotas",
        "get_service_quota",
        lambda account: account.machine_vcpus(SPOT_QUOTA),
    ),
    "lambda:GetAccountSettings": ("lambda", "get_account_settings", lambda account: account.concurrent_executions()),
    "batch:DescribeJobQueues": ("batch", "describe_job_queues", lambda account: account.pool(QUEUE)),
    "batch:DescribeJobDefinitions": (
        "batch",
        "describe_job_definitions",
        lambda account: account.worker_definition(DEFINITION),
    ),
    "ecr:DescribeImages": ("ecr", "describe_images", lambda account: account.has_image(f"{IMAGE}:abc")),
    "batch:ListJobs": ("batch", "list_jobs", lambda account: account.last_failed(QUEUE)),
    "sqs:GetQueueAttributes": ("sqs", "get_queue_attributes", lambda account: account.messages("https://queue")),
    "sns:ListSubscriptionsByTopic": (
        "sns",
        "list_subscriptions_by_topic",
        lambda account: account.subscriptions(TOPIC),
    ),
}


@pytest.mark.parametrize("action", LOOKS)
def test_a_right_that_is_lacking_is_told_by_its_action(aws: Stubbed, account: AwsAccount, action: str) -> None:
    service, method, look = LOOKS[action]
    for code in ("AccessDenied", "AccessDeniedException", "AuthorizationError"):
        aws.refuses(service, method, code)
        with pytest.raises(Forbidden) as refused:
            look(account)
        assert refused.value.scope == action


@pytest.mark.parametrize("action", LOOKS)
def test_credentials_that_aws_does_not_take_and_a_silent_service_are_told(
    aws: Stubbed, account: AwsAccount, action: str
) -> None:
    service, method, look = LOOKS[action]
    aws.refuses(service, method, "ExpiredToken")
    with pytest.raises(Unauthenticated):
        look(account)
    aws.refuses(service, method, "InternalError")
    with pytest.raises(Unavailable, match="InternalError"):
        look(account)


def test_no_credentials_no_region_and_no_network_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def get_caller_identity(self) -> None:
            raise self.error

    with pytest.raises(Unauthenticated, match="AWS_PROFILE"):
        AwsAccount(lambda _: Broken(NoCredentialsError())).whoami()
    with pytest.raises(Unavailable):
        AwsAccount(lambda _: Broken(EndpointConnectionError(endpoint_url="https://sts"))).whoami()
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Invalid, match="AWS_DEFAULT_REGION"):
        AwsAccount().concurrent_executions()
