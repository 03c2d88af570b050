"""Registered recordings: added once, found by their tenant only."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from callscribe.adapters.memory import (
    ManualClock,
    MemoryDownloads,
    MemoryObjects,
    MemoryStore,
    Moment,
    RaiseAt,
    When,
    faulty,
    faulty_deps,
    memory_deps,
)
from callscribe.domain.accounts import USUAL_SCOPES, Scope
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts, Direction
from callscribe.domain.jobs import Job
from callscribe.domain.recordings import Recording
from callscribe.errors import Forbidden, Invalid, NotFound, OutboundRefused, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, jobs, recordings
from callscribe.services.accounts import Principal
from callscribe.services.jobs import NewJob, Source
from callscribe.services.recordings import NoRecording

URL = "https://media.example.com/call.wav"
AGENT_LEFT = CallFacts(agent_channel=0, direction=Direction.INBOUND)


@dataclass(frozen=True)
class World:
    """One stage with two tenants, and files to register."""

    deps: Deps
    store: MemoryStore
    uploads: MemoryObjects
    downloads: MemoryDownloads
    clock: ManualClock
    tenant_id: str
    other_id: str
    folder: Path

    def file(self, content: bytes = b"audio", name: str = "call.wav") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def add(self, recording_id: str = "1000042", deps: Deps | None = None, **how: Any) -> Recording:
        return recordings.add(deps or self.deps, tenant_id=self.tenant_id, recording_id=recording_id, **how)

    def source(
        self, given: str, tenant_id: str | None = None, scopes: frozenset[Scope] = USUAL_SCOPES
    ) -> tuple[Source, CallFacts]:
        return recordings.source_of(self.deps, Principal(tenant_id or self.tenant_id, "app-1", scopes), given)

    def job(self, *, audio: bytes | None = b"audio", **how: Any) -> Job:
        principal = Principal(self.tenant_id, "app-1", frozenset())
        job = jobs.create(self.deps, principal, NewJob("mor", **how))
        if audio is not None:
            self.uploads.put(job.audio_key, audio)
        return job


@pytest.fixture
def world(tmp_path: Path) -> World:
    clock, store, downloads = ManualClock(), MemoryStore(), MemoryDownloads()
    uploads = MemoryObjects(clock)
    deps = memory_deps(store=store, uploads=uploads, downloader=downloads, now_ms=clock)
    one, two = (accounts.create_tenant(deps, name=name).id for name in ("one", "two"))
    return World(deps, store, uploads, downloads, clock, one, two, tmp_path)


def test_a_recording_by_url_is_found_with_what_is_known_about_it(world: World) -> None:
    world.add(url=URL, call=AGENT_LEFT)
    assert world.source("1000042") == (Source(url=URL), AGENT_LEFT)


def test_a_recording_by_file_is_stored_and_found(world: World) -> None:
    made = world.add(file=world.file(b"some audio"))
    assert made.stored
    source, call = world.source("1000042")
    assert (source.url, source.bucket, call) == (None, None, NOTHING_KNOWN)
    assert world.uploads.read(str(source.key)) == b"some audio"
    assert str(source.key).startswith(f"recordings/{world.tenant_id}/")


def test_A_08_a_known_call_without_audio_is_told_from_an_unknown_one(world: World) -> None:
    world.add()
    with pytest.raises(NoRecording):
        world.source("1000042")
    with pytest.raises(NotFound) as caught:
        world.source("1000043")
    assert not isinstance(caught.value, NoRecording)


def test_audio_that_was_removed_meanwhile_is_no_recording(world: World) -> None:
    made = world.add(file=world.file())
    world.uploads.erase(made.audio_key)
    with pytest.raises(NoRecording):
        world.source("1000042")
    world.add(file=world.file())  # the same again puts it back
    assert world.source("1000042")[0].key == made.audio_key


def test_A_A2_M_A6_a_job_is_found_by_its_number_and_by_its_uuid_in_either_case(world: World) -> None:
    job = world.job(call=AGENT_LEFT)
    expected = (Source(key=job.audio_key), AGENT_LEFT)
    assert world.source(str(job.number)) == world.source(job.id) == world.source(job.id.upper()) == expected


def test_a_jobs_recording_is_the_version_that_was_transcribed_whatever_was_uploaded_later(world: World) -> None:
    job = world.job()
    info = world.uploads.head(job.audio_key)
    assert info is not None
    assert jobs.uploaded(world.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=info.version_id)
    world.uploads.put(job.audio_key, b"uploaded by the same URL later")
    assert world.source(job.id)[0] == Source(key=job.audio_key, version_id=info.version_id)
    world.uploads._versions[job.audio_key].pop(str(info.version_id))  # as the bucket's lifecycle does
    with pytest.raises(NoRecording):
        world.source(job.id)


def test_a_registered_recording_goes_before_a_job_of_the_same_number(world: World) -> None:
    job = world.job()
    world.add(str(job.number), url=URL)
    assert world.source(str(job.number))[0] == Source(url=URL)


def test_a_job_without_audio_or_whose_audio_is_not_kept_has_no_recording(world: World) -> None:
    waiting, brief, cancelled = world.job(audio=None), world.job(kept=False), world.job()
    jobs.cancel(world.deps, tenant_id=world.tenant_id, job_id=cancelled.id)
    for job in (waiting, brief, cancelled):
        with pytest.raises(NoRecording):
            world.source(job.id)


def test_who_may_not_read_gets_registered_recordings_but_no_job(world: World) -> None:
    writer = frozenset({Scope.TRANSCRIBE})
    silent = world.job(audio=None)
    for job in (world.job(), silent):
        for given in (job.id, str(job.number)):
            with pytest.raises(Forbidden):
                world.source(given, scopes=writer)
    with pytest.raises(NotFound):
        world.source("no such call", scopes=writer)
    world.add(url=URL)
    assert world.source("1000042", scopes=writer)[0] == Source(url=URL)


def test_a_removed_recording_leaves_nothing_in_any_version(world: World) -> None:
    made = world.add(file=world.file())
    world.uploads.put(made.audio_key, b"audio")  # a second version
    orphan = f"{made.audio_prefix}of-a-registration-that-broke-off"
    world.uploads.put(orphan, b"audio")
    other = world.add("1000043", file=world.file())
    assert recordings.remove(world.deps, tenant_id=world.tenant_id, recording_id="1000042") == made
    assert world.uploads.keys() == [other.audio_key]
    assert world.uploads.erase(made.audio_prefix) == 0
    assert recordings.list_recordings(world.deps, world.tenant_id) == [other]
    with pytest.raises(NotFound):
        world.source("1000042")


def test_what_is_unknown_or_anothers_cannot_be_removed(world: World) -> None:
    made = world.add(file=world.file())
    for tenant_id, recording_id in ((world.other_id, made.id), (world.tenant_id, "1000043"), (world.tenant_id, "")):
        with pytest.raises(NotFound):
            recordings.remove(world.deps, tenant_id=tenant_id, recording_id=recording_id)
    assert world.uploads.keys() == [made.audio_key]


def test_a_removal_that_broke_off_anywhere_can_be_repeated(world: World) -> None:
    for index in range(20):
        plan = RaiseAt(index, Unavailable("down"))
        made = world.add(file=world.file())
        with suppress(Unavailable):
            recordings.remove(faulty_deps(world.deps, plan), tenant_id=world.tenant_id, recording_id=made.id)
        with suppress(NotFound):  # it was the answer alone that broke off
            recordings.remove(world.deps, tenant_id=world.tenant_id, recording_id=made.id)
        assert (world.uploads.keys(), world.store.all(Recording)) == ([], [])
        if plan.struck is None:
            break
    assert index == 6  # before and after each of three calls


def test_another_tenants_recordings_and_jobs_answer_as_unknown_ones_do(world: World) -> None:
    world.add(file=world.file())
    world.add("silent")
    job = world.job()
    answers = set()
    for given in (
        "1000042",
        "silent",
        job.id,
        str(job.number),
        "unknown",
        "99",
        "00000000-0000-7000-8000-000000000000",
    ):
        with pytest.raises(NotFound) as caught:
            world.source(given, world.other_id)
        answers.add((type(caught.value), str(caught.value).replace(given, "…")))
    assert len(answers) == 1  # foreign ids answer exactly as unknown ones do
    assert not issubclass(answers.pop()[0], NoRecording)


def test_both_tenants_may_use_the_same_id(world: World) -> None:
    ours = world.add(file=world.file(b"ours"))
    theirs = recordings.add(world.deps, tenant_id=world.other_id, recording_id="1000042", file=world.file(b"theirs"))
    assert ours.audio_key != theirs.audio_key
    assert world.uploads.read(str(world.source("1000042")[0].key)) == b"ours"
    assert world.uploads.read(str(world.source("1000042", world.other_id)[0].key)) == b"theirs"


WRONG_IDS = ["", "x" * 129, "a\nb", "\x00", "\x7f", "\udcff", "a\u200bb"]


@pytest.mark.parametrize("recording_id", WRONG_IDS)
def test_an_id_has_1_to_128_printable_characters(world: World, recording_id: str) -> None:
    with pytest.raises(Invalid, match="recording_id"):
        world.add(recording_id, url=URL)
    with pytest.raises(NotFound):
        world.source(recording_id)


@pytest.mark.parametrize("recording_id", ["7", "x" * 128, "a/b/../c", "#%?&=", "Größe 中", "' OR 1=1"])
def test_an_id_is_never_part_of_an_object_key(world: World, recording_id: str) -> None:
    made = world.add(recording_id, file=world.file())
    assert world.source(recording_id)[0] == Source(key=made.audio_key)
    assert made.audio_key.isascii()
    assert made.audio_key.count("/") == 3


def test_the_same_again_changes_nothing(world: World) -> None:
    first = world.add(file=world.file(), call=AGENT_LEFT)
    world.clock.advance(5)
    version = world.uploads.head(first.audio_key)
    assert world.add(file=world.file(name="copy.wav"), call=AGENT_LEFT) == first
    assert world.uploads.head(first.audio_key) == version


@pytest.mark.parametrize("how", [{"url": URL + "?2"}, {}, {"url": URL, "call": AGENT_LEFT}])
def test_something_else_under_a_known_id_needs_replace(world: World, how: dict[str, Any]) -> None:
    first = world.add(url=URL)
    with pytest.raises(Invalid, match="is registered already"):
        world.add(**how)
    assert recordings.list_recordings(world.deps, world.tenant_id) == [first]
    world.add(**how, replace=True)
    (changed,) = recordings.list_recordings(world.deps, world.tenant_id)
    assert (changed.url, changed.call) == (how.get("url"), how.get("call", NOTHING_KNOWN))


def test_a_refused_file_is_not_stored_and_replaces_nothing(world: World) -> None:
    first = world.add(file=world.file(b"first"))
    with pytest.raises(Invalid):
        world.add(file=world.file(b"second"))
    assert world.uploads.keys() == [first.audio_key]
    assert world.uploads.read(first.audio_key) == b"first"


def test_replacing_removes_the_audio_that_was_stored_before(world: World) -> None:
    neighbour = world.add("10000421", file=world.file(b"first"))
    world.add(file=world.file(b"first"))
    second = world.add(file=world.file(b"second"), replace=True)
    assert world.uploads.keys() == sorted([neighbour.audio_key, second.audio_key])
    world.add(url=URL, replace=True)
    assert world.uploads.keys() == [neighbour.audio_key]


def test_a_url_that_breaks_a_rule_is_refused(world: World) -> None:
    world.downloads.refuse[URL] = "address"
    with pytest.raises(OutboundRefused):
        world.add(url=URL)
    assert recordings.list_recordings(world.deps, world.tenant_id) == []


def test_what_cannot_be_a_recording_is_refused(world: World) -> None:
    limits = replace(world.deps.settings.limits, max_bytes=4)
    small = replace(world.deps, settings=replace(world.deps.settings, limits=limits))
    for how in (
        {"file": world.file(b"", "empty")},
        {"file": world.file(b"12345", "large")},
        {"file": world.folder},
        {"file": world.folder / "missing.wav"},
        {"file": world.file(b"123", "good"), "url": URL},
        {"call": CallFacts(agent_channel=2)},
    ):
        with pytest.raises(Invalid):
            world.add(deps=small, **how)
    assert world.add(deps=small, file=world.file(b"1234")).stored


def test_a_recording_needs_a_tenant(world: World) -> None:
    with pytest.raises(NotFound):
        recordings.add(world.deps, tenant_id="t0", recording_id="1", url=URL)


def test_recordings_are_listed_newest_first_and_by_tenant(world: World) -> None:
    made = []
    for recording_id in ("b", "a", "c"):
        made.append(world.add(recording_id, url=URL))
        world.clock.advance(1)
    recordings.add(world.deps, tenant_id=world.other_id, recording_id="x", url=URL)
    assert recordings.list_recordings(world.deps, world.tenant_id) == made[::-1]


def rival(world: World, act: Callable[[], object]) -> Deps:
    """Somebody who does something just before our first commit."""
    turns = iter([True])

    def interfere(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.BEFORE and next(turns, False):
            act()

    return replace(world.deps, store=faulty(world.store, interfere))


def test_of_two_who_register_an_id_at_once_the_first_wins_and_the_others_audio_goes(world: World) -> None:
    ours, theirs = world.file(b"ours", "ours.wav"), world.file(b"theirs", "theirs.wav")
    with pytest.raises(Invalid, match="is registered already"):
        world.add(deps=rival(world, lambda: world.add(file=theirs)), file=ours)
    source, _ = world.source("1000042")
    assert world.uploads.keys() == [source.key]
    assert world.uploads.read(str(source.key)) == b"theirs"


def test_of_two_who_register_the_same_at_once_both_succeed(world: World) -> None:
    file = world.file()
    made = world.add(deps=rival(world, lambda: world.add(file=file)), file=file)
    assert world.source("1000042")[0].key == made.audio_key


def test_a_loser_with_the_same_audio_and_other_facts_leaves_the_winners_audio(world: World) -> None:
    file = world.file()
    with pytest.raises(Invalid):
        world.add(deps=rival(world, lambda: world.add(file=file)), file=file, call=AGENT_LEFT)
    world.source("1000042")


def test_two_replacements_at_once_leave_the_later_one_whole(world: World) -> None:
    world.add(file=world.file(b"first"))
    theirs = world.file(b"theirs", "theirs.wav")
    deps = rival(world, lambda: world.add(file=theirs, replace=True))
    made = world.add(deps=deps, file=world.file(b"ours", "ours.wav"), replace=True)
    assert world.uploads.keys() == [made.audio_key]
    assert world.uploads.read(made.audio_key) == b"ours"


def test_a_registration_that_broke_off_anywhere_can_be_made_again(world: World) -> None:
    world.add(file=world.file(b"first"))
    for index in range(40):
        fault = RaiseAt(index, Unavailable("down"))
        deps = replace(world.deps, store=faulty(world.store, fault), uploads=faulty(world.uploads, fault))
        content = f"take {index}".encode()
        try:
            world.add(deps=deps, file=world.file(content), replace=True)
        except Unavailable:
            world.source("1000042")  # the old one or the new one, but a whole one
            world.add(file=world.file(content), replace=True)
        source, _ = world.source("1000042")
        assert world.uploads.read(str(source.key)) == content
        if fault.struck is None:
            return
    pytest.fail("no run was without a fault")
