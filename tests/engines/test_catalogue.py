"""The table of models, and how one gets into a directory whatever happens on the way."""

import errno
import hashlib
import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest

from callscribe.engines import ENGINES, fetching
from callscribe.engines.catalogue import CATALOGUE, COMMIT, Model, find_model, pinned_revision
from callscribe.engines.fetching import CARD, WrongFiles, fetch, read_card
from callscribe.errors import Conflict, Invalid, Unavailable
from infra.settings import GPU_MODELS

REVISION = "a" * 40
WHEN = "2026-11-21T10:00:00+00:00"
MODEL = Model(
    name="tiny",
    engine="x",
    repository="someone/tiny",
    revision=REVISION,
    needs=("model.bin", ("words.json", "words.txt"), "made.json"),
    files=("*.bin", "words.*"),
    licence="MIT",
    size_bytes=10,
    languages="en",
    seen="here",
    made={"made.json": "{}"},
    sha256={"model.bin": hashlib.sha256(b"weights").hexdigest()},
)


class Publisher:
    """Stands for the hub: writes the files, or breaks."""

    def __init__(self) -> None:
        self.files = {"model.bin": b"weights", "words.txt": b"a b c"}
        self.broken: Exception | None = None
        self.calls: list[tuple[str, str, tuple[str, ...], bool]] = []

    def __call__(self, repository: str, revision: str, patterns: tuple[str, ...], into: Path, with_login: bool) -> None:
        self.calls.append((repository, revision, patterns, with_login))
        (into / ".cache").mkdir(exist_ok=True)
        for name, body in self.files.items():
            (into / name).write_bytes(body)
            if self.broken:
                raise self.broken


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def fetched(publisher: Publisher, into: Path, model: Model = MODEL, revision: str = REVISION) -> fetching.Fetched:
    return fetch(model, revision, into, download=publisher, fetched_at=WHEN)


def test_every_model_is_pinned_to_a_commit_and_says_where_that_was_seen() -> None:
    for model in CATALOGUE.values():
        assert model.revision is None or COMMIT.fullmatch(model.revision), model.name
        assert len(model.seen) > 10
        assert model.licence
        assert model.size_bytes > 1_000_000
        assert all(len(checksum) == 64 for checksum in model.sha256.values())


MODULES = {**ENGINES, "pyannote": "callscribe.engines.pyannote_files"}


@pytest.mark.parametrize("engine", sorted(set(MODULES) - {"pocketsphinx"}))
def test_what_a_model_needs_is_what_its_engine_asks_for(engine: str) -> None:
    own = pytest.importorskip(MODULES[engine], reason=f"the packages of {engine} are not installed").FILES
    for model in CATALOGUE.values():
        if model.engine == engine:
            names = {name for need in model.needs for name in ([need] if isinstance(need, str) else need)}
            assert all(names & ({need} if isinstance(need, str) else set(need)) for need in own), model.name


def test_every_model_that_an_image_may_be_built_with_is_pinned() -> None:
    for engine, names in GPU_MODELS.items():
        assert engine in ENGINES
        assert [name for name in names if CATALOGUE[name].revision is None or CATALOGUE[name].engine != engine] == []


def test_an_unknown_model_is_told_with_all_that_are_known() -> None:
    with pytest.raises(Invalid, match="whisper-small"):
        find_model("whisper-gigantic")


def test_a_model_without_a_known_commit_asks_for_one() -> None:
    unknown = replace(MODEL, revision=None)
    with pytest.raises(Invalid, match="give --revision with the 40 hex digits"):
        pinned_revision(unknown, None)
    assert pinned_revision(unknown, "b" * 40) == "b" * 40
    assert pinned_revision(MODEL, None) == REVISION


@pytest.mark.parametrize("name", ["main", "refs/pr/1", "A" * 40, "a" * 39, f"{'a' * 40}\n"])
def test_what_is_no_whole_commit_is_no_pin(name: str) -> None:
    with pytest.raises(Invalid, match="a branch or tag can move"):
        pinned_revision(MODEL, name)


def test_a_model_stands_in_a_directory_of_its_name_with_its_card(publisher: Publisher, tmp_path: Path) -> None:
    one = fetched(publisher, tmp_path / "deep" / "models")
    assert publisher.calls == [("someone/tiny", REVISION, ("*.bin", "words.*"), False)]
    assert one.fresh
    assert {path.name for path in one.folder.iterdir()} == {"model.bin", "words.txt", "made.json", CARD}
    assert read_card(one.folder) == {
        "name": "tiny",
        "engine": "x",
        "repository": "someone/tiny",
        "revision": REVISION,
        "digest": one.digest,
        "licence": "MIT",
        "files": {"made.json": 2, "model.bin": 7, "words.txt": 5},
        "fetched_at": WHEN,
    }


