"""How boto3 clients are made: once per process, when a handler is imported, and only those that it needs.

Region, credentials and AWS_ENDPOINT_URL come from the environment, which boto3 reads by itself.
"""

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

_COMMON = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
)

_SPECIAL = {
    # Virtual hosts with the region in them: the global host answers 307 to new buckets elsewhere, which breaks
    # uploads. Without s3v4 some regions, and the emulator, take an expired URL.
    "s3": Config(signature_version="s3v4", s3={"addressing_style": "virtual"}, read_timeout=60),
    # Longer than the longest poll (20 s).
    "sqs": Config(read_timeout=30),
}


def config(service: str) -> Config:
    """Time-outs in seconds, retries and signing of a service's client."""
    return _COMMON.merge(_SPECIAL.get(service, Config()))


def client(service: str, environment: Mapping[str, str] | None = None) -> Any:
    """A boto3 client, by boto3's name of the service; its type is for the caller to say.

    Where and as whom comes from `environment` as far as it says so (endpoint, region, keys), else boto3 looks itself.
    """
    given = environment or {}
    options = {name: given.get(variable) for variable, name in _OPTIONS.items()}
    # boto3 knows its services by literals, for which it has an overload each.
    return boto3.client(service, config=config(service), **options)  # type: ignore[call-overload]  # any service


_OPTIONS = {
    "AWS_ENDPOINT_URL": "endpoint_url",
    "AWS_REGION": "region_name",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}
