"""What each function brings along: its adapters, its environment, its imports."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from callscribe import dialects, names
from tests.functions.stage import ROOT

# The adapters of every process: one more is one more grant, more to load and more to test. Change it knowingly.
ADAPTERS: dict[str, set[str]] = {
    "api": set(),  # see NEEDS
    "audio_uploaded": {"store", "uploads", "transcriptions"},
    "deliver_callback": {"store", "results", "keyring", "webhooks", "redeliveries"},
    "door": set(),  # see NEEDS
    "fetch_audio": {"store", "uploads", "results", "keyring", "downloader", "video_queue"},
    "fetch_video": set(),  # it has no rights: what it needs is in its order
    "finish_job": {"store", "uploads", "results", "keyring"},
    "landing": set(),
    "index_tasks": {"store", "results", "task_index", "index_queue"},
    "on_record": {"callback_queue", "index_queue"},
    "prepare_audio": {"store", "uploads", "results", "inspector"},
    "scale_workers": {"store", "work_gauge", "worker_pool"},
    "sweep": {
        *("store", "uploads", "results", "keyring", "transcriptions"),
        *("callback_queue", "fetch_queue", "index_queue"),
    },
    "transcribe_worker": {"store", "uploads", "results", "task_reports"},
    "work_failed": {"task_reports"},
}
NEEDS: dict[str, set[str]] = {
    "presign": {"store", "uploads", "results", "webhooks", "keyring"},
    "mor": {"store", "uploads", "results", "webhooks", "downloader", "fetch_queue", "keyring"},
    "aivoco": {"store", "uploads", "results", "downloader", "fetch_queue", "keyring"},
    "transcripto": {
        *("store", "uploads", "results", "downloader", "fetch_queue", "keyring"),
        *("inspector", "task_index", "captcha"),
    },
}
HANDLERS = sorted(set(ADAPTERS) - {"transcribe_worker", "fetch_video", "door", "api"})

# What callscribe's own modules a Lambda may not load when it starts.
NEVER_AT_START = ("callscribe.engines", "callscribe.cli", "callscribe.client", "callscribe.adapters.memory")
MEDIA = "callscribe.media"
# What the APIs need only for some requests, if at all: each of these is time in every one of their cold starts.
NEVER_AT_START_OF_AN_API = {
    "callscribe.domain.role_cues",
    "callscribe.domain.role_words",
    "callscribe.domain.work",
    "callscribe.services.arrivals",
    "callscribe.services.preparing",
    "callscribe.services.videos",
}
# What only tasks have: conversations, reports, lists, files that are taken once.
NEVER_WITHOUT_TASKS = {
    "callscribe.domain.chat_labels",
    "callscribe.domain.chats",
    "callscribe.domain.known_files",
    "callscribe.domain.reports",
    "callscribe.domain.tasks",
    "callscribe.services.known_files",
    "callscribe.services.tariffs",
}
# And what this one alone does without: it neither ends jobs nor shows what anybody has.
NEVER_AT_START_OF = {"presign": {"callscribe.domain.credits", "callscribe.services.ledger"}}
WITH_TASKS = {"transcripto"}

BROUGHT_ALONG = {"door": {"uvicorn"}}  # by its image
SPEAKS_HTTP = {"deliver_callback", "fetch_audio"}  # and then only once they do

# Runs in a fresh interpreter: import the handler named in argv with everything else out of reach.
CHILD = """
import importlib.abc, json, runpy, sys

class OutOfReach(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is not there at run time", name=name)

BLOCKED = set(json.loads(sys.argv[2]))
sys.meta_path.insert(0, OutOfReach())
runpy.run_path(sys.argv[1])["handler"]
print(json.dumps(sorted(sys.modules)))
"""


def source_of(function: str) -> Path:
    (path,) = (ROOT / "functions" / function).glob("*.py")
    return path


def adapters_of(function: str) -> set[str]:
    """The names in the source's one call of `wiring.aws_deps`."""
    calls = [node for node in ast.walk(ast.parse(source_of(function).read_text())) if isinstance(node, ast.Call)]
    found = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "aws_deps"]
    assert len(found) <= 1
    return {argument.value for call in found for argument in call.args if isinstance(argument, ast.Constant)}  # type: ignore[misc]  # all are strings


def test_every_function_asks_for_the_adapters_of_its_role_and_no_others() -> None:
    folders = {path.name for path in (ROOT / "functions").iterdir() if any(path.glob("*.py"))}
    assert {function: adapters_of(function) for function in folders} == ADAPTERS


def test_every_dialect_asks_for_the_adapters_of_its_role_and_no_others() -> None:
    assert {name: set(dialects.load(name).needs) for name in names.DIALECTS} == NEEDS
    assert all(len(dialects.load(name).needs) == len(NEEDS[name]) for name in NEEDS)


@pytest.mark.parametrize("function", sorted(ADAPTERS))
def test_no_function_imports_another_nor_what_is_not_deployed(function: str) -> None:
    tree = ast.parse(source_of(function).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in froms if node.level], "a handler stands alone: relative imports do not work"
    tops = {name.partition(".")[0] for name in imported | {str(node.module) for node in froms}}
    assert tops - sys.stdlib_module_names <= {"callscribe", "aws_lambda_powertools"} | BROUGHT_ALONG.get(
        function, set()
    )


