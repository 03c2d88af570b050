"""adapters/sqlite: lists of tasks from its files, against a plain scan of the rows that knows no SQL."""

import random
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.adapters.memory.plain_scan import scan
from callscribe.adapters.sqlite.lists import find
from callscribe.adapters.sqlite.month import MonthFile
from callscribe.adapters.sqlite.trouble import Damaged
from callscribe.domain.tasks import (
    EVERYTHING,
    LABELS,
    Criteria,
    Found,
    Range,
    TaskRow,
    TaskStatus,
    TaskType,
    Unwritten,
    storable,
)

JANUARY_MS = 1_767_225_600_000
DAY_MS = 86_400_000
NAMES = [
    None,
    "global",
    "Ivanov",
    "IVANOVA",
    "Ümit Öz",
    "100%_real",
    "straße",
    "Сергей",
    "СЕРГЕИ\u0306",
    "Артём",
    "Νίκος",
]
SAID = [
    "eSIM",
    "setup",
    "esim-setup",
    "Straße",
    "café",
    "CAFE",
    "it's",
    "APN",
    "x_y",
    "número",
    '"quoted"',
    "NEAR",
    "42",
    "мой",
    "мои",
    "МОИ\u0306",
    "ещё",
    "еще",
    "ї",
    "і",
    "σας",
    "ΣΑΣ",
    "Καλημέρα",
    "καλημερα",
]
TAGS = ["eSIM", "esim", " APN ", "a,b", "Ü", "жалоба", "й", "и\u0306", "ё", "ΣΑΣ"]

moments = st.integers(0, 6).map(lambda day: JANUARY_MS + day * DAY_MS)


def optional(values: st.SearchStrategy[int] | st.SearchStrategy[float]) -> st.SearchStrategy[int | float | None]:
    return st.none() | values


rows = st.builds(
    TaskRow,
    id=st.integers(1, 30),
    code=st.sampled_from(["c1", "c2", "c3"]),
    type=st.sampled_from(list(TaskType)),
    status=st.sampled_from(list(TaskStatus)),
    created_at_ms=moments,
    updated_at_ms=moments,
    version=st.integers(0, 3),
    file_name=st.none() | st.text(max_size=5),
    operator_name=st.sampled_from(NAMES),
    call_at_ms=st.none() | moments,
    call_type=st.sampled_from([None, "inbound", "outbound"]),
    length_min=st.floats(0, 5),
    satisfaction=st.none() | st.integers(0, 10),
    politeness=st.none() | st.integers(1, 5),
    script_alignment=st.none() | st.floats(0, 100),
    labels=st.dictionaries(st.sampled_from(LABELS), st.integers(1, 3)),
    tags=st.lists(st.sampled_from(TAGS), max_size=3).map(tuple),
    answers=st.lists(st.tuples(st.integers(1, 2), st.sampled_from(["Yes", "no", "Partially"])), max_size=2).map(tuple),
    words=st.lists(st.sampled_from(SAID), max_size=6).map(" ".join),
)
ranges = st.builds(Range, st.none() | st.integers(0, 6), st.none() | st.integers(0, 6))
criteria = st.builds(
    Criteria,
    code=st.none() | st.sampled_from(["c1", "c9"]),
    id=st.none() | st.integers(1, 30),
    type=st.none() | st.sampled_from(list(TaskType)),
    status=st.none() | st.sampled_from(list(TaskStatus)),
    moment_ms=st.builds(Range, st.none() | moments, st.none() | moments),
    call_type=st.none() | st.sampled_from(["inbound", "outbound"]),
    operator=st.none() | st.sampled_from(["ivan", "ÜMIT", "%", "_", "STRASSE", "'", "сергей", "АРТЕМ", "ΝΊΚΟΣ"]),
    words=st.lists(st.sampled_from([*SAID, "!!", "OR", "-", "*", "e"]), max_size=2).map(" ".join),
    labels=st.dictionaries(st.sampled_from(LABELS), st.lists(st.integers(1, 4), max_size=2).map(tuple), max_size=2),
    script_alignment=ranges,
    satisfaction=ranges,
    politenesses=st.lists(st.integers(1, 5), max_size=2).map(tuple),
    politeness=ranges,
    tags_any=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
    tags_all=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
    length_min=ranges,
    checklist_id=st.none() | st.integers(1, 3),
    answers=st.lists(st.sampled_from(["yes", "NO"]), max_size=2).map(tuple),
)
few_criteria = st.fixed_dictionaries({}, optional={"x": criteria}).map(lambda found: found.get("x", EVERYTHING))


