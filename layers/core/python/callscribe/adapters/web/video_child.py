"""The process that runs yt-dlp for one video: `python -m callscribe.adapters.web.video_child <request as JSON>`.

It reports by one line of JSON on its output: `{}` for sound that is there, else the kind of failure and a message. It
lives for as long as its input is open.

The one program that it starts is deno, which runs what YouTube's players need, and lets a script reach neither network
nor files. The fence does not see what another program connects to, and the permissions of node, which yt-dlp could use
as well, let scripts reach any address: without deno there is less that YouTube gives, and no other runtime.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from callscribe.adapters.web.fence import Fence, NotPublic, not_public
from callscribe.errors import OutboundFailed, OutboundRefused

MEDIA = "media"  # the file, in the working folder
REFUSED = "refused"
_SOCKET_TIMEOUT_S = 20
_RETRIES = 2
_SITES = (r"youtube", r"vk", r"tiktok", r"vm\.tiktok")  # yt-dlp's names of what it knows; whole names
_OWN = (r"generic",)  # takes any page: for a laptop's own server only
_RUNTIME = "deno"
# Files of one piece before lists of pieces, whose container may be one that we do not open; small pictures.
_FORMATS = (
    "bestaudio[protocol!*=m3u8]/best[protocol!*=m3u8][height<=?480]/best[protocol!*=m3u8]"
    "/bestaudio/best[height<=?480]/best"
)
_MAX_CHARACTERS = 200
_TOO_LARGE_LOG = "larger than max-filesize"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_BEFORE_REASON = re.compile(r"^(?:ERROR: )?(?:\[[^\]]*\] )?(?:[\w-]{1,64}: )?")
_FOR_ITS_OWN_USERS = re.compile(r"--\w|https?:|yt-dlp|report this issue|\bproxy\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be fetched. `link` is canonical."""

    link: str
    max_bytes: int

    @property
    def loopback_port(self) -> int | None:
        """The port of a laptop's own server; None for a site."""
        parts = urlsplit(self.link)
        return parts.port if parts.scheme == "http" else None


class Listener:
    """Takes what yt-dlp logs, and keeps nothing of it but whether a file was too large."""

    too_large = False

    def debug(self, message: str) -> None:
        """What it does."""
        self.too_large = self.too_large or _TOO_LARGE_LOG in message

    def warning(self, _message: str) -> None:
        """What it wonders at."""

    def error(self, _message: str) -> None:
        """What it raises, too."""


def options(request: Request, runtimes: Mapping[str, str], listener: Listener) -> dict[str, Any]:
    """What yt-dlp is told. As a library it reads no configuration, and writes nothing but the file."""
    return {
        "allowed_extractors": [f"^{name}$" for name in (_OWN if request.loopback_port else _SITES)],
        "format": _FORMATS,
        "outtmpl": {"default": MEDIA},
        "paths": {},
        "max_filesize": request.max_bytes,
        "noplaylist": True,
        "extract_flat": "in_playlist",  # a list is refused, not walked through
        "logger": listener,
        "noprogress": True,
        "quiet": True,
        "cachedir": False,
        "cookiefile": None,
        "usenetrc": False,
        "enable_file_urls": False,
        "proxy": "",
        "socket_timeout": _SOCKET_TIMEOUT_S,
        "retries": _RETRIES,
        "fragment_retries": _RETRIES,
        "extractor_retries": _RETRIES,
        "external_downloader": {},
        "hls_prefer_native": True,
        "fixup": "never",
        "postprocessors": [],
        "nopart": True,
        "continuedl": False,
        "overwrites": True,
        "updatetime": False,
        "writeinfojson": False,
        "skip_unavailable_fragments": False,
        "check_formats": None,
        "remote_components": [],
        "js_runtimes": {name: {"path": path} for name, path in runtimes.items()},
        "color": {"stdout": "never", "stderr": "never"},
    }


def fetched(request: Request, runtimes: Mapping[str, str]) -> None:
    """Fetch the sound into MEDIA. Raises OutboundRefused and OutboundFailed."""
    from yt_dlp import YoutubeDL
    from yt_dlp.globals import plugin_dirs
    from yt_dlp.utils import YoutubeDLError

    plugin_dirs.value = []
    listener = Listener()
    try:
        with YoutubeDL(options(request, runtimes, listener)) as downloader:
            found = downloader.extract_info(request.link, download=False)
            _require_one(found)
            downloader.process_ie_result(found, download=True)
    except (YoutubeDLError, OSError) as error:
        if _led_inside(error):
            raise not_public() from error
        if _is_full(request):
            raise too_large(request.max_bytes) from error
        raise _failure(error) from error
    if listener.too_large or _is_full(request, by=1):
        raise too_large(request.max_bytes)


