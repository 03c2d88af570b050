"""`make serve`: the whole system on a laptop, until Ctrl-C."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console

from local.deploy import DeployError
from local.emulator import EmulatorError
from local.synthesis import SynthesisError
from local.system import DEFAULT_PORT, HOME, STAGE, LocalSystem, SystemSettings, write_private

LOCAL_FILE = HOME / "local.json"
console = Console(stderr=True, highlight=False)


def main() -> int:
    """Run until SIGINT or SIGTERM; 1 when the system could not start."""
    arguments = _arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = SystemSettings(port=arguments.port, state_dir=HOME / "state", auth=arguments.auth)
    try:
        with LocalSystem(settings, report=lambda line: console.print(f"[dim]{line}[/dim]")) as system:
            swept = system.invoke("sweep")
            write_private(LOCAL_FILE, describe(system))
            try:
                _print_welcome(system, swept)
                _wait(stop, system)
            finally:
                LOCAL_FILE.unlink(missing_ok=True)
                console.print("stopping …")
    except (DeployError, EmulatorError, SynthesisError, OSError) as error:
        console.print(f"[red]callscribe could not start:[/red] {error}", markup=True)
        return 1
    return 0


def describe(system: LocalSystem) -> dict[str, object]:
    """What `.callscribe/local.json` says to clients, tests and the command line."""
    made = system.credentials
    return {
        "stage": STAGE,
        "base_url": system.base_url,
        "aws_endpoint": system.emulator.endpoint_url,
        "webhook_secret": made.webhook_secret,
        "tenant_id": made.tenant_id,
        "presign": {"app_id": made.app_id, "api_key": made.api_key},
        "outputs": system.outputs,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port of the base URL on 127.0.0.1")
    parser.add_argument("--auth", action="store_true", help="enforce the roles' permissions")
    return parser.parse_args()


def _print_welcome(system: LocalSystem, swept: object) -> None:
    out = Console(highlight=False)
    described = describe(system)
    shown = {name: described[name] for name in ("base_url", "webhook_secret", "presign")}
    out.print(f"[bold green]callscribe is running[/bold green]   base URL  {system.base_url}")
    out.print(f"                        API docs  {system.base_url}/api/v1/docs")
    out.print(f"                        OpenAPI   {system.base_url}/api/v1/openapi.json")
    out.print("credentials of tenant 'Local' (also in .callscribe/local.json):")
    out.print_json(json.dumps(shown))
    if swept:
        out.print(f"taken up again from the last run: {swept}")
    out.print("Try:  .venv/bin/callscribe transcribe tests/audio/jfk.flac      Stop: Ctrl-C")
    sys.stdout.flush()


def _wait(stop: threading.Event, system: LocalSystem) -> None:
    while not stop.wait(1):
        if not system.emulator.is_running():
            console.print(f"[red]the laptop cloud ended by itself; its log:[/red]\n{system.emulator.log_tail()}")
            return


if __name__ == "__main__":
    if not Path("app.py").exists():
        sys.exit("run me from the repository's root: make serve")
    sys.exit(main())
