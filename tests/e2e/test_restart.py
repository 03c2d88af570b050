"""State survives an orderly stop; what was under way is taken up again by the sweeper."""

import os
import time
from pathlib import Path

import pytest

from benchmarks.memory import descendants
from callscribe.client import Client, Status
from local.receiver import Receiver, verify_callback
from local.system import LocalSystem, SystemSettings

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

CONTEXT = {"recheck_s": "1", "work_visibility_s": "6", "callback_schedule_s": "0,1,1,1,2,2"}


def started(tmp_path: Path, *, workers: int) -> LocalSystem:
    settings = SystemSettings(
        port=0, state_dir=tmp_path / "state", log_dir=tmp_path / "logs", workers=workers, context=CONTEXT
    )
    return LocalSystem(settings)


def test_a_job_interrupted_by_a_stop_is_finished_after_the_next_start(tmp_path: Path, clip: Path) -> None:
    with Receiver() as receiver:
        with started(tmp_path, workers=0) as before:
            made = before.credentials
            with Client(before.base_url, made.app_id, made.api_key) as client:
                done = client.create_upload("audio/flac")
                upload = client.create_upload("audio/flac", callback_url=receiver.url)
                client.upload(upload.url, clip, "audio/flac")
                time.sleep(3)  # it waits for a worker by now
        with started(tmp_path, workers=1) as after:
            assert after.credentials == made
            time.sleep(1.5)
            assert after.invoke("sweep") == {"restarted": 1}
            received = receiver.wait_for(upload.request_id, 60)
            body = verify_callback(made.webhook_secret, received.headers, received.body)
            assert body["transcription"]
            assert {one.headers["webhook-id"] for one in receiver.requests_for(upload.request_id)} == {
                f"msg_{upload.request_id}"
            }
            with Client(after.base_url, made.app_id, made.api_key) as client:
                assert client.result(upload.request_id).status is Status.COMPLETED
                assert client.result(done.request_id).status is Status.PENDING


def test_nothing_is_left_running_after_a_stop(tmp_path: Path) -> None:
    before = set(descendants(os.getpid()))
    with started(tmp_path, workers=1) as system:
        temporary = system.emulator.temp_dir
        assert temporary is not None
        assert temporary.exists()
        running = set(descendants(os.getpid())) - before
        assert {system.workers[0].pid, system.emulator.pid} <= running
    assert running & set(descendants(os.getpid())) == set()
    assert not temporary.exists()
