"""Answers that every dialect gives in the same way, each in its own contract's words."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from callscribe.dialects.front import Call, Malformed, MethodNotAllowed, log_refusal
from callscribe.dialects.routing import Router
from callscribe.errors import RateLimited

Refusal = Callable[[Exception], tuple[int, Mapping[str, Any]]]

NO_TAGS: Final[Mapping[str, str]] = {}


def json_response(status: int, body: str, **headers: str) -> Response[str]:
    """An answer whose body is JSON text."""
    return Response(status, "application/json", body, headers=headers)


def plain(response: Response[str] | Response[bytes]) -> dict[str, Any]:
    """The same answer as a Lambda handler gives it; bytes in base64, which the gateway undoes."""
    answer = {"statusCode": response.status_code, "headers": response.headers}
    if isinstance(response.body, bytes):
        return {**answer, "body": base64.b64encode(response.body).decode(), "isBase64Encoded": True}
    return {**answer, "body": response.body}


def later(call: Call, make: Callable[[], Response[Any]]) -> Response[str]:
    """Leave what takes time (a password's hash, a recording) to when others of this process may be answered, too.

    Whatever it raises is refused as in a route.
    """
    call.later = lambda: plain(make())
    return json_response(200, "{}")  # never seen: what is done later gives the answer


def refuse(error: Exception, *, refusal: Refusal, challenge: str) -> Response[str]:
    """The contract's answer to an error; what is ours to mend is logged.

    `refusal` gives status and body of any error, `challenge` is the scheme that a 401 asks for.
    """
    if isinstance(error, RequestValidationError):
        error = malformed(error)
    status, body = refusal(error)
    if status >= 500:
        log_refusal(error)
    return json_response(status, json.dumps(body, ensure_ascii=False), **_headers(error, status, challenge))


def malformed(error: RequestValidationError) -> Malformed:
    """The first field that is wrong, by the client's own name for it, and its rule."""
    first, *others = error.errors()
    name = _field_of(first)
    if {"string_type", "int_type"} <= {first["type"], *(one["type"] for one in others if _field_of(one) == name)}:
        return Malformed(name, "must be a string or an integer")
    rules = {"missing": "is required", "string_type": "must be a string"}
    return Malformed(name, rules.get(first["type"], str(first["msg"])))


def _field_of(error: Mapping[str, Any]) -> str:
    """Where one of several errors is; each kind that a field may be of has an error of its own."""
    return next((str(part) for part in error["loc"] if part != "body"), "body")


def document_routes(
    app: APIGatewayHttpResolver,
    *,
    title: str,
    base_url: str,
    openapi_path: str,
    docs_path: str,
    other_docs_paths: Iterable[str] = (),
    description: str = "",
    tags: Mapping[str, str] = NO_TAGS,
    parameters: Sequence[Mapping[str, Any]] = (),
) -> Router:
    """The dialect's own documentation: its OpenAPI document, and a page (at any of its paths) to read and try it.
    `tags`: those of its operations, each with a line about it. `parameters`: what every operation takes beside its own.
    """
    router = Router()

    @cache
    def document() -> str:
        from callscribe.dialects import docs  # late: OpenAPI's models take longer to load than everything else here

        return docs.openapi(
            app, title=title, base_url=base_url, description=description, tags=tags, parameters=parameters
        )

    @cache
    def page() -> tuple[str, dict[str, str]]:
        return _page(document(), f"{base_url}{openapi_path}")

    @router.get(openapi_path, include_in_schema=False)
    def openapi() -> Response[str]:
        return json_response(200, document())

    def docs_page() -> Response[str]:
        if "format=json" in router.event.get("rawQueryString", ""):  # the page's own link
            return json_response(200, document())
        html, headers = page()
        return Response(200, "text/html; charset=utf-8", html, headers=headers)

    for path in (docs_path, *other_docs_paths):
        router.get(path, include_in_schema=False)(docs_page)
    return router


def _page(document: str, document_url: str) -> tuple[str, dict[str, str]]:
    """Swagger's page and its headers."""
    from callscribe.dialects import docs  # late, as above

    html = docs.page(document)
    link = f'<{document_url}>; rel="service-desc"; type="application/json"'  # RFC 8631
    return html, {**docs.headers(html), "Link": link}


def _headers(error: Exception, status: int, challenge: str) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after_s)}
    return {401: {"WWW-Authenticate": challenge}, 503: {"Retry-After": "1"}}.get(status, {})
