"""One attempt to deliver a callback: from the queue (the first one) or from the waiting execution (the later ones)."""

import json
import logging
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from callscribe import wiring
from callscribe.services import callbacks

wiring.configure_logging()
deps = wiring.aws_deps("store", "results", "keyring", "webhooks", "redeliveries")
log = logging.getLogger("callscribe.deliver_callback")
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False, logger=log)


def deliver_message(record: Any) -> None:
    """One message of the callback queue."""
    message = json.loads(record.body)
    user_agent = wiring.user_agent_of_job(deps, message["tenant_id"], message["job_id"])
    callbacks.deliver_from_queue(deps, **message, user_agent=user_agent)


def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of queue messages, or the state of a callback execution, which is returned brought up to date."""
    if "Records" in event:
        return process_partial_response(
            event=event, record_handler=deliver_message, processor=processor, context=context
        )
    ids = {name: event[name] for name in ("tenant_id", "job_id", "replay")}
    user_agent = wiring.user_agent_of_job(deps, event["tenant_id"], event["job_id"])
    step = callbacks.deliver(deps, **ids, attempt=event["attempt"], user_agent=user_agent)
    return {**ids, **asdict(step)}
