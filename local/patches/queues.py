"""SQS: names of queues."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

from ministack.services import sqs

from .registry import expect, expect_source, patch, replace

_ANY_PORT = "4566"  # stands in queue URLs only; SDKs go to AWS_ENDPOINT_URL


@patch
def queue_urls_do_not_name_the_port() -> None:
    """A queue's URL stays the same when the emulator is started again on another port.

    Emulator: queues are kept under URLs with the port they were made at, so after a restart elsewhere no event source
    finds its queue, and what a stack was told of them is wrong. AWS: a queue's URL never changes.
    """
    expect_source(sqs._queue_url_for_account, "{DEFAULT_HOST}:{DEFAULT_PORT}/{account_id}/{name}")
    replace(sqs, "DEFAULT_PORT", lambda _port: _ANY_PORT)
    replace(sqs, "_CANONICAL_NETLOC", lambda _netloc: f"{sqs.DEFAULT_HOST}:{_ANY_PORT}")
    replace(sqs, "_HOST_EXPLICIT", lambda _explicit: True)
    expect(f":{_ANY_PORT}/" in sqs._queue_url_for_account("000000000000", "name"), "the port to be used")
