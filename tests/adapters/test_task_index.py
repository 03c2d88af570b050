"""The port `TaskIndex`: the fake, and the SQLite index on files in memory and on S3 as moto mocks it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from callscribe.domain.tasks import EVERYTHING, Criteria, Range, TaskRow, TaskStatus, TaskType, Unwritten
from callscribe.errors import Conflict
from callscribe.ports import TaskIndex

JANUARY_MS, FEBRUARY_MS, DAY_MS = 1_767_225_600_000, 1_769_904_000_000, 86_400_000


def test_rows_that_were_taken_in_are_found_in_all_months(task_index: TaskIndex) -> None:
    task_index.take_in("t1", "2026-01", [task(1), task(2)], gone={})
    task_index.take_in("t1", "2026-02", [task(3, created_at_ms=FEBRUARY_MS)], gone={})
    task_index.take_in("t1", "2026-01", [task(2, version=2, operator_name="Ivanov")], gone={1: 2})
    assert ids(task_index) == [3, 2]
    assert ids(task_index, Criteria(operator="ivan")) == [2]
    assert task_index.versions("t1", "2026-01") == {2: 2}
    assert (task_index.months("t1"), task_index.months("t2")) == (["2026-01", "2026-02"], [])


def test_another_tenants_tasks_are_nowhere(task_index: TaskIndex) -> None:
    task_index.take_in("t1", "2026-01", [task(1)], gone={})
    assert task_index.find("t2", EVERYTHING, Unwritten, page=1, per_page=10).total == 0
    assert task_index.days("t2", Unwritten) == {}
    assert task_index.versions("t2", "2026-01") == {}


def test_of_what_was_taken_in_and_what_was_not_the_newer_version_counts(task_index: TaskIndex) -> None:
    task_index.take_in("t1", "2026-01", [task(1, version=5, words="old"), task(2, version=5), task(3)], gone={})
    newer, older = task(1, version=6, words="new"), task(2, version=4, operator_name="outdated")
    unwritten = Unwritten({1: 6, 2: 4, 3: 2, 4: 1}, (newer, older, task(4)))
    assert ids(task_index, unwritten=unwritten) == [4, 2, 1]
    assert ids(task_index, Criteria(words="new"), unwritten) == [1]
    assert ids(task_index, Criteria(words="old"), unwritten) == []
    assert ids(task_index, Criteria(operator="outdated"), unwritten) == []


def test_pages_are_cut_from_one_order_and_the_total_is_that_of_all(task_index: TaskIndex) -> None:
    task_index.take_in("t1", "2026-01", [task(number) for number in range(1, 6)], gone={})
    unwritten = Unwritten({6: 1}, (task(6),))
    pages = [task_index.find("t1", EVERYTHING, lambda: unwritten, page=page, per_page=4) for page in (1, 2, 3)]
    assert [[row.id for row in page.rows] for page in pages] == [[6, 5, 4, 3], [2, 1], []]
    assert {page.total for page in pages} == {6}


def test_a_task_that_went_is_brought_back_by_nobody_who_comes_late(task_index: TaskIndex) -> None:
    task_index.take_in("t1", "2026-01", [task(1)], gone={})
    task_index.take_in("t1", "2026-01", [], gone={1: 3})
    task_index.take_in("t1", "2026-01", [task(1, version=2)], gone={})
    assert (ids(task_index), task_index.versions("t1", "2026-01")) == ([], {})
    assert ids(task_index, unwritten=Unwritten({1: 2}, (task(1, version=2),))) == []
    task_index.rewrite("t1", "2026-01", [], gone={})
    task_index.take_in("t1", "2026-01", [task(1, version=2)], gone={})
    assert ids(task_index) == []


def test_calls_are_counted_by_day_wherever_they_stand(task_index: TaskIndex) -> None:
    """By the call's own time where it has one, and nothing but calls."""
    task_index.take_in("t1", "2026-01", [task(1), task(2, call_at_ms=-1), task(3, type=TaskType.CHAT)], gone={})
    task_index.take_in("t1", "2026-02", [task(4, created_at_ms=FEBRUARY_MS), task(5, call_at_ms=JANUARY_MS)], gone={})
    unwritten = Unwritten({1: 2, 4: 2, 6: 1}, (task(1, version=2, call_at_ms=JANUARY_MS + DAY_MS), task(6)))
    assert task_index.days("t1", Unwritten) == {"1969-12-31": 1, "2026-01-01": 2, "2026-02-01": 1}
    assert task_index.days("t1", lambda: unwritten) == {"1969-12-31": 1, "2026-01-01": 2, "2026-01-02": 1}


def test_T_10_the_latest_tasks_are_those_that_were_made_last_wherever_they_stand(task_index: TaskIndex) -> None:
    task_index.take_in(
        "t1", "2026-01", [task(1, updated_at_ms=9**15, words="said"), task(2), task(3), task(9)], gone={}
    )
    task_index.take_in("t1", "2026-02", [task(4, created_at_ms=FEBRUARY_MS), task(6, version=5)], gone={})
    task_index.take_in("t2", "2026-01", [task(99)], gone={})
    changed = (task(4, version=2, status=TaskStatus.ERROR, words="said"), task(5, words="said"), task(6))
    unwritten = Unwritten({4: 2, 5: 1, 6: 1, 9: 2}, changed)
    found = task_index.latest("t1", lambda: unwritten, 4)
    assert [row.id for row in found] == [6, 5, 4, 3]
    assert [(row.version, row.status, row.words) for row in found[:3]] == [
        (5, task(6).status, ""), (1, task(5).status, ""), (2, TaskStatus.ERROR, ""),
    ]  # fmt: skip
    assert [row.id for row in task_index.latest("t1", Unwritten, 9)] == [9, 6, 4, 3, 2, 1]
    assert task_index.latest("t3", Unwritten, 5) == ()


