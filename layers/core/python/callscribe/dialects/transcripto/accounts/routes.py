"""Log-in and tariff: T-10 and T-11 of the contract."""

import logging
from collections.abc import Collection, Mapping
from functools import partial
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.answers import later
from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto.accounts import mapping
from callscribe.dialects.transcripto.accounts.schemas import LoginAnswer, LoginRequest, TariffAnswer, TariffRefusal
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.directories.mapping import directory
from callscribe.dialects.transcripto.documenting import NOBODY, Area, described
from callscribe.dialects.transcripto.texts import Said, language_of
from callscribe.domain.accounts import Scope, User
from callscribe.errors import NoTariff, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, directories, tariffs, task_lists, tokens, users

log = logging.getLogger(__name__)

AREA: Final = Area("accounts", "Log-in, and the tariff.")
LOGIN: Final = "/auth/login"
TARIFF: Final = "/user/tariff"
LAST_TASKS: Final = 5

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("POST", LOGIN): Access(takes_json=True, empty_body="{}"),  # judges the credential that it is sent
    ("GET", TARIFF): Access(Scope.READ),
}


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()

    @router.post(LOGIN, **described(AREA, "Log in (T-10)", "logIn", LoginAnswer, security=NOBODY))
    def log_in(body: Annotated[LoginRequest, Body()]) -> Response[str]:
        address = str(router.event["requestContext"]["http"]["sourceIp"])
        return later(router.call, partial(_logged_in, deps, router.call, body, address))

    @router.get(
        TARIFF,
        **described(
            AREA, "The tariff and what is left of it (T-11)", "getTariff", TariffAnswer, refusals=TariffRefusal
        ),
    )
    def tariff() -> Response[str]:
        return done(errorcode=0, tariff=_tariff(deps, router.call))

    return router


def _logged_in(deps: Deps, call: Call, body: LoginRequest, address: str) -> Response[str]:
    if not deps.captcha(body.captcha_token, address=address):
        raise Refused(Problem.UNAUTHORIZED, "captcha_token: the captcha service does not know it, or no longer")
    name = body.email.strip()  # before failures are counted by it: no blank buys another try
    user = users.authenticate_by_hash(deps, username=name, client_hash=body.password_hash, address=address)
    token = tokens.issue(deps, accounts.principal_of(user), life_s=deps.settings.login_life_s)
    return done(message=message(call, Said.LOGGED_IN), token=token.token, **_account(deps, call, user))


def _account(deps: Deps, call: Call, user: User) -> dict[str, Any]:
    """What a user is greeted with, whose tenant may have no tariff."""
    shown = directories.list_directories(deps, user.tenant_id)
    known = {one.id for one in shown}
    subscribed = tariffs.tariff_of(deps, accounts.get_tenant(deps, user.tenant_id))
    remaining = tariffs.remaining(deps, user.tenant_id)
    return {
        "locale": language_of(call.languages),
        "user_id": user.number,
        "email": user.username,
        "tariff": subscribed and mapping.tariff_at_login(*subscribed, remaining, now_ms=deps.now_ms()),
        "directories": [directory(one) for one in shown],
        **_lists(deps, user.tenant_id, known),
    }


def _lists(deps: Deps, tenant_id: str, known_directories: Collection[int]) -> dict[str, Any]:
    """Nothing while there are none to be had: whoever logs in then may do all else."""
    try:
        latest = task_lists.latest(deps, tenant_id, LAST_TASKS)
        activity = task_lists.activity(deps, tenant_id)
    except Unavailable:
        log.exception("tenant %s: a log-in was answered without lists", tenant_id)
        latest, activity = (), {}
    return {
        "last_tasks": [mapping.last_task(row, known_directories) for row in latest],
        "call_activity_tree": activity,
    }


def _tariff(deps: Deps, call: Call) -> dict[str, Any]:
    tenant = accounts.get_tenant(deps, principal_of(call).tenant_id)
    subscribed = tariffs.tariff_of(deps, tenant)
    if subscribed is None:
        raise NoTariff("there is no active tariff")
    remaining = tariffs.remaining(deps, tenant.id)
    return mapping.tariff_in_full(*subscribed, remaining, now_ms=deps.now_ms(), accepted=call.languages)
