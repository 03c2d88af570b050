"""Call check scripts (T-33, T-34), each user's own."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.codes import Problem
from callscribe.dialects.transcripto.documenting import Area, described
from callscribe.dialects.transcripto.scripts import mapping
from callscribe.dialects.transcripto.scripts.schemas import (
    ScriptAnswer,
    ScriptChoice,
    ScriptDeletedAnswer,
    ScriptEdit,
    ScriptRequest,
    ScriptsAnswer,
    ScriptsRequest,
)
from callscribe.dialects.transcripto.shelving import PathNumber, Problems, change, meant_id
from callscribe.dialects.transcripto.texts import Said
from callscribe.domain.accounts import Scope
from callscribe.errors import Taken
from callscribe.ports import Deps
from callscribe.services import check_scripts

AREA: Final = Area("scripts", "Call check scripts: what operators shall say; each user's own.")
LIST: Final = "/user/call_check_scripts/list"
CREATE: Final = "/user/call_check_scripts/create"
EDIT: Final = "/user/call_check_scripts/edit/<script_id>"
DELETE: Final = "/user/call_check_scripts/delete/<script_id>"
_MAX_BODY_BYTES: Final = 1_500_000  # 100,000 characters, each written as two escapes, and the other fields
_WRITING: Final = Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}", max_body_bytes=_MAX_BODY_BYTES)

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("POST", LIST): Access(Scope.READ, takes_json=True, empty_body="{}"),
    ("POST", CREATE): _WRITING,
    ("POST", EDIT): _WRITING,
    ("POST", DELETE): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
}

_PROBLEMS: Final[Problems] = {Taken: Problem.DUPLICATE}
_ALL: Final = ScriptsRequest()
_NOTHING: Final = ScriptEdit()
_THE_PATHS: Final = ScriptChoice()


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()

    @router.post(LIST, **described(AREA, "Find scripts (T-33)", "listScripts", ScriptsAnswer))
    def search(body: Annotated[ScriptsRequest, Body()] = _ALL) -> Response[str]:
        return _found(deps, router.call, body)

    @router.post(CREATE, **described(AREA, "Create a script (T-34)", "createScript", ScriptAnswer))
    def create(body: Annotated[ScriptRequest, Body()]) -> Response[str]:
        return change(router.call, partial(_created, deps, router.call, body), _PROBLEMS)

    @router.post(EDIT, **described(AREA, "Edit a script (T-34)", "editScript", ScriptAnswer))
    def edit(script_id: PathNumber, body: Annotated[ScriptEdit, Body()] = _NOTHING) -> Response[str]:
        return change(router.call, partial(_edited, deps, router.call, script_id, body), _PROBLEMS)

    @router.post(DELETE, **described(AREA, "Delete a script (T-34)", "deleteScript", ScriptDeletedAnswer))
    def delete(script_id: PathNumber, body: Annotated[ScriptChoice, Body()] = _THE_PATHS) -> Response[str]:
        return change(router.call, partial(_deleted, deps, router.call, script_id, body))

    return router


def _found(deps: Deps, call: Call, body: ScriptsRequest) -> Response[str]:
    principal, only_active = principal_of(call), body.only_active or False
    found = check_scripts.search(deps, principal, q=body.q or "", only_active=only_active, **body.paging)
    return done(total=found.total, **body.paging, items=[mapping.script(one) for one in found.items])


def _created(deps: Deps, call: Call, body: ScriptRequest) -> Response[str]:
    made = check_scripts.create(
        deps,
        principal_of(call),
        identifier=body.identifier,
        title=body.title,
        script_body=body.script_body,
        description=body.description,
        is_active=True if body.is_active is None else body.is_active,
        version_number=1 if body.version is None else body.version,
    )
    return done(success_message=message(call, Said.SAVED), data=mapping.script(made))


def _edited(deps: Deps, call: Call, given: str, body: ScriptEdit) -> Response[str]:
    wanted = meant_id(given, body.script_id)
    changed = check_scripts.edit(deps, principal_of(call), wanted, **mapping.edited(body))
    return done(success_message=message(call, Said.SAVED), data=mapping.script(changed))


def _deleted(deps: Deps, call: Call, given: str, body: ScriptChoice) -> Response[str]:
    check_scripts.remove(deps, principal_of(call), meant_id(given, body.script_id))
    return done(message=message(call, Said.DELETED))