def test_T_10_T_18_a_call_counts_on_the_day_on_which_it_is_found(task_index: TaskIndex) -> None:
    """Its time's in UTC, else its date, else that of its making; a chat is found like a call, and not counted."""
    days = ("1969-12-31", "0001-01-01", "9999-12-31", "2024-02-29", "2025-10-20", "2025-10-20")
    dated = [task(number, call_date=day) for number, day in enumerate(days, 1)]
    timed = [task(7, call_date="2025-10-20", call_at_ms=-1), task(8), task(9, type=TaskType.CHAT, call_date=days[-1])]
    task_index.take_in("t1", "2026-01", [*dated, *timed], gone={})
    unwritten = Unwritten({6: 2, 10: 1}, (task(6, version=2, call_date="2025-10-21"), task(10)))
    told = {"0001-01-01": 1, "1969-12-31": 2, "2024-02-29": 1, "2025-10-20": 1, "2025-10-21": 1, "2026-01-01": 2}
    assert task_index.days("t1", lambda: unwritten) == told | {"9999-12-31": 1}
    for day, count in task_index.days("t1", lambda: unwritten).items():
        first_ms = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
        of_day = Criteria(type=TaskType.CALL, moment_ms=Range(first_ms, first_ms + DAY_MS - 1))
        assert task_index.find("t1", of_day, lambda: unwritten, page=1, per_page=9).total == count, day
    chats = Criteria(type=TaskType.CHAT, moment_ms=Range(1_760_918_400_000, 1_760_918_400_000))
    assert task_index.find("t1", chats, lambda: unwritten, page=1, per_page=9).total == 1


def test_a_month_that_is_made_anew_holds_these_rows_alone(task_index: TaskIndex) -> None:
    task_index.take_in("t1", "2026-01", [task(1), task(2), task(3)], gone={})
    same_but_corrected = task(1, operator_name="Ivanov")
    task_index.rewrite("t1", "2026-01", [same_but_corrected, task(2, version=2)], gone={3: 1})
    assert ids(task_index) == [2, 1]
    assert ids(task_index, Criteria(operator="ivan")) == [1]


def test_what_was_said_in_a_month_can_be_forgotten(task_index: TaskIndex) -> None:
    """And nothing else of it, nor what was said in another."""
    said: dict[str, Any] = {"words": "zebra", "operator_name": "Ivanov"}
    task_index.take_in("t1", "2026-01", [task(1, **said), task(2, **said), task(4)], gone={})
    task_index.take_in("t1", "2026-02", [task(3, created_at_ms=FEBRUARY_MS, **said)], gone={})
    task_index.take_in("t2", "2026-01", [task(1, **said)], gone={})
    task_index.drop_words("t1", "2026-01")
    assert ids(task_index, Criteria(words="zebra")) == [3]
    assert ids(task_index, Criteria(operator="ivan")) == [3, 2, 1]
    assert task_index.find("t2", Criteria(words="zebra"), Unwritten, page=1, per_page=1).total == 1
    assert task_index.versions("t1", "2026-01") == {1: 1, 2: 1, 4: 1}
    task_index.take_in("t1", "2026-01", [task(1, version=2), task(2, version=2, words="lion")], gone={4: 2})
    assert (ids(task_index, Criteria(words="lion")), ids(task_index)) == ([2], [3, 2, 1])
    for _ in range(2):
        task_index.drop_words("t1", "2026-01")
        task_index.drop_words("t1", "2025-12")
    assert ids(task_index, Criteria(words="lion")) == []
    assert task_index.months("t1") == ["2026-01", "2026-02"]


def test_a_month_that_knows_more_is_not_made_anew(task_index: TaskIndex) -> None:
    task_index.take_in("t1", "2026-01", [task(1, version=2), task(2)], gone={})
    for rows in ([task(1), task(2)], [task(1, version=2)]):
        with pytest.raises(Conflict):
            task_index.rewrite("t1", "2026-01", rows, gone={})
    assert task_index.versions("t1", "2026-01") == {1: 2, 2: 1}


def task(task_id: int, *, created_at_ms: int = JANUARY_MS, **fields: object) -> TaskRow:
    changed_ms = JANUARY_MS + task_id
    plain = TaskRow(task_id, f"c{task_id}", TaskType.CALL, TaskStatus.PENDING, created_at_ms, changed_ms, 1)
    return replace(plain, **fields)  # type: ignore[arg-type]  # fields of a row


def ids(index: TaskIndex, wanted: Criteria = EVERYTHING, unwritten: Unwritten | None = None) -> list[int]:
    found = index.find("t1", wanted, lambda: unwritten or Unwritten(), page=1, per_page=100)
    assert found.total == len(found.rows)
    return [row.id for row in found.rows]
