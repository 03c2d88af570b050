"""State survives an orderly stop; what was under way is taken up again by the sweeper."""

import os
import time
from pathlib import Path

import pytest

from benchmarks.memory import descendants
from callscribe.client import Client, Status
from local.receiver import Receiver, verify_callback
from local.system import LocalSystem, SystemSettings
from tests.e2e.conftest import CONTEXT, told

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]


def started(tmp_path: Path, *, workers: int) -> LocalSystem:
    settings = SystemSettings(
        port=0, state_dir=tmp_path / "state", log_dir=tmp_path / "logs", workers=workers, context=CONTEXT
    )
    return LocalSystem(settings)


def test_a_job_interrupted_by_a_stop_is_finished_after_the_next_start_and_a_stop_leaves_nothing(
    tmp_path: Path, clip: Path
) -> None:
    with Receiver() as receiver:
        with started(tmp_path, workers=0) as before:
            made = before.credentials
            soon = told(before, "audio uploaded", "prepare audio", recheck_s=1)
            with soon, Client(before.base_url, made.app_id, made.api_key) as client:
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
            temporary = after.emulator.temp_dir
            assert temporary is not None
            assert temporary.exists()
            assert after.emulator.pid is not None
            roots = (after.workers[0].process.pid, after.emulator.pid)
            running = {*roots, *(pid for root in roots for pid in descendants(root))}
    assert running & set(descendants(os.getpid())) == set()
    assert not temporary.exists()
