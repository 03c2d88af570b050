"""How boto3 clients are made: once per process, when a handler is imported, and only those that it needs.

Region, credentials and AWS_ENDPOINT_URL come from the environment, which boto3 reads by itself.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader

from callscribe import names

_COMMON = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
    # botocore puts its own together again, twice for every request: a tenth of what a call costs here.
    user_agent=f"{names.SERVICE} Boto3/{boto3.__version__} Botocore/{botocore.__version__}",
)

_SPECIAL = {
    # Virtual hosts with the region in them: the global host answers 307 to new buckets elsewhere, which breaks
    # uploads. Without s3v4 some regions, and the emulator, take an expired URL.
    "s3": Config(signature_version="s3v4", s3={"addressing_style": "virtual"}, read_timeout=60),
    # Longer than the longest poll (20 s).
    "sqs": Config(read_timeout=30),
    # SubmitJob knows no token: sent again after a lost answer it would be a second job.
    "batch": Config(retries={"mode": "standard", "total_max_attempts": 1}),
    # Items are made by one serialiser, and DynamoDB checks them itself.
    "dynamodb": Config(parameter_validation=False),
}
_SERVICES = ("batch", "dynamodb", "s3", "secretsmanager", "sqs", "stepfunctions")


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
    made = _session() if service in _SERVICES else boto3
    return made.client(service, config=config(service), **options)  # type: ignore[call-overload]  # any service


_OPTIONS = {
    "AWS_ENDPOINT_URL": "endpoint_url",
    "AWS_REGION": "region_name",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}


class _Files(JSONFileLoader):
    """Reads botocore's models into plain dicts, which keep their order, too, and are made twice as fast."""

    def _load_file(self, full_path: str, open_method: Callable[..., Any]) -> Any:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())


class _Models(Loader):
    """botocore's models of the services that are used here: it would look through the folders of all, twice."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the base class's signature
        """Whatever kind of model is asked for."""
        return list(_SERVICES)


@cache
def _session() -> boto3.Session:
    core = botocore.session.get_session()
    core.register_component("data_loader", _Models(file_loader=_Files()))
    return boto3.Session(botocore_session=core)
