"""A client that a generator makes of the served OpenAPI document, without any network, works against the handler."""

import importlib
import io
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.dialects.conftest import http_event, read_answer
from tests.dialects.transcripto.world import OPENAPI, SomeUser, World

PACKAGE = "generated_transcripto_client"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The generated package. A warning of the generator, which would leave something out, fails."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(World().anonymous.send("GET", OPENAPI).text)
    (folder / "config.yaml").write_text("post_hooks: []\n")  # its code is not for us to format
    generator = str(Path(sys.executable).with_name("openapi-python-client"))
    options = ["--meta", "none", "--config", "config.yaml", "--fail-on-warning"]
    command = [generator, "generate", "--path", "openapi.json", "--output-path", PACKAGE, *options]
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **nowhere})
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(PACKAGE)
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


class Generated:
    """The generated client, whose requests go to the handler of a world."""

    def __init__(self, package: ModuleType, world: World) -> None:
        self._package = package
        self._world = world
        self.client = package.Client("https://callscribe.example", httpx_args=self._transport())

    def log_in(self, user: SomeUser) -> Any:
        """What the log-in is answered; from now on as this user."""
        answer = self.ask("log_in", body=self.model("LoginRequest")(**user.log_in))
        self.client = self._package.AuthenticatedClient("https://callscribe.example", answer.token, httpx_args=self._transport())  # fmt: skip
        return answer

    def ask(self, operation: str, **given: Any) -> Any:
        """The parsed answer of an operation."""
        module = next(module for module in self._modules("api") if module.__name__.endswith(f".{operation}"))
        return module.sync(client=self.client, **given)

    def model(self, name: str) -> Any:
        return getattr(importlib.import_module(f"{PACKAGE}.models"), name)

    def _modules(self, part: str) -> Iterator[ModuleType]:
        return modules(importlib.import_module(f"{PACKAGE}.{part}"))

    def _transport(self) -> dict[str, Any]:
        return {"transport": httpx.MockTransport(self._answer)}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        event = http_event(
            request.method,
            request.url.path,
            headers=dict(request.headers),
            body=request.read() or None,
            query=request.url.query.decode(),
        )
        answer = read_answer(self._world.anonymous.handler(event, None))
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.content)


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Every module below a package, imported."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


@pytest.fixture
def generated(package: ModuleType, world: World) -> Generated:
    return Generated(package, world)


def test_T_02_every_module_of_the_generated_client_can_be_imported(package: ModuleType, world: World) -> None:
    operations = {
        operation["operationId"]
        for described in world.anonymous.send("GET", OPENAPI).json["paths"].values()
        for operation in described.values()
    }
    calls = [module for module in modules(package) if hasattr(module, "sync_detailed")]
    assert len(calls) == len(operations)


def test_T_10_T_18_T_26_the_generated_client_logs_in_creates_a_directory_and_lists_its_tasks(
    generated: Generated, world: World
) -> None:
    user = world.user()
    greeted = generated.log_in(user)
    assert (greeted.success, greeted.email, greeted.tariff.identifier) == (True, user.email, "enterprise")
    made = generated.ask("create_directory", body=generated.model("DirectoryRequest")(name="from a generated client"))
    code = world.completed(world.client_of(user), directory_id=made.directory.id)
    world.add_chat(world.client_of(user))
    listed = generated.ask("get_tasks", task_type=generated.model("GetTasksTaskType").CALL, per_page=5)
    assert [(task.task_code, task.directory_id) for task in listed.tasks] == [(code, made.directory.id)]
    assert listed.pagination.total_tasks == 1
    asked = generated.model("FilterRequest").from_dict({"operator_name": "global"})
    assert generated.ask("filter_tasks", body=asked).pagination.total_tasks == 2
    task = generated.ask("get_task", task_code=code)
    assert (task.id, str(task.status)) == (1, "completed")
    assert "good morning" in task.task_result.original_text


def test_T_12_the_generated_client_sends_a_file(generated: Generated, package: ModuleType, world: World) -> None:
    generated.log_in(world.user())
    file = importlib.import_module(f"{PACKAGE}.types").File(payload=io.BytesIO(b"RIFF of a client"), file_name="a.wav")  # fmt: skip
    body = generated.model("AddTaskCallBody")(file=file, operator_name="Ivan")
    made = generated.ask("add_task_call", body=body)
    job = world.job(made.code)
    assert world.uploads.read(job.audio_key) == b"RIFF of a client"
    assert job.task is not None
    assert (job.task.operator_name, job.task.file_name) == ("Ivan", "a.wav")


def test_T_02_the_generated_client_reads_a_refusal(generated: Generated, world: World) -> None:
    wrong = SomeUser(world.user().user, "wrong")
    refusal = generated.ask("log_in", body=generated.model("LoginRequest")(**wrong.log_in))
    assert isinstance(refusal, generated.model("Refusal"))
    assert (refusal.success, refusal.error_code) == (False, 4023)
