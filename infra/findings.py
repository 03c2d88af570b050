"""Acknowledged findings of cdk-nag, cfn-lint and checkov: which rule, where, and why it is right to break it there."""

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

# Checkov is run by hand, from an environment of its own: see tests/infra/test_findings.py.
_OWN_KMS_KEY = "encrypted by keys that AWS manages; a KMS key of one's own costs per key and request, and every reader"
CHECKOV = {
    "CKV_AWS_18": "bucket access logs: whoever wants a log of reads turns on CloudTrail data events",
    "CKV_AWS_27": "queues are encrypted (SSE-SQS); S3 cannot send to a queue under the AWS managed KMS key",
    "CKV_AWS_115": "reserved concurrency is a setting: a new account has ten, of which nothing may be set aside",
    "CKV_AWS_116": "only those with a clock are invoked asynchronously, and run again; queues and stream have theirs",
    "CKV_AWS_117": "no function needs a VPC: each reaches AWS by its role, and receivers through the outbound guard",
    "CKV_AWS_119": f"table: {_OWN_KMS_KEY} needs rights on it",
    "CKV_AWS_149": f"secret: {_OWN_KMS_KEY} needs rights on it",
    "CKV_AWS_158": f"logs: {_OWN_KMS_KEY} needs rights on it; no secret and no transcript is logged",
    "CKV_AWS_258": "a function URL is as public as the gateway: the handler judges the key that the body carries",
    "CKV_AWS_173": f"variables: {_OWN_KMS_KEY} needs rights on it; they hold names, no secrets",
}
