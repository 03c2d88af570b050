"""What is wrong with an upload reaches its owner: on the running system, each reason in a verified callback.

A receiver that is slow is refused after 15 s, which is too long for here: tests/security has it with a short limit.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callscribe.client import Client, Status
from callscribe.errors import FailureCode as Code
from local.receiver import Receiver, verify_callback
from local.system import LocalSystem
from tests.corpora import audio_files, bad_audio
from tests.e2e.conftest import told

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

WAIT_S = 60.0
LOW_LIMIT_BYTES = 10_000

BAD_FILES: dict[str, tuple[Callable[[], bytes], Code]] = {
    "empty": (lambda: b"", Code.AUDIO_EMPTY),
    "a WAV cut in its header": (lambda: bad_audio.GOOD["wav"]()[:30], Code.AUDIO_UNREADABLE),
    "an MP3 cut in its first frame": (lambda: bad_audio.mp3()[:100], Code.AUDIO_UNREADABLE),
    "a header that lies": (lambda: audio_files.wav(bytes(200), data_bytes=0xFFFFFFF0), Code.AUDIO_TOO_SHORT),
    "a zip archive": (lambda: b"PK\x03\x04" + bytes(400), Code.AUDIO_UNSUPPORTED),
    "too short": (lambda: audio_files.wav(bytes(800)), Code.AUDIO_TOO_SHORT),
}


def failure_of(system: LocalSystem, client: Client, receiver: Receiver, file: Path, mime_type: str) -> dict[str, str]:
    """Upload, wait, verify the callback and compare it with the API: the error that both tell."""
    upload = client.create_upload(mime_type, callback_url=receiver.url)
    client.upload(upload.url, file, mime_type)
    received = receiver.wait_for(upload.request_id, WAIT_S)
    body = verify_callback(system.credentials.webhook_secret, received.headers, received.body)
    assert (body["status"], body["transcription"]) == ("ERROR", [])
    result = client.result(upload.request_id)
    assert result.status is Status.ERROR
    assert len(receiver.requests_for(upload.request_id)) == 1
    error: dict[str, str] = body["error"]
    return error


@pytest.mark.parametrize("name", BAD_FILES)
def test_P_A7_a_bad_file_ends_as_an_error_whose_signed_callback_names_the_reason(
    system: LocalSystem, client: Client, receiver: Receiver, tmp_path: Path, name: str
) -> None:
    make, code = BAD_FILES[name]
    file = tmp_path / "call"
    file.write_bytes(make())
    error = failure_of(system, client, receiver, file, "audio/mpeg" if "MP3" in name else "audio/wav")
    assert error["code"] == code
    assert error["message"]


def test_an_oversized_file_ends_as_an_error_that_names_the_limit(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    # The real limit is 2 GiB, for which no setting of a stage exists.
    with told(system, "prepare audio", limits={"max_bytes": LOW_LIMIT_BYTES}):
        error = failure_of(system, client, receiver, clip, "audio/flac")
    assert error["code"] == Code.UPLOAD_TOO_LARGE
    assert str(LOW_LIMIT_BYTES) in error["message"]


def test_an_upload_that_never_comes_ends_as_an_error_with_a_callback(
    system: LocalSystem, client: Client, receiver: Receiver
) -> None:
    with told(system, "api presign", "sweep", upload_deadline_s=2):
        upload = client.create_upload("audio/wav", callback_url=receiver.url)
        assert client.result(upload.request_id).status is Status.PENDING
        time.sleep(2)
        system.invoke("sweep")
    received = receiver.wait_for(upload.request_id, WAIT_S)
    body = verify_callback(system.credentials.webhook_secret, received.headers, received.body)
    assert (body["status"], body["error"]["code"]) == ("ERROR", Code.UPLOAD_EXPIRED)
    assert client.result(upload.request_id).status is Status.ERROR
