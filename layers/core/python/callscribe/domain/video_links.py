"""Which links to videos are supported: told from the link alone, without any network.

A link that is supported is written anew from its parts, so that nothing else of a stranger's text goes any further.
Playlists, channels and searches are none: a link names one video.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import parse_qsl

MAX_CHARACTERS: Final = 2_048

_LINK = re.compile(r"https?://([a-z0-9.-]+)(/[^\s?#\\]*)?(?:\?([^\s#\\]*))?(?:#[^\s\\]*)?", re.IGNORECASE)
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:([1-9][0-9]{0,4})/[^\s\\]*")
_HIGHEST_PORT = 65_535

_YOUTUBE_ID = r"(?!videoseries|live_stream)[A-Za-z0-9_-]{11}"  # both exceptions name lists
_YOUTUBE_PATH = re.compile(rf"/(?:shorts|live|embed|v)/({_YOUTUBE_ID})/?")
_YOUTUBE_SHORT = re.compile(rf"/({_YOUTUBE_ID})/?")
_VK_VIDEO = r"((?:video|clip)-?[0-9]{1,20}_[0-9]{1,20})"
_VK_PATH = re.compile(rf"(?:/playlist/-?[0-9]{{1,20}}_-?[0-9]{{1,20}})?/{_VK_VIDEO}/?")
_VK_OVERLAY = re.compile(rf"{_VK_VIDEO}(?:/.*)?")  # a page that shows the video on top of itself
_TIKTOK_PATH = re.compile(r"/@([A-Za-z0-9_.-]{1,64})/video/([0-9]{1,25})/?")
_TIKTOK_SHARED = re.compile(r"/t/([A-Za-z0-9]{1,32})/?")
_TIKTOK_SHORT = re.compile(r"/([A-Za-z0-9]{1,32})/?")


def canonical(url: str, *, allow_loopback: bool = False) -> str | None:
    """The https URL of the one video that a link names, in the site's own form; None for every other text.

    `allow_loopback` lets `http://127.0.0.1:<port>/<path>` pass as it is, for a laptop's own media server.
    """
    if len(url) > MAX_CHARACTERS or not (url.isascii() and url.isprintable()):
        return None
    if allow_loopback and (loopback := _LOOPBACK.fullmatch(url)):
        return url if int(loopback[1]) <= _HIGHEST_PORT else None
    link = _LINK.fullmatch(url)
    site = _SITES.get(link[1].lower()) if link else None
    return site(link[2] or "/", link[3] or "") if link and site else None


def _youtube(path: str, query: str) -> str | None:
    if found := _YOUTUBE_PATH.fullmatch(path):
        return _watch(found[1])
    named = _values(query, "v") if path.rstrip("/") == "/watch" else []
    return _watch(named[0]) if len(named) == 1 and re.fullmatch(_YOUTUBE_ID, named[0]) else None


def _youtube_short(path: str, _query: str) -> str | None:
    found = _YOUTUBE_SHORT.fullmatch(path)
    return _watch(found[1]) if found else None


def _watch(video_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}"


def _vk(path: str, query: str) -> str | None:
    found = _VK_PATH.fullmatch(path)
    if found is None:
        shown = _values(query, "z")
        found = _VK_OVERLAY.fullmatch(shown[0]) if len(shown) == 1 else None
    return f"https://vk.com/{found[1]}" if found else None


def _tiktok(path: str, _query: str) -> str | None:
    if found := _TIKTOK_PATH.fullmatch(path):
        return f"https://www.tiktok.com/@{found[1]}/video/{found[2]}"
    shared = _TIKTOK_SHARED.fullmatch(path)
    return f"https://www.tiktok.com/t/{shared[1]}" if shared else None


def _tiktok_short(path: str, _query: str) -> str | None:
    """Where a short link leads is known to the site alone."""
    found = _TIKTOK_SHORT.fullmatch(path)
    return f"https://vm.tiktok.com/{found[1]}" if found else None


def _values(query: str, name: str) -> list[str]:
    return [value for key, value in parse_qsl(query, keep_blank_values=True) if key == name]


_Site = Callable[[str, str], str | None]


def _sites() -> Iterator[tuple[str, _Site]]:
    """Every host, written out: no pattern of names can be stretched to another one's."""
    for prefix in ("", "www.", "m.", "music."):
        yield f"{prefix}youtube.com", _youtube
    for prefix in ("", "www."):
        yield f"{prefix}youtube-nocookie.com", _youtube
        yield f"{prefix}youtu.be", _youtube_short
    for name in ("vk.com", "vk.ru", "vkvideo.ru"):
        for prefix in ("", "www.", "m."):
            yield f"{prefix}{name}", _vk
    for prefix in ("", "www.", "m."):
        yield f"{prefix}tiktok.com", _tiktok
    for prefix in ("vm.", "vt."):
        yield f"{prefix}tiktok.com", _tiktok_short


_SITES: Final = dict(_sites())
