"""`make serve`: the whole system on a laptop, until Ctrl-C."""

import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from callscribe import names
from local.credentials import write_private
from local.engine import add_engine_arguments, chosen_engine
from local.signals import end_if_told, interrupt_when_told_to_end
from local.state_lock import StateLock
from local.system import DEFAULT_PORT, HOME, STAGE, START_ERRORS, LocalSystem, SystemSettings

_LOOK_S = 1.0
console = Console(stderr=True, highlight=False)


def main() -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; 1 when the system could not start, or ended by itself."""
    arguments = _arguments()
    interrupt_when_told_to_end()
    try:
        with StateLock(arguments.home / "state", port=arguments.port) as lock:
            return _serve(arguments, lock)
    except KeyboardInterrupt:
        return 0
    except START_ERRORS as error:
        console.print(f"[red]callscribe could not start:[/red] {escape(str(error))}")
        return 1


def _serve(arguments: argparse.Namespace, lock: StateLock) -> int:
    local_file: Path = arguments.home / "local.json"
    local_file.unlink(missing_ok=True)  # of one that was killed
    settings = SystemSettings(
        port=arguments.port,
        state_dir=arguments.home / "state",
        auth=arguments.auth,
        log_dir=arguments.home / "logs",
        kept_open=(lock.descriptor,),
        door=True,
        engine=chosen_engine(arguments),
    )
    with LocalSystem(settings, report=_report) as system:
        try:
            swept = system.invoke("sweep")
            write_private(local_file, describe(system))
            _print_welcome(system, swept)
            return _watch(system)
        finally:
            local_file.unlink(missing_ok=True)
            console.print("stopping …")


def _report(line: str) -> None:
    console.print(f"[dim]{line}[/dim]")
    end_if_told()


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
        "mor": {"username": made.username, "password": made.password},
        "aivoco": {"api_key": made.api_key},
        "transcripto": made.log_in,
        "outputs": system.outputs,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port of the base URL on 127.0.0.1")
    parser.add_argument("--auth", action="store_true", help="enforce the roles' permissions")
    parser.add_argument("--home", type=Path, default=HOME, help="folder of state, logs and local.json")
    add_engine_arguments(parser)
    return parser.parse_args()


def _print_welcome(system: LocalSystem, swept: object) -> None:
    out = Console(highlight=False)
    described = describe(system)
    shown = {name: described[name] for name in ("base_url", "webhook_secret", *names.DIALECTS)}
    out.print(f"[bold green]callscribe is running[/bold green]   base URL  {system.base_url}")
    for dialect, path in names.DOCS.items():
        out.print(f"                        docs      {dialect:<12}{system.base_url}{path}", soft_wrap=True)
    out.print(f"                        engine    {escape(str(system.settings.engine))}", soft_wrap=True)
    out.print("credentials of tenant 'Local' (also in .callscribe/local.json):")
    out.print_json(json.dumps(shown))
    if swept:
        out.print(f"taken up again from the last run: {swept}")
    out.print("Try:  .venv/bin/callscribe transcribe tests/audio/jfk.flac      Stop: Ctrl-C")
    sys.stdout.flush()


def _watch(system: LocalSystem) -> int:
    """Keep the workers alive for as long as the cloud is; 1 when that ends by itself."""
    while system.emulator.is_running():
        end_if_told()
        system.keep_workers()
        time.sleep(_LOOK_S)
    console.print(f"[red]the laptop cloud ended by itself; its log:[/red]\n{escape(system.emulator.log_tail())}")
    return 1


if __name__ == "__main__":
    if not Path("app.py").exists():
        sys.exit("run me from the repository's root: make serve")
    sys.exit(main())
