"""One emulator for the whole folder, with the sample stack deployed in it."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.deploy import deploy
from local.emulator import Emulator, EmulatorSettings
from tests.local import sample

# Names of patches to leave out, to see which tests then fail.
SKIPPED = {"CALLSCRIBE_SKIP_PATCHES": os.environ.get("TEST_WITHOUT_PATCHES", "")}


@dataclass
class Cloud:
    """A running emulator and the outputs of the sample stack in it."""

    emulator: Emulator
    outputs: dict[str, str]
    assembly_dir: Path

    def client(self, service: str, **options: Any) -> Any:
        return self.emulator.client(service, **options)

    def invoke(self, output: str, payload: Any = None, **options: Any) -> Any:
        """Invoke the function that an output names; return its result or its error."""
        body = json.dumps(payload or {}).encode()
        answer = self.client("lambda").invoke(FunctionName=self.outputs[output], Payload=body, **options)
        text = answer["Payload"].read()
        return json.loads(text) if text else None

    def receive(self, output: str, *, timeout_s: float = 8.0) -> Iterator[dict[str, Any]]:
        """The messages of a queue, deleted as they come, until the time is over."""
        sqs, url = self.client("sqs"), self.outputs[output]
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, AttributeNames=["All"])
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                yield message

    def note(self, wanted: Callable[[dict[str, Any]], bool], *, timeout_s: float = 8.0) -> dict[str, Any]:
        """The first note left by a Lambda of the sample that `wanted` accepts."""
        for message in self.receive("NotesUrl", timeout_s=timeout_s):
            note: dict[str, Any] = json.loads(message["Body"])
            if wanted(note):
                return note
        raise AssertionError("no such note came")

    def put_item(self, key: str) -> None:
        item = {"pk": {"S": key}, "sk": {"S": "a"}}
        self.client("dynamodb").put_item(TableName=self.outputs["Table"], Item=item)


def start_cloud(folder: Path, **settings: Any) -> Cloud:
    """Start an emulator and deploy the sample; whoever calls stops it."""
    extra_env = SKIPPED | settings.pop("extra_env", {})
    emulator = Emulator(EmulatorSettings(log_file=folder / "emulator.log", extra_env=extra_env, **settings))
    emulator.start()
    try:
        assembly_dir = sample.write_assembly(folder / "assembly")
        outputs = deploy(assembly_dir, emulator.endpoint_url)[sample.STACK]
    except BaseException:
        emulator.stop()
        raise
    return Cloud(emulator, outputs, assembly_dir)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    running = start_cloud(tmp_path_factory.mktemp("cloud"), lambda_concurrency=4, lambda_processes=10)
    yield running
    running.emulator.stop()
