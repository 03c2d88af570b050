"""What the guarded client does on the wire: resolution, connection, headers, TLS, time and bytes."""

import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from callscribe.adapters.web.connector import GuardedClient
from callscribe.adapters.web.guard import Purpose
from callscribe.domain.callbacks import Answer
from callscribe.errors import OutboundFailed, OutboundRefused
from tests.security import harness, modes, receivers
from tests.security.harness import PUBLIC, RecordingNetwork
from tests.security.receivers import receiver

PUBLIC_V6 = "2606:2800:220:1:248:1893:25c8:1946"


@pytest.fixture
def network() -> Iterator[RecordingNetwork]:
    made = RecordingNetwork()
    yield made
    made.close()


def get(
    client: GuardedClient,
    url: str = "http://example.com/a.wav",
    *,
    total_s: float = 2,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    with client.stream(
        "GET", url, purpose=Purpose.AUDIO, total_s=total_s, max_bytes=65_536, headers=headers
    ) as response:
        return response.read()


def failure_kind(client: GuardedClient, url: str = "http://example.com/a.wav", *, total_s: float = 2) -> str:
    with pytest.raises(OutboundFailed) as caught:
        get(client, url, total_s=total_s)
    return caught.value.kind


def test_a_name_is_resolved_once_so_a_second_answer_has_no_effect(network: RecordingNetwork) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    get(GuardedClient(resolver=rebinding, connector=network.connect))
    assert asked == ["example.com"]
    assert network.attempts == [(PUBLIC, 80)]


def test_one_private_answer_among_public_ones_refuses_the_request(network: RecordingNetwork) -> None:
    network.dns = {"example.com": [PUBLIC, "10.0.0.5"]}
    with pytest.raises(OutboundRefused) as caught:
        get(network.client())
    assert caught.value.rule == "address"
    assert "10.0.0.5" not in str(caught.value)
    assert network.attempts == []


def test_literal_addresses_are_not_resolved(network: RecordingNetwork) -> None:
    get(network.client(), f"http://{PUBLIC}/")
    get(network.client(), f"http://[{PUBLIC_V6}]:8080/")
    assert network.attempts == [(PUBLIC, 80), (PUBLIC_V6, 8080)]
    assert not network.resolutions


def test_a_nat64_answer_with_a_public_address_inside_is_connected_to(network: RecordingNetwork) -> None:
    network.dns = {"example.com": ["64:ff9b::808:808"]}
    get(network.client())
    assert network.attempts == [("64:ff9b::808:808", 80)]


def test_with_loopback_allowed_only_its_exact_form_connects() -> None:
    urls = harness.corpus()
    network = RecordingNetwork(dns=urls.dns)
    client = network.client(allow_loopback=True)
    reached = [
        url for url in urls.hostile for purpose in Purpose if harness.guarded_attempt(client, network, url, purpose)
    ]
    assert reached
    assert all(re.match(r"http://127\.0\.0\.1:\d+/", url) for url in reached)


def test_a_name_that_resolves_to_loopback_is_refused_even_where_loopback_is_allowed(network: RecordingNetwork) -> None:
    network.dns = {"localtest.me": ["127.0.0.1"]}
    with pytest.raises(OutboundRefused):
        get(network.client(allow_loopback=True), "http://localtest.me:8080/")
    assert network.attempts == []


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("http://Example.com/a%20b?q=ü#f", b"GET /a%20b?q=%C3%BC HTTP/1.1", b"example.com"),
        ("http://example.com:8080", b"GET / HTTP/1.1", b"example.com:8080"),
        ("http://bücher.example.com/", b"GET / HTTP/1.1", b"xn--bcher-kva.example.com"),
        (f"http://[{PUBLIC_V6}]:8443/", b"GET / HTTP/1.1", f"[{PUBLIC_V6}]:8443".encode()),
    ],
)
def test_the_host_header_names_what_the_url_names(
    network: RecordingNetwork, url: str, line: bytes, host: bytes
) -> None:
    get(network.client(), url)
    lines = network.request_bytes().split(b"\r\n")
    assert lines[0] == line
    assert b"host: " + host in lines


def test_a_caller_can_set_its_user_agent_but_neither_host_nor_encoding(network: RecordingNetwork) -> None:
    get(network.client(), headers={"User-Agent": "Other/1", "HOST": "evil.com", "Accept-Encoding": "gzip"})
    sent = network.request_bytes()
    assert b"user-agent: Other/1\r\n" in sent
    assert b"host: example.com\r\n" in sent
    assert b"accept-encoding: identity\r\n" in sent
    assert b"evil.com" not in sent
    assert b"gzip" not in sent


