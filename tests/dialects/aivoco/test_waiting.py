"""Design decision 14: requests wait for their transcript, share equal jobs, and are told to come back."""

import json
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from threading import Barrier, Event, get_ident
from types import SimpleNamespace
from typing import Any

import pytest

from callscribe.dialects.front import FUNCTION_URL_WAIT_S, GATEWAY_WAIT_S, Room, room_of
from callscribe.domain.exchanges import Exchange
from callscribe.domain.jobs import JobState
from callscribe.domain.prices import Account, Plan
from callscribe.domain.records import Change, Step
from callscribe.domain.slots import Slot
from callscribe.errors import FailureCode, Unavailable
from callscribe.ports import Settings
from callscribe.services import accounts, jobs, ledger
from tests.dialects.aivoco.world import DATA, MICRO, URL, World, failing
from tests.dialects.conftest import Answer, http_event, read_answer


def test_A_01_the_request_waits_and_its_answer_is_the_transcript(world: World) -> None:
    world.work_s = 12
    answer = world.ask(world.secret())
    assert answer.status == 200
    assert 12 <= sum(world.pauses) <= 13.1
    assert world.pauses[0] == 0.2
    assert max(world.pauses) == 1.0


def test_A_L1_a_job_that_takes_longer_is_answered_503_with_its_id_and_goes_on(world: World) -> None:
    world.work_s = 60
    secret = world.secret()
    answer = world.ask(secret, max_wait_s=25)
    assert answer.status == 503
    assert set(answer.json) == {"error", "job_id"}
    assert answer.json["job_id"] == world.jobs()[0].id
    assert int(answer.headers["retry-after"]) >= 1
    assert sum(world.pauses) == pytest.approx(25, abs=0.01)
    assert not world.jobs()[0].finished


@pytest.mark.parametrize("fields", [{"audio_data": DATA}, {"audio_url": URL}])
def test_A_L1_the_same_request_again_attaches_to_the_job_and_is_paid_once(world: World, fields: dict[str, Any]) -> None:
    world.work_s = 60
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=10), credits_m=100)  # enough for one
    secret = world.secret(tenant_id)
    statuses: list[int] = []
    while not statuses or statuses[-1] == 503:
        answer = world.ask(secret, **fields)
        statuses.append(answer.status)
    assert statuses == [503, 503, 200]
    assert (len(world.jobs()), world.transcribed) == (1, 1)
    assert answer.json["user_credits_deducted"] == 100 / MICRO
    assert world.balance(tenant_id) == (0, 0, 100)


def test_A_L1_a_result_that_was_ready_before_the_request_came_back_is_given_at_once(world: World) -> None:
    world.work_s = 30
    secret = world.secret()
    assert world.ask(secret).status == 503
    world.clock.advance(10)
    world.pipeline()
    world.pauses.clear()
    assert world.ask(secret).status == 200
    assert world.pauses == []
    assert world.transcribed == 1


def test_A_L1_after_its_answer_the_same_request_is_a_new_one_and_is_paid_again(world: World) -> None:
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=10), credits_m=1_000)
    secret = world.secret(tenant_id)
    for _ in range(2):
        assert world.ask(secret).status == 200
    assert (len(world.jobs()), world.balance(tenant_id)) == (2, (800, 0, 200))


def test_A_L1_a_result_nobody_fetched_is_gone_after_its_time_and_the_request_is_a_new_one(world: World) -> None:
    world.work_s = 30
    secret = world.secret()
    assert world.ask(secret).status == 503
    world.clock.advance(10)
    world.pipeline()
    for _ in range(3):
        world.clock.advance(300)
        world.sweep()
    assert (world.uploads.keys(), world.results.keys()) == ([], [])
    world.work_s = 0
    assert world.ask(secret).status == 200
    assert len(world.jobs()) == 2


def test_A_L1_another_mime_type_or_another_key_is_another_request(world: World) -> None:
    tenant_id = world.tenant()
    world.running = False
    one, other = world.secret(tenant_id), world.secret(tenant_id)
    for secret, mime_type in ((one, "audio/wav"), (one, "audio/x-wav"), (one, "audio/ogg"), (other, "audio/wav")):
        world.ask(secret, audio_data=DATA, mime_type=mime_type)
    assert len(world.jobs()) == 3  # x-wav is wav


