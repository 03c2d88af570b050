"""Downloads by hostile URLs and from hostile servers: where they lead, how much is read, for how long, what is said."""

import gzip
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callscribe.adapters.web.connector import GuardedClient
from callscribe.adapters.web.downloads import MAX_REDIRECTS, GuardedDownloads
from callscribe.errors import OutboundFailed, OutboundRefused
from callscribe.ports import Settings
from tests.security import modes, receivers
from tests.security.downloads import FIRST, FIRST_HOP, MAX_BYTES, Download, ScriptedNetwork, good, moved
from tests.security.harness import PUBLIC
from tests.security.modes import CountingSocket, counting_connector
from tests.security.receivers import Behaviour, Receiver, receiver

STATUSES = (301, 302, 303, 307, 308)


@pytest.fixture
def network() -> Iterator[ScriptedNetwork]:
    made = ScriptedNetwork(dns={"private.example.com": ["10.0.0.5"], "mixed.example.com": [PUBLIC, "127.0.0.1"]})
    yield made
    made.close()


@pytest.fixture
def download(network: ScriptedNetwork) -> Download:
    return Download(network)


def rule(outcome: object) -> str:
    assert isinstance(outcome, OutboundRefused), outcome
    return outcome.rule


def kind(outcome: object) -> str:
    assert isinstance(outcome, OutboundFailed), outcome
    return outcome.kind


def test_a_good_file_comes_byte_by_byte_through_three_redirects(download: Download) -> None:
    body = bytes(range(256)) * 100
    chain = [
        moved("http://second.example.com/b"),
        moved("http://third.example.com/c"),
        moved("http://third.example.com/d"),
    ]
    assert download(*chain, good(body)) == body
    assert len(download.network.attempts) == 1 + MAX_REDIRECTS
    hosts = [request.split(b"host: ")[1].split(b"\r\n")[0] for request in download.network.requests()]
    assert hosts == [b"first.example.com", b"second.example.com", b"third.example.com", b"third.example.com"]


@pytest.mark.parametrize("status", STATUSES)
def test_every_kind_of_redirect_is_followed_by_a_plain_get(download: Download, status: int) -> None:
    assert download(moved("http://second.example.com/b", status), good(b"call")) == b"call"
    assert download.network.requests()[1].startswith(b"GET /b HTTP/1.1\r\n")


@pytest.mark.parametrize("hops", [4, 5, 50])
def test_a_fourth_redirect_is_not_followed(download: Download, hops: int) -> None:
    chain = [moved(f"http://hop{number}.example.com/") for number in range(hops)]
    assert kind(download(*chain, good(b"call"))) == "status"
    assert len(download.network.attempts) == 1 + MAX_REDIRECTS


@pytest.mark.parametrize("location", [FIRST, "", "#again", "a.wav"])
def test_a_loop_ends_after_three_redirects(download: Download, location: str) -> None:
    assert kind(download(moved(location))) == "status"
    assert len(download.network.attempts) == 1 + MAX_REDIRECTS


@pytest.mark.parametrize(
    ("location", "broken"),
    [
        ("http://127.0.0.1/", "address"),
        ("http://127.0.0.1:8080/", "address"),
        ("http://169.254.169.254/latest/meta-data/", "address"),
        ("//10.0.0.5/a.wav", "address"),
        ("http://private.example.com/", "address"),
        ("http://mixed.example.com/", "address"),
        ("http://[::1]/", "address"),
        ("http://localhost/", "host"),
        ("http://2130706433/", "host"),
        ("ftp://example.com/a.wav", "scheme"),
        ("file:///etc/passwd", "shape"),
        ("javascript:alert(1)", "shape"),
        ("data:audio/wav;base64,UklGRg==", "shape"),
        ("http:a.wav", "shape"),
        ("http://user:password@example.com/", "userinfo"),
        ("//user@example.com/", "userinfo"),
        ("http://example.com%2f@127.0.0.1/", "userinfo"),
        ("http://example.com:22/", "port"),
        ("//example.com:6379/", "port"),
        ("/\\evil.example.com/", "text"),
        ("/a b.wav", "text"),
        ("/a\tb.wav", "text"),
        ("https:\t//example.com/", "text"),
        ("//[::1/", "shape"),
        ("/" + "a" * 2_048, "text"),
    ],
)
@pytest.mark.parametrize("hop", [1, 2, 3])
def test_every_hop_is_judged_as_the_first(download: Download, location: str, broken: str, hop: int) -> None:
    chain = [moved("http://first.example.com/b")] * (hop - 1)
    assert rule(download(*chain, moved(location), good(b"secret"))) == broken
    assert download.network.attempts == [FIRST_HOP] * hop


