"""local/videos.py: the fetcher of videos as a process of the laptop cloud, with a cloud that says nothing."""

import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from callscribe import names
from local.emulator import Emulator
from local.system import CONTEXT
from local.videos import VideoFetcher, fetcher_environment
from local.workers import KeptWorker

READY_S = 30.0
OUTPUTS = {"VideoQueueUrl": "http://127.0.0.1:9/000000000000/videos", "TableName": "table", "AudioBucket": "audio"}


def environment(folder: Path) -> dict[str, str]:
    silent = cast("Any", SimpleNamespace(endpoint_url="http://127.0.0.1:9", temp_dir=folder))
    return fetcher_environment(cast("Emulator", silent), OUTPUTS, as_role=False)


def test_a_fetcher_that_says_it_is_ready_is_gone_after_its_stop(tmp_path: Path) -> None:
    fetcher = VideoFetcher(environment(tmp_path), tmp_path / "videos.log")
    fetcher.wait_until_ready(READY_S)
    fetcher.stop()
    assert fetcher.status() == -signal.SIGTERM  # had it been waited for, and killed, it would be SIGKILL


def test_it_is_told_of_its_queue_and_of_nothing_else_of_the_stage(tmp_path: Path) -> None:
    told = environment(tmp_path)
    assert {name for name in told if name.startswith("CALLSCRIBE_")} == {names.ENV_VIDEO_QUEUE, names.ENV_SETTINGS}
    assert told[names.ENV_VIDEO_QUEUE] == OUTPUTS["VideoQueueUrl"]
    assert json.loads(told[names.ENV_SETTINGS]) == {"allow_loopback": True}


def test_one_that_ended_is_started_again(tmp_path: Path) -> None:
    told, now_s, lines = environment(tmp_path), [0.0], list[str]()
    kept = KeptWorker(lambda: VideoFetcher(told, tmp_path / "videos.log"), report=lines.append, now_s=lambda: now_s[0])
    try:
        first = kept.process.pid
        kept.process.wait_until_ready(READY_S)
        kept.process.kill()
        now_s[0] = 60.0
        kept.keep()
        kept.process.wait_until_ready(READY_S)
        assert kept.process.pid != first
        assert any(line.startswith("a new video fetcher runs") for line in lines)
    finally:
        kept.stop()


def test_the_laptop_takes_videos_unless_it_is_told_not_to() -> None:
    assert CONTEXT["video"] == "true"
