"""A-11, A-A5: nothing of a request stays once it is answered, or fifteen minutes after its job ended; its text never
enters the table, and no log line holds a key, a URL, a word or the audio.
"""

import io
from typing import Any

import pytest

from callscribe.adapters.memory import MemoryDownloads, MemoryObjects
from callscribe.dialects.aivoco import mapping
from callscribe.domain.jobs import Job
from callscribe.errors import FailureCode, OutboundFailed
from tests.dialects.aivoco.world import World, encoded, failing, said

AUDIO = b"RIFF" + b"canary-of-the-audio" * 40
DATA = encoded(AUDIO)
URL = "https://canary-host.example/canary-path.wav?signature=canary-signature"
CANARIES = (b"canary", b"Kanarienvogel", DATA[:60].encode(), DATA[300:340].encode())
CARRIED: list[dict[str, Any]] = [{"audio_data": DATA}, {"audio_url": URL}]


@pytest.fixture
def world() -> World:
    made = World(downloads=MemoryDownloads({URL: AUDIO}))
    made.hears(said("mein Kanarienvogel singt", 0.0, "1"), said("canary of the words", 2.0, "0", 0.1))
    return made


def kept_records(world: World) -> bytes:
    """Every record of the table, of every kind."""
    return repr(world.store._kinds).encode()


def kept_objects(bucket: MemoryObjects) -> bytes:
    """Every version of every object, with its key."""
    return b"".join(key.encode() + b"".join(versions.values()) for key, versions in bucket._versions.items())


def assert_nothing_kept(world: World, log: io.StringIO, *secrets: str, **sent: Any) -> None:
    canaries = [*CANARIES, *(secret.encode() for secret in secrets)]
    kept = {
        "records": kept_records(world),
        "uploads": kept_objects(world.uploads),
        "results": kept_objects(world.results),
        "queue": repr(world.fetch_queue.bodies).encode(),
        "log": log.getvalue().encode(),
    }
    found = [(place, canary) for place, content in kept.items() for canary in canaries if canary in content]
    assert found == [], sent


def test_A_11_the_canaries_are_seen_where_they_are(world: World, log: io.StringIO) -> None:
    """The search itself works: while a job is under way its audio and its URL are there."""
    world.running = False
    assert world.ask(world.secret(), audio_url=URL).status == 503
    assert CANARIES[0] in kept_objects(world.uploads)
    world.ask(world.secret(), audio_data=DATA)
    assert b"canary-of-the-audio" in kept_objects(world.uploads)


@pytest.mark.parametrize("fields", CARRIED, ids=["audio_data", "audio_url"])
def test_A_11_nothing_is_kept_once_the_answer_is_there(
    world: World, log: io.StringIO, fields: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    secret = world.secret()
    answer = world.ask(secret, **fields)
    assert (answer.status, "Kanarienvogel" in answer.text) == (200, True)
    assert_nothing_kept(world, log, secret)
    printed = "".join(capfd.readouterr())
    assert not any(canary.decode() in printed for canary in CANARIES)
    assert secret not in printed
    assert world.store.all(Job)[0].audio is not None  # ids and durations stay


@pytest.mark.parametrize("fields", CARRIED, ids=["audio_data", "audio_url"])
def test_A_11_nothing_is_kept_after_a_failure(log: io.StringIO, fields: dict[str, Any]) -> None:
    world = World(inspector=failing(FailureCode.AUDIO_UNREADABLE), downloads=MemoryDownloads({URL: AUDIO}))
    secret = world.secret()
    assert world.ask(secret, **fields).status == 400
    assert_nothing_kept(world, log, secret)


def test_A_11_nothing_is_kept_of_a_url_that_could_not_be_fetched(log: io.StringIO) -> None:
    world = World(downloads=MemoryDownloads({URL: OutboundFailed("connect", "nothing answers there")}))
    secret = world.secret()
    assert world.ask(secret, audio_url=URL).status == 400
    assert_nothing_kept(world, log, secret)


def test_A_11_nothing_is_kept_of_a_request_that_was_refused(world: World, log: io.StringIO) -> None:
    world.downloads.refuse[URL] = "host"
    secret = world.secret()
    assert world.ask(secret, audio_url=URL).status == 400
    assert world.ask(secret, audio_data=DATA + "!").status == 400
    assert world.ask(secret, audio_data=DATA, mime_type="canary").status == 400
    assert world.ask(secret, call_id="canary").status == 404
    assert world.ask("canary", audio_data=DATA).status == 401
    assert world.send(b'{"api_key": "canary", "audio_data": "' + DATA.encode()).status == 400
    assert_nothing_kept(world, log, secret)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("fields", CARRIED, ids=["audio_data", "audio_url"])
def test_A_11_nothing_is_kept_fifteen_minutes_after_a_job_ended_unfetched(
    world: World, log: io.StringIO, fields: dict[str, Any], fails: bool
) -> None:
    world.running = False
    secret = world.secret()
    assert world.ask(secret, **fields).status == 503
    if fails:
        world.deps.inspector.facts = failing(FailureCode.INTERNAL).facts  # type: ignore[attr-defined]  # a MemoryInspector
    world.clock.advance(40)
    world.running = True
    world.pipeline()
    assert world.jobs()[0].finished
    assert b"canary" not in kept_records(world)
    for _ in range(3):
        world.clock.advance(300)
        world.sweep()
    assert_nothing_kept(world, log, secret)


def test_A_11_the_text_never_enters_the_table(world: World) -> None:
    seen: list[bytes] = []
    commit = world.store.commit

    def watched(*steps: Any) -> None:
        commit(*steps)
        seen.append(kept_records(world))

    world.store.commit = watched  # type: ignore[method-assign]  # looks after every transaction
    secret = world.secret()
    for fields in CARRIED:
        assert world.ask(secret, **fields).status == 200
    assert len(seen) >= 10
    assert not any(canary in records for records in seen for canary in (*CANARIES, secret.encode()))


def test_A_A5_a_key_in_any_place_is_never_logged(world: World, log: io.StringIO) -> None:
    secret = world.secret()
    for headers in ({"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"}):
        assert world.send({"audio_data": DATA}, headers=headers).status == 200
    assert world.send(f'{{"api_key": "{secret}", '.encode()).status == 400
    assert world.send({"api_key": secret, "audio_data": {secret: secret}}).status == 400
    assert_nothing_kept(world, log, secret)
    assert log.getvalue().count("route=/transcribe") == 4


def test_A_A5_what_goes_wrong_inside_is_logged_without_the_request(
    world: World, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(f"could not handle {DATA} of {URL}")

    monkeypatch.setattr(mapping, "answer", broken)
    secret = world.secret()
    assert world.ask(secret, audio_data=DATA).status == 500
    assert "ValueError" in log.getvalue()
    assert_nothing_kept(world, log, secret)
