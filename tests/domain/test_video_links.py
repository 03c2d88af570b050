"""Which links are videos: a table of forms, and nothing else of a client's text that goes any further."""

import json
import re
import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callscribe.domain import video_links
from callscribe.domain.video_links import canonical

CORPUS = json.loads((Path(__file__).parents[1] / "corpora" / "bad_urls.json").read_text())
YOUTUBE = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
VK = "https://vk.com/video-12345_678"
TIKTOK = "https://www.tiktok.com/@some.one_1/video/7012345678901234567"
CANONICAL = re.compile(
    r"https://www\.youtube\.com/watch\?v=[A-Za-z0-9_-]{11}"
    r"|https://vk\.com/(video|clip)-?[0-9]{1,20}_[0-9]{1,20}"
    r"|https://www\.tiktok\.com/(@[A-Za-z0-9_.-]{1,64}/video/[0-9]{1,25}|t/[A-Za-z0-9]{1,32})"
    r"|https://vm\.tiktok\.com/[A-Za-z0-9]{1,32}"
)

FORMS = [
    ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", YOUTUBE),  # as in the vendor's sample
    ("http://youtube.com/watch?v=dQw4w9WgXcQ", YOUTUBE),
    ("HTTPS://WWW.YouTube.com/watch?v=dQw4w9WgXcQ", YOUTUBE),
    ("https://m.youtube.com/watch?feature=share&v=dQw4w9WgXcQ&t=42s#top", YOUTUBE),
    ("https://music.youtube.com/watch?v=dQw4w9WgXcQ&list=PL0123456789", YOUTUBE),  # one video, seen within a list
    ("https://www.youtube.com/watch/?v=dQw4w9WgXcQ", YOUTUBE),
    ("https://youtu.be/dQw4w9WgXcQ?si=abc", YOUTUBE),
    ("https://www.youtube.com/shorts/dQw4w9WgXcQ", YOUTUBE),
    ("https://www.youtube.com/live/dQw4w9WgXcQ/", YOUTUBE),
    ("https://www.youtube.com/embed/dQw4w9WgXcQ?autoplay=1", YOUTUBE),
    ("https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ", YOUTUBE),
    ("https://vk.com/video-12345_678", VK),
    ("https://m.vk.com/video-12345_678?from=feed", VK),
    ("https://vkvideo.ru/video-12345_678", VK),
    ("https://vk.ru/video-12345_678", VK),
    ("https://vkvideo.ru/playlist/-12345_-2/video-12345_678", VK),
    ("https://vk.com/feed?z=video-12345_678%2Fabcdef", VK),
    ("https://vk.com/video12345_678", "https://vk.com/video12345_678"),
    ("https://vk.com/clip-12345_678", "https://vk.com/clip-12345_678"),
    ("https://www.tiktok.com/@some.one_1/video/7012345678901234567?lang=en", TIKTOK),
    ("https://m.tiktok.com/@some.one_1/video/7012345678901234567", TIKTOK),
    ("https://vm.tiktok.com/ZMabc123/", "https://vm.tiktok.com/ZMabc123"),
    ("https://vt.tiktok.com/ZSabc123", "https://vm.tiktok.com/ZSabc123"),
    ("https://www.tiktok.com/t/ZTabc123/", "https://www.tiktok.com/t/ZTabc123"),
]

