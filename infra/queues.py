"""Queues that lose nothing: encrypted, TLS only, each with a dead-letter queue."""

from aws_cdk import Duration
from aws_cdk.aws_sqs import DeadLetterQueue, DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption
from constructs import Construct

LONGEST_RETENTION = Duration.days(14)


def dead_letter_queue(scope: Construct, construct_id: str, *, visibility_s: int = 30, fifo: bool = False) -> Queue:
    """Where messages end that nobody could handle; keeps them for 14 days. That of a FIFO queue must be one too."""
    return Queue(
        scope,
        construct_id,
        fifo=True if fifo else None,
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


def fifo_queue(
    scope: Construct,
    construct_id: str,
    *,
    visibility_s: int,
    delay_s: int,
    dead_letters: Queue,
    max_receive_count: int = 5,
) -> Queue:
    """A queue that hands out one message of a group at a time, and takes equal ones of five minutes for one.

    Equal within their group: only then is its throughput that of each group, and not 300 messages a second of all.
    """
    return Queue(
        scope,
        construct_id,
        fifo=True,
        content_based_deduplication=True,
        deduplication_scope=DeduplicationScope.MESSAGE_GROUP,
        fifo_throughput_limit=FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
        delivery_delay=Duration.seconds(delay_s),
        encryption=QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=LONGEST_RETENTION,
        visibility_timeout=Duration.seconds(visibility_s),
        dead_letter_queue=DeadLetterQueue(queue=dead_letters, max_receive_count=max_receive_count),
    )
