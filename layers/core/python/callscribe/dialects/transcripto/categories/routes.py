"""Call categories (T-28, T-29), each user's own."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.categories import mapping
from callscribe.dialects.transcripto.categories.schemas import (
    CategoriesAnswer,
    CategoriesRequest,
    CategoryAnswer,
    CategoryDeletedAnswer,
    CategoryEdit,
    CategoryRequest,
)
from callscribe.dialects.transcripto.codes import Problem
from callscribe.dialects.transcripto.documenting import Area, described
from callscribe.dialects.transcripto.shelving import PathNumber, Problems, change, meant_id, path_number
from callscribe.dialects.transcripto.texts import Said
from callscribe.domain.accounts import Scope
from callscribe.errors import InUse
from callscribe.ports import Deps
from callscribe.services import categories

AREA: Final = Area("categories", "Call categories, each user's own.")
LIST: Final = "/user/call_categories/list"
CREATE: Final = "/user/call_categories/create"
EDIT: Final = "/user/call_categories/edit/<id>"
DELETE: Final = "/user/call_categories/delete/<id>"

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("POST", LIST): Access(Scope.READ, takes_json=True, empty_body="{}"),
    ("POST", CREATE): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
    ("POST", EDIT): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
    ("POST", DELETE): Access(Scope.TRANSCRIBE),
}

_PROBLEMS: Final[Problems] = {InUse: Problem.HAS_CHILDREN}
_ALL: Final = CategoriesRequest()
_NOTHING: Final = CategoryEdit()


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()

    @router.post(LIST, **described(AREA, "Find categories (T-28)", "listCategories", CategoriesAnswer))
    def search(body: Annotated[CategoriesRequest, Body()] = _ALL) -> Response[str]:
        return _found(deps, router.call, body)

    @router.post(CREATE, **described(AREA, "Create a category (T-29)", "createCategory", CategoryAnswer))
    def create(body: Annotated[CategoryRequest, Body()]) -> Response[str]:
        return change(router.call, partial(_created, deps, router.call, body))

    @router.post(EDIT, **described(AREA, "Edit a category (T-29)", "editCategory", CategoryAnswer))
    def edit(id: PathNumber, body: Annotated[CategoryEdit, Body()] = _NOTHING) -> Response[str]:  # noqa: A002 - as the contract's path has it
        return change(router.call, partial(_edited, deps, router.call, id, body))

    @router.post(DELETE, **described(AREA, "Delete a category (T-29)", "deleteCategory", CategoryDeletedAnswer))
    def delete(id: PathNumber) -> Response[str]:  # noqa: A002 - as the contract's path has it
        return change(router.call, partial(_deleted, deps, router.call, id), _PROBLEMS)

    return router


def _found(deps: Deps, call: Call, body: CategoriesRequest) -> Response[str]:
    found = categories.search(deps, principal_of(call), q=body.q or "", parent_id=body.parent_id, **body.paging)
    return done(items=[mapping.branch(one) for one in found.items], total=found.total, **body.paging)


def _created(deps: Deps, call: Call, body: CategoryRequest) -> Response[str]:
    made = categories.create(
        deps, principal_of(call), name=body.name, description=body.description, parent_id=body.parent_id
    )
    return done(success_message=message(call, Said.SAVED), data=mapping.category(made))


def _edited(deps: Deps, call: Call, given: str, body: CategoryEdit) -> Response[str]:
    wanted = meant_id(given, body.category_id)
    changed = categories.edit(deps, principal_of(call), wanted, **mapping.edited(body))
    return done(success_message=message(call, Said.SAVED), data=mapping.category(changed))


def _deleted(deps: Deps, call: Call, given: str) -> Response[str]:
    categories.remove(deps, principal_of(call), path_number(given))
    return done(message=message(call, Said.DELETED))