@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_starts_with_the_core_layer_and_the_runtime_only(function: str, secrets_url: str) -> None:
    blocked = out_of_reach() | (set() if function in SPEAKS_HTTP else {"httpx", "httpcore"})
    loaded = start(function, blocked, secrets_url)
    assert "callscribe.wiring" in loaded
    assert not [name for name in loaded if name.startswith((*NEVER_AT_START, MEDIA))]


@pytest.mark.parametrize("dialect", sorted(names.DIALECTS))
def test_each_dialect_starts_with_the_core_layer_only_and_loads_no_other_dialect(
    dialect: str, secrets_url: str
) -> None:
    loaded = start("api", out_of_reach() | {"httpx", "httpcore"}, secrets_url, dialect=dialect)
    assert f"callscribe.dialects.{dialect}.routes" in loaded
    others = {f"callscribe.dialects.{name}" for name in names.DIALECTS if name != dialect}
    assert not others & set(loaded)
    assert not [name for name in loaded if name.startswith((*NEVER_AT_START, MEDIA))]


@pytest.mark.parametrize("dialect", sorted(names.DIALECTS))
def test_an_api_loads_nothing_at_its_start_that_only_other_processes_or_dialects_need(
    dialect: str, secrets_url: str
) -> None:
    without_tasks = set() if dialect in WITH_TASKS else NEVER_WITHOUT_TASKS
    unwanted = NEVER_AT_START_OF_AN_API | without_tasks | NEVER_AT_START_OF.get(dialect, set())
    loaded = start("api", out_of_reach(), secrets_url, dialect=dialect)
    assert not unwanted & set(loaded)


def test_what_an_api_may_not_load_at_its_start_does_exist() -> None:
    forbidden = NEVER_AT_START_OF_AN_API | NEVER_WITHOUT_TASKS | set().union(*NEVER_AT_START_OF.values())
    assert not [name for name in forbidden if importlib.util.find_spec(name) is None]


def test_the_check_itself_notices_a_library_that_is_missing(secrets_url: str) -> None:
    with pytest.raises(AssertionError, match="botocore is not there at run time"):
        start("on_record", {"botocore"}, secrets_url)


def test_what_is_out_of_reach_are_the_extras_and_not_the_core_layer() -> None:
    blocked = out_of_reach()
    assert {"av", "numpy", "onnxruntime", "pocketsphinx", "typer", "rich", "aws_cdk", "moto", "pytest"} <= blocked
    assert not blocked & {"boto3", "botocore", "pydantic", "aws_lambda_powertools", "jwt", "rfc8785", "callscribe"}


def out_of_reach() -> set[str]:
    """Every installed module that neither the core layer nor Lambda's own runtime has; `local` and its siblings."""
    lines = (ROOT / "layers" / "core" / "requirements.txt").read_text().splitlines()
    pinned = {normal(found[1]) for line in lines if (found := re.match(r"([A-Za-z0-9._-]+)==", line))}
    present = pinned | {
        "boto3",
        "botocore",
        "s3transfer",
        "jmespath",
        "python-dateutil",
        "six",
        "urllib3",
        "callscribe",
    }
    installed = packages_distributions()
    extras = {module for module, dists in installed.items() if not {normal(dist) for dist in dists} & present}
    return (extras - sys.stdlib_module_names - {"__pycache__"}) | {"local", "infra", "tests", "functions", "benchmarks"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def start(function: str, blocked: set[str], secrets_url: str, *, dialect: str = "presign") -> list[str]:
    """Import the handler as a cold start does; the modules that it loaded."""
    settings = json.dumps({"stage": "prod", "public_base_url": "https://callscribe.example"})
    values = {name: f"some-{name.lower()}" for name in vars(names) if name.startswith("ENV_")}
    environment = {str(getattr(names, name)): value for name, value in values.items()}
    environment |= {names.ENV_SETTINGS: settings, names.ENV_DIALECT: dialect, names.ENV_STAGE: "prod"}
    environment |= {names.ENV_SCALING: "{}", names.ENV_WORKER_POOL: '{"queue": "workers", "definition": "worker:1"}'}
    aws = {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": secrets_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(ROOT / "layers" / "core" / "python"),  # where Lambda has /opt/python
    }
    arguments = [sys.executable, "-c", CHILD, str(source_of(function)), json.dumps(sorted(blocked))]
    done = subprocess.run(arguments, env=environment | aws, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded: list[str] = json.loads(done.stdout)
    return loaded


@pytest.fixture(scope="module")
def secrets_url() -> Iterator[str]:
    """An endpoint that answers every call as Secrets Manager answers the one that a cold start makes."""
    server = HTTPServer(("127.0.0.1", 0), _Secrets)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Secrets(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        root_keys = json.dumps({"id": "1", "key": "an example root key of 32 bytes!"})
        body = json.dumps({"SecretString": root_keys, "VersionId": "v1"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
