"""Directories (T-26, T-27): all users of a tenant share them, as they share its tasks."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.front import Access, Call
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.directories.schemas import (
    DirectoriesAnswer,
    DirectoryAnswer,
    DirectoryBody,
    DirectoryDeletedAnswer,
    DirectoryRequest,
)
from callscribe.dialects.transcripto.shelving import change, documented, path_number
from callscribe.dialects.transcripto.texts import Said
from callscribe.domain.accounts import Scope
from callscribe.domain.shelves import Directory
from callscribe.ports import Deps
from callscribe.services import directories

DIRECTORIES: Final = "/user/directories"
DELETE: Final = "/user/directories/delete/<directory_id>"

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("GET", DIRECTORIES): Access(Scope.READ),
    ("POST", DIRECTORIES): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
    ("DELETE", DELETE): Access(Scope.TRANSCRIBE),
}


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()  # type: ignore[no-untyped-call]  # Powertools' own constructor is not typed

    @router.get(DIRECTORIES, **documented("All directories (T-26)", "listDirectories", DirectoriesAnswer))
    def list_all() -> Response[str]:
        call: Call = router.context["call"]
        found = directories.list_directories(deps, principal_of(call).tenant_id)
        return done(directories=[rendered(one) for one in found])

    @router.post(DIRECTORIES, **documented("Create a directory (T-26)", "createDirectory", DirectoryAnswer))
    def create(body: Annotated[DirectoryRequest, Body()]) -> Response[str]:
        call: Call = router.context["call"]
        return change(call, partial(_created, deps, principal_of(call).tenant_id, body))

    @router.delete(
        DELETE, **documented("Delete a directory; its tasks stay (T-27)", "deleteDirectory", DirectoryDeletedAnswer)
    )
    def delete(directory_id: str) -> Response[str]:
        call: Call = router.context["call"]
        return change(call, partial(_deleted, deps, call, directory_id))

    return router


def rendered(one: Directory) -> dict[str, object]:
    """A directory as this area and the log-in show it."""
    return DirectoryBody(id=one.id, name=one.name).model_dump()


def _created(deps: Deps, tenant_id: str, body: DirectoryRequest) -> Response[str]:
    return done(directory=rendered(directories.create(deps, tenant_id, name=body.name)))


def _deleted(deps: Deps, call: Call, directory_id: str) -> Response[str]:
    directories.remove(deps, principal_of(call).tenant_id, path_number(directory_id))
    return done(message=message(call, Said.DIRECTORY_DELETED))
