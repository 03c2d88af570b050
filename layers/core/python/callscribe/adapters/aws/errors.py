"""What botocore's errors mean to us. What is not listed here stays as it is, and loud: a missing grant is a defect."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions
from botocore.exceptions import ClientError

from callscribe.errors import Unavailable

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
NO_ANSWER = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
FIRST_PAUSE_S = 0.025
LONGEST_PAUSE_S = 1.0


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Raise Unavailable for a service that was busy, broken or silent after botocore's own retries."""
    try:
        yield
    except NO_ANSWER as error:
        raise Unavailable(f"{service} did not answer") from error
    except ClientError as error:
        if not _is_transient(error):
            raise
        raise Unavailable(f"{service} answered {code(error)}") from error


def code(error: ClientError) -> str:
    """The error's code without the prefix that older SQS clients know."""
    return error.response.get("Error", {}).get("Code", "").rpartition(".")[2]


def status(error: ClientError) -> int:
    """The HTTP status of the answer; 0 where there was none."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def pause_s(attempt: int) -> float:
    """Seconds to wait after the n-th failed attempt (0 is the first): exponential, full jitter."""
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt))  # noqa: S311 # jitter is no secret


def _is_transient(error: ClientError) -> bool:
    return code(error) in THROTTLED or status(error) >= 500 or status(error) == 429
