"""Sound from sites of videos: the port `VideoSite`, by yt-dlp in a process of its own for each video.

yt-dlp runs what sites send (players' scripts among it) and has a network of its own. So it gets an empty environment, a
folder, a fence about its connections (see `fence`), and an end.
"""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from callscribe.adapters.web.deadline import timed_out
from callscribe.adapters.web.guard import Rule
from callscribe.adapters.web.video_child import MEDIA, REFUSED, too_large
from callscribe.domain import video_links
from callscribe.errors import OutboundFailed, OutboundRefused
from callscribe.media import sandbox

_CHILD = "callscribe.adapters.web.video_child"
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"


class YtDlpVideos:
    """`ports.VideoSite`. `allow_loopback`: also a laptop's own media server, at http://127.0.0.1:<port>."""

    def __init__(self, *, allow_loopback: bool = False) -> None:
        self._allow_loopback = allow_loopback

    def fetch(self, url: str, path: Path, *, max_bytes: int, total_s: float) -> None:
        """See `ports.VideoSite.fetch`. `url` is canonical; a failure leaves no file."""
        if video_links.canonical(url, allow_loopback=self._allow_loopback) != url:
            raise OutboundRefused(Rule.HOST, "must be the link of one video on a site that is supported")
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="video-") as folder:
            report = _run({"link": url, "max_bytes": max_bytes}, Path(folder), total_s)
            _raise_reported(report)
            _take(Path(folder) / MEDIA, path, max_bytes)


def _run(request: dict[str, str | int], folder: Path, total_s: float) -> bytes:
    """The child's report. Whatever is left of its group is gone afterwards, on every way out."""
    process = subprocess.Popen(
        # -B: its limit on files would cut bytecode short, and Python would load that for ever after.
        [sys.executable, "-B", "-P", "-s", "-S", "-m", _CHILD, json.dumps(request)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(folder),
        cwd=folder,
        start_new_session=True,
    )
    with process:
        try:
            process.wait(total_s)
        except subprocess.TimeoutExpired:
            raise timed_out() from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.stdout.read() if process.stdout else b""


def _environment(folder: Path) -> dict[str, str]:
    """No credentials, no proxies, no settings of yt-dlp's; homes and caches in the folder that goes."""
    here = str(folder)
    programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', _PROGRAMS)}"
    return sandbox.environment() | {
        "PATH": programs,
        "HOME": here,
        "TMPDIR": here,
        "LANG": "C.UTF-8",
        "YTDLP_NO_PLUGINS": "1",
        "DENO_DIR": f"{here}/deno",
        "DENO_NO_UPDATE_CHECK": "1",
    }


def _raise_reported(report: bytes) -> None:
    try:
        told = json.loads(report)
        if not told:
            return
        kind, message = str(told["kind"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        raise OutboundFailed("protocol", "the video could not be read as its site has it") from None
    if kind == REFUSED:
        raise OutboundRefused(str(told.get("rule")), message)
    raise OutboundFailed(kind, message)


def _take(found: Path, path: Path, max_bytes: int) -> None:
    """The file in its place, once it is seen to be one, and no longer than was asked for."""
    if not found.exists() or not stat.S_ISREG(found.lstat().st_mode) or not found.stat().st_size:
        raise OutboundFailed("protocol", "the site gave no sound")
    if found.stat().st_size > max_bytes:
        raise too_large(max_bytes)
    found.replace(path)
