"""`services.diagnosis.Account` by the operator's own AWS credentials; it only looks, and changes nothing."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

from callscribe.adapters.aws import clients
from callscribe.adapters.aws.errors import code
from callscribe.domain.deployment import (
    SMALLEST_VCPUS,
    VCPUS,
    FailedWorker,
    Identity,
    Pool,
    PoolPart,
    Stack,
    Subscription,
    WorkerDefinition,
)
from callscribe.errors import Forbidden, Invalid, Unauthenticated, Unavailable

_REFUSED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "AccessDeniedFault"}
)
_UNKNOWN_CALLER = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
    }
)
_NOT_THERE = frozenset({"ImageNotFoundException", "NoSuchResourceException", "RepositoryNotFoundException"})
_ECR_IMAGE = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)(:(?P<tag>[^@]+)|@(?P<digest>.+))"
)


class AwsAccount:
    """See `services.diagnosis.Account`. `client`: boto3's client of a service by its name."""

    def __init__(self, client: Callable[[str], Any] = clients.client) -> None:
        self._client = client

    def whoami(self) -> Identity:
        """See `Account.whoami`."""
        with _explained("sts:GetCallerIdentity"):
            client = self._client("sts")
            caller = client.get_caller_identity()
        return Identity(caller["Account"], caller["Arn"], client.meta.region_name)

    def stack(self, name: str) -> Stack | None:
        """See `Account.stack`."""
        try:
            with _explained("cloudformation:DescribeStacks"):
                (found,) = self._client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except _NothingThere:
            return None
        queues, topics = {}, []
        for resource in self._resources(name):
            if resource["ResourceType"] == "AWS::SQS::Queue":
                queues[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]
            elif resource["ResourceType"] == "AWS::SNS::Topic":
                topics.append(resource["PhysicalResourceId"])
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        return Stack(name, found["StackStatus"], outputs, queues, tuple(topics))

    def machine_vcpus(self, quota_code: str) -> float:
        """See `Account.machine_vcpus`; what AWS grants by default where nobody has asked for more."""
        quotas = self._client("service-quotas")
        asked = {"ServiceCode": "ec2", "QuotaCode": quota_code}
        try:
            with _explained("servicequotas:GetServiceQuota"):
                answer = quotas.get_service_quota(**asked)
        except _NothingThere:
            with _explained("servicequotas:GetAWSDefaultServiceQuota"):
                answer = quotas.get_aws_default_service_quota(**asked)
        return float(answer["Quota"]["Value"])

    def concurrent_executions(self) -> int:
        """See `Account.concurrent_executions`."""
        with _explained("lambda:GetAccountSettings"):
            return int(self._client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])

    def pool(self, queue_arn: str) -> Pool | None:
        """See `Account.pool`."""
        batch = self._client("batch")
        with _explained("batch:DescribeJobQueues"):
            queues = batch.describe_job_queues(jobQueues=[queue_arn])["jobQueues"]
        if not queues:
            return None
        order = [one["computeEnvironment"] for one in queues[0]["computeEnvironmentOrder"]]
        with _explained("batch:DescribeComputeEnvironments"):
            found = batch.describe_compute_environments(computeEnvironments=order)["computeEnvironments"]
        by_arn = {one["computeEnvironmentArn"]: one for one in found}
        parts = tuple(_environment(by_arn[arn]) for arn in order if arn in by_arn)
        return Pool(_part(queues[0], "jobQueueName"), parts)

    def worker_definition(self, definition_arn: str) -> WorkerDefinition | None:
        """See `Account.worker_definition`."""
        with _explained("batch:DescribeJobDefinitions"):
            answer = self._client("batch").describe_job_definitions(jobDefinitions=[definition_arn])
        for found in answer["jobDefinitions"]:
            if found["status"] == "ACTIVE":
                container = found["containerProperties"]
                variables = {one["name"]: one.get("value", "") for one in container.get("environment", [])}
                return WorkerDefinition(container["image"], variables)
        return None

    def has_image(self, image: str) -> bool:
        """See `Account.has_image`. Raises Unavailable for an image of another registry, which nobody here can ask."""
        parts = _ECR_IMAGE.fullmatch(image)
        if parts is None:
            raise Unavailable(f"{image} is not in ECR")
        named = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"]}
        try:
            with _explained("ecr:DescribeImages"):
                self._client("ecr").describe_images(
                    registryId=parts["registry"], repositoryName=parts["name"], imageIds=[named]
                )
        except _NothingThere:
            return False
        return True

    def last_failed(self, queue_arn: str) -> FailedWorker | None:
        """See `Account.last_failed`."""
        with _explained("batch:ListJobs"):
            pages = self._client("batch").get_paginator("list_jobs").paginate(jobQueue=queue_arn, jobStatus="FAILED")
            failed = [job for page in pages for job in page["jobSummaryList"]]
        if not failed:
            return None
        last = max(failed, key=_ended_at_ms)
        return FailedWorker(last["jobId"], _why(last), _ended_at_ms(last))

    def messages(self, queue_url: str) -> int:
        """See `Account.messages`."""
        with _explained("sqs:GetQueueAttributes"):
            answer = self._client("sqs").get_queue_attributes(
                QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def subscriptions(self, topic_arn: str) -> tuple[Subscription, ...]:
        """See `Account.subscriptions`."""
        with _explained("sns:ListSubscriptionsByTopic"):
            pages = self._client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
            found = [one for page in pages for one in page["Subscriptions"]]
        return tuple(Subscription(one["Endpoint"], one["SubscriptionArn"].startswith("arn:")) for one in found)

    def _resources(self, stack: str) -> list[Mapping[str, Any]]:
        with _explained("cloudformation:ListStackResources"):
            pages = self._client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
            found = [one for page in pages for one in page["StackResourceSummaries"]]
        return [one for one in found if one.get("PhysicalResourceId")]


class _NothingThere(Exception):
    """AWS knows no such thing."""


@contextmanager
def _explained(action: str) -> Iterator[None]:
    """Raise Forbidden, Unauthenticated, Invalid, Unavailable or _NothingThere for what boto3 raises."""
    try:
        yield
    except ClientError as error:
        raise _meaning(error, action) from error
    except NoCredentialsError as error:
        raise Unauthenticated("no AWS credentials: set AWS_PROFILE or log in") from error
    except (NoRegionError, ProfileNotFound) as error:
        raise Invalid("region", f"set AWS_PROFILE and AWS_DEFAULT_REGION ({error})") from error
    except BotoCoreError as error:
        raise Unavailable(f"AWS does not answer: {error}") from error


def _meaning(error: ClientError, action: str) -> Exception:
    found = code(error)
    if found in _REFUSED:
        return Forbidden(action)
    if found in _UNKNOWN_CALLER:
        return Unauthenticated(f"AWS does not take these credentials: {error.response['Error']['Message']}")
    missing = "does not exist" in error.response["Error"].get("Message", "")
    if found in _NOT_THERE or (found == "ValidationError" and missing):
        return _NothingThere()
    return Unavailable(f"{action} was answered {found}")


def _environment(found: Mapping[str, Any]) -> PoolPart:
    resources = found.get("computeResources", {})
    sizes = [name.rpartition(".")[2] for name in resources.get("instanceTypes", [])]
    return replace(
        _part(found, "computeEnvironmentName"),
        most_vcpus=int(resources.get("maxvCpus", 0)),
        spot=resources.get("type") == "SPOT",
        machine_vcpus=max((VCPUS.get(size, SMALLEST_VCPUS) for size in sizes), default=SMALLEST_VCPUS),
    )


def _part(found: Mapping[str, Any], name: str) -> PoolPart:
    return PoolPart(found[name], found["state"], found.get("status", ""), found.get("statusReason", ""))


def _ended_at_ms(job: Mapping[str, Any]) -> int:
    return int(job.get("stoppedAt") or job.get("createdAt") or 0)


def _why(job: Mapping[str, Any]) -> str:
    container = job.get("container", {})
    said = [job.get("statusReason"), container.get("reason")]
    if "exitCode" in container:
        said.append(f"exit code {container['exitCode']}")
    return "; ".join(one for one in said if one) or "AWS Batch gives no reason"
