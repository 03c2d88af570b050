"""Acknowledged findings of cdk-nag: which rule, at which construct, and why it is right to break it there."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

_SHORTEST_REASON = 20


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings (rule id → reason) at a construct and below it. cdk-nag itself takes an empty reason."""
    for rule, reason in reasons.items():
        if len(reason) < _SHORTEST_REASON:
            raise ValueError(f"the reason for {rule} needs at least {_SHORTEST_REASON} characters: {reason!r}")
        Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


# The templates say it themselves, so that a plain `cfn-lint` is clean.
CFN_LINT = {
    "cfn-lint": {
        "config": {
            "ignore_checks": [
                "W3005",  # CDK states dependencies that a reference implies already
                "W6001",  # the app stack repeats the data stack's names, so that one look finds a stage
            ]
        }
    }
}