def test_a_file_that_the_publisher_has_by_now_is_not_replaced_by_ours(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files["made.json"] = b'{"theirs": 1}'
    assert (fetched(publisher, tmp_path).folder / "made.json").read_bytes() == b'{"theirs": 1}'


@pytest.mark.parametrize("name", ["model.bin", "words.txt", "made.json", CARD])
def test_a_model_that_was_changed_since_is_fetched_anew(publisher: Publisher, tmp_path: Path, name: str) -> None:
    folder = fetched(publisher, tmp_path).folder
    assert not fetched(publisher, tmp_path).fresh
    card = json.loads((folder / CARD).read_text())
    (folder / name).write_text(json.dumps(card | {"digest": "0"}) if name == CARD else "changed")
    assert fetched(publisher, tmp_path).fresh
    assert (folder / "model.bin").read_bytes() == b"weights"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_another_commit_takes_the_place_of_the_one_before(publisher: Publisher, tmp_path: Path) -> None:
    fetched(publisher, tmp_path)
    publisher.files = {"model.bin": b"newer", "words.json": b"[]"}
    two = fetched(publisher, tmp_path, revision="b" * 40)  # whose checksum nobody knows
    assert {path.name for path in two.folder.iterdir()} == {"model.bin", "words.json", "made.json", CARD}
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.parametrize("broken", [Unavailable("gone"), OSError(errno.ENOSPC, "No space left on device")])
def test_what_breaks_on_the_way_leaves_the_old_model_and_the_next_try_goes_on(
    publisher: Publisher, tmp_path: Path, broken: Exception
) -> None:
    before = fetched(publisher, tmp_path)
    publisher.broken = broken
    with pytest.raises(type(broken)):
        fetched(publisher, tmp_path, replace(MODEL, sha256={}), revision="b" * 40)
    assert not fetched(publisher, tmp_path).fresh
    assert before.folder.is_dir()
    publisher.broken = None
    assert fetched(publisher, tmp_path, revision="b" * 40).fresh


@pytest.mark.parametrize("step", ["_write_card", "_put_in_place"])
def test_killed_before_the_last_steps_it_is_not_taken_for_done(
    publisher: Publisher, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fetching, step, killed)
        with pytest.raises(KeyboardInterrupt):
            fetched(publisher, tmp_path)
    assert not (tmp_path / "tiny").exists()
    assert fetched(publisher, tmp_path).fresh
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_killed_between_the_two_renames_the_next_try_puts_it_right(publisher: Publisher, tmp_path: Path) -> None:
    folder = fetched(publisher, tmp_path).folder
    folder.rename(tmp_path / ".tiny.old")
    assert fetched(publisher, tmp_path).fresh
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_directory_that_somebody_else_made_is_left_alone(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    assert fetched(publisher, tmp_path).fresh  # an empty one is nobody's
    other = replace(MODEL, name="other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(Invalid, match="was not made by this command"):
        fetched(publisher, tmp_path, other)
    assert (tmp_path / "other" / "mine.txt").read_text() == "mine"
    assert len(publisher.calls) == 1


def test_weights_with_another_checksum_are_thrown_away(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files["model.bin"] = b"weight5"
    with pytest.raises(WrongFiles, match=r"model\.bin of someone/tiny"):
        fetched(publisher, tmp_path)
    assert not list(tmp_path.rglob("model.bin"))
    publisher.files["model.bin"] = b"weights"
    assert fetched(publisher, tmp_path).fresh


def test_a_model_that_does_not_fit_on_the_disk_is_not_begun(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="GB are free") as full:
        fetched(publisher, tmp_path, replace(MODEL, size_bytes=10**18))
    assert full.value.errno == errno.ENOSPC
    assert publisher.calls == []


def test_two_that_fetch_the_same_do_not_mix_their_files(publisher: Publisher, tmp_path: Path) -> None:
    part = tmp_path / f".tiny.{REVISION[:12]}.part"
    part.mkdir()
    locked, done = multiprocessing.get_context("fork").Pipe()
    child = os.fork()
    if child == 0:
        import fcntl

        fcntl.flock(os.open(part, os.O_RDONLY), fcntl.LOCK_EX)
        done.send("locked")
        done.recv()
        os._exit(0)
    assert locked.recv() == "locked"
    with pytest.raises(Conflict, match="another process"):
        fetched(publisher, tmp_path)
    locked.send("go")
    os.waitpid(child, 0)
    assert fetched(publisher, tmp_path).fresh
