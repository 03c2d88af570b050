"""The whole system on a laptop: template, cloud, stacks, worker and front, started together and ended together."""

import contextlib
import functools
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from callscribe import names, wiring
from callscribe.ports import Deps
from local.credentials import credentials
from local.deploy import DeployError, deploy
from local.door import DoorProcess, door_environment, door_way
from local.emulator import (
    ROOT,
    Emulator,
    EmulatorError,
    EmulatorSettings,
    aws_environment,
    scrubbed_environment,
)
from local.engine import ChosenEngine, EngineError, try_engine
from local.front import DoorWay, Front, api_id_of
from local.synthesis import SynthesisError, synthesise
from local.videos import VideoFetcher, fetcher_environment
from local.workers import GRACE_S, KeptWorker, WorkerError, WorkerProcess

HOME = ROOT / ".callscribe"
STAGE = "local"
DEFAULT_PORT = 8420
START_ERRORS = (DeployError, EmulatorError, EngineError, SynthesisError, WorkerError, OSError)
_ANSWER_TIMEOUT_S = 60.0
# So long a worker that is stopped goes on: long before it is killed, so that it can give back what is not done.
_WORKER_GRACE_S = GRACE_S / 3

# How the laptop's stage differs from a real one: it may call back to loopback, forgets on demand, looks more often.
CONTEXT = {
    "stage": STAGE,
    "allow_loopback": "true",
    "retain_data": "false",
    "sweep_minutes": "1",
    "recheck_s": "20",
    "work_visibility_s": "30",
    "index_delay_s": "2",
    "video": "true",
}


@dataclass(frozen=True)
class SystemSettings:
    """What a caller chooses. `state_dir` None keeps nothing; `port` 0 picks a free one; `context`: stage settings.

    `kept_open` are descriptors that the emulator inherits, such as a lock on its state. `door`: whether large bodies
    and long waits have one to go to. `engine`: what the workers hear with.
    """

    port: int = DEFAULT_PORT
    state_dir: Path | None = None
    auth: bool = False
    workers: int = 1
    log_dir: Path = HOME / "logs"
    context: Mapping[str, str] = field(default_factory=dict)
    kept_open: tuple[int, ...] = ()
    door: bool = False
    engine: ChosenEngine = field(default_factory=ChosenEngine)


