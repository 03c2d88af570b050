"""The typed client against the real dialect on a loopback port."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callscribe.client import ATTEMPTS, Client, NotAuthorised, Rejected, ServiceUnavailable, Status, WaitedTooLong
from callscribe.domain.jobs import Job
from callscribe.errors import Invalid
from callscribe.services import accounts
from tests.cli.service import CALL, NEVER_ENDS, WAV, Service

Make = Callable[..., Client]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(service: Service, clock: Clock) -> Iterator[Client]:
    with Client(service.base_url, service.key.id, service.secret, now_s=clock, sleep=clock.sleep) as client:
        yield client


def _paths(service: Service) -> list[str]:
    return [path for _, path, _ in service.requests]


def test_a_recording_goes_up_and_its_transcript_comes_back(client: Client, recording: Path) -> None:
    upload = client.create_upload("audio/wav")
    sent: list[int] = []
    client.upload(upload.url, recording, "audio/wav", progress=sent.append)
    result = client.wait(upload.request_id, timeout_s=5)
    assert (result.status, result.error) == (Status.COMPLETED, None)
    assert result.transcript is not None
    assert result.transcript.text == CALL.text
    assert (result.transcript.engine, result.transcript.language) == ("pocketsphinx", "en")
    assert sent == [0, recording.stat().st_size]


def test_the_token_is_fetched_once_and_again_before_it_ends(client: Client, service: Service, clock: Clock) -> None:
    client.create_upload("audio/wav")
    client.create_upload("audio/wav")
    assert _paths(service).count("/api/v1/auth/token") == 1
    clock.now_s += 7_150
    client.create_upload("audio/wav")
    assert _paths(service).count("/api/v1/auth/token") == 2


def test_a_token_that_the_service_no_longer_takes_is_renewed_once(client: Client, service: Service) -> None:
    client.create_upload("audio/wav")
    service.faults[:] = [401]
    assert client.create_upload("audio/wav").request_id
    assert _paths(service).count("/api/v1/auth/token") == 2


def test_what_passes_is_tried_again_and_makes_one_job_only(client: Client, service: Service, clock: Clock) -> None:
    client.create_upload("audio/wav")
    before = len(list(service.deps.store.listed(Job, service.tenant.id)))
    service.faults[:] = [503, 429, 500]
    client.create_upload("audio/wav", idempotency_key="once")
    client.create_upload("audio/wav", idempotency_key="once")
    assert len(list(service.deps.store.listed(Job, service.tenant.id))) == before + 1
    assert len(clock.slept) == 3
    assert clock.slept == sorted(clock.slept)


def test_every_try_of_a_create_carries_the_same_idempotency_key(client: Client, service: Service) -> None:
    client.create_upload("audio/wav")
    service.requests.clear()
    service.faults[:] = [503]
    client.create_upload("audio/wav")
    keys = [headers["idempotency-key"] for _, _, headers in service.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_an_upload_that_broke_is_sent_again_whole(client: Client, service: Service, recording: Path) -> None:
    upload = client.create_upload("audio/wav")
    service.faults[:] = [503]
    client.upload(upload.url, recording)
    assert client.result(upload.request_id).status is Status.COMPLETED


def test_an_upload_url_that_expired_is_told_in_the_storages_words(
    client: Client, service: Service, recording: Path
) -> None:
    upload = client.create_upload("audio/wav")
    service.clock.advance(1_000)
    with pytest.raises(Rejected, match="AccessDenied: Request has expired") as raised:
        client.upload(upload.url, recording)
    assert raised.value.status == 403


def test_an_unknown_media_type_is_rejected_with_the_services_words(client: Client) -> None:
    with pytest.raises(Rejected, match="mimeType: must be one of audio/x-wav") as raised:
        client.create_upload("text/plain")
    assert (raised.value.status, raised.value.error_type) == (400, "inconsistentInput")


def test_a_revoked_key_is_not_authorised(client: Client, service: Service, clock: Clock) -> None:
    key, secret = accounts.create_key(service.deps, tenant_id=service.tenant.id, name="gone")
    with Client(service.base_url, key.id, secret, now_s=clock, sleep=clock.sleep) as revoked:
        revoked.create_upload("audio/wav")
        accounts.revoke_key(service.deps, tenant_id=service.tenant.id, key_id=key.id)
        with pytest.raises(NotAuthorised):
            revoked.create_upload("audio/wav")


def test_a_service_that_never_recovers_is_given_up_after_a_bounded_number_of_tries(
    client: Client, service: Service
) -> None:
    service.faults[:] = [502] * 100
    with pytest.raises(ServiceUnavailable, match="come back later"):
        client.create_upload("audio/wav")
    assert len(service.requests) == ATTEMPTS


def test_waiting_asks_ever_more_rarely_and_ends_in_time(client: Client, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "endless.wav"
    path.write_bytes(NEVER_ENDS)
    upload = client.create_upload("audio/wav")
    client.upload(upload.url, path)
    seen: list[Status] = []
    started_s = clock.now_s
    with pytest.raises(WaitedTooLong):
        client.wait(upload.request_id, timeout_s=60, on_status=seen.append)
    assert clock.now_s - started_s == pytest.approx(60)
    assert clock.slept[:3] == [0.5, 0.75, 1.125]
    assert max(clock.slept) <= 10
    assert set(seen) == {Status.PENDING}


def test_something_that_is_not_the_service_is_told_so(service: Service) -> None:
    with (
        Client(f"{service.base_url}/elsewhere", "app", "key") as lost,
        pytest.raises(Rejected, match="nothing at this path"),
    ):
        lost.create_upload("audio/wav")


def test_a_base_url_must_be_a_url() -> None:
    with pytest.raises(Invalid, match="base_url"):
        Client("api.example.com", "app", "key")


def test_an_error_names_the_host_but_never_the_secret_part_of_a_presigned_url(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(WAV)
    with (
        Client("http://127.0.0.1:1", "app", "key", now_s=clock, sleep=clock.sleep) as client,
        pytest.raises(ServiceUnavailable) as raised,
    ):
        client.upload("http://127.0.0.1:1/bucket?X-Amz-Signature=0123456789", path)
    assert "127.0.0.1:1" in str(raised.value)
    assert "0123456789" not in str(raised.value)
