"""The index queue: each message has one tenant's changed tasks taken into its files, which lists are read from."""

import json
import logging
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from callscribe import wiring
from callscribe.services import index_care

wiring.configure_logging()
wiring.require_words_index()
deps = wiring.aws_deps("store", "results", "task_index", "index_queue")
log = logging.getLogger("callscribe.index_tasks")
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False, logger=log)


def keep(record: Any) -> None:
    """One message of the index queue."""
    index_care.keep(deps, json.loads(record.body)["tenant_id"])


def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of queue messages; those that failed come back alone."""
    return process_partial_response(event=event, record_handler=keep, processor=processor, context=context)
