"""The fetch queue: each message brings one job's audio from where its client said to where uploads arrive."""

import json
import logging
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from callscribe import wiring
from callscribe.services import sources

wiring.configure_logging()
deps = wiring.aws_deps("store", "uploads", "results", "keyring", "downloader", "video_queue")
log = logging.getLogger("callscribe.fetch_audio")
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False, logger=log)


def fetch(record: Any) -> None:
    """One message of the fetch queue."""
    message = json.loads(record.body)
    sources.fetch(deps, tenant_id=message["tenant_id"], job_id=message["job_id"], render=wiring.render)


def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of queue messages; those that failed come back alone."""
    return process_partial_response(event=event, record_handler=fetch, processor=processor, context=context)
