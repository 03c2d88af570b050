"""Shelves: every change is decided on all that was there, whoever else changes them at the same moment."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

import pytest

from callscribe.adapters.memory import MemoryStore, memory_deps
from callscribe.domain.records import Change, delete, insert, update
from callscribe.domain.shelves import EVERYBODY, Directory, Shelf
from callscribe.errors import Conflict, Invalid, NotFound, Unavailable
from callscribe.ports import Deps
from callscribe.services import shelves
from tests.adapters.contention import contended_table
from tests.services.shelf_work import TENANT, Crowded, all_at_once

WRITERS, CHANGES = 10, 10


def directory(number: int, name: str = "a") -> Directory:
    return Directory(TENANT, EVERYBODY, number, name, created_at_ms=1)


def put(deps: Deps, *steps: Change) -> None:
    shelves.change(deps, Directory, TENANT, EVERYBODY, lambda kept: (steps, None))


def append(deps: Deps) -> int:
    """Adds a directory whose name says how many there were: a lost update would name two alike."""
    new_id = shelves.numbering(deps, Directory, TENANT)

    def decide(kept: list[Directory]) -> tuple[Sequence[Change], int]:
        return (insert(directory(new_id(), str(len(kept)))),), new_id()

    return shelves.change(deps, Directory, TENANT, EVERYBODY, decide)


def names(deps: Deps) -> list[int]:
    return sorted(int(one.name) for one in deps.store.children(Directory, TENANT, EVERYBODY))


def test_each_change_counts_in_the_shelf_and_each_decision_sees_what_was_there() -> None:
    deps = memory_deps()
    assert [append(deps) for _ in range(3)] == [1, 2, 3]
    assert names(deps) == [0, 1, 2]
    shelf = deps.store.get(Shelf, TENANT, EVERYBODY, "Directory")
    assert shelf is not None
    assert shelf.version == 2


def test_a_decision_without_steps_writes_nothing_and_one_that_raises_writes_nothing() -> None:
    store = MemoryStore()
    deps = memory_deps(store=store)
    assert shelves.change(deps, Directory, TENANT, EVERYBODY, lambda kept: ((), "done")) == "done"

    def decide(kept: list[Directory]) -> tuple[Sequence[Change], None]:
        raise NotFound("no such thing")

    with pytest.raises(NotFound):
        shelves.change(deps, Directory, TENANT, EVERYBODY, decide)
    assert store.all(Shelf) == []


def test_whoever_was_too_late_decides_again_after_a_pause() -> None:
    deps = memory_deps()
    seen, pauses = [], list[float]()

    def decide(kept: list[Directory]) -> tuple[Sequence[Change], None]:
        seen.append(len(kept))
        if len(seen) < 3:
            append(deps)  # somebody else, between reading and writing
        return (insert(directory(99)),), None

    shelves.change(deps, Directory, TENANT, EVERYBODY, decide, sleep=pauses.append)
    assert seen == [0, 1, 2]
    assert len(pauses) == 2
    assert all(0 <= pause <= 0.25 for pause in pauses)


def test_who_is_always_too_late_gives_up_in_less_than_the_gateways_time() -> None:
    class Busy(MemoryStore):
        def commit(self, *steps: object) -> None:
            raise Conflict("somebody else was first")

    pauses = list[float]()
    deps = memory_deps(store=Busy())
    with pytest.raises(Unavailable):
        shelves.change(
            deps, Directory, TENANT, EVERYBODY, lambda kept: ((insert(directory(1)),), None), sleep=pauses.append
        )
    assert len(pauses) > 40
    assert sum(pauses) < 15


def test_a_new_id_is_the_same_in_every_try_and_none_is_spent_on_a_refusal() -> None:
    deps = memory_deps()
    new_id = shelves.numbering(deps, Directory, TENANT)
    assert (new_id(), new_id()) == (1, 1)
    shelves.numbering(deps, Directory, TENANT)
    assert shelves.numbering(deps, Directory, TENANT)() == 2


def test_a_shelf_holds_1_000_records_and_can_still_be_changed_and_emptied_when_it_is_full() -> None:
    deps = memory_deps()
    for start in range(1, 1_000, 90):
        put(deps, *(insert(directory(number)) for number in range(start, min(start + 90, 1_001))))
    with pytest.raises(Invalid, match="is full"):
        put(deps, insert(directory(1_001)))
    put(deps, update(directory(1), name="b"))
    put(deps, delete(directory(2)), insert(directory(1_001)))
    put(deps, delete(directory(3)))
    put(deps, insert(directory(1_002)))
    assert len(deps.store.children(Directory, TENANT, EVERYBODY)) == 1_000


def test_the_texts_of_a_shelf_are_bounded_together_and_one_by_one() -> None:
    deps = memory_deps()
    long = "ж" * 180_000  # 360,000 bytes
    with pytest.raises(Invalid, match="bytes of text"):
        put(deps, insert(directory(1, long + long)))
    for number in range(8):
        put(deps, insert(directory(number, long)))
    with pytest.raises(Invalid, match="bytes together"):
        put(deps, insert(directory(9, long)))
    put(deps, update(directory(1, long), name="short"))
    put(deps, insert(directory(9, long)))


@pytest.mark.parametrize("text", ["", "  ", "\t\n", "\u200b", " \u200d\u00a0\u2060 ", "\u3164"])
def test_a_required_text_is_not_blank(text: str) -> None:
    with pytest.raises(Invalid, match="empty"):
        shelves.required("name", text)


def test_a_required_text_is_trimmed_and_counted_in_characters() -> None:
    assert shelves.required("name", "  Отдел 👩‍💻  ") == "Отдел 👩‍💻"
    assert shelves.required("name", "я" * 255) == "я" * 255
    with pytest.raises(Invalid, match="at most 255"):
        shelves.required("name", "я" * 256)


def test_10_concurrent_writers_on_one_tenant_lose_no_update() -> None:
    store = Crowded(MemoryStore())
    deps = memory_deps(store=store)

    def write() -> list[int]:
        return [append(deps) for _ in range(CHANGES)]

    ids = all_at_once([write] * WRITERS)
    assert sorted(chain.from_iterable(ids)) == list(range(1, WRITERS * CHANGES + 1))
    assert names(deps) == list(range(WRITERS * CHANGES))
    assert store.lost > WRITERS


def test_10_concurrent_writers_on_a_table_that_refuses_every_fourth_transaction_lose_no_update() -> None:
    with contended_table() as (store, faults):
        deps = memory_deps(store=store)
        all_at_once([partial(append, deps)] * WRITERS)
        assert names(deps) == list(range(WRITERS))
        assert faults.met > 0