def test_A_A2_a_call_id_is_the_same_request_as_text_and_as_a_number(world: World) -> None:
    tenant_id = world.tenant()
    key, secret = world.key(tenant_id)
    made = jobs.create(world.deps, accounts.principal_of(key), jobs.NewJob(dialect="presign"))
    world.uploads.put(made.audio_key, b"RIFF")
    world.running = False
    for call_id in (made.number, str(made.number)):
        assert world.ask(secret, call_id=call_id, max_wait_s=1).status == 503
    assert len(world.jobs()) == 2  # with the one that the call is


def test_A_L1_equal_requests_at_one_time_all_get_the_answer_of_one_job() -> None:
    world = World(settings=Settings(waiting_calls=8), work_s=5)
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=10), credits_m=100)
    secret, start = world.secret(tenant_id), Barrier(8)

    def request(number: int) -> Answer:
        start.wait()
        return world.ask(secret, address=f"198.51.100.{number}", max_wait_s=1_000)

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(request, range(8)))
    assert {answer.status for answer in given} == {200}
    assert len({answer.text for answer in given}) == 1
    assert (len(world.jobs()), world.balance(tenant_id)) == (1, (0, 0, 100))
    assert (world.uploads.keys(), world.results.keys()) == ([], [])
    assert world.store.all(Exchange)[0].waiters == ()


def test_A_L1_no_more_requests_wait_than_the_setting_allows_and_the_others_are_told_to_come_back() -> None:
    world = World(settings=Settings(waiting_calls=3), running=False)
    secret, start, released = world.secret(), Barrier(8), Event()
    waiting: set[int] = set()

    def note_and_wait() -> None:
        waiting.add(get_ident())
        released.wait(30)

    world.before_sleep = note_and_wait

    def request(number: int) -> Answer:
        start.wait()
        return world.ask(secret, address=f"198.51.100.{number}", max_wait_s=100)

    with ThreadPoolExecutor(8) as threads:
        under_way = [threads.submit(request, number) for number in range(8)]
        refused = [answer.result() for answer in islice(as_completed(under_way), 5)]
        assert len(waiting) == 3
        world.running = True
        released.set()
    assert {answer.status for answer in refused} == {503}
    assert {answer.json["job_id"] for answer in refused} == {world.jobs()[0].id}
    assert all(int(answer.headers["retry-after"]) > 1 for answer in refused)
    assert sorted(answer.result().status for answer in under_way) == [200] * 3 + [503] * 5
    assert len(world.store.all(Slot)) == 3


def test_A_L1_a_tenant_with_many_long_calls_takes_no_place_of_another() -> None:
    world = World(settings=Settings(waiting_calls=1), running=False)
    anna, bert, statuses = world.secret(), world.secret(), list[int]()

    def others_come() -> None:
        world.before_sleep = lambda: None
        statuses.append(world.ask(anna, audio_url=URL).status)
        world.running = True
        statuses.append(world.ask(bert).status)

    world.before_sleep = others_come
    assert world.ask(anna, max_wait_s=100).status == 200
    assert statuses == [503, 200]


def test_A_L1_without_a_slot_the_answer_is_503_at_once_and_the_job_goes_on() -> None:
    world = World(settings=Settings(waiting_calls=0))
    secret = world.secret()
    answer = world.ask(secret)
    assert (answer.status, world.pauses) == (503, [])
    world.pipeline()
    assert world.jobs()[0].state is JobState.COMPLETED
    assert world.ask(secret).status == 200  # what is ready needs no slot


def test_A_L1_a_slot_comes_back_when_its_request_is_answered_or_gives_up() -> None:
    world = World(settings=Settings(waiting_calls=1))
    secret = world.secret()
    for work_s, status in ((60, 503), (0, 200), (60, 503), (0, 200)):
        world.work_s = work_s
        assert world.ask(secret).status == status


class Killed(BaseException):
    """The process ends here."""


def test_A_L1_a_request_that_was_killed_while_it_waited_gives_its_slot_back_by_time() -> None:
    world = World(settings=Settings(waiting_calls=1), running=False)
    secret, commit = world.secret(), world.store.commit

    def write_nothing(*_: Step) -> None:
        raise Unavailable("a dead process writes nothing")

    def die() -> None:
        world.store.commit = write_nothing  # type: ignore[method-assign]  # from here on
        raise Killed

    world.before_sleep = die
    with pytest.raises(Killed):
        world.ask(secret, max_wait_s=25)
    world.store.commit = commit  # type: ignore[method-assign]  # the next process
    world.before_sleep = lambda: None
    assert world.ask(secret).status == 503
    assert world.pauses == []  # the slot is still lent
    world.clock.advance(25 + 60)
    world.running = True
    assert world.ask(secret).status == 200


