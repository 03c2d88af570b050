"""Queues that lose nothing: encrypted, TLS only, each with a dead-letter queue."""

from aws_cdk import Duration
from aws_cdk.aws_sqs import DeadLetterQueue, Queue, QueueEncryption
from constructs import Construct

LONGEST_RETENTION = Duration.days(14)


def dead_letter_queue(scope: Construct, construct_id: str, *, visibility_s: int = 30) -> Queue:
    """Where messages end that nobody could handle; keeps them for 14 days."""
    return Queue(
        scope,
        construct_id,
        encryption=QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=LONGEST_RETENTION,
        visibility_timeout=Duration.seconds(visibility_s),
    )


def queue(
    scope: Construct, construct_id: str, *, visibility_s: int, dead_letters: Queue, max_receive_count: int = 5
) -> Queue:
    """A standard queue; SQS-managed encryption, because S3 cannot send to a queue under the AWS managed key."""
    return Queue(
        scope,
        construct_id,
        encryption=QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=LONGEST_RETENTION,
        visibility_timeout=Duration.seconds(visibility_s),
        dead_letter_queue=DeadLetterQueue(queue=dead_letters, max_receive_count=max_receive_count),
    )
