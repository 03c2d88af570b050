"""The root answers with a page, everything else outside the dialects with a JSON 404."""

import json
from typing import Any

import pytest

from callscribe import names
from functions.landing.handler import handler, landing_page


def request(method: str, path: str) -> dict[str, Any]:
    return {"version": "2.0", "rawPath": path, "requestContext": {"http": {"method": method, "path": path}}}


def test_the_root_names_service_stage_and_the_documentation_of_every_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.ENV_STAGE, "dev-7")
    answer = handler(request("GET", "/"), None)
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert names.SERVICE in answer["body"]
    assert "dev-7" in answer["body"]
    assert names.DOCS.keys() == names.DIALECTS.keys()
    for name, path in names.DOCS.items():
        assert f'{name}: <a href="{path}">{path}</a>' in answer["body"]
        assert path.startswith(f"{names.DIALECTS[name]}/")


@pytest.mark.parametrize(("method", "path"), [("GET", "/favicon.ico"), ("POST", "/"), ("DELETE", "/api/v2/x")])
def test_anything_else_is_a_404_in_json_that_repeats_nothing_of_the_request(method: str, path: str) -> None:
    answer = handler(request(method, path), None)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (404, "application/json")
    assert json.loads(answer["body"]) == {"message": "Not Found"}


def test_the_stage_is_written_as_text_never_as_markup() -> None:
    assert "<script>" not in landing_page("<script>")
