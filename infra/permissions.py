"""The grants that functions and the worker get, each by the actions it needs and nothing wider."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Aws, Stack
from aws_cdk.aws_dynamodb import ITable
from aws_cdk.aws_iam import IRole, PolicyStatement
from aws_cdk.aws_lambda import IFunction
from aws_cdk.aws_s3 import IBucket
from aws_cdk.aws_secretsmanager import ISecret
from aws_cdk.aws_sqs import IQueue
from aws_cdk.aws_stepfunctions import IStateMachine

from callscribe import names
from infra.findings import acknowledge

READ_ITEMS = ("dynamodb:GetItem", "dynamodb:Query")
# A transaction is allowed by the actions of its items; TransactWriteItems itself is not an IAM action.
WRITE_ITEMS = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")
READ_OBJECT = ("s3:GetObject",)
READ_VERSION = ("s3:GetObject", "s3:GetObjectVersion")
WRITE_OBJECT = ("s3:PutObject",)
ERASE_OBJECT = ("s3:DeleteObject", "s3:DeleteObjectVersion")  # a version, too, needs both
WRITE_PARTS = ("s3:PutObject", "s3:AbortMultipartUpload")  # large objects go in parts


class Grants:
    """Statements for one role, written as sentences: `Grants(role).table(table).objects(bucket, …)`."""

    def __init__(self, role: IRole) -> None:
        self.role = role

    @classmethod
    def of(cls, function: IFunction) -> "Grants":
        """For a function's own role."""
        if function.role is None:
            raise ValueError(f"{function.node.path} has no role to grant to")
        return cls(function.role)

    def allow(self, actions: Sequence[str], *resources: str) -> "Grants":
        """Any actions on any resources."""
        self.role.add_to_principal_policy(PolicyStatement(actions=list(actions), resources=list(resources)))
        return self

    def table(self, table: ITable) -> "Grants":
        """Read, list and write records."""
        self.allow(["dynamodb:Query"], f"{table.table_arn}/index/{names.LIST_INDEX}")
        return self.allow((*READ_ITEMS, *WRITE_ITEMS), table.table_arn)

    def due_records(self, table: ITable) -> "Grants":
        """Find what is due, whoever it belongs to."""
        return self.allow(["dynamodb:Query"], f"{table.table_arn}/index/{names.DUE_INDEX}")

    def objects(self, bucket: IBucket, prefix: str, actions: Sequence[str]) -> "Grants":
        """Objects below a prefix."""
        finding = f"AwsSolutions-IAM5[Resource::{_export_name(bucket)}/{prefix}*]"
        acknowledge(self.role, {finding: "objects are named by tenant and job, so a prefix is the narrowest right"})
        return self.allow(actions, bucket.arn_for_objects(f"{prefix}*"))

    def missing_objects(self, bucket: IBucket) -> "Grants":
        """Learn that an object is not there: without this right S3 answers 403 in place of 404."""
        return self.allow(["s3:ListBucket"], bucket.bucket_arn)

    def index(self, bucket: IBucket, *, write: bool = False) -> "Grants":
        """Read the files of the index of tasks and list them; `write`: replace them, too."""
        self.objects(bucket, names.TASKS_PREFIX, READ_OBJECT + (WRITE_OBJECT if write else ()))
        return self.missing_objects(bucket)

    def erase(self, bucket: IBucket, *prefixes: str) -> "Grants":
        """Remove objects below these prefixes in all their versions, which are found by listing them."""
        for prefix in prefixes:
            self.objects(bucket, prefix, ERASE_OBJECT)
        listing = PolicyStatement(
            actions=["s3:ListBucketVersions"],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}},
        )
        self.role.add_to_principal_policy(listing)
        return self

    def cleaning_up(self, audio: IBucket, results: IBucket) -> "Grants":
        """Remove what jobs that have ended leave behind."""
        return self.erase(audio, names.AUDIO_PREFIX, names.SOURCES_PREFIX).erase(results, names.RESULTS_PREFIX)

    def foreign_objects(self, bucket_name: str) -> "Grants":
        """Read all objects of a bucket that is not the stage's own, and learn which are not there."""
        arn = f"arn:{Aws.PARTITION}:s3:::{bucket_name}"
        finding = f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::{bucket_name}/*]"
        acknowledge(
            self.role, {finding: "the operator named this bucket; each tenant's own prefixes are checked in code"}
        )
        return self.allow(READ_VERSION, f"{arn}/*").allow(["s3:ListBucket"], arn)

    def own(
        self,
        actions: Sequence[str],
        service: str,
        resource: str,
        *,
        reason: str,
        conditions: Mapping[str, Any] | None = None,
    ) -> "Grants":
        """Things of this account and region whose names are not known before; `resource` such as `job/*`.

        Written out, not by Stack.format_arn: cdk-nag names the finding by the same text, also where the region is set.
        """
        arn = f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"
        finding = (
            f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{resource}]"
        )
        acknowledge(self.role, {finding: reason})
        statement = PolicyStatement(actions=list(actions), resources=[arn], conditions=conditions)
        self.role.add_to_principal_policy(statement)
        return self

    def secret(self, secret: ISecret) -> "Grants":
        """Read a secret."""
        return self.allow(["secretsmanager:GetSecretValue"], secret.secret_arn)

    def send(self, queue: IQueue) -> "Grants":
        """Send to a queue."""
        return self.allow(["sqs:SendMessage"], queue.queue_arn)

    def start(self, machine: IStateMachine) -> "Grants":
        """Start executions of a state machine."""
        return self.allow(["states:StartExecution"], machine.state_machine_arn)


def _export_name(bucket: IBucket) -> str:
    """The name by which the data stack exports the bucket's ARN; cdk-nag names findings by it."""
    stack = Stack.of(bucket)
    return str(stack.resolve(stack.export_value(bucket.bucket_arn))["Fn::ImportValue"])