@st.composite
def single_criteria(draw: st.DrawFn) -> Criteria:
    """One or two criteria only: with all of them hardly anything fits."""
    drawn = draw(criteria)
    names = draw(st.lists(st.sampled_from([*sorted(Criteria.__slots__), *5 * ["words"]]), max_size=2))
    return replace(EVERYTHING, **{name: getattr(drawn, name) for name in names})


@given(st.lists(rows, max_size=25), st.lists(rows, max_size=5), single_criteria() | criteria, st.integers(1, 3))
@settings(max_examples=300)
def test_a_list_is_what_a_plain_scan_finds(
    indexed: list[TaskRow], fresh: list[TaskRow], wanted: Criteria, page: int
) -> None:
    """Whatever stands in the files of several months, and what is fresh; of each task the newest."""
    newest = newest_of(indexed)
    months = [MonthFile() for _ in range(3)]
    for number, file in enumerate(months):
        file.put(row for row in newest if row.id % 3 == number)
    found = find(months, unwritten_of(fresh), wanted, page=page, per_page=4)
    for file in months:
        file.close()
    scanned = scan(newest_of([*newest, *newest_of(fresh)]), wanted)
    assert found == Found(tuple(scanned[4 * page - 4 : 4 * page]), len(scanned))


def test_a_row_replaces_older_versions_of_itself_and_not_newer_ones(tmp_path: Path) -> None:
    with MonthFile(tmp_path / "file") as file:
        file.put([task(1, version=2, words="eSIM")])
        file.put([task(1, version=1, words="older")])
        assert codes(file, Criteria(words="older")) == []
        file.put([task(1, version=3, words="newer")])
        assert (codes(file, Criteria(words="esim")), codes(file, Criteria(words="newer"))) == ([], ["code-1"])
        assert file.versions() == {1: 3}


def test_a_file_that_was_closed_says_what_it_said(tmp_path: Path) -> None:
    kept = task(1, tags=("eSIM",), answers=((7, "Yes"),), labels={"tone": 2}, words="some words")
    with MonthFile(tmp_path / "file") as file:
        file.put([kept, task(2)])
        file.put([], gone={2: 2})
    with MonthFile(tmp_path / "file") as file:
        assert file.rows(file.versions()) == {1: replace(kept, words="")}
        assert codes(file, Criteria(words="WORDS", tags_all=("ESIM",), checklist_id=7, answers=("yes",))) == ["code-1"]


def test_the_words_of_a_task_that_went_or_was_changed_are_in_no_byte_of_the_file(tmp_path: Path) -> None:
    """Whoever deletes a task deletes what was said; an index of words keeps none of the text, but all of its words."""
    path = tmp_path / "file"
    with MonthFile(path) as file:
        file.put([task(number, words=f"Zebra{number} straße ÇA-VA d'accord") for number in range(1, 60)])
        assert b"zebra" in path.read_bytes()
        file.put([task(1, version=2, words="giraffe")], gone=dict.fromkeys(range(2, 60), 2))
        assert codes(file, Criteria(words="zebra1")) == codes(file, Criteria(words="strasse accord")) == []
        assert codes(file, Criteria(words="giraffe")) == ["code-1"]
    left = path.read_bytes()
    assert (b"zebra" in left, b"accord" in left, b"giraffe" in left) == (False, False, True)


