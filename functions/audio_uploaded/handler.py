"""S3's upload events, by way of a queue: each one queues its job and starts its execution."""

import json
import logging
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from callscribe import wiring
from callscribe.domain.jobs import ids_from_audio_key
from callscribe.services import jobs

wiring.configure_logging()
deps = wiring.aws_deps("store", "uploads", "transcriptions")
log = logging.getLogger("callscribe.audio_uploaded")
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False, logger=log)


def take_up(record: Any) -> None:
    """One queue message; S3 puts one or more events in it, and a test event when the notification is made."""
    for event in json.loads(record.body).get("Records", []):
        uploaded = event["s3"]["object"]
        ids = ids_from_audio_key(unquote_plus(uploaded["key"]))
        if ids is None:
            log.warning("ignored an object that is no upload of ours")
            continue
        jobs.uploaded(deps, tenant_id=ids[0], job_id=ids[1], version_id=uploaded.get("versionId"))


def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of queue messages; those that failed come back alone."""
    return process_partial_response(event=event, record_handler=take_up, processor=processor, context=context)