class LocalSystem:
    """A context manager: everything answers inside it, nothing is left after it. `report` gets a line per step.

    Entering raises one of START_ERRORS.
    """

    def __init__(self, settings: SystemSettings, *, report: Callable[[str], None] = lambda _line: None) -> None:
        self.settings = settings
        self._report = report
        self._open = contextlib.ExitStack()
        self.workers: list[KeptWorker] = []
        self.doors: list[KeptWorker] = []  # one or none
        self.fetchers: list[KeptWorker] = []  # of videos: one or none

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            self._start(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def base_url(self) -> str:
        """What a client puts before a path."""
        return self.front.base_url

    def deps(self) -> Deps:
        """Dependencies of an operator of this stage."""
        return wiring.operator_deps(self.outputs, aws=aws_environment(self.emulator.endpoint_url))

    def keep_workers(self) -> None:
        """Start again every worker that has ended, the door and the fetcher; call it every second or so."""
        for one in (*self.workers, *self.doors, *self.fetchers):
            one.keep()

    def function_url(self, dialect: str) -> str:
        """Where the cloud answers for a dialect's function URL, whose own host is nowhere; no slash at the end."""
        url_id = api_id_of(self.outputs[f"{dialect.title()}Url"])
        return f"{self.emulator.endpoint_url}/_aws/lambda-url/{url_id}"

    def invoke(self, function: str) -> Any:
        """Run the stage's Lambda of the folder `functions/<function>` now, such as `sweep`, and give its answer.

        Those of the dialects, which share a folder, are `api_<dialect>`.
        """
        client = self.emulator.client("lambda")
        pages = client.get_paginator("list_functions").paginate()
        description = f"callscribe: {function.replace('_', ' ')}"
        (name,) = [
            one["FunctionName"] for page in pages for one in page["Functions"] if one["Description"] == description
        ]
        return json.load(client.invoke(FunctionName=name, Payload=b"{}")["Payload"])

    def _start(self, opening: contextlib.ExitStack) -> None:
        self._open = opening
        settings = self.settings
        if settings.port:
            _require_free(settings.port)
        if settings.engine != ChosenEngine():
            self._report(f"loading {settings.engine} on trial …")
            self._report(f"engine {settings.engine.name}: {try_engine(settings.engine)}")
        self._report("synthesising the CDK app …")
        # Links in callbacks name the fixed port: one that changes with every run would change the template with it.
        public_base_url = f"http://127.0.0.1:{settings.port or DEFAULT_PORT}"
        context = {**CONTEXT, "public_base_url": public_base_url, **settings.context}
        assembly = synthesise(context, HOME / "cache")
        self._report("starting the laptop cloud …")
        self.emulator = opening.enter_context(Emulator(_emulator_settings(settings)))
        self._report("deploying the stacks …")
        stacks = deploy(assembly, self.emulator.endpoint_url, report=self._report)
        self.outputs = {name: value for outputs in stacks.values() for name, value in outputs.items()}
        self.credentials = credentials(self.deps(), settings.state_dir)
        api_id = api_id_of(self.outputs["ApiUrl"])
        door = self._start_door() if settings.door else None
        self.front = Front(self.emulator.endpoint_url, api_id, port=settings.port, door=door)
        opening.callback(self.front.stop)
        self.front.start()
        self._start_workers()
        if context["video"] == "true":
            self._start_fetcher()
        _require_answer(self.base_url)
        for one in self.workers:
            one.process.wait_until_ready(settings.engine.ready_within_s)
        for one in (*self.doors, *self.fetchers):
            one.process.wait_until_ready()
        self._report(f"listening on {self.base_url}")

    def _start_door(self) -> DoorWay:
        way, log_file = door_way(), self.settings.log_dir / "door.log"
        environment = door_environment(self.emulator, self.outputs)
        door = KeptWorker(lambda: DoorProcess(environment, log_file, port=way.port), report=self._report)
        self._open.callback(door.stop)
        self.doors.append(door)
        return way

    def _start_fetcher(self) -> None:
        environment = fetcher_environment(self.emulator, self.outputs, as_role=self.settings.auth)
        log_file = self.settings.log_dir / "videos.log"
        fetcher = KeptWorker(lambda: VideoFetcher(environment, log_file), report=self._report)
        self._open.callback(fetcher.stop)
        self.fetchers.append(fetcher)

    def _start_workers(self) -> None:
        for number in range(self.settings.workers):
            worker = KeptWorker(functools.partial(self._start_worker, number), report=self._report)
            self._open.callback(worker.stop)
            self.workers.append(worker)

    def _start_worker(self, number: int) -> WorkerProcess:
        environment = _worker_environment(self.emulator, self.outputs, as_role=self.settings.auth)
        environment |= self.settings.engine.environment
        return WorkerProcess(environment, self.settings.log_dir / f"worker-{number}.log")


def _emulator_settings(settings: SystemSettings) -> EmulatorSettings:
    return EmulatorSettings(
        settings.log_dir / "cloud.log",
        state_dir=settings.state_dir,
        auth=settings.auth,
        kept_open=settings.kept_open,
    )


def _worker_environment(emulator: Emulator, outputs: Mapping[str, str], *, as_role: bool) -> dict[str, str]:
    environment = scrubbed_environment() | aws_environment(emulator.endpoint_url) | wiring.environment_of(outputs)
    # A worker that is killed leaves the recording at hand in its temporary folder: the cloud's own goes at its stop.
    environment["TMPDIR"] = str(emulator.temp_dir)
    environment[names.ENV_WORKER] = json.dumps({"grace_s": _WORKER_GRACE_S})
    if as_role:
        role = emulator.client("sts").assume_role(RoleArn=outputs["WorkerRoleArn"], RoleSessionName="worker")
        assumed = role["Credentials"]
        environment |= {
            "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
            "AWS_SESSION_TOKEN": assumed["SessionToken"],
        }
    return environment


def _require_free(port: int) -> None:
    """Raises OSError at once, not after a minute of starting, when somebody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(f"port {port} of 127.0.0.1 is taken; choose another: make serve PORT=…") from error


def _require_answer(base_url: str) -> None:
    """Ask for the page at the root, through front, gateway and Lambda. Raises OSError when it does not come."""
    try:
        # The URL is ours and http:
        urllib.request.urlopen(f"{base_url}/", timeout=_ANSWER_TIMEOUT_S).close()  # noqa: S310 - loopback
    except urllib.error.URLError as error:
        raise OSError(f"{base_url}/ does not answer as it should: {error}") from error
