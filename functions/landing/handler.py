"""The root of the API: a page that says what answers here. Every other path outside the dialects is a 404."""

from html import escape
from typing import Any

from callscribe import names, wiring

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{service} · {stage}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>{service}</h1>
<p>Call transcription, stage <strong>{stage}</strong>. It speaks:</p>
<ul>
{dialects}
</ul>
</html>
"""
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answers an HTTP API event (payload 2.0): the page at the root, a 404 as JSON elsewhere."""
    is_read = event["requestContext"]["http"]["method"] in ("GET", "HEAD")
    if is_read and event["rawPath"] in ("", "/"):
        return _answer(200, "text/html; charset=utf-8", landing_page(wiring.stage_name()))
    return _answer(404, "application/json", '{"message": "Not Found"}')


def landing_page(stage: str) -> str:
    """The page, with a link to the documentation of every dialect."""
    items = (f'<li>{name}: <a href="{path}">{path}</a></li>' for name, path in names.DOCS.items())
    return _PAGE.format(service=names.SERVICE, stage=escape(stage), dialects="\n".join(items))


def _answer(status: int, content_type: str, body: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": content_type, **_HEADERS}, "body": body}
