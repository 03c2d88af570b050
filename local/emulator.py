"""The AWS emulator as a child process of ours: started, waited for, stopped, and nothing left behind."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
CLOUD_PYTHON = ROOT / ".venv-cloud" / "bin" / "python"
REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
DUMMY_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}
_LOG_TAIL_LINES = 30
_STOP_GRACE_S = 60.0  # it writes its state in one or two; on a busy machine it takes many more
_GROUP_GONE_S = 1.0


class EmulatorError(RuntimeError):
    """Raised when the emulator cannot be started; the message ends with the tail of its log."""


@dataclass(frozen=True)
class EmulatorSettings:
    """How to run the emulator.

    `state_dir` None keeps nothing between runs. `port` 0 picks a free one. `lambda_concurrency` is the number of
    Lambda invocations that run at once, the others wait their turn; `lambda_processes` the number of Lambda
    processes kept alive, about 60 MB each. `kept_open` are descriptors that the process inherits.
    """

    log_file: Path
    state_dir: Path | None = None
    port: int = 0
    auth: bool = False
    lambda_concurrency: int = 8
    lambda_processes: int = 20
    ready_timeout_s: float = 30.0
    python: Path = CLOUD_PYTHON
    extra_env: Mapping[str, str] = field(default_factory=dict)
    kept_open: tuple[int, ...] = ()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrubbed_environment() -> dict[str, str]:
    """The environment of this process, without what could reach a real AWS account or change how Python runs."""
    unwanted = ("AWS_", "PYTHON", "CALLSCRIBE_", "LAMBDA_", "S3_", "BOTO_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def aws_environment(endpoint_url: str) -> dict[str, str]:
    """The variables with which any AWS SDK talks to the emulator, and to nothing else."""
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**DUMMY_CREDENTIALS, **nowhere, "AWS_ENDPOINT_URL": endpoint_url, "AWS_EC2_METADATA_DISABLED": "true"}


class Emulator:
    """One emulator process on 127.0.0.1; a context manager that starts it and stops it."""

    def __init__(self, settings: EmulatorSettings) -> None:
        """Nothing is started yet; see `start`."""
        self.settings = settings
        self.port = settings.port or free_port()
        self.endpoint_url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._temp_dir: Path | None = None

    @property
    def pid(self) -> int | None:
        """The emulator's process id, which is also its process group's; None when it does not run."""
        return self._process.pid if self._process else None

    @property
    def temp_dir(self) -> Path | None:
        """Where the emulator and its Lambdas put temporary files; deleted by `stop`."""
        return self._temp_dir

    def __enter__(self) -> Self:
        """Start and wait until it answers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in an orderly way."""
        self.stop()

    def start(self) -> None:
        """Start the process and return once it answers.

        Raises EmulatorError when its environment is missing, a patch does not fit, the port is taken, or it does
        not answer within `ready_timeout_s` seconds.
        """
        settings = self.settings
        if self._process is not None:
            raise EmulatorError("this emulator is already running")
        if not settings.python.exists():
            raise EmulatorError(f"{settings.python} is missing: run `make setup` first")
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        if settings.state_dir:
            (settings.state_dir / "s3").mkdir(parents=True, exist_ok=True)
        self._temp_dir = Path(tempfile.mkdtemp(prefix="callscribe-cloud-"))
        with settings.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [str(settings.python), str(Path(__file__).with_name("emulator_main.py"))],
                env=self._environment(self._temp_dir),
                cwd=self._temp_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=settings.kept_open,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it so that its state is on disk, kill what is left of its process group, delete its temporary files.

        Safe to call twice. Takes at most a minute: what it has not written by then is lost, and its log says so.
        """
        process, self._process = self._process, None
        temp_dir, self._temp_dir = self._temp_dir, None
        try:
            if process is not None:
                process.terminate()
                process.wait(_STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            with self.settings.log_file.open("a") as log:  # it is killed below
                log.write(f"killed: it did not end within {_STOP_GRACE_S:g} s, its state may not be on disk\n")
        finally:
            if process is not None:
                process.kill()
                process.wait()
                _kill_group(process.pid)
            if temp_dir is not None:
                shutil.rmtree(temp_dir, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether the process lives; says nothing about whether it answers."""
        return self._process is not None and self._process.poll() is None

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client for the emulator, with dummy credentials and whatever `options` override."""
        return aws_client(service, self.endpoint_url, **options)

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines of the emulator's log."""
        try:
            text = self.settings.log_file.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _environment(self, temp_dir: Path) -> dict[str, str]:
        settings = self.settings
        environment = scrubbed_environment() | DUMMY_CREDENTIALS
        environment |= {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AUTH": "true" if settings.auth else "false",
            "LOG_LEVEL": "INFO",
            "TMPDIR": str(temp_dir),
            "LAMBDA_ACCOUNT_CONCURRENCY": str(settings.lambda_concurrency),
            "LAMBDA_WARM_TTL_SECONDS": "60",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CALLSCRIBE_LAMBDA_PROCESSES": str(settings.lambda_processes),
            "CALLSCRIBE_PARENT_PID": str(os.getpid()),
        }
        return environment | _persistence(settings.state_dir, temp_dir) | dict(settings.extra_env)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.settings.ready_timeout_s
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise EmulatorError(f"the emulator ended while starting; its log ends:\n{self.log_tail()}")
            if _answers(self.endpoint_url):
                return
            time.sleep(0.05)
        seconds = self.settings.ready_timeout_s
        raise EmulatorError(f"the emulator did not answer within {seconds:g} s; its log ends:\n{self.log_tail()}")


def aws_client(service: str, endpoint_url: str, **options: Any) -> Any:
    """A boto3 client that can only reach the emulator; `options` go to boto3's `client`."""
    import boto3
    from botocore.config import Config

    defaults = Config(
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": "path"},
        retries={"max_attempts": 2, "mode": "standard"},
        max_pool_connections=32,
    )
    config = defaults.merge(options.pop("config", Config()))
    session: Any = boto3.Session(
        aws_access_key_id=options.pop("aws_access_key_id", DUMMY_CREDENTIALS["AWS_ACCESS_KEY_ID"]),
        aws_secret_access_key=options.pop("aws_secret_access_key", DUMMY_CREDENTIALS["AWS_SECRET_ACCESS_KEY"]),
        aws_session_token=options.pop("aws_session_token", None),
        region_name=REGION,
    )
    return session.client(service, endpoint_url=endpoint_url, config=config, **options)


def _persistence(state_dir: Path | None, temp_dir: Path) -> dict[str, str]:
    if state_dir is None:
        return {"PERSIST_STATE": "0", "S3_PERSIST": "0", "STATE_DIR": str(temp_dir / "state")}
    return {
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state_dir / "s3"),
    }


def _answers(endpoint_url: str) -> bool:
    try:
        # The URL is ours and http:
        with urllib.request.urlopen(f"{endpoint_url}/_ministack/health", timeout=2) as answer:  # noqa: S310 - loopback
            return bool(json.load(answer))
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _kill_group(group_id: int) -> None:
    """Kill what is left of a process group and wait until it is gone (not for ever: some `init`s never reap)."""
    deadline = time.monotonic() + _GROUP_GONE_S
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group_id, signal.SIGKILL)
            time.sleep(0.01)
