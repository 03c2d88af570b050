"""The table's stream, filtered to new outbox rows: each one goes to the callback queue."""

import logging
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from callscribe import wiring
from callscribe.services import callbacks

wiring.configure_logging()
deps = wiring.aws_deps("callback_queue")
log = logging.getLogger("callscribe.on_record")
processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False, logger=log)


def enqueue(record: Any) -> None:
    """One inserted Callback row."""
    row = record.dynamodb.new_image
    callbacks.enqueue(deps, tenant_id=row["tenant_id"], job_id=row["job_id"], replay=int(row["replay"]))


def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of stream records; the first that failed is where the stream goes on."""
    return process_partial_response(event=event, record_handler=enqueue, processor=processor, context=context)
