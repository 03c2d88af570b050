"""Every few minutes: moves on what got stuck."""

import logging
from typing import Any

from callscribe import wiring
from callscribe.services.sweep import sweep

wiring.configure_logging()
deps = wiring.aws_deps(
    "store", "uploads", "results", "keyring", "transcriptions", "callback_queue", "fetch_queue", "index_queue"
)
log = logging.getLogger("callscribe.sweep")
THREADS = 8  # boto3's clients may be shared, and keep ten connections each
LONGEST_S = 120  # half of the function's time: what was begun then still comes to its end


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Returns what was done, counted by name."""
    done = sweep(deps, renderer_of=wiring.renderer_of, longest_s=LONGEST_S, threads=THREADS)
    if done:
        log.info("swept %s", done)
    return done
