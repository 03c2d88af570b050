"""What the guard says about URLs and addresses, without a network."""

import json
import os
import subprocess
import sys
from ipaddress import ip_network

import pytest

from callscribe.adapters.web.addresses import DENIED_V4, DENIED_V6
from callscribe.adapters.web.guard import MAX_CHARACTERS, Purpose, Rule, Target, check_address, check_url
from callscribe.errors import OutboundRefused
from tests.security.harness import CORPUS_PATH


def callback(url: object, *, allow_loopback: bool = False) -> Target:
    return check_url(url, purpose=Purpose.CALLBACK, allow_loopback=allow_loopback)


def audio(url: object, *, allow_loopback: bool = False) -> Target:
    return check_url(url, purpose=Purpose.AUDIO, allow_loopback=allow_loopback)


def refused_rule(url: object, *, allow_loopback: bool = False, purpose: Purpose = Purpose.AUDIO) -> str:
    with pytest.raises(OutboundRefused) as caught:
        check_url(url, purpose=purpose, allow_loopback=allow_loopback)
    return caught.value.rule


def test_the_documented_sample_passes() -> None:
    url = "https://mock-callback.mydomain.com/api/callback?job=1"
    assert callback(url) == Target("https", "mock-callback.mydomain.com", 443, "/api/callback?job=1")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("HTTPS://Example.COM", Target("https", "example.com", 443, "/")),
        ("https://example.com?x=1", Target("https", "example.com", 443, "/?x=1")),
        ("https://example.com/a#fragment", Target("https", "example.com", 443, "/a")),
        ("https://example.com/a%2fb@c:d[]", Target("https", "example.com", 443, "/a%2fb@c:d[]")),
        ("https://example.com/ü?ö", Target("https", "example.com", 443, "/%C3%BC?%C3%B6")),
        ("https://BÜCHER.example.com/", Target("https", "xn--bcher-kva.example.com", 443, "/")),
        ("https://bu\u0308cher.example.com/", Target("https", "xn--bcher-kva.example.com", 443, "/")),
        ("https://my_bucket.example.com:8443/", Target("https", "my_bucket.example.com", 8443, "/")),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", 443, "/")),
        (
            "https://[2606:2800:220:1:0248:1893:25C8:1946]/",
            Target("https", "2606:2800:220:1:248:1893:25c8:1946", 443, "/"),
        ),
    ],
)
def test_a_url_is_split_into_canonical_parts(url: str, target: Target) -> None:
    assert callback(url) == target


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (None, Rule.TEXT),
        (b"https://example.com/", Rule.TEXT),
        ("", Rule.TEXT),
        ("https://example.com/" + "a" * MAX_CHARACTERS, Rule.TEXT),
        ("https://example.com/ ", Rule.TEXT),
        ("https://example.com/\x7f", Rule.TEXT),
        ("https:\\\\example.com", Rule.TEXT),
        ("example.com/a", Rule.SHAPE),
        ("https://", Rule.SHAPE),
        ("https://example.com:/", Rule.SHAPE),
        ("https://[::1", Rule.SHAPE),
        ("ftp://example.com/", Rule.SCHEME),
        ("https://user@example.com/", Rule.USERINFO),
        ("https://example%2ecom/", Rule.USERINFO),
        ("https://example.com:444/", Rule.PORT),
        ("https://example.com:65536/", Rule.PORT),
        ("https://localhost/", Rule.HOST),
        ("https://printer.local/", Rule.HOST),
        ("https://example.com./", Rule.HOST),
        ("https://0177.0.0.1/", Rule.HOST),
        ("https://①②⑦.0.0.1/", Rule.HOST),
        ("https://127.0.0.1/", Rule.ADDRESS),
        ("https://[::1]/", Rule.ADDRESS),
        ("https://[64:ff9b::808:808]/", Rule.ADDRESS),
    ],
)
def test_a_refusal_names_the_rule_that_broke(url: object, rule: Rule) -> None:
    assert refused_rule(url) == rule


def test_a_url_of_exactly_the_longest_length_passes() -> None:
    start = "https://example.com/"
    assert len(callback(start + "a" * (MAX_CHARACTERS - len(start))).path) == MAX_CHARACTERS - len(start) + 1


def test_plain_http_is_for_audio_only() -> None:
    assert audio("http://example.com/a.wav").port == 80
    assert refused_rule("http://example.com/a.wav", purpose=Purpose.CALLBACK) == Rule.SCHEME


@pytest.mark.parametrize("check", [callback, audio])
def test_loopback_passes_only_where_it_is_allowed(check: object) -> None:
    assert callable(check)
    assert check("http://127.0.0.1:5001/hook", allow_loopback=True) == Target("http", "127.0.0.1", 5001, "/hook")
    with pytest.raises(OutboundRefused):
        check("http://127.0.0.1:5001/hook")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:5001/",
        "http://127.0.0.1/",
        "http://127.0.0.2:5001/",
        "http://localhost:5001/",
        "http://127.1:5001/",
        "http://[::1]:5001/",
        "http://[::ffff:127.0.0.1]:5001/",
        "http://0.0.0.0:5001/",
        "http://user@127.0.0.1:5001/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:0/",
        "http://169.254.169.254:80/",
        "http://example.com:5001/",
    ],
)
@pytest.mark.parametrize("purpose", Purpose)
def test_allowing_loopback_lifts_nothing_else(url: str, purpose: Purpose) -> None:
    assert refused_rule(url, allow_loopback=True, purpose=purpose)


@pytest.mark.parametrize("network", [*DENIED_V4, *DENIED_V6], ids=str)
def test_both_ends_of_every_denied_network_are_refused(network: object) -> None:
    block = ip_network(str(network))
    for address in (block[0], block[-1]):
        with pytest.raises(OutboundRefused):
            check_address(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.0", "223.255.255.255", "2606:2800::1"]
)
def test_neighbours_of_denied_networks_are_public(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize("form", ["::ffff:{}", "64:ff9b::{}", "::{}"])
def test_an_embedding_address_of_a_resolver_is_judged_by_the_ipv4_inside(form: str) -> None:
    check_address(form.format("8.8.8.8"))
    with pytest.raises(OutboundRefused):
        check_address(form.format("10.0.0.1"))


@pytest.mark.parametrize("text", ["", "localhost", "0177.0.0.1", "127.1", "2606:2800::1%eth0", "8.8.8.8%1"])
def test_what_is_not_a_plain_address_is_refused(text: str) -> None:
    with pytest.raises(OutboundRefused):
        check_address(text)


def test_no_refusal_tells_what_an_address_was() -> None:
    for entry in json.loads(CORPUS_PATH.read_text())["literal"]:
        with pytest.raises(OutboundRefused) as caught:
            audio(entry["url"])
        assert "169.254" not in str(caught.value)
        assert "127." not in str(caught.value)


def test_checking_a_url_loads_no_http_library() -> None:
    code = (
        "import sys\n"
        "from callscribe.adapters.web.webhooks import GuardedWebhooks\n"
        "from callscribe.ports import Settings\n"
        "GuardedWebhooks(Settings()).check('https://example.com/hook')\n"
        "print(sorted({'httpx', 'httpcore', 'ssl', 'idna'} & set(sys.modules)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
