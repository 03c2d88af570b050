"""Every family of broken and hostile files ends in the right outcome, cheaply and without a socket.

CALLSCRIBE_MUTATIONS=1000 runs the long version of the random part.
"""

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest

from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.errors import FailureCode, JobFailed
from callscribe.media import sandbox
from callscribe.media.sniff import sniff
from tests.corpora import bad_audio as bad
from tests.media.measured import measure_children, outcome

MAX_RSS_MB, MAX_REFUSAL_CPU_S = 512, 10.0
CASES = list(bad.cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_bad_file_has_its_right_outcome_within_memory_and_time(
    case: bad.Case,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = measure_children(monkeypatch)
    result = outcome(case.write(tmp_path), case.limits)
    rss_mb, cpu_s = max(usage.rss_mb, default=0.0), sum(usage.cpu_s)
    print(f"{case.name:26} {cpu_s:6.2f} s CPU {rss_mb:6.0f} MB  {result}")  # noqa: T201  # the table: pytest -rP
    _assert_right(case, result)
    assert rss_mb < MAX_RSS_MB
    assert cpu_s < MAX_REFUSAL_CPU_S


def _assert_right(case: bad.Case, result: AudioFacts | JobFailed) -> None:
    if isinstance(result, JobFailed):
        assert result.failure.code in case.codes, result
    else:
        assert case.duration_s is not None, result
        least_s, most_s = case.duration_s
        assert least_s <= round(result.duration_s, 6) <= most_s


def test_random_damage_never_crashes_hangs_or_costs_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = measure_children(monkeypatch)

    def check(mutation: tuple[str, bytes]) -> str:
        path = tmp_path / mutation[0]
        path.write_bytes(mutation[1])
        result = outcome(path, AudioLimits())
        path.unlink()
        return result.failure.code if isinstance(result, JobFailed) else "accepted"

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(check, bad.mutations(int(os.environ.get("CALLSCRIBE_MUTATIONS", "150")))))
    counts = {result: results.count(result) for result in sorted(set(results))}
    print(f"{counts}; at most {max(usage.cpu_s):.2f} s CPU, {max(usage.rss_mb):.0f} MB")  # noqa: T201  # the table, too
    assert set(counts) <= {"accepted", *(code for code in FailureCode if code.startswith("audio_"))}
    assert counts["accepted"] > len(results) // 4  # damaged audio is not thrown away
    assert max(usage.rss_mb) < MAX_RSS_MB
    assert max(usage.cpu_s) < MAX_REFUSAL_CPU_S


class Listener:
    """A server on the loopback that counts who connects."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.server.shutdown(socket.SHUT_RDWR)
    listening.server.close()


def test_control_a_careless_ffmpeg_does_follow_a_playlist(tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "a.m3u8"
    path.write_text(bad.references()["hls.m3u8"].replace("{port}", str(listener.port)))
    with pytest.raises((av.FFmpegError, IndexError)):
        next(
            av.open(str(path), options={"protocol_whitelist": "file,http,tcp", "allowed_extensions": "ALL"}).decode(
                audio=0
            )
        )
    assert listener.connections > 0


FOOLED = [
    ("hls.wav", "hls"),
    ("hls_file.mp3", "hls"),
    ("concat.wav", "concat"),
    ("dash.wav", "dash"),
    ("sdp.wav", "sdp"),
]


@pytest.mark.parametrize(("name", "container"), [*FOOLED, ("hls.wav", "wav"), ("hls.wav", "mp3"), ("sdp.wav", "mov")])
def test_no_reference_is_followed_even_where_the_sniffer_is_fooled(
    name: str, container: str, tmp_path: Path, listener: Listener
) -> None:
    path = tmp_path / name
    path.write_text(bad.references()[name].replace("{port}", str(listener.port)))
    assert sniff(path.read_bytes()) is None
    request: sandbox.Request = {"mode": "inspect", "container": container, "start": 0, "max_duration_s": 60.0}
    with path.open("rb") as audio, pytest.raises(JobFailed):
        list(sandbox.run(request, audio))
    assert listener.connections == 0