def test_the_words_that_are_forgotten_as_a_whole_are_in_no_byte_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with MonthFile(path) as file:
        file.put([task(number, words=" ".join(f"zebra{number}x{word}" for word in range(200))) for number in range(99)])
        before_bytes = path.stat().st_size
        assert b"zebra" in path.read_bytes()
        assert file.drop_words()
        assert not file.drop_words()
        assert len(file.versions()) == 99
    assert b"zebra" not in path.read_bytes()
    assert path.stat().st_size < before_bytes / 2


def test_whoever_said_nothing_before_costs_no_look_through_all_words(tmp_path: Path) -> None:
    """That look is long: a task that gets its words must not need one, and tasks that lose theirs need one together."""
    statements: list[str] = []
    with MonthFile(tmp_path / "file") as file:
        file.put([task(1), task(2, words="a"), task(3, words="b"), task(4, words="c"), task(5)])
        file._database.set_trace_callback(statements.append)
        file.put([task(1, version=2, words="said")], gone={5: 2})
        assert looks_through_words(statements) == 0
        file.put([task(1, version=3, words="said"), task(2, version=2, operator_name="x", words="a")])
        assert looks_through_words(statements) == 0
        file.put([task(2, version=3), task(3, version=2, words="other")], gone={4: 2})
        assert looks_through_words(statements) == 1
        assert codes(file, Criteria(words="said")) == ["code-1"]
        assert codes(file, Criteria(words="other")) == ["code-3"]
        assert codes(file, Criteria(words="a")) == codes(file, Criteria(words="b")) == codes(file, Criteria(words="c"))


def looks_through_words(statements: list[str]) -> int:
    return sum("FROM temp.said" in one for one in statements)


def test_rows_are_taken_in_together_or_not_at_all(tmp_path: Path) -> None:
    with MonthFile(tmp_path / "file") as file:
        with pytest.raises(sqlite3.IntegrityError):
            file.put([task(1), replace(task(2), code=None)])  # type: ignore[arg-type]  # that is what fails
        assert file.versions() == {}


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    MonthFile(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(Damaged, match="rebuild"):
        MonthFile(path)


@pytest.mark.parametrize(
    "rubbish", ['"', "'; DROP TABLE tasks; --", "NEAR(", "a* OR b", "^x", "{", "said:x", "\x00", "a\x00b"]
)
def test_no_search_text_is_an_error_or_an_operator(rubbish: str) -> None:
    with MonthFile() as file:
        file.put([task(1, words="a b x")])
        assert codes(file, Criteria(words=rubbish)) in ([], ["code-1"])
        assert codes(file, Criteria(words="a OR b")) == []


@pytest.mark.parametrize(
    "wanted",
    [
        Criteria(id=10**30),
        Criteria(labels={"tone": (-(10**30),)}),
        Criteria(length_min=Range(10**400, None)),
        Criteria(operator="\ud800"),
        Criteria(words="\ud800x"),
        Criteria(tags_all=("\udfff",)),
        Criteria(code="\x00"),
    ],
)
def test_values_that_no_file_can_hold_fit_nothing_and_are_no_error(wanted: Criteria) -> None:
    with MonthFile() as file:
        file.put([task(1, operator_name="?", labels={"tone": 1}, words="?")])
        assert codes(file, wanted) == []


# Letters that look alike, or are one letter in two spellings; signs; and what stands in words unseen.
ALPHABET = "аеёЕЁйЙиіїЇςσΣάαΆΐιeéEßsAa1 -'\"_.\x00\u0301\u0306\u0308\u0345\u00ad\u200b\u093f\u0939\ud800"
wild_texts = st.text(ALPHABET, max_size=8) | st.text(max_size=8)


@given(st.lists(wild_texts, min_size=1, max_size=5), wild_texts, st.text(max_size=8))
@settings(max_examples=400)
def test_words_in_any_letters_are_found_as_a_plain_scan_finds_them(said: list[str], asked: str, more: str) -> None:
    """Whatever anybody says, in whatever spelling he is asked for. Whoever is asked for all that he said is found."""
    rows_ = [task(number, words=storable(text)) for number, text in enumerate(said, 1)]
    with MonthFile() as file:
        file.put(rows_)
        for words in (asked, more, *said):
            found = find([file], Unwritten(), Criteria(words=words), page=1, per_page=10).rows
            assert list(found) == scan(rows_, Criteria(words=words))
        for number, text in enumerate(said, 1):
            for form in ("NFC", "NFD"):
                assert f"code-{number}" in codes(file, Criteria(words=unicodedata.normalize(form, storable(text))))


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Сергеи\u0306", "сергей"),
        ("ещё раз", "еще раз"),
        ("еще", "ЕЩЁ"),
        ("σας", "ΣΑΣ"),
        ("ΚΑΛΗΜΕΡΑ", "καλημέρα"),
        ("Straße", "STRASSE"),
        ("a b", "a\x00b"),
    ],
)
def test_words_operators_and_tags_are_found_in_another_spelling(said: str, asked: str) -> None:
    with MonthFile() as file:
        file.put([task(1, words=f"und {said}, x", operator_name=f"x {said}", tags=(said,), answers=((7, said),))])
        wanted = [Criteria(words=asked), Criteria(words=unicodedata.normalize("NFD", asked))]
        if said.casefold() != "καλημερα":  # a name is known with its accents
            wanted += [
                Criteria(operator=asked),
                Criteria(tags_all=(asked,)),
                Criteria(checklist_id=7, answers=(asked,)),
            ]
        assert [codes(file, one) for one in wanted] == len(wanted) * [["code-1"]]


