"""functions/api and functions/landing on API Gateway's events."""

import base64
import json

from tests.functions.events import http_event
from tests.functions.stage import Stage, handler_of


def test_the_api_function_speaks_the_dialect_that_its_environment_names(stage: Stage) -> None:
    handler = handler_of("api")
    basic = base64.b64encode(f"{stage.principal.key_id}:{stage.secret}".encode()).decode()
    token = handler(http_event("POST", "/api/v1/auth/token", headers={"authorization": f"Basic {basic}"}), None)
    assert token["statusCode"] == 200
    bearer = {"authorization": f"Bearer {json.loads(token['body'])['accessToken']}", "content-type": "application/json"}
    body = json.dumps({"mimeType": "audio/wav"})
    made = handler(http_event("POST", "/api/v1/generate-presigned-url", headers=bearer, body=body), None)
    answer = json.loads(made["body"])
    assert made["statusCode"] == 200
    assert answer["presignedUrl"].startswith("https://audio.s3.eu-central-1.amazonaws.com/audio/")
    request = json.dumps({"requestId": answer["requestId"]})
    asked = handler(http_event("POST", "/api/v1/get-transcription", headers=bearer, body=request), None)
    assert json.loads(asked["body"])["processingStatus"] == "PENDING"


def test_the_api_function_lets_nobody_in_without_a_token(stage: Stage) -> None:
    answer = handler_of("api")(http_event("POST", "/api/v1/generate-presigned-url", body="{}"), None)
    assert answer["statusCode"] == 401
    assert "messsage" in json.loads(answer["body"])


def test_the_root_is_a_page_that_names_every_dialect(stage: Stage) -> None:
    answer = handler_of("landing")(http_event("GET", "/"), None)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "text/html; charset=utf-8")
    for path in ("/api/v1/docs", "/billing/api/v2/api-docs", "/aivoco/docs"):
        assert f'<a href="{path}">' in answer["body"]
    assert "stage <strong>local</strong>" in answer["body"]


def test_every_other_path_and_method_is_a_404_as_json(stage: Stage) -> None:
    handler = handler_of("landing")
    for method, path in (("GET", "/nowhere"), ("POST", "/"), ("GET", "//"), ("DELETE", "/api")):
        answer = handler(http_event(method, path), None)
        assert (answer["statusCode"], json.loads(answer["body"])) == (404, {"message": "Not Found"})
