"""Saved filters (T-30 … T-32), each user's own."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.documenting import Area, described
from callscribe.dialects.transcripto.filters import mapping
from callscribe.dialects.transcripto.filters.schemas import (
    FilterSavedAnswer,
    SavedFilterDeletedAnswer,
    SavedFilterRequest,
    SavedFiltersAnswer,
)
from callscribe.dialects.transcripto.shelving import PathNumber, change, path_number
from callscribe.dialects.transcripto.texts import Said
from callscribe.domain.accounts import Scope
from callscribe.ports import Deps
from callscribe.services import saved_filters

AREA: Final = Area("filters", "Filters of the list of tasks, kept by name; each user's own.")
SAVE: Final = "/tasks/filters/save"
LIST: Final = "/tasks/filters/list"
DELETE: Final = "/tasks/filters/delete/<filter_id>"
_MAX_BODY_BYTES: Final = 200_000  # 16,000 bytes of criteria, written in escapes, and blanks between them

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("POST", SAVE): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}", max_body_bytes=_MAX_BODY_BYTES),
    ("GET", LIST): Access(Scope.READ),
    ("POST", DELETE): Access(Scope.TRANSCRIBE),
}


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()

    @router.post(
        SAVE, **described(AREA, "Keep a filter, or replace the one of its name (T-30)", "saveFilter", FilterSavedAnswer)
    )
    def save(body: Annotated[SavedFilterRequest, Body()]) -> Response[str]:
        return change(router.call, partial(_saved, deps, router.call, body))

    @router.get(LIST, **described(AREA, "All saved filters (T-31)", "listFilters", SavedFiltersAnswer))
    def list_all() -> Response[str]:
        found = saved_filters.list_filters(deps, principal_of(router.call))
        return done(count=len(found), filters=[mapping.saved(one) for one in found])

    @router.post(DELETE, **described(AREA, "Forget a filter (T-32)", "deleteFilter", SavedFilterDeletedAnswer))
    def delete(filter_id: PathNumber) -> Response[str]:
        return change(router.call, partial(_deleted, deps, router.call, filter_id))

    return router


def _saved(deps: Deps, call: Call, body: SavedFilterRequest) -> Response[str]:
    saved_filters.save(deps, principal_of(call), name=body.name, criteria=body.criteria)
    return done(message=message(call, Said.FILTER_SAVED))


def _deleted(deps: Deps, call: Call, filter_id: str) -> Response[str]:
    saved_filters.remove(deps, principal_of(call), path_number(filter_id))
    return done(message=message(call, Said.FILTER_DELETED))