@pytest.mark.parametrize(
    ("location", "line", "host"),
    [
        ("/b.wav?x=1", b"GET /b.wav?x=1 HTTP/1.1", b"first.example.com:8080"),
        ("b.wav", b"GET /calls/b.wav HTTP/1.1", b"first.example.com:8080"),
        ("../b.wav", b"GET /b.wav HTTP/1.1", b"first.example.com:8080"),
        ("../../../b.wav", b"GET /b.wav HTTP/1.1", b"first.example.com:8080"),
        ("?token=2", b"GET /calls/a.wav?token=2 HTTP/1.1", b"first.example.com:8080"),
        ("//second.example.com/b", b"GET /b HTTP/1.1", b"second.example.com"),
        ("/ü", b"GET /%C3%BC HTTP/1.1", b"first.example.com:8080"),
        ("/%C3%BC%2F", b"GET /%C3%BC%2F HTTP/1.1", b"first.example.com:8080"),
        ("HTTP://Second.example.com", b"GET / HTTP/1.1", b"second.example.com"),
    ],
)
def test_a_relative_redirect_leads_to_where_it_is_relative_to(
    download: Download, location: str, line: bytes, host: bytes
) -> None:
    url = "http://first.example.com:8080/calls/a.wav?token=1"
    assert download(moved(location), good(b"call"), url=url) == b"call"
    lines = download.network.requests()[1].split(b"\r\n")
    assert lines[0] == line
    assert b"host: " + host in lines


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["nowhere", "to two places"],
)
def test_a_redirect_must_lead_to_one_place(download: Download, answer: bytes) -> None:
    assert kind(download(answer)) == "protocol"
    assert download.network.attempts == [FIRST_HOP]


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 305, 400, 401, 403, 404, 410, 429, 500, 503])
def test_only_200_brings_a_file(download: Download, status: int) -> None:
    outcome = download(b"HTTP/1.1 %d No\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n" % status)
    assert kind(outcome) == "status"
    assert str(outcome) == f"the other side answered {status}"
    assert download.network.attempts == [FIRST_HOP]


@pytest.mark.parametrize("size", [0, 1, MAX_BYTES])
@pytest.mark.parametrize("length", ["content-length", "chunked", "until the end"])
def test_a_body_of_up_to_the_cap_is_downloaded_whole(download: Download, size: int, length: str) -> None:
    body = bytes(size)
    assert download(answer_of(body, length)) == body


@pytest.mark.parametrize("length", ["content-length", "chunked", "until the end"])
def test_one_byte_more_than_the_cap_is_too_large(download: Download, length: str) -> None:
    assert kind(download(answer_of(bytes(MAX_BYTES + 1), length))) == "too_large"


def answer_of(body: bytes, length: str) -> bytes:
    if length == "content-length":
        return good(body)
    if length == "until the end":
        return b"HTTP/1.1 200 OK\r\n\r\n" + body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in pieces(body, 1_000))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[first : first + size] for first in range(0, len(body), size)]


def test_framing_without_end_is_too_large(download: Download) -> None:
    padded = b"".join(b"1;%s\r\nx\r\n" % (b"p" * 1_000) for _ in range(190))
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + padded + b"0\r\n\r\n"
    assert kind(download(answer)) == "too_large"


