"""The table's stream, filtered to new rows that somebody waits for: callbacks to send, and changes of tasks."""

import logging
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from callscribe import names, wiring
from callscribe.services import callbacks, indexing

wiring.configure_logging()
deps = wiring.aws_deps("callback_queue", "index_queue")
log = logging.getLogger("callscribe.on_record")
processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False, logger=log)


def enqueue(record: Any, *, changed: set[str]) -> None:
    """One inserted row: a callback goes to its queue, the tenant of a changed task is noted."""
    row = record.dynamodb.new_image
    if row[names.KIND_ATTRIBUTE] == names.CALLBACK_KIND:
        callbacks.enqueue(deps, tenant_id=row["tenant_id"], job_id=row["job_id"], replay=int(row["replay"]))
    else:
        changed.add(row["tenant_id"])


def ask(changed: set[str]) -> None:
    """Have the index of each tenant asked for. Lists are right without it, so it holds up no callback.

    A stream goes on only behind a record that succeeds, and one function reads a stream once: an ask that fails is
    therefore logged, and left to the sweeper together with those after it, which would wait in vain as long.
    """
    try:
        for tenant_id in sorted(changed):
            indexing.ask(deps, tenant_id)
    except Exception:  # whatever it is, raised it would hold up the callbacks behind it
        log.exception("the index of up to %d tenants was not asked for: the sweeper will", len(changed))


def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of stream records, callbacks first; the first of them that failed is where the stream goes on."""
    changed: set[str] = set()
    handle = partial(enqueue, changed=changed)
    answer = process_partial_response(event=event, record_handler=handle, processor=processor, context=context)
    ask(changed)
    return answer