def test_letters_that_are_two_in_their_language_are_two() -> None:
    with MonthFile() as file:
        file.put([task(1, words="мой"), task(2, words="мои"), task(3, words="її"), task(4, words="іі")])
        found = [codes(file, Criteria(words=word)) for word in ("мой", "мои", "її", "іі")]
        assert found == [["code-1"], ["code-2"], ["code-3"], ["code-4"]]


def test_two_words_with_a_dash_stand_side_by_side() -> None:
    with MonthFile() as file:
        file.put([task(1, words="the eSIM setup"), task(2, words="setup of an eSIM")])
        assert codes(file, Criteria(words="esim-setup")) == ["code-1"]
        assert codes(file, Criteria(words="esim setup")) == ["code-2", "code-1"]


def task(task_id: int, **fields: object) -> TaskRow:
    plain = TaskRow(task_id, f"code-{task_id}", TaskType.CALL, TaskStatus.COMPLETED, JANUARY_MS, JANUARY_MS, 1)
    return replace(plain, **fields)  # type: ignore[arg-type]  # fields of a row


def codes(file: MonthFile, wanted: Criteria) -> list[str]:
    return [row.code for row in find([file], Unwritten(), wanted, page=1, per_page=10).rows]


def unwritten_of(fresh: Sequence[TaskRow]) -> Unwritten:
    newest = newest_of(fresh)
    return Unwritten({row.id: row.version for row in newest}, tuple(newest))


def newest_of(given_rows: Sequence[TaskRow]) -> list[TaskRow]:
    newest: dict[int, TaskRow] = {}
    for row in given_rows:
        if row.id not in newest or row.version > newest[row.id].version:
            newest[row.id] = row
    return list(newest.values())


def test_the_plain_scan_itself_tells_rows_apart() -> None:
    shuffled = [task(number, satisfaction=number) for number in random.Random(1).sample(range(10), 10)]
    assert [row.id for row in scan(shuffled, Criteria(satisfaction=Range(7, 8)))] == [8, 7]