def test_a_compressed_body_is_taken_as_the_bytes_that_it_is(download: Download) -> None:
    packed = gzip.compress(bytes(10_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert download(head + packed) == packed
    assert b"accept-encoding: identity\r\n" in download.network.requests()[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
def test_an_answer_that_breaks_off_or_is_no_http_is_a_failure(download: Download, answer: bytes) -> None:
    assert kind(download(answer)) == "protocol"


SAYINGS = [
    (moved("http://private.example.com/?token=s3cret"),),
    (moved("http://127.0.0.1/?token=s3cret"),),
    (moved("ftp://example.com/s3cret"),),
    (moved("/s3cret"),),
    (b"HTTP/1.1 404 s3cret\r\nX-Secret: s3cret\r\nContent-Length: 6\r\n\r\ns3cret",),
    (b"HTTP/1.1 302 s3cret\r\nContent-Length: 0\r\n\r\n",),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ns3cret",),
    (b"HTTP/1.1 200 OK\r\ns3cret\r\n\r\n",),
    (good(b"s3cret" * 10_000),),
]


@pytest.mark.parametrize("answers", SAYINGS, ids=range(len(SAYINGS)))
def test_no_error_repeats_the_url_what_it_resolved_to_or_what_was_answered(
    download: Download, answers: tuple[bytes, ...]
) -> None:
    outcome = download(*answers)
    assert isinstance(outcome, Exception)
    for secret in ("s3cret", "example.com", "10.0.0.5", "127.0.0.1", PUBLIC):
        assert secret not in str(outcome)


def laptop_download(state: Receiver, path: Path, *, total_s: float, client: GuardedClient | None = None) -> None:
    adapter = GuardedDownloads(Settings(stage="local", allow_loopback=True), client=client)
    adapter.download(state.url, path, max_bytes=MAX_BYTES, total_s=total_s)


def failure(behave: Behaviour, path: Path, total_s: float) -> str:
    """The kind of failure, or `late`."""
    with receiver(behave) as state:
        started_s = time.monotonic()
        with pytest.raises(OutboundFailed) as caught:
            laptop_download(state, path, total_s=total_s)
        in_time = time.monotonic() - started_s < total_s + modes.SLACK_S
    assert not path.exists()
    return caught.value.kind if in_time else "late"


@pytest.mark.parametrize(
    "behave", [receivers.drip_body, receivers.drip_headers, receivers.drip_informational, receivers.silence]
)
def test_a_slow_server_is_given_up_at_the_deadline(tmp_path: Path, behave: Behaviour) -> None:
    assert failure(behave, tmp_path / "audio", modes.SHORT_S) == "timeout"


def test_one_deadline_holds_for_all_hops_together(tmp_path: Path) -> None:
    def late(connection: socket.socket, state: Receiver) -> None:
        receivers.read_request(connection, state)
        state.stopping.wait(0.2)
        connection.sendall(moved("/again"))

    with receiver(late) as state:
        with pytest.raises(OutboundFailed) as caught:
            laptop_download(state, tmp_path / "audio", total_s=0.5)
        assert caught.value.kind == "timeout"
        assert 2 <= state.connections <= 3


def test_a_body_that_is_announced_too_large_is_not_read(tmp_path: Path) -> None:
    CountingSocket.received_bytes = 0
    client = GuardedClient(allow_loopback=True, connector=counting_connector)
    with receiver(receivers.huge_body) as state, pytest.raises(OutboundFailed) as caught:
        laptop_download(state, tmp_path / "audio", total_s=modes.LONG_S, client=client)
    assert caught.value.kind == "too_large"
    assert CountingSocket.received_bytes <= 2 * 65_536  # what came with the headers


def test_a_body_without_end_is_cut_and_leaves_no_file(tmp_path: Path) -> None:
    def endless(connection: socket.socket, state: Receiver) -> None:
        receivers.read_request(connection, state)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not state.stopping.is_set():
            connection.sendall(b"x" * 65_536)

    assert failure(endless, tmp_path / "audio", modes.LONG_S) == "too_large"


def test_a_connection_that_is_reset_is_a_failure(tmp_path: Path) -> None:
    assert failure(receivers.reset, tmp_path / "audio", modes.LONG_S) == "protocol"


def test_a_redirect_from_the_internet_to_the_laptop_is_refused_where_loopback_is_not_allowed(tmp_path: Path) -> None:
    with receiver(receivers.answering(receivers.OK)) as inside, receiver(receivers.redirecting(inside.url)) as outside:
        client = modes.redirected_client(outside.port)
        with pytest.raises(OutboundRefused):
            GuardedDownloads(Settings(), client=client).download(
                "http://example.com/a.wav", tmp_path / "audio", max_bytes=MAX_BYTES, total_s=modes.LONG_S
            )
    assert (outside.connections, inside.connections) == (1, 0)


def test_a_file_on_the_laptop_is_downloaded_where_that_is_allowed(tmp_path: Path) -> None:
    with receiver(receivers.answering(good(b"call"))) as state:
        laptop_download(state, tmp_path / "audio", total_s=modes.LONG_S)
    assert (tmp_path / "audio").read_bytes() == b"call"


def test_a_file_by_tls_comes_only_from_the_name_that_its_certificate_has(tmp_path: Path) -> None:
    made = receivers.certificate(tmp_path, name=modes.NAME)
    with receiver(receivers.answering(good(b"call")), tls=made.server_context()) as state:
        client = modes.redirected_client(state.port, trust_roots=made.path)
        adapter = GuardedDownloads(Settings(), client=client)
        adapter.download(f"https://{modes.NAME}/a.wav", tmp_path / "good", max_bytes=MAX_BYTES, total_s=modes.LONG_S)
        with pytest.raises(OutboundFailed) as caught:
            adapter.download("https://other.example.com/", tmp_path / "bad", max_bytes=MAX_BYTES, total_s=modes.LONG_S)
    assert caught.value.kind == "tls"
    assert (tmp_path / "good").read_bytes() == b"call"
    assert not (tmp_path / "bad").exists()


def test_a_check_applies_the_rules_for_audio_that_need_no_network() -> None:
    adapter = GuardedDownloads(Settings())
    adapter.check("http://example.com/a.wav")
    adapter.check("https://private.example.com/a.wav")
    for url, broken in (
        ("ftp://example.com/", "scheme"),
        ("http://example.com:8000/", "port"),
        ("http://10.0.0.5/", "address"),
    ):
        with pytest.raises(OutboundRefused) as caught:
            adapter.check(url)
        assert caught.value.rule == broken
    GuardedDownloads(Settings(stage="local", allow_loopback=True)).check("http://127.0.0.1:8000/")


def test_a_process_that_only_checks_urls_loads_no_http_library() -> None:
    script = (
        "import sys\n"
        "from callscribe.adapters.web.downloads import GuardedDownloads\n"
        "from callscribe.ports import Settings\n"
        "GuardedDownloads(Settings()).check('https://example.com/a.wav')\n"
        "print(sorted({'httpx', 'httpcore', 'ssl', 'idna'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
