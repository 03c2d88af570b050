"""yt-dlp in its process, against a local media server: sound, refusals, and everything that must not happen.

The sites themselves are never asked: what they would answer is not ours to test, that nothing else is reached is.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yt_dlp

from callscribe.adapters.web import trusted
from callscribe.adapters.web.fence import Fence
from callscribe.adapters.web.video_child import Listener, Request, options, reason_of, runtimes_here
from callscribe.adapters.web.videos import YtDlpVideos
from callscribe.errors import OutboundFailed, OutboundRefused
from callscribe.media import sandbox
from tests.adapters.media_site import SOUND, MediaSite

LARGEST = 1_000_000


@pytest.fixture
def site() -> Iterator[MediaSite]:
    with MediaSite() as serving:
        yield serving


def fetch(link: str, folder: Path, *, max_bytes: int = LARGEST, total_s: float = 60) -> Path:
    path = folder / "sound"
    YtDlpVideos(allow_loopback=True).fetch(link, path, max_bytes=max_bytes, total_s=total_s)
    return path


def failure(link: str, folder: Path, **limits: Any) -> OutboundFailed | OutboundRefused:
    """Why there is no sound; and nothing else is left in the folder either."""
    try:
        fetch(link, folder, **limits)
    except (OutboundFailed, OutboundRefused) as error:
        assert list(folder.iterdir()) == []
        return error
    pytest.fail("there is sound")


def test_T_15_the_sound_behind_a_link_comes_as_the_server_has_it(site: MediaSite, tmp_path: Path) -> None:
    assert fetch(site.url("/talk.flac?part=1"), tmp_path).read_bytes() == SOUND
    assert [path.name for path in tmp_path.iterdir()] == ["sound"]
    assert not [headers for headers in site.server.headers if {"cookie", "authorization"} & set(headers)]


def test_the_process_leaves_no_bytecode_that_its_limits_may_have_cut_short(
    site: MediaSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would load it for ever after, in every process: "marshal data too short"."""
    never_compiled = tmp_path / "packages"
    source = Path(yt_dlp.__file__).parent
    shutil.copytree(source, never_compiled / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(never_compiled)  # which the process gets from us
    folder = tmp_path / "folder"
    folder.mkdir()
    assert fetch(site.url("/talk.flac"), folder).read_bytes() == SOUND
    assert list(never_compiled.rglob("*.pyc")) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
def test_T_A26_a_server_that_refuses_is_named_by_its_answer(site: MediaSite, tmp_path: Path, status: int) -> None:
    error = failure(site.url(f"/status/{status}"), tmp_path)
    assert isinstance(error, OutboundFailed)
    assert (error.kind, str(error)) == ("status", f"the site refused: it answered {status}")


def test_T_A26_a_server_that_never_ends_is_left_at_the_deadline(site: MediaSite, tmp_path: Path) -> None:
    started_s = time.monotonic()
    error = failure(site.url("/endless"), tmp_path, total_s=5)
    assert isinstance(error, OutboundFailed)
    assert error.kind == "timeout"
    assert 5 <= time.monotonic() - started_s < 30


@pytest.mark.parametrize("path", ["/large.flac", "/unbounded"])
def test_T_A26_more_than_was_asked_for_is_refused_whether_its_length_is_told_or_not(
    site: MediaSite, tmp_path: Path, path: str
) -> None:
    error = failure(site.url(path), tmp_path)
    assert isinstance(error, OutboundFailed)
    assert error.kind == "too_large"


def test_a_file_of_just_the_largest_size_is_taken(site: MediaSite, tmp_path: Path) -> None:
    assert fetch(site.url("/talk.flac"), tmp_path, max_bytes=len(SOUND)).read_bytes() == SOUND


def test_T_A26_a_redirect_to_another_address_is_not_followed(site: MediaSite, tmp_path: Path) -> None:
    """Also not to another port of the same machine, where something else of the laptop may listen."""
    with MediaSite() as other:
        for location in (other.url("/secret"), f"http://127.0.0.2:{other.port}/secret", "http://169.254.169.254/"):
            site.server.location = location
            error = failure(site.url("/moved"), tmp_path)
            assert isinstance(error, OutboundRefused)
            assert error.rule == "address"
        assert other.asked == []


def test_T_A26_a_redirect_to_a_file_of_this_machine_is_not_followed(site: MediaSite, tmp_path: Path) -> None:
    secret = tmp_path.parent / "secret.flac"
    secret.write_bytes(SOUND)
    site.server.location = f"file://{secret}"
    assert "secret" not in str(failure(site.url("/moved"), tmp_path))


def test_T_A26_a_list_of_videos_is_no_video(site: MediaSite, tmp_path: Path) -> None:
    error = failure(site.url("/feed"), tmp_path)
    assert isinstance(error, OutboundRefused)
    assert "a list of videos" in str(error)
    assert not [path for path in site.asked if path.endswith(".mp3")]


def test_T_A26_a_page_without_a_video_says_so(site: MediaSite, tmp_path: Path) -> None:
    assert str(failure(site.url("/page"), tmp_path)) == "the site has no video at this link"


def test_a_file_without_a_byte_is_no_sound(site: MediaSite, tmp_path: Path) -> None:
    assert isinstance(failure(site.url("/empty.flac"), tmp_path), OutboundFailed)


def test_where_nobody_answers_the_site_is_not_reached(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}/talk.flac", tmp_path)
    assert isinstance(error, OutboundFailed)
    assert error.kind == "connect"


@pytest.mark.parametrize(
    "link", ["https://files.example.com/a.mp3", "https://youtu.be/dQw4w9WgXcQ", "file:///etc/passwd", "ytsearch:talk"]
)
def test_T_A26_what_is_not_canonical_starts_no_process(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_arguments, **_options: pytest.fail("a process was started"))
    assert isinstance(failure(link, tmp_path), OutboundRefused)


def test_T_A26_a_laptops_server_is_no_site_of_a_real_stage(site: MediaSite, tmp_path: Path) -> None:
    with pytest.raises(OutboundRefused):
        YtDlpVideos().fetch(site.url("/talk.flac"), tmp_path / "sound", max_bytes=LARGEST, total_s=5)
    assert site.asked == []


def run_child(code: str, *arguments: str, folder: Path) -> dict[str, Any]:
    """Run code in a process like the fetching one; what it printed."""
    command = [sys.executable, "-P", "-s", "-S", "-c", code, *arguments]
    done = subprocess.run(
        command, env=sandbox.environment(), cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


OF_A_SITE = """
import json, sys
from pathlib import Path
from callscribe.adapters.web import video_child
from callscribe.adapters.web.fence import Fence
from callscribe.errors import OutboundFailed, OutboundRefused
from yt_dlp.extractor.youtube import YoutubeIE
from yt_dlp.utils import ExtractorError

def leads_inside(self, url):
    if sys.argv[2] == "page":
        self._download_webpage(sys.argv[1], "x")
    if sys.argv[2] == "reworded":
        try:
            self._download_webpage(sys.argv[1], "x")
        except ExtractorError:
            raise ExtractorError("Video unavailable", expected=True)
    if sys.argv[2] == "aside":
        self._download_webpage(sys.argv[1], "x", fatal=False)
        raise ExtractorError("Video unavailable", expected=True)
    return {"id": "x", "title": "x", "formats": [{"url": sys.argv[1], "ext": "m4a", "vcodec": "none"}]}

YoutubeIE._real_extract = leads_inside
fence = Fence()
if sys.argv[3] == "fenced":
    fence.put_up()
request = video_child.Request("https://www.youtube.com/watch?v=dQw4w9WgXcQ", 1_000_000)
try:
    video_child.fetched(request, {})
    print(json.dumps({"fetched": True}))
except (OutboundFailed, OutboundRefused) as error:
    print(json.dumps({"type": type(error).__name__, "message": str(error)}))
"""


@pytest.mark.parametrize("stage", ["page", "reworded", "sound"])
def test_T_A26_a_site_that_leads_inside_is_not_followed_there(site: MediaSite, tmp_path: Path, stage: str) -> None:
    """As if YouTube named this machine: its page, whatever is said of that failure, or the file of the sound."""
    told = run_child(OF_A_SITE, site.url("/talk.flac"), stage, "fenced", folder=tmp_path)
    assert told == {"type": "OutboundRefused", "message": "the link led to an address that is not public"}
    assert site.asked == []


def test_T_A26_a_failure_is_told_as_it_is_although_something_else_led_inside_before(
    site: MediaSite, tmp_path: Path
) -> None:
    """One of several addresses, say, of a page that the site can do without."""
    told = run_child(OF_A_SITE, site.url("/talk.flac"), "aside", "fenced", folder=tmp_path)
    assert told == {"type": "OutboundFailed", "message": "the site refused: Video unavailable"}
    assert site.asked == []


def test_T_A26_of_all_runtimes_here_only_one_without_a_network_of_its_own_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert runtimes_here() == {"deno": "/usr/bin/deno"}
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "deno" else f"/usr/bin/{name}")
    assert runtimes_here() == {}


def test_without_the_fence_the_same_site_would_be_followed(site: MediaSite, tmp_path: Path) -> None:
    assert run_child(OF_A_SITE, site.url("/talk.flac"), "sound", "not", folder=tmp_path) == {"fetched": True}
    assert site.asked == ["/talk.flac"]


INSIDE = """
import json, os, socket, subprocess, sys
from callscribe.adapters.web.fence import Fence

fence = Fence(loopback_port=int(sys.argv[1]) or None, programs=frozenset([sys.executable]))
fence.put_up()
told = {}
for family, address in json.loads(sys.argv[2]):
    with socket.socket(getattr(socket, family), socket.SOCK_STREAM) as one:
        one.settimeout(0.2)
        try:
            one.connect(address if isinstance(address, str) else tuple(address))
            told[str(address)] = "connected"
        except PermissionError as error:
            told[str(address)] = type(error).__name__
        except OSError as error:
            told[str(address)] = "allowed"
for name in ("/bin/true", sys.executable):
    try:
        subprocess.run([name, "-c", ""] if name == sys.executable else [name])
        told[name] = "started"
    except PermissionError:
        told[name] = "refused"
try:
    os.system("true")
    told["os.system"] = "started"
except PermissionError:
    told["os.system"] = "refused"
print(json.dumps(told))
"""
PRIVATE = [
    ("AF_INET", ["10.0.0.1", 443]),
    ("AF_INET", ["169.254.169.254", 80]),
    ("AF_INET", ["169.254.170.2", 80]),  # where a container asks for its role's credentials
    ("AF_INET", ["192.168.1.1", 443]),
    ("AF_INET6", ["::1", 443, 0, 0]),
    ("AF_INET6", ["::ffff:127.0.0.1", 443, 0, 0]),
    ("AF_INET6", ["fd00::1", 443, 0, 0]),
    ("AF_UNIX", "/run/docker.sock"),
]


def test_T_A26_the_fence_lets_nothing_reach_what_is_not_public_nor_start_a_program(
    site: MediaSite, tmp_path: Path
) -> None:
    own = ("AF_INET", ["127.0.0.1", site.port])
    told = run_child(INSIDE, "0", json.dumps([*PRIVATE, own]), folder=tmp_path)
    assert (told.pop("/bin/true"), told.pop("os.system")) == ("refused", "refused")
    assert told.pop(sys.executable) == "started"
    assert set(told.values()) == {"NotPublic"}
    assert len(told) == len(PRIVATE) + 1


def test_T_A26_with_a_laptops_own_server_the_fence_lets_nothing_else_through(site: MediaSite, tmp_path: Path) -> None:
    own, public = ("AF_INET", ["127.0.0.1", site.port]), ("AF_INET", ["93.184.216.34", 443])
    told = run_child(INSIDE, str(site.port), json.dumps([*PRIVATE, public, own]), folder=tmp_path)
    assert told[str(own[1])] == "connected"
    assert [where for where, how in told.items() if how == "connected"] == [str(own[1])]
    assert told[str(public[1])] == "NotPublic"


def test_the_fence_itself_would_let_a_public_address_through() -> None:
    assert Fence()._may_connect(("93.184.216.34", 443))
    assert Fence()._may_connect(("2606:2800:220:1::1", 443, 0, 0))


def test_T_A26_yt_dlp_knows_the_supported_sites_only_and_keeps_nothing() -> None:
    from yt_dlp import YoutubeDL

    for link, wanted in (
        ("https://vk.com/video-1_2", {"Youtube", "VK", "TikTok", "TikTokVM"}),
        ("http://127.0.0.1:8000/a", {"Generic"}),
    ):
        told = options(Request(link, LARGEST), {}, Listener())
        with YoutubeDL(told) as downloader:
            assert set(downloader._ies) == wanted
            assert not any(downloader._pps.values())
            assert downloader.proxies == {"all": "__noproxy__"}
    assert not any(told[name] for name in ("cookiefile", "usenetrc", "cachedir", "remote_components"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: [youtube] dQw4w9WgXcQ: Video unavailable. This video is private", "Video unavailable. This video is private"),
        (
            "ERROR: [youtube] dQw4w9WgXcQ: Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies "
            "for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ  for how to pass cookies",
            "Sign in to confirm you’re not a bot.",
        ),
        ("\x1b[0;31mERROR:\x1b[0m [vk] -1_2: Access denied", "Access denied"),
        (
            "ERROR: [TikTok] 7: Unable to extract data; please report this issue on  https://github.com/yt-dlp , "
            "filling out the template",
            "Unable to extract data",
        ),
        ("ERROR: unable to read https://storage.example/a?signature=s3cret", "it gave no reason"),
        ("", "it gave no reason"),
    ],
)  # fmt: skip
def test_of_a_sites_reason_only_what_its_readers_can_use_is_told(said: str, told: str) -> None:
    assert reason_of(said) == told


def test_the_process_is_gone_with_whoever_started_it(site: MediaSite, tmp_path: Path) -> None:
    """A fetcher that is killed leaves nothing behind that goes on downloading."""
    code = (
        "import sys; from pathlib import Path; from callscribe.adapters.web.videos import YtDlpVideos\n"
        "YtDlpVideos(allow_loopback=True).fetch(sys.argv[1], Path(sys.argv[2]), max_bytes=10**9, total_s=300)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", code, site.url("/endless"), str(tmp_path / "x")], env=environment)
    try:
        _until(lambda: len(site.asked) >= 2)  # the page, then the download of it
        (child,) = _children_of(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    _until(lambda: not Path(f"/proc/{child}").exists() or _is_dead(child))


def _until(done: Any, within_s: float = 30) -> None:
    deadline_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_dead(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_file_is_put_whole_and_with_its_length(site: MediaSite, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(SOUND)
    trusted.put_file(site.url("/audio/t1/j1?signature=1"), path)
    assert site.server.put == {"/audio/t1/j1?signature=1": SOUND}
    assert site.server.headers[0]["content-length"] == str(len(SOUND))
    assert "transfer-encoding" not in site.server.headers[0]


def test_a_storage_that_refuses_is_told_without_its_url(site: MediaSite, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(SOUND)
    with pytest.raises(OutboundFailed, match="answered 403") as raised:
        trusted.put_file(site.url("/expired"), path)
    assert "expired" not in str(raised.value)
    assert raised.value.kind == "status"
