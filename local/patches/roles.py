"""Roles and policies, where they are enforced."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

from typing import Any

from ministack.core import iam_evaluator

from .registry import expect_source, patch, replace


@patch
def loopback_counts_as_tls() -> None:
    """`aws:SecureTransport` is true.

    Emulator: false for plain HTTP, and also for what S3 itself sends to a queue, so buckets and queues that demand
    TLS refuse everything. AWS: its endpoints speak TLS, and services deliver over it. That the policies demand TLS is
    asserted on the template.
    """
    expect_source(iam_evaluator._resolve_condition_key, 'if k == "aws:securetransport":')
    expect_source(iam_evaluator._conditions_met, "_resolve_condition_key(")

    def make(original: Any) -> Any:
        def resolve(key: str, context: Any) -> Any:
            return "true" if key.lower() == "aws:securetransport" else original(key, context)

        return resolve

    replace(iam_evaluator, "_resolve_condition_key", make)