def test_a_result_that_cannot_be_read_at_the_moment_is_there_when_the_request_comes_again(world: World) -> None:
    secret, read = world.secret(), world.results.read

    def broken(_key: str, *, version_id: str | None = None) -> bytes:
        raise Unavailable("s3: no answer")

    world.results.read = broken  # type: ignore[method-assign,assignment]  # for a while
    world.running = False
    assert world.ask(secret).status == 503
    world.results.read = read  # type: ignore[method-assign]  # the pipeline reads it, too
    world.running = True
    world.clock.advance(1)
    world.pipeline()
    world.results.read = broken  # type: ignore[method-assign,assignment]  # for a while
    assert world.ask(secret).status == 503
    world.results.read = read  # type: ignore[method-assign]  # and works again
    assert world.ask(secret).status == 200
    assert world.transcribed == 1


def test_an_answer_that_is_there_is_given_even_if_nothing_can_be_written_any_more(world: World) -> None:
    secret, commit = world.secret(), world.store.commit
    assert world.ask(secret, max_wait_s=0).status == 503
    world.pipeline()

    def write_nothing(*steps: Step) -> None:
        if any(
            isinstance(step.after, Exchange) and not step.after.waiters for step in steps if isinstance(step, Change)
        ):
            raise Unavailable("dynamodb: no answer")
        commit(*steps)

    world.store.commit = write_nothing  # type: ignore[method-assign]  # whoever wants to leave
    assert world.ask(secret).status == 200
    world.store.commit = commit  # type: ignore[method-assign]  # and works again
    for _ in range(3):
        world.clock.advance(300)
        world.sweep()
    assert (world.uploads.keys(), world.results.keys()) == ([], [])


@pytest.mark.parametrize("code", [FailureCode.AUDIO_TOO_SHORT, FailureCode.INTERNAL])
def test_A_11_a_failure_is_answered_to_all_who_wait_and_then_forgotten(code: FailureCode) -> None:
    world = World(inspector=failing(code))
    secret = world.secret()
    first = world.ask(secret)
    assert first.status == (400 if code is FailureCode.AUDIO_TOO_SHORT else 500)
    assert (world.uploads.keys(), world.results.keys()) == ([], [])
    assert world.ask(secret).status == first.status
    assert len(world.jobs()) == 2


def test_A_07_who_has_paid_in_meanwhile_succeeds_with_the_same_request() -> None:
    world = World()
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=50), credits_m=1)
    secret = world.secret(tenant_id)
    assert world.ask(secret).status == 402
    ledger.top_up(world.deps, tenant_id=tenant_id, account=Account.CREDITS, amount=499, reference="second")
    assert world.ask(secret).status == 200


def test_A_L1_the_way_decides_how_long_a_request_may_wait() -> None:
    event, now_ms = http_event("POST", "/transcribe", at_ms=1_000), 1_000
    assert room_of(event, None, inline_body_bytes=4_000_000, now_ms=now_ms) == Room(4_000_000, GATEWAY_WAIT_S)
    event["requestContext"]["domainName"] = "abc.lambda-url.eu-central-1.on.aws"
    later_ms = now_ms + 7_000  # nobody gives up after 30 s on this way
    assert room_of(event, None, inline_body_bytes=4_000_000, now_ms=later_ms).max_wait_s == FUNCTION_URL_WAIT_S
    door = SimpleNamespace(room=Room(80_000_000, 1_000))
    assert room_of(event, door, inline_body_bytes=4_000_000, now_ms=later_ms) == Room(80_000_000, 1_000)


@pytest.mark.parametrize(
    ("passed_s", "wait_s"),
    [(0, 25), (7.5, 17.5), (25, 0), (29.9, 0), (30.001, 25), (600, 25), (-0.001, 25), (-600, 25)],
)
def test_A_L1_what_a_cold_start_took_is_no_longer_there_to_wait_unless_a_clock_is_off(
    passed_s: float, wait_s: float
) -> None:
    event = http_event("POST", "/transcribe", at_ms=1_000_000)
    now_ms = 1_000_000 + round(1000 * passed_s)
    assert room_of(event, None, inline_body_bytes=1, now_ms=now_ms).max_wait_s == pytest.approx(wait_s)
    lambda_context = SimpleNamespace(get_remaining_time_in_millis=lambda: 10_000)
    room = room_of(event, lambda_context, inline_body_bytes=1, now_ms=now_ms)
    assert room.max_wait_s == pytest.approx(min(wait_s, 7))


