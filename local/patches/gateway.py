"""API Gateway: what clients see of errors, and what Lambdas see of clients."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

import json
from typing import Any

from ministack.services import apigateway, lambda_svc

from .registry import Json, expect_source, patch, replace

CLIENT_ADDRESS_HEADER = "x-callscribe-client-address"


@patch
def gateway_hides_handler_errors() -> None:
    """An HTTP API answers a failed Lambda with 500 and a fixed body.

    Emulator: 502 with the exception's text and stack. AWS: 500 `{"message":"Internal Server Error"}`, and 503
    `{"message":"Service Unavailable"}` for a time-out or a throttle.
    """
    shaping = lambda_svc.lambda_execute_result_to_api_proxy_response
    expect_source(shaping, '"statusCode": 502', 'exec_result.get("throttle")')

    def make(original: Any) -> Any:
        def shape(result: Json) -> tuple[Json | None, str | None]:
            if not result.get("error"):
                return original(result)
            body = result.get("body")
            timed_out = isinstance(body, dict) and body.get("errorType") == "Sandbox.Timedout"
            unavailable = timed_out or result.get("throttle")
            status, text = (503, "Service Unavailable") if unavailable else (500, "Internal Server Error")
            headers = {"Content-Type": "application/json"}
            return {"statusCode": status, "headers": headers, "body": json.dumps({"message": text})}, None

        return shape

    replace(lambda_svc, "lambda_execute_result_to_api_proxy_response", make)


@patch
def client_address_comes_from_the_front() -> None:
    """`sourceIp` of an HTTP API event is the address our loopback front saw.

    Emulator: always 127.0.0.1. AWS: the address of the connection to the gateway. The front drops the header when a
    client sends it; whoever speaks to the emulator's own port can say what they like.
    """
    expect_source(
        apigateway._invoke_lambda_proxy,
        '"sourceIp": "127.0.0.1"',
        "run_reentrant(lambda_svc._execute_function_with_config_scope, exec_record, event",
    )

    def make(original: Any) -> Any:
        def execute(func: Json, event: Json) -> Json:
            if isinstance(event, dict) and event.get("version") == "2.0" and isinstance(event.get("headers"), dict):
                address = event["headers"].pop(CLIENT_ADDRESS_HEADER, None)
                if address:
                    event["requestContext"]["http"]["sourceIp"] = address
            return original(func, event)

        return execute

    replace(lambda_svc, "_execute_function_with_config_scope", make)


@patch
def a_greedy_path_takes_a_trailing_slash() -> None:
    """A route `/path/{proxy+}` takes a request for `/path/`.

    Emulator: what the variable stands for must not be empty, so `$default` takes it. AWS: no route may end in a slash,
    and a greedy variable is how such requests are met (github.com/storacha/w3infra/pull/166).
    """
    expect_source(apigateway._extract_path_params, 'pattern_parts.append("(.+)")', "dict(zip(param_names, m.groups()))")
    expect_source(apigateway._path_matches, "_extract_path_params(route_path, request_path) is not None")

    def make(original: Any) -> Any:
        def extract(route_path: str, request_path: str) -> dict[str, str] | None:
            greedy = route_path.rpartition("/")[2]
            if not (request_path.endswith("/") and greedy.endswith("+}")):
                return original(route_path, request_path)
            found = original(route_path, f"{request_path}-")
            return {**found, greedy[1:-2]: found[greedy[1:-2]][:-1]} if found else None

        return extract

    replace(apigateway, "_extract_path_params", make)