def too_large(max_bytes: int) -> OutboundFailed:
    """What whoever asked for more is told."""
    return OutboundFailed("too_large", f"the sound of the video has more than {max_bytes} bytes")


def _require_one(found: Mapping[str, Any] | None) -> None:
    if found is None:
        raise OutboundFailed("protocol", "the site named no video")
    if found.get("_type", "video") != "video" or found.get("entries"):
        raise OutboundRefused("video", "the link names a list of videos, not one")
    if found.get("is_live") or found.get("live_status") in ("is_live", "is_upcoming"):
        raise OutboundRefused("video", "the link names a live stream, which has not ended")


def _is_full(request: Request, *, by: int = 0) -> bool:
    """Whether the file is as long as it may be: there the kernel ends it."""
    path = Path(MEDIA)
    return path.exists() and path.stat().st_size >= request.max_bytes + by


def _failure(error: BaseException) -> OutboundFailed:
    """By what lies at its root: an answer of the site, no answer, or the site's own words on why it gives nothing."""
    from yt_dlp.networking.exceptions import HTTPError, SSLError, TransportError
    from yt_dlp.utils import UnsupportedError

    for cause in _causes(error):
        if isinstance(cause, HTTPError):
            return OutboundFailed("status", f"the site refused: it answered {cause.status}")
        if isinstance(cause, SSLError):
            return OutboundFailed("tls", "no trusted TLS connection to the site could be made")
        if isinstance(cause, UnsupportedError):
            return OutboundFailed("status", "the site has no video at this link")
        if isinstance(cause, TransportError | OSError):
            return OutboundFailed("connect", "the site could not be reached, or broke off")
    return OutboundFailed("status", f"the site refused: {reason_of(str(error))}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it; yt-dlp keeps that in fields of its own."""
    seen: set[int] = set()
    while isinstance(error, BaseException) and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "exc_info", None)
        error = (inner[1] if isinstance(inner, tuple) else None) or getattr(error, "cause", None)


def _led_inside(error: BaseException) -> bool:
    """Whether it failed because the fence refused a connection; of a download that was tried again words are left."""
    return NotPublic.WORDS in str(error) or any(isinstance(cause, NotPublic) for cause in _all_causes(error))


def _all_causes(error: BaseException) -> Iterator[BaseException]:
    """What `_causes` tells, and what each of these was raised from: libraries below yt-dlp wrap errors once more."""
    left, seen = [error], set[int]()
    while left:
        for one in _causes(left.pop()):
            if id(one) not in seen:
                seen.add(id(one))
                yield one
                left += filter(None, (one.__cause__, one.__context__))


def reason_of(text: str) -> str:
    """The site's words, without addresses and what is said to people at yt-dlp's command line."""
    plain = _BEFORE_REASON.sub("", " ".join(_ESCAPES.sub("", text).split()))
    sentences = re.split(r"(?<=[.;!?])\s+", plain)
    told = " ".join(one for one in sentences if not _FOR_ITS_OWN_USERS.search(one)).rstrip(";, ")
    return told[:_MAX_CHARACTERS] or "it gave no reason"


def runtimes_here() -> dict[str, str]:
    """The JavaScript runtimes that may be used, by name and path: deno, where it is installed."""
    path = shutil.which(_RUNTIME)
    return {_RUNTIME: path} if path else {}


def _confine(max_bytes: int) -> None:
    """No file may become longer than is asked for, and nothing is left of a crash."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    """The parent holds the other end of our input, and never writes: once it is closed, all of us are to go."""

    def wait() -> None:
        os.read(0, 1)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Fetch what the request names, and report."""
    report = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _end_with_parent()
    request = Request(**json.loads(sys.argv[1]))
    runtimes = runtimes_here()
    _confine(request.max_bytes)
    fence = Fence(loopback_port=request.loopback_port, programs=frozenset(runtimes.values()))
    fence.put_up()
    told: dict[str, str] = {}
    try:
        fetched(request, runtimes)
    except OutboundFailed as error:
        told = {"kind": error.kind, "message": str(error)}
    except OutboundRefused as error:
        told = {"kind": REFUSED, "rule": error.rule, "message": str(error)}
    with contextlib.suppress(BrokenPipeError):
        os.write(report, json.dumps(told).encode())


if __name__ == "__main__":
    main()