def test_proxies_of_the_environment_are_ignored(network: RecordingNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")
    get(network.client())
    assert network.attempts == [(PUBLIC, 80)]


def test_the_next_address_is_tried_when_one_cannot_be_reached(network: RecordingNetwork) -> None:
    time_outs: list[float] = []

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        time_outs.append(timeout_s)
        if address == PUBLIC_V6:
            raise OSError("network is unreachable")
        return network.connect(address, port, timeout_s)

    get(GuardedClient(resolver=lambda _host, _port: [PUBLIC_V6, PUBLIC], connector=connect), total_s=2)
    assert network.attempts == [(PUBLIC, 80)]
    assert time_outs[0] <= 1 < time_outs[1] <= 2


def test_at_most_four_addresses_are_tried() -> None:
    tried: list[str] = []

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    client = GuardedClient(resolver=lambda _host, _port: [f"8.8.8.{n}" for n in range(50)], connector=connect)
    assert failure_kind(client) == "connect"
    assert tried == ["8.8.8.0", "8.8.8.1", "8.8.8.2", "8.8.8.3"]


def test_a_name_without_addresses_is_a_failure_to_connect(network: RecordingNetwork) -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert failure_kind(GuardedClient(resolver=unknown, connector=network.connect)) == "connect"
    assert failure_kind(GuardedClient(resolver=lambda _host, _port: [], connector=network.connect)) == "connect"
    assert network.attempts == []


def test_a_stalled_resolver_is_given_up_at_the_deadline(network: RecordingNetwork) -> None:
    released = threading.Event()

    def stalled(host: str, port: int) -> Sequence[str]:
        released.wait()
        return [PUBLIC]

    started_s = time.monotonic()
    assert failure_kind(GuardedClient(resolver=stalled, connector=network.connect), total_s=0.3) == "timeout"
    assert time.monotonic() - started_s < 10
    released.set()
    assert network.attempts == []


def test_an_answer_longer_than_the_cap_is_too_large(network: RecordingNetwork) -> None:
    network.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65_536
    assert failure_kind(network.client()) == "too_large"


@pytest.mark.parametrize(
    ("behave", "kind"),
    [
        (receivers.drip_headers, "timeout"),
        (receivers.drip_informational, "timeout"),
        (receivers.huge_headers, "too_large"),
        (receivers.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), "protocol"),
        (receivers.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"), "protocol"),
        (receivers.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "protocol"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_further_ways_to_misbehave_end_in_time_with_their_kind(behave: receivers.Behaviour, kind: str) -> None:
    assert modes.fails(behave, kind)


def test_a_receiver_that_takes_a_large_body_slowly_is_given_up_at_the_deadline() -> None:
    with receiver(receivers.read_slowly) as state:
        assert modes.failure(state, body=bytes(20_000_000)) == "timeout"


def test_a_port_where_nobody_listens_is_a_failure_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure_kind(GuardedClient(allow_loopback=True), f"http://127.0.0.1:{port}/") == "connect"


def test_an_answer_sent_before_the_whole_body_was_taken_counts() -> None:
    def early(connection: socket.socket, state: receivers.Receiver) -> None:
        connection.recv(1_024)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    with receiver(early) as state:
        assert modes.post(state, body=bytes(2_000_000)).status == 413


def test_a_trusted_certificate_passes_and_the_original_name_is_asked_for(tmp_path: Path) -> None:
    made = receivers.certificate(tmp_path, name=modes.NAME)
    names: list[str | None] = []
    with receiver(receivers.answering(receivers.OK), tls=made.server_context(names)) as state:
        client = modes.redirected_client(state.port, trust_roots=made.path)
        answer = modes.webhooks(client).post(f"https://{modes.NAME}/hook", headers=modes.HEADERS, body=modes.BODY)
    assert (answer.status, answer.excerpt) == (200, "ok")
    assert names == [modes.NAME]
    assert f"\r\nhost: {modes.NAME}\r\n".encode() in state.requests[0].lower()


@pytest.mark.parametrize(
    ("name", "life"),
    [("other.example.com", timedelta(days=1)), (modes.NAME, timedelta(days=-1))],
    ids=["wrong name", "expired"],
)
def test_a_certificate_by_a_trusted_root_must_still_name_the_host_and_be_in_time(
    tmp_path: Path, name: str, life: timedelta
) -> None:
    made = receivers.certificate(tmp_path, name=name, life=life)
    with modes.tls_receiver(made) as state:
        assert modes.tls_failure(modes.redirected_client(state.port, trust_roots=made.path)) == "tls"
    assert state.requests == []


@pytest.mark.parametrize(
    ("behave", "kind"),
    [(receivers.answering(receivers.OK), "timeout"), (receivers.close, "tls"), (receivers.read_slowly, "timeout")],
    ids=["plain HTTP waiting for a request", "close", "silence"],
)
def test_a_port_without_tls_is_no_https_receiver(behave: receivers.Behaviour, kind: str) -> None:
    with receiver(behave) as state:
        total_s = modes.SHORT_S if kind == "timeout" else modes.LONG_S
        assert modes.tls_failure(modes.redirected_client(state.port), total_s) == kind


def test_plain_text_on_a_tls_port_is_a_tls_failure() -> None:
    def talk_first(connection: socket.socket, state: receivers.Receiver) -> None:
        connection.sendall(receivers.OK)
        connection.recv(1_024)

    with receiver(talk_first) as state:
        assert modes.tls_failure(modes.redirected_client(state.port)) == "tls"


def test_the_excerpt_is_the_first_kibibyte_with_foreign_bytes_replaced() -> None:
    body = b"\xff\xfe" + "é".encode() * 2_000
    head = f"HTTP/1.1 500 Oops\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with receiver(receivers.answering(head + body)) as state:
        answer = modes.post(state)
    assert answer.excerpt == "\ufffd\ufffd" + "é" * 511
    assert answer.status == 500


def test_the_duration_is_measured_in_milliseconds() -> None:
    def late(connection: socket.socket, state: receivers.Receiver) -> None:
        receivers.read_request(connection, state)
        state.stopping.wait(0.2)
        connection.sendall(receivers.OK)

    with receiver(late) as state:
        answer = modes.post(state)
    assert isinstance(answer, Answer)
    assert 200 <= answer.duration_ms < 5_000


def test_a_plain_http_receiver_on_the_internet_is_refused_before_any_connection(network: RecordingNetwork) -> None:
    adapter = modes.webhooks(network.client())
    with pytest.raises(OutboundRefused):
        adapter.post("http://example.com/hook", headers={}, body=b"{}")
    assert network.attempts == []