def test_A_L1_an_event_that_does_not_say_when_it_came_has_come_now() -> None:
    event = http_event("POST", "/transcribe")
    del event["requestContext"]["timeEpoch"]
    assert room_of(event, None, inline_body_bytes=1, now_ms=5).max_wait_s == GATEWAY_WAIT_S


def test_A_L1_a_request_through_the_gateway_waits_until_25_s_after_it_came_there(world: World) -> None:
    world.running = False
    body = json.dumps({"api_key": world.secret(), "audio_data": DATA}).encode()
    event = http_event(
        "POST", "/transcribe", headers={"content-type": "application/json"}, body=body, at_ms=world.clock()
    )
    world.clock.advance(9)  # a cold start
    assert read_answer(world.handler(event, None)).status == 503
    assert sum(world.pauses) == pytest.approx(16, abs=0.01)


# Clients that leave


def test_A_L1_nobody_waits_on_for_a_client_that_has_left(world: World) -> None:
    world.work_s = 60
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=10), credits_m=100)  # enough for one
    secret = world.secret(tenant_id)
    world.ask(secret, max_wait_s=900, gone=lambda: sum(world.pauses) > 5)
    assert 5 < sum(world.pauses) < 7
    assert world.store.all(Exchange)[0].waiters == ()
    world.pauses.clear()
    again = world.ask(secret, max_wait_s=900)
    assert (again.status, len(world.jobs()), world.transcribed) == (200, 1, 1)
    assert world.balance(tenant_id) == (0, 0, 100)


@pytest.mark.parametrize("at", ["finding the result", "reading the result"])
def test_A_L1_a_result_that_is_ready_when_its_client_has_left_is_kept_until_it_comes_again(
    world: World, at: str
) -> None:
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=10), credits_m=100)
    secret, read, left = world.secret(tenant_id), world.results.read, Event()

    def leave_and_read(key: str, *, version_id: str | None = None) -> bytes:
        left.set()
        return read(key, version_id=version_id)

    if at == "reading the result":
        world.results.read = leave_and_read  # type: ignore[method-assign]  # the client leaves meanwhile
    world.ask(secret, gone=lambda: left.is_set() or (at == "finding the result" and world.transcribed > 0))
    assert world.jobs()[0].state is JobState.COMPLETED
    world.results.read = read  # type: ignore[method-assign]  # as it was
    answer = world.ask(secret)
    assert (answer.status, answer.json["user_credits_deducted"], len(world.jobs())) == (200, 100 / MICRO, 1)
    assert (world.uploads.keys(), world.results.keys()) == ([], [])


def test_A_11_what_a_client_that_left_never_fetched_is_gone_after_its_time(world: World) -> None:
    world.ask(world.secret(), gone=lambda: world.transcribed > 0)
    assert world.results.keys() != []
    for _ in range(4):
        world.clock.advance(300)
        world.sweep()
    assert (world.uploads.keys(), world.results.keys()) == ([], [])


def test_A_L1_one_of_two_that_leaves_takes_nothing_from_the_other(world: World) -> None:
    world.work_s = 5
    secret, both_wait = world.secret(), Barrier(2)
    met = Event()

    def meet() -> None:
        if not met.is_set():
            both_wait.wait(timeout=30)
            met.set()

    world.before_sleep = meet
    with ThreadPoolExecutor(2) as threads:
        leaving = threads.submit(world.ask, secret, gone=met.is_set, max_wait_s=900)
        staying = threads.submit(world.ask, secret, max_wait_s=900)
        assert staying.result().status == 200
        leaving.result()
    assert len(world.jobs()) == 1


def test_requests_of_one_process_do_not_wait_for_each_other(world: World) -> None:
    secret, both_wait = world.secret(), Barrier(2)

    def meet() -> None:
        both_wait.wait(timeout=30)  # breaks if one of them waits inside the router

    world.before_sleep = meet
    with ThreadPoolExecutor(2) as threads:
        given = threads.map(lambda text: world.ask(secret, audio_url=URL + text), ["?a", "?b"])
        assert [answer.status for answer in given] == [400, 400]  # nothing answers at these URLs