NONE_OF_OURS = [
    "",
    "dQw4w9WgXcQ",
    "www.youtube.com/watch?v=dQw4w9WgXcQ",
    "//www.youtube.com/watch?v=dQw4w9WgXcQ",
    "ftp://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "ytsearch:dQw4w9WgXcQ",
    " https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ\n",
    "https://www.youtube.com:443/watch?v=dQw4w9WgXcQ",
    "https://user@www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://user:word@youtu.be/dQw4w9WgXcQ",
    "https://www.youtube.com./watch?v=dQw4w9WgXcQ",
    "https://www.youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
    "https://evil.example/www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://evil.example/?https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://evilyoutube.com/watch?v=dQw4w9WgXcQ",
    "https://www.youtube.com\\@evil.example/watch?v=dQw4w9WgXcQ",
    "https://www.youtube.com/watch",
    "https://www.youtube.com/watch?v=short",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ0",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&v=aaaaaaaaaaa",  # which of the two?
    "https://www.youtube.com/watch?v=dQw4w9WgXc%0A",
    "https://www.youtube.com/playlist?list=PL0123456789",
    "https://www.youtube.com/embed/videoseries?list=PL0123456789",
    "https://www.youtube.com/embed/live_stream?channel=UC0123456789",
    "https://www.youtube.com/@somebody",
    "https://www.youtube.com/@somebody/live",
    "https://www.youtube.com/channel/UC0123456789",
    "https://www.youtube.com/results?search_query=dQw4w9WgXcQ",
    "https://www.youtube.com/redirect?q=http://169.254.169.254/&v=dQw4w9WgXcQ",
    "https://youtu.be/",
    "https://vk.com/",
    "https://vk.com/videos-12345",
    "https://vk.com/video/@somebody",
    "https://vk.com/video-12345",
    "https://vk.com/video_ext.php?oid=-12345&id=678",
    "https://vk.com/away.php?to=http://127.0.0.1/&z=photo-1_2",
    "https://vkvideo.ru/playlist/-12345_-2",
    "https://www.tiktok.com/@some.one",
    "https://www.tiktok.com/@some.one/photo/7012345678901234567",
    "https://www.tiktok.com/@some.one/live",
    "https://www.tiktok.com/tag/calls",
    "https://vm.tiktok.com/",
    "https://vimeo.com/76979871",
    "https://files.example.com/call.mp3",
    "http://127.0.0.1:8000/video.mp4",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&x=" + "x" * video_links.MAX_CHARACTERS,
]


@pytest.mark.parametrize(("link", "wanted"), FORMS)
def test_T_15_a_supported_link_is_written_anew_in_its_sites_own_form(link: str, wanted: str) -> None:
    assert canonical(link) == wanted
    assert canonical(link, allow_loopback=True) == wanted
    assert CANONICAL.fullmatch(wanted)


@pytest.mark.parametrize("link", NONE_OF_OURS)
def test_T_A26_every_other_text_is_no_link_of_ours(link: str) -> None:
    assert canonical(link) is None


def hostile() -> list[str]:
    names = [f"{scheme}://{name}/watch?v=dQw4w9WgXcQ" for name in CORPUS["dns"] for scheme in ("http", "https")]
    return [*(each["url"] for each in CORPUS["literal"]), *names]


def test_T_A26_nothing_of_the_hostile_corpus_passes() -> None:
    found = [link for link in hostile() if canonical(link) is not None]
    assert len(hostile()) > 150
    assert found == []


def test_T_A26_of_the_hostile_corpus_a_laptop_takes_nothing_but_its_own_server() -> None:
    passed = {link for link in hostile() if canonical(link, allow_loopback=True)}
    assert all(re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*/\S*", link) for link in passed), passed


@pytest.mark.parametrize(
    ("link", "passes"),
    [
        ("http://127.0.0.1:8000/talk.mp4", True),
        ("http://127.0.0.1:65535/a?b=c", True),
        ("http://127.0.0.1:65536/a", False),
        ("http://127.0.0.1/a", False),
        ("http://127.0.0.1:8000", False),
        ("https://127.0.0.1:8000/a", False),
        ("http://127.0.0.2:8000/a", False),
        ("http://localhost:8000/a", False),
        ("http://x@127.0.0.1:8000/a", False),
        ("http://127.0.0.1:8000/a b", False),
        ("http://127.0.0.1:8000\\@evil.example/", False),
    ],
)
def test_a_laptops_own_server_passes_as_it_is_and_only_where_that_is_allowed(link: str, passes: bool) -> None:
    assert canonical(link, allow_loopback=True) == (link if passes else None)
    assert canonical(link) is None


pieces = st.sampled_from(
    [
        "https://",
        "http://",
        "www.youtube.com",
        "youtu.be",
        "vk.com",
        "vkvideo.ru",
        "vm.tiktok.com",
        "www.tiktok.com",
        "/watch?v=",
        "dQw4w9WgXcQ",
        "/video-1_2",
        "?z=video-1_2",
        "/@a/video/1",
        "/t/abc",
        "@",
        ":80",
        "/",
        "\\",
        "%2F",
        "#",
        "?",
        "&",
        "..",
        "127.0.0.1",
        "evil.example",
        "\n",
        "\x00",
        "ａ",
    ]
)


@given(st.one_of(st.lists(pieces, max_size=10).map("".join), st.text(string.printable, max_size=80)))
@example(YOUTUBE)
def test_what_passes_has_one_of_six_forms_and_passes_again_unchanged(link: str) -> None:
    found = canonical(link)
    if found is not None:
        assert CANONICAL.fullmatch(found)
        assert canonical(found) == found
