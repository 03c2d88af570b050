"""Links to videos on the running system (T-15): the fetcher beside the cloud, with rights on its own queue alone."""

import time
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from callscribe import names
from callscribe.domain.prices import Account
from local.system import LocalSystem
from local.videos import fetcher_environment
from tests.adapters.media_site import MediaSite
from tests.e2e.books import assert_nets_zero, assert_sums_to_the_balance, lines_of, paid

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

DONE_S = 120.0
SECONDS = 11  # of the sound that the site has, as they are counted


@pytest.fixture(scope="module")
def site() -> Iterator[MediaSite]:
    with MediaSite() as serving:
        yield serving


@pytest.fixture(scope="module")
def integrator(system: LocalSystem) -> Iterator[httpx.Client]:
    """Logged in."""
    with httpx.Client(base_url=system.base_url, timeout=60, trust_env=False) as client:
        answer = client.post("/auth/login", json=system.credentials.log_in).json()
        assert "token" in answer, answer
        client.headers["authorization"] = f"Bearer {answer['token']}"
        yield client


def ask(client: httpx.Client, link: str) -> dict[str, Any]:
    answer = client.post("/addtaskyoutube", json={"file_path": link, "file_lang": "en"})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def ended(client: httpx.Client, code: str) -> dict[str, Any]:
    """The task as it is shown once it has ended."""
    deadline_s = time.monotonic() + DONE_S
    while time.monotonic() < deadline_s:
        task: dict[str, Any] = client.get("/gettask", params={"task_code": code}).json()
        if task["status"] in ("completed", "error"):
            return task
        time.sleep(0.5)
    pytest.fail(f"the task has not ended: {task}")


def test_T_15_the_sound_of_a_video_is_fetched_transcribed_and_paid(
    system: LocalSystem, integrator: httpx.Client, site: MediaSite
) -> None:
    made = ask(integrator, site.url("/talk.flac"))
    assert (made["error_code"], made["demo"]) == (0, False)
    task = ended(integrator, made["code"])
    assert (task["status"], task["type"], task["id"]) == ("completed", "youtubenew", made["id"])
    assert "fellow americans" in task["task_result"]["original_text"]
    assert paid(system, made["code"]) == SECONDS
    assert {line.account for line in lines_of(system, made["code"]).values()} == {Account.VIDEO_SECONDS}


def test_T_A26_a_site_that_refuses_is_an_honest_error_of_the_task_and_costs_nothing(
    system: LocalSystem, integrator: httpx.Client, site: MediaSite
) -> None:
    made = ask(integrator, site.url("/status/403"))
    task = ended(integrator, made["code"])
    assert (task["status"], task["error_message"]) == ("error", "the site refused: it answered 403")
    assert_nets_zero(system, made["code"])
    assert_sums_to_the_balance(system)


def test_T_A7_another_link_is_4017_and_makes_no_task(integrator: httpx.Client) -> None:
    answer = ask(integrator, "https://files.example.com/talk.mp3")
    assert (answer["success"], answer["error_code"]) == (False, 4017)


def test_T_A26_the_fetcher_is_told_of_its_queue_alone_and_may_do_nothing_else(system: LocalSystem) -> None:
    told = fetcher_environment(system.emulator, system.outputs, as_role=True)
    ours = {name for name in told if name.startswith("CALLSCRIBE_")}
    assert ours == {names.ENV_VIDEO_QUEUE, names.ENV_SETTINGS}
    s3, sqs = (as_the_fetcher(service, told) for service in ("s3", "sqs"))
    assert "Messages" not in sqs.receive_message(QueueUrl=told[names.ENV_VIDEO_QUEUE])
    for forbidden in (
        lambda: s3.list_objects_v2(Bucket=system.outputs["AudioBucket"]),
        lambda: s3.put_object(Bucket=system.outputs["AudioBucket"], Key="audio/t/j", Body=b""),
        lambda: sqs.receive_message(QueueUrl=system.outputs["FetchQueueUrl"]),
        lambda: sqs.send_message(QueueUrl=told[names.ENV_VIDEO_QUEUE], MessageBody="{}"),
    ):
        with pytest.raises(ClientError, match=r"(?i)denied|not authorized"):
            forbidden()  # type: ignore[no-untyped-call]  # boto3's clients are made by name


def as_the_fetcher(service: str, told: dict[str, str]) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]  # which one is the caller's
        endpoint_url=told["AWS_ENDPOINT_URL"],
        region_name=told["AWS_DEFAULT_REGION"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=told["AWS_SESSION_TOKEN"],
    )
