"""Both ends of an SQS queue."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from callscribe.adapters.aws.errors import code, translated
from callscribe.ports import QueueDepth, WorkMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageRequestTypeDef

_log = logging.getLogger(__name__)
_GONE = frozenset({"MessageNotInflight", "ReceiptHandleIsInvalid"})


class SqsSender:
    """`ports.Sender`. `group_by` names the field whose values share the queue fairly: SQS hands out the messages of
    a value with few under way before those of one with many.
    """

    def __init__(self, client: "SQSClient", queue_url: str, *, group_by: str | None = None) -> None:
        self._client = client
        self._queue_url = queue_url
        self._group_by = group_by

    def send(self, message: Mapping[str, str | int | float]) -> None:
        """See `ports.Sender.send`."""
        request: SendMessageRequestTypeDef = {"QueueUrl": self._queue_url, "MessageBody": json.dumps(dict(message))}
        if self._group_by is not None:
            request["MessageGroupId"] = str(message[self._group_by])
        with translated("sqs"):
            self._client.send_message(**request)


class SqsWorkQueue:
    """`ports.WorkQueue`. A message whose visibility has run out may be extended or deleted in vain, without error."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def receive(self, *, max_messages: int, wait_s: int) -> list[WorkMessage]:
        """See `ports.WorkQueue.receive`. A message that is no work is left to become a dead letter."""
        with translated("sqs"):
            answer = self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=max_messages,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [work for message in answer.get("Messages", ()) if (work := _work(message))]

    def extend(self, message: WorkMessage, *, visibility_s: int) -> None:
        """See `ports.WorkQueue.extend`."""
        with translated("sqs"), _gone_is_fine():
            self._client.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=message.receipt, VisibilityTimeout=visibility_s
            )

    def delete(self, message: WorkMessage) -> None:
        """See `ports.WorkQueue.delete`."""
        with translated("sqs"), _gone_is_fine():
            self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message.receipt)


class SqsOrders:
    """The receiving end of a queue whose messages are JSON objects: a `ports.OrderQueue`."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def receive(self, *, wait_s: int) -> tuple[str, dict[str, object]] | None:
        """See `ports.OrderQueue.receive`. A message that is no object is left to become a dead letter."""
        with translated("sqs"):
            answer = self._client.receive_message(QueueUrl=self._queue_url, WaitTimeSeconds=wait_s)
        for message in answer.get("Messages", ()):
            try:
                return message["ReceiptHandle"], dict(json.loads(message["Body"]))
            except (ValueError, TypeError):
                _log.exception("message %s is no order; left to become a dead letter", message["MessageId"])
        return None

    def delete(self, receipt: str) -> None:
        """See `ports.OrderQueue.delete`."""
        with translated("sqs"), _gone_is_fine():
            self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt)


class SqsGauge:
    """`ports.QueueGauge`, by the queue's own approximate counts."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def depth(self) -> QueueDepth:
        """See `ports.QueueGauge.depth`."""
        with translated("sqs"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._queue_url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
        found = answer["Attributes"]
        return QueueDepth(
            waiting=int(found["ApproximateNumberOfMessages"]),
            in_work=int(found["ApproximateNumberOfMessagesNotVisible"]),
        )


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if not _is_gone(error):
            raise


def _is_gone(error: ClientError) -> bool:
    # For a receipt that has run out SQS says InvalidParameterValue, naming the parameter.
    about_receipt = "ReceiptHandle" in error.response.get("Error", {}).get("Message", "")
    return code(error) in _GONE or (code(error) == "InvalidParameterValue" and about_receipt)


def _work(message: "MessageTypeDef") -> WorkMessage | None:
    try:
        body = json.loads(message["Body"])
        tenant_id, job_id, task_token = (_text(body[name]) for name in ("tenant_id", "job_id", "task_token"))
    except (ValueError, TypeError, KeyError):
        # Its id only: a body may hold a task token.
        _log.exception("message %s on the work queue is no work; left to become a dead letter", message["MessageId"])
        return None
    received_count = int(message["Attributes"]["ApproximateReceiveCount"])
    return WorkMessage(message["ReceiptHandle"], tenant_id, job_id, task_token, received_count)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value
