"""What the front does that all dialects share: bodies that a route reads itself, and what the log says of an answer."""

import base64
import json
import logging
from typing import Any

import pytest

from callscribe.dialects.front import Access, BodyTooLong, Call, Front, Malformed
from tests.dialects.conftest import http_event

BODY = b"--x\r\nanything \x00\xff at all"


class Keeps:
    """A resolver that keeps the event it is given."""

    def __init__(self) -> None:
        self.event: dict[str, Any] = {}
        self.call = Call("-")

    def append_context(self, **additional_context: Any) -> None:
        self.call = additional_context["call"]

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        self.event = event
        return {"statusCode": 200, "headers": {}, "body": ""}


def front(resolver: Keeps, **options: Any) -> Front:
    def refuse(error: Exception, call: Call) -> dict[str, Any]:
        call.logged_status = 500 if isinstance(error, RuntimeError) else None
        return {"statusCode": 200, "headers": {}, "body": json.dumps([type(error).__name__, call.route])}

    def nobody(*_: Any) -> Any:
        raise AssertionError("nobody is to be admitted")

    return Front(
        resolver=resolver,
        routes={("POST", "/form"): Access(takes_bytes=True, max_body_bytes=None)},
        admit=nobody,
        refuse=refuse,
        decorate=lambda _event: {},
        now_ms=lambda: 0,
        **options,
    )


def refused_as(answer: dict[str, Any]) -> tuple[str, str]:
    name, route = json.loads(answer["body"])
    return name, route


def test_a_route_that_takes_bytes_gets_its_body_as_it_came() -> None:
    resolver = Keeps()
    event = http_event("POST", "/form/", body=BODY, headers={"Content-Type": "multipart/form-data; boundary=x"})
    body = event["body"]
    front(resolver)(event, None)
    assert resolver.event["body"] is body
    assert base64.b64decode(body) == BODY
    assert (resolver.event["isBase64Encoded"], resolver.event["rawPath"]) == (True, "/form")
    assert resolver.event["headers"]["content-type"] == "multipart/form-data; boundary=x"
    assert resolver.call.leniencies == ["trailing slash"]


@pytest.mark.parametrize(
    ("size", "is_text", "fits"),
    [
        (99, False, True),
        (100, False, True),
        (101, False, False),
        (102, False, False),
        (100, True, True),
        (101, True, False),
    ],
)
def test_the_length_of_such_a_body_is_that_of_its_bytes(size: int, is_text: bool, fits: bool) -> None:
    resolver = Keeps()
    kind = "text/plain" if is_text else "audio/wav"
    event = http_event("POST", "/form", body=b"x" * size, headers={"content-type": kind})
    answer = front(resolver, inline_body_bytes=100)(event, None)
    assert bool(resolver.event) is fits
    assert fits or refused_as(answer) == (BodyTooLong.__name__, "/form")


def test_a_text_of_other_characters_counts_by_its_bytes() -> None:
    event = http_event("POST", "/form", body="я".encode() * 60, headers={"content-type": "text/plain"})
    assert refused_as(front(Keeps(), inline_body_bytes=100)(event, None)) == (BodyTooLong.__name__, "/form")


def test_a_body_that_is_too_long_is_never_decoded() -> None:
    event = http_event("POST", "/form", body=b"x" * 90)
    event["body"] = "!" * 400  # no base64 at all
    assert refused_as(front(Keeps(), inline_body_bytes=100)(event, None)) == (BodyTooLong.__name__, "/form")


def test_a_compressed_form_is_refused() -> None:
    event = http_event("POST", "/form", body=BODY, headers={"content-encoding": "gzip"})
    assert refused_as(front(Keeps())(event, None)) == (Malformed.__name__, "/form")


def test_the_languages_of_a_call_are_those_of_its_header() -> None:
    resolver = Keeps()
    front(resolver)(http_event("POST", "/form", headers={"Accept-Language": "ru, en;q=0.5"}), None)
    assert resolver.call.languages == "ru, en;q=0.5"
    front(resolver)(http_event("POST", "/form"), None)
    assert resolver.call.languages == ""


def test_what_is_raised_later_is_refused_too_and_logged_as_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    class Later(Keeps):
        def resolve(self, event: Any, context: Any) -> dict[str, Any]:
            def broken() -> dict[str, Any]:
                raise RuntimeError

            self.call.later = broken
            return super().resolve(event, context)

    with caplog.at_level(logging.INFO, "callscribe"):
        answer = front(Later())(http_event("POST", "/form"), None)
    assert answer["statusCode"] == 200
    assert refused_as(answer) == ("RuntimeError", "/form")
    assert "status=500" in caplog.text
