"""The contract's routes, gathered from its areas, as one Lambda handler. Row numbers are those of the contract."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from callscribe import names
from callscribe.dialects import answers
from callscribe.dialects.front import Access, Call, Front, strict_value
from callscribe.dialects.routing import new_resolver
from callscribe.dialects.transcripto import DIALECT, codes, refusals
from callscribe.dialects.transcripto.accounts import routes as accounts_area
from callscribe.dialects.transcripto.admitting import admit
from callscribe.dialects.transcripto.categories import routes as categories_area
from callscribe.dialects.transcripto.checklists import routes as checklists_area
from callscribe.dialects.transcripto.directories import routes as directories_area
from callscribe.dialects.transcripto.documenting import ACCEPT_LANGUAGE
from callscribe.dialects.transcripto.files import routes as files_area
from callscribe.dialects.transcripto.filters import routes as filters_area
from callscribe.dialects.transcripto.results import routes as results_area
from callscribe.dialects.transcripto.scripts import routes as scripts_area
from callscribe.dialects.transcripto.tasks import routes as tasks_area
from callscribe.ports import Deps

PREFIX: Final = names.DIALECTS["transcripto"]
DOCS: Final = f"{PREFIX}/docs"
OPENAPI: Final = f"{PREFIX}/openapi.json"

AREAS: Final = (
    accounts_area,
    tasks_area,
    results_area,
    checklists_area,
    directories_area,
    categories_area,
    filters_area,
    scripts_area,
    files_area,
)
# Every route, and who may call it. A route that is not here is never reached.
ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    **{route: access for area in AREAS for route, access in area.ROUTES.items()},
    ("GET", DOCS): Access(),
    ("GET", OPENAPI): Access(),
}
_DESCRIPTION: Final = (
    "Tasks: calls, other recordings, videos and chats that are transcribed, listed and filtered. Log in at"
    " `/auth/login` and send the token as `Authorization: Bearer`. Every answer is HTTP 200; `success` and"
    " `error_code` say how it went. The exceptions: a 302 leads to a file that is too large for an answer; a path that"
    " belongs to no part of the API, such as `/nothing` or `/auth/other`, is a 404; and what never reaches us the"
    " gateway or the door answers itself: 408, 413, 429, 5xx, and 403 to a browser's preflight (`OPTIONS`) that it does"
    " not allow. What a number means at an endpoint of its own comes before its general meaning.\n\n"
)


def build(deps: Deps) -> Front:
    """The Lambda handler of this dialect."""
    return Front(
        resolver=resolver(deps),
        routes=ROUTES,
        admit=partial(admit, deps),
        refuse=refusals.refuse,
        decorate=_decorate,
        now_ms=deps.now_ms,
        inline_body_bytes=deps.settings.inline_body_bytes,
    )


def resolver(deps: Deps) -> APIGatewayHttpResolver:
    """The router behind the front: it takes what the front has let in."""
    app = new_resolver(strict_value)
    for area in AREAS:
        app.include_router(area.router(deps))
    app.include_router(
        answers.document_routes(
            app,
            title=DIALECT.title,
            base_url=deps.settings.public_base_url,
            openapi_path=OPENAPI,
            docs_path=DOCS,
            description=_DESCRIPTION + codes.published_table(),
            tags=dict(area.AREA for area in AREAS),
            parameters=[ACCEPT_LANGUAGE],
        )
    )

    def refuse_in_router(error: Exception) -> Response[str]:
        call: Call = app.context["call"]
        return refusals.refusal(error, call)

    app.exception_handler(Exception)(refuse_in_router)
    return app


def _decorate(_event: Mapping[str, Any]) -> dict[str, str]:
    return {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
