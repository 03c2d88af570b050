"""A dialect's own documentation: its OpenAPI document, and Swagger's page with everything it needs inside."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.models import HTTPBase, HTTPBearer, Server, Tag
from aws_lambda_powertools.event_handler.openapi.swagger_ui import generate_swagger_html

# What the library would answer by itself; a dialect's front never lets it.
_LIBRARY_SCHEMAS = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
_ASSETS = "aws_lambda_powertools.event_handler.openapi.swagger_ui"


def openapi(
    app: APIGatewayHttpResolver,
    *,
    title: str,
    base_url: str,
    description: str,
    tags: Mapping[str, str],
    parameters: Sequence[Mapping[str, Any]],
) -> str:
    """The router's contract as OpenAPI 3.1, JSON text. Routes name the security schemes `basic` and `bearer`.

    `tags`: those of the operations, in this order, each with a line about it. `parameters`: what every operation takes
    beside its own.
    """
    document: dict[str, Any] = app.get_openapi_schema(
        title=f"callscribe: {title}",
        version="1",
        description=description or None,
        tags=[Tag(name=name, description=about) for name, about in tags.items()],
        servers=[Server(url=base_url or "/")],
        security_schemes={"basic": HTTPBase(scheme="basic"), "bearer": HTTPBearer(bearerFormat="JWT")},
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            if parameters:
                operation["parameters"] = [*operation.get("parameters", ()), *parameters]
    for name in _LIBRARY_SCHEMAS:
        document["components"]["schemas"].pop(name, None)
    schemes = document["components"]["securitySchemes"]
    for name in schemes.keys() - _named_schemes(document):
        del schemes[name]
    return json.dumps(document, ensure_ascii=False)


def _named_schemes(document: Mapping[str, Any]) -> set[str]:
    """Of the security schemes those that an operation names."""
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    return {name for operation in operations for way in operation.get("security", ()) for name in way}


def page(document: str) -> str:
    """Swagger's page for an OpenAPI document, as HTML with script and style inside: nothing comes from elsewhere."""
    folder = resources.files(_ASSETS)
    script = (folder / "swagger-ui-bundle.min.js").read_text("utf-8")
    style = (folder / "swagger-ui.min.css").read_text("utf-8")
    return generate_swagger_html(document.replace("</", "<\\/"), script, style, "", None)


def headers(html: str) -> dict[str, str]:
    """A content security policy that lets exactly this page's own scripts run."""
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy}
