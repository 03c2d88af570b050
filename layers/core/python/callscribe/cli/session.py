"""What a command works with: the options given before it, the stage, and what leads to both sides of the service."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from callscribe.cli.edge import UsageError
from callscribe.cli.stages import LOCAL_FILE, Stage, find_stage, open_account, open_deps
from callscribe.errors import Unavailable

if TYPE_CHECKING:
    from callscribe.client import Client
    from callscribe.ports import Deps
    from callscribe.services.diagnosis import Account

_LAPTOP_TIMEOUT_S = 2.0

TenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        envvar="CALLSCRIBE_TENANT",
        metavar="ID",
        help="Whose, `t…`. Default on a laptop: the tenant that `make serve` made.",
    ),
]


@dataclass(frozen=True, slots=True)
class Tools:
    """How a session reaches the world; tests pass their own."""

    find_stage: Callable[[str | None], Stage | None] = find_stage
    open_deps: "Callable[[Stage], Deps]" = open_deps
    open_account: "Callable[[], Account]" = open_account
    retry_delay_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """The options that stand before a command."""

    stage: str | None = None
    base_url: str | None = None
    app_id: str | None = None
    api_key: str | None = None


@dataclass(frozen=True)
class Session:
    """One run of the command. Raises UsageError for what neither an option nor the stage says."""

    tools: Tools = field(default_factory=Tools)
    options: Options = field(default_factory=Options)

    @cached_property
    def stage(self) -> Stage:
        """The stage that the operator's commands work on."""
        stage = self.tools.find_stage(self.options.stage)
        if stage is None:
            raise UsageError("which stage? `make serve` starts one on this machine; --stage NAME finds a deployed one")
        return stage

    @cached_property
    def deps(self) -> "Deps":
        """The stage's dependencies, with the operator's own credentials."""
        if self.stage.aws_endpoint:
            _check_laptop(self.stage.aws_endpoint)
        return self.tools.open_deps(self.stage)

    def tenant_id(self, given: str | None) -> str:
        """The tenant that was named, or the stage's own."""
        tenant_id = given or self.stage.tenant_id
        if not tenant_id:
            raise UsageError("whose? --tenant ID; `callscribe tenants create` makes one")
        return tenant_id

    def client(self, sleep: Callable[[float], None]) -> "Client":
        """A client of dialect `presign`; a stage's own credentials go to its own base URL only."""
        from callscribe.client import Client

        stage = self._stage_to_call()
        base_url = self.options.base_url or (stage.base_url if stage else None)
        if not base_url:
            raise UsageError("where? --base-url URL, or --stage NAME, or `make serve` on this machine")
        own = stage if stage and stage.base_url.rstrip("/") == base_url.rstrip("/") else None
        app_id = self.options.app_id or (own.app_id if own else None)
        api_key = self.options.api_key or (own.api_key if own else None)
        if not app_id or not api_key:
            raise UsageError(f"no key for {base_url}: give --app-id and CALLSCRIBE_API_KEY (`callscribe keys create`)")
        if own and own.aws_endpoint:
            _check_laptop(base_url)
        return Client(base_url, app_id, api_key, sleep=sleep, first_delay_s=self.tools.retry_delay_s)

    def _stage_to_call(self) -> Stage | None:
        """With a base URL only the laptop's stage is of interest, because only it comes with a key."""
        return self.tools.find_stage(None if self.options.base_url else self.options.stage)


def _check_laptop(url: str) -> None:
    """Raises Unavailable where nothing listens at an address of the laptop cloud, whose file outlives a crash."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_LAPTOP_TIMEOUT_S).close()
    except OSError as error:
        raise Unavailable(
            f"the laptop cloud is not running (`make serve`): nothing answers at {parts.netloc}, "
            f"which {LOCAL_FILE} names"
        ) from error
