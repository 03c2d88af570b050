"""`make serve ENGINE=… MODEL_DIR=…`: the laptop's worker hears with the engine that was chosen."""

from pathlib import Path

import pytest

from callscribe.client import Client, Status
from callscribe.services import jobs
from local.engine import ChosenEngine
from local.system import LocalSystem, SystemSettings
from tests.e2e.integrator import WAIT_S, job_of
from tests.engines.models import WHISPER

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]


def test_a_chosen_engine_with_its_model_makes_the_transcript_and_the_worker_says_what_it_cost(
    tmp_path: Path, clip: Path
) -> None:
    said: list[str] = []
    settings = SystemSettings(port=0, log_dir=tmp_path, engine=ChosenEngine("faster-whisper", WHISPER))
    with LocalSystem(settings, report=said.append) as system:
        made = system.credentials
        with Client(system.base_url, made.app_id, made.api_key) as client:
            upload = client.create_upload("audio/flac")
            client.upload(upload.url, clip.with_name("jfk.flac"), "audio/flac")
            result = client.wait(upload.request_id, timeout_s=2 * WAIT_S)
        job = job_of(system, upload.request_id)
        transcript = jobs.transcript(system.deps(), job)
        log = (tmp_path / "worker-0.log").read_text()
    assert result.status is Status.COMPLETED
    assert "ask what you can do for your country" in transcript.text
    assert transcript.engine == "faster-whisper"
    assert any(f"engine faster-whisper: {transcript.model} on " in line for line in said)
    assert job.work is not None
    assert job.work.device_s > 0
    assert f"job {job.id}: done audio_s={job.work.audio_s:.3f} speech_s={job.work.speech_s:.3f}" in log
