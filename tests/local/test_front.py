"""The front: everything through to the Lambda and back, and clear answers where that is not possible."""

import concurrent.futures
import http.client
import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from local.emulator import free_port
from local.front import Front, api_id_of
from tests.local.conftest import Cloud

CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"2\r\n{}\r\n0\r\nX-Trailer: a\r\n\r\n"


@pytest.fixture(scope="module")
def front(cloud: Cloud) -> Iterator[Front]:
    with Front(cloud.emulator.endpoint_url, cloud.outputs["ApiId"]) as running:
        yield running


def ask(front: Front, method: str, target: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    try:
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_the_apis_id_is_the_first_label_of_its_url() -> None:
    assert api_id_of("https://a1b2.execute-api.eu-west-1.amazonaws.com/stage") == "a1b2"


@pytest.mark.emulator
def test_method_path_query_headers_and_body_arrive(front: Front) -> None:
    status, headers, content = ask(
        front, "POST", "/v1/calls/a%20b?x=1&x=2&y=%2F", b'{"a": 1}', Content_Type="application/json", X_Mine="yes"
    )
    event = json.loads(content)
    assert status == 200
    assert headers["x-sample"] == "yes"
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["rawQueryString"] == "x=1&x=2&y=%2F"
    assert (event["routeKey"], event["pathParameters"]) == ("ANY /v1/{proxy+}", {"proxy": "calls/a b"})
    assert (event["body"], event["headers"]["x-mine"]) == ('{"a": 1}', "yes")
    assert event["headers"]["host"] == f"127.0.0.1:{front.port}"


@pytest.mark.emulator
def test_an_unknown_path_and_the_root_reach_the_default_route(front: Front) -> None:
    for path in ("/", "/nowhere"):
        status, _, content = ask(front, "GET", path)
        assert (status, json.loads(content)["routeKey"]) == (200, "$default")


@pytest.mark.emulator
def test_the_clients_address_is_what_the_front_saw_and_not_what_the_client_says(front: Front) -> None:
    _, _, content = ask(
        front, "GET", "/v1/x", X_Forwarded_For="198.51.100.9", X_Callscribe_Client_Address="198.51.100.9"
    )
    event = json.loads(content)
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["headers"]["x-forwarded-for"] == "198.51.100.9, 127.0.0.1"


@pytest.mark.emulator
def test_another_address_of_the_loopback_net_is_told_apart(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20, source_address=("127.0.0.2", 0))
    connection.request("GET", "/v1/x")
    event = json.loads(connection.getresponse().read())
    connection.close()
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.2"


@pytest.mark.emulator
def test_a_foreign_host_name_reaches_no_other_service(front: Front) -> None:
    status, _, content = ask(front, "GET", "/v1/x", Host="s3.amazonaws.com")
    assert status == 200
    assert json.loads(content)["headers"]["host"] == f"127.0.0.1:{front.port}"


@pytest.mark.emulator
def test_four_megabytes_of_binary_come_back_unchanged(front: Front) -> None:
    body = os.urandom(4_000_000)
    status, _, content = ask(front, "PUT", "/v1/binary", body, Content_Type="audio/wav")
    assert status == 200
    assert content == body


@pytest.mark.emulator
def test_a_chunked_body_arrives(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    headers = {"Content-Type": "audio/wav"}
    connection.request("PUT", "/v1/binary", iter([b"one", b"two"]), headers, encode_chunked=True)
    assert connection.getresponse().read() == b"onetwo"
    connection.close()


@pytest.mark.emulator
def test_a_connection_serves_many_requests(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    local_ports = set()
    for number in range(5):
        connection.request("GET", f"/v1/{number}")
        assert json.loads(connection.getresponse().read())["rawPath"] == f"/v1/{number}"
        local_ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(local_ports) == 1


@pytest.mark.emulator
def test_head_has_the_headers_and_no_body(front: Front) -> None:
    status, headers, content = ask(front, "HEAD", "/v1/x")
    assert (status, content) == (200, b"")
    assert headers["x-sample"] == "yes"


@pytest.mark.emulator
def test_many_clients_at_once_each_get_their_own_answer(front: Front) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: ask(front, "GET", f"/v1/{number}"), range(32)))
    assert [json.loads(content)["rawPath"] for _, _, content in answers] == [f"/v1/{number}" for number in range(32)]


def test_a_body_above_the_limit_gets_413_in_json() -> None:
    with Front("http://127.0.0.1:9", "api", body_limit_bytes=1000) as small:
        status, headers, content = ask(small, "POST", "/v1/x", b"x" * 200_000)
        assert status == 413
        assert headers["content-type"] == "application/json"
        assert "1000 bytes" in json.loads(content)["message"]


def test_a_client_that_asks_first_is_told_before_it_sends() -> None:
    with Front("http://127.0.0.1:9", "api", body_limit_bytes=1000) as small:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n"
        assert _raw(small, head).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400"),
        (CHUNKED + b"nonsense\r\n", b"400"),
        (CHUNKED + b"fffffff\r\n", b"413"),
        (CHUNKED + b"f" * 17 + b"\r\n", b"400"),
        *(
            (CHUNKED + size + b"\r\nx\r\n0\r\n\r\n", b"400")
            for size in (b"-1", b"+1", b"0x1", b"0_1", b"", b";a", b"1 1")
        ),
        (CHUNKED + b"1\r\nxy\r\n0\r\n\r\n", b"400"),
        (CHUNKED + b"1;" + b"a" * 9000, b"400"),
    ],
)
def test_an_unreadable_body_is_refused(head: bytes, status: bytes) -> None:
    with Front("http://127.0.0.1:9", "api", body_limit_bytes=1000) as small:
        assert _raw(small, head).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("cut", range(1, len(CHUNKS)))
def test_a_body_in_chunks_whose_client_leaves_in_its_middle_is_nobodys_request(cut: int) -> None:
    gateway = socket.create_server(("127.0.0.1", 0))
    gateway.settimeout(0.05)
    with gateway, Front(f"http://127.0.0.1:{gateway.getsockname()[1]}", "api") as front:
        with socket.create_connection(("127.0.0.1", front.port), timeout=20) as client:
            client.sendall(CHUNKED + CHUNKS[:-cut])
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b""
        with pytest.raises(TimeoutError):
            gateway.accept()


def test_head_says_no_length_where_the_answer_does_not() -> None:
    gateway = socket.create_server(("127.0.0.1", 0))
    front_of = Front(f"http://127.0.0.1:{gateway.getsockname()[1]}", "api")
    with gateway, front_of as front, concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, front, "HEAD", "/x")
        connection, _ = gateway.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Sample: yes\r\nConnection: close\r\n\r\n")
        connection.close()
        status, headers, content = asked.result()
    assert (status, headers["x-sample"], headers["content-length"], content) == (200, "yes", None, b"")


def test_a_cloud_that_is_gone_gets_502_in_json() -> None:
    with Front(f"http://127.0.0.1:{free_port()}", "api") as lonely:
        status, _, content = ask(lonely, "GET", "/v1/x")
        assert status == 502
        assert "laptop cloud" in json.loads(content)["message"]


def test_a_gateway_that_takes_too_long_gets_503_as_on_aws() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, Front(f"http://127.0.0.1:{silent.getsockname()[1]}", "api", timeout_s=0.2) as front:
        assert ask(front, "GET", "/v1/x")[0] == 503


def _raw(front: Front, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", front.port), timeout=20) as connection:
        connection.sendall(request)
        return connection.recv(4096)
