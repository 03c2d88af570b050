"""Files of the index that were damaged at random: whatever is asked of them, they are said to be unreadable."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.sqlite.index import SqliteTaskIndex
from callscribe.domain.tasks import EVERYTHING, LABELS, Criteria, TaskRow, TaskStatus, TaskType, Unwritten
from callscribe.errors import Unreadable

KEY, MONTH = "tasks/t1/2026-01.sqlite", "2026-01"
JANUARY_MS = 1_767_225_600_000
TASKS = range(1, 64)
COPIES = 60


def task(number: int, version: int = 1, words: str = "secret") -> TaskRow:
    """A row that has something of everything."""
    return TaskRow(
        id=number,
        code=f"c{number:04}",
        type=TaskType.CALL,
        status=TaskStatus.COMPLETED,
        created_at_ms=JANUARY_MS,
        updated_at_ms=JANUARY_MS + number,
        version=version,
        file_name=f"secret{number}.wav",
        operator_name=f"Secret {number % 7}",
        call_at_ms=JANUARY_MS + 1000 * number,
        call_type="inbound",
        call_date="2026-01-02" if number % 3 else None,
        directory_id=number % 5,
        length_min=1.5,
        report_type="standard",
        satisfaction=5,
        politeness=3,
        script_alignment=50.0,
        labels=dict.fromkeys(LABELS, 1 + number % 3),
        tags=("secret", f"t{number % 9}"),
        answers=((7, "Secret"), (8, f"no {number}")),
        words=" ".join([words, *(f"w{number * word % 97}" for word in range(30))]),
    )


def unwritten() -> Unwritten:
    return Unwritten({2: 5, 99: 1}, (task(2, version=5), task(99)))


def find(wanted: Criteria) -> Callable[[SqliteTaskIndex], object]:
    return lambda index: index.find("t1", wanted, unwritten, page=1, per_page=100)


ASKS: Mapping[str, Callable[[SqliteTaskIndex], object]] = {
    "find everything": find(EVERYTHING),
    "find an operator": find(Criteria(operator="secret")),
    "find words": find(Criteria(words="w5")),
    "find tags": find(Criteria(tags_any=("secret",))),
    "find answers": find(Criteria(checklist_id=7, answers=("secret",))),
    "find a code": find(Criteria(code="c0005")),
    "latest": lambda index: index.latest("t1", unwritten, 50),
    "days": lambda index: index.days("t1", unwritten),
    "drop_words": lambda index: index.drop_words("t1", MONTH),
    "take_in": lambda index: index.take_in(
        "t1", MONTH, [task(number, version=2, words="other") for number in (5, 6, 70)], gone={8: 2}
    ),
}


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    """A month that was written twice."""
    files = MemoryIndexFiles()
    index = SqliteTaskIndex(files)
    index.take_in("t1", MONTH, [task(number) for number in TASKS[:-4]], gone={})
    index.take_in("t1", MONTH, [task(number) for number in TASKS[-4:]], gone={3: 2})
    files.fetch(KEY, tmp_path / "sound")
    return (tmp_path / "sound").read_bytes()


def damaged(sound: bytes, chance: random.Random) -> bytes:
    """Some bytes are others, a run of them is, some bits are, or the end is missing."""
    body = bytearray(sound)
    match chance.randrange(4):
        case 0:
            for _ in range(chance.randrange(1, 20)):
                body[chance.randrange(len(body))] = chance.randrange(256)
        case 1:
            start = chance.randrange(len(body))
            run = len(body[start : start + chance.randrange(1, 3_000)])
            body[start : start + run] = chance.randbytes(run)
        case 2:
            for _ in range(chance.randrange(1, 200)):
                body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        case _:
            del body[chance.randrange(len(body)) :]
    return bytes(body)


def copies(sound: bytes, folder: Path) -> Iterator[Callable[[], SqliteTaskIndex]]:
    """Of each damaged file indexes that hold it alone."""
    (folder / "kept").mkdir()
    for seed in range(COPIES):
        body = damaged(sound, random.Random(seed))

        def index(body: bytes = body) -> SqliteTaskIndex:
            files = MemoryIndexFiles()
            (folder / "damaged").write_bytes(body)
            files.replace(KEY, folder / "damaged", etag=None)
            return SqliteTaskIndex(files, folder / "kept")

        yield index


def test_whatever_a_damaged_file_does_to_a_question_it_is_unreadable(
    sound: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A change of a value may pass unseen. Nothing of what was in the file is logged, and nothing stays behind."""
    caplog.set_level(logging.DEBUG)
    refused: Counter[str] = Counter()
    for made in copies(sound, tmp_path):
        for name, ask in ASKS.items():
            index = made()
            with suppress(Unreadable):
                ask(index)
                refused[name] -= 1
            refused[name] += 1
            index.close()
            assert list((tmp_path / "kept").iterdir()) == []
    assert all(COPIES / 4 < refused[name] < COPIES for name in ASKS)
    assert "secret" not in caplog.text.lower()


def test_a_month_is_made_anew_from_its_tasks_alone_where_its_file_is_not_sound(sound: bytes, tmp_path: Path) -> None:
    """Or is, as long as no version in it is above its task's: of that `test_index_files` tells."""
    rows = [task(number, version=9, words="anew") for number in TASKS]
    for made in copies(sound, tmp_path):
        index = made()
        index.rewrite("t1", MONTH, rows, gone={})
        found = index.find("t1", Criteria(words="anew"), Unwritten, page=1, per_page=100)
        assert found.rows == tuple(replace(row, words="") for row in reversed(rows))
        index.close()


def test_the_same_questions_of_the_sound_file_are_answered(sound: bytes, tmp_path: Path) -> None:
    files = MemoryIndexFiles()
    files.replace(KEY, tmp_path / "sound", etag=None)
    index = SqliteTaskIndex(files)
    for ask in ASKS.values():
        ask(index)
    assert index.versions("t1", MONTH).keys() == {*TASKS, 70} - {3, 8}
    index.close()
