"""The fetcher of videos beside the laptop cloud: `functions/fetch_video` as a process that drains its queue."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import ClientError

from callscribe import names
from local.emulator import Emulator, aws_environment, scrubbed_environment
from local.workers import WorkerProcess

_ROLE = "callscribe-local-video"
_RIGHTS = ("sqs:ReceiveMessage", "sqs:DeleteMessage")


class VideoFetcher(WorkerProcess):
    """The fetcher; it has no recording in hand that anybody would miss, and so no grace."""

    name = "video fetcher"
    script = "functions/fetch_video/task.py"
    ready_line = b"video fetcher ready"

    def __init__(self, environment: Mapping[str, str], log_file: Path) -> None:
        """Start it; see `wait_until_ready`."""
        super().__init__(environment, log_file, "--drain")


def fetcher_environment(emulator: Emulator, outputs: Mapping[str, str], *, as_role: bool) -> dict[str, str]:
    """What the fetcher is told: its queue and nothing else of the stage, and that a laptop's own server will do.

    `as_role`: with rights on that queue alone, where the emulator enforces any.
    """
    environment = scrubbed_environment() | aws_environment(emulator.endpoint_url)
    environment |= {
        names.ENV_VIDEO_QUEUE: outputs["VideoQueueUrl"],
        names.ENV_SETTINGS: json.dumps({"allow_loopback": True}),
        "TMPDIR": str(emulator.temp_dir),
    }
    return environment | (_as_nobody_else(emulator, outputs["VideoQueueUrl"]) if as_role else {})


def _as_nobody_else(emulator: Emulator, queue_url: str) -> dict[str, str]:
    """Credentials of a role that may drain the queue; on AWS a pipe does that, and the container has no rights."""
    attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    queue_arn = attributes["Attributes"]["QueueArn"]
    iam = emulator.client("iam")
    with contextlib.suppress(ClientError):  # it is there, from an earlier run
        iam.create_role(RoleName=_ROLE, AssumeRolePolicyDocument=_policy({"Principal": {"AWS": "*"}}, "sts:AssumeRole"))
    iam.put_role_policy(RoleName=_ROLE, PolicyName="drain", PolicyDocument=_policy({"Resource": queue_arn}, *_RIGHTS))
    arn = iam.get_role(RoleName=_ROLE)["Role"]["Arn"]
    assumed = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="videos")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["SessionToken"],
    }


def _policy(scope: Mapping[str, object], *actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), **scope}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
