"""Every minute: as many workers as the measured work wants."""

from typing import Any

from callscribe import wiring
from callscribe.services import scaling

wiring.configure_logging()
deps = wiring.aws_deps("store", "work_gauge", "worker_pool")
settings = wiring.scaling_settings()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Returns how many workers there shall be, and why; nothing where another look was faster."""
    decision = scaling.tick(deps, settings)
    return {} if decision is None else {"workers": decision.workers, "reason": decision.reason}
