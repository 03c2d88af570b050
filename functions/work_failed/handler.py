"""The work queue's dead letters: tells each waiting execution that no worker could do its task."""

import json
import logging
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from callscribe import wiring
from callscribe.services import work

wiring.configure_logging()
deps = wiring.aws_deps("task_reports")
log = logging.getLogger("callscribe.work_failed")
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False, logger=log)


def give_up(record: Any) -> None:
    """One message that was received too often."""
    tries = int(record.attributes.approximate_receive_count)
    work.give_up(deps, task_token=json.loads(record.body)["task_token"], tries=tries)


def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of dead letters; those that failed come back alone."""
    return process_partial_response(event=event, record_handler=give_up, processor=processor, context=context)
