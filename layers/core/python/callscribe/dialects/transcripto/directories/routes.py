"""Directories (T-26, T-27): all users of a tenant share them, as they share its tasks."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.directories import mapping
from callscribe.dialects.transcripto.directories.schemas import (
    DirectoriesAnswer,
    DirectoryAnswer,
    DirectoryDeletedAnswer,
    DirectoryRequest,
)
from callscribe.dialects.transcripto.documenting import Area, described
from callscribe.dialects.transcripto.shelving import PathNumber, change, path_number
from callscribe.dialects.transcripto.texts import Said
from callscribe.domain.accounts import Scope
from callscribe.ports import Deps
from callscribe.services import directories

AREA: Final = Area("directories", "Where tasks are put; all users of a tenant share them.")
DIRECTORIES: Final = "/user/directories"
DELETE: Final = "/user/directories/delete/<directory_id>"

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("GET", DIRECTORIES): Access(Scope.READ),
    ("POST", DIRECTORIES): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
    ("DELETE", DELETE): Access(Scope.TRANSCRIBE),
}


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()

    @router.get(DIRECTORIES, **described(AREA, "All directories (T-26)", "listDirectories", DirectoriesAnswer))
    def list_all() -> Response[str]:
        found = directories.list_directories(deps, principal_of(router.call).tenant_id)
        return done(directories=[mapping.directory(one) for one in found])

    @router.post(DIRECTORIES, **described(AREA, "Create a directory (T-26)", "createDirectory", DirectoryAnswer))
    def create(body: Annotated[DirectoryRequest, Body()]) -> Response[str]:
        return change(router.call, partial(_created, deps, router.call, body))

    @router.delete(
        DELETE,
        **described(AREA, "Delete a directory; its tasks stay (T-27)", "deleteDirectory", DirectoryDeletedAnswer),
    )
    def delete(directory_id: PathNumber) -> Response[str]:
        return change(router.call, partial(_deleted, deps, router.call, directory_id))

    return router


def _created(deps: Deps, call: Call, body: DirectoryRequest) -> Response[str]:
    made = directories.create(deps, principal_of(call).tenant_id, name=body.name)
    return done(directory=mapping.directory(made))


def _deleted(deps: Deps, call: Call, directory_id: str) -> Response[str]:
    directories.remove(deps, principal_of(call).tenant_id, path_number(directory_id))
    return done(message=message(call, Said.DIRECTORY_DELETED))
