"""The numbers of refusals: which the document has, where each stands, and that none means two things."""

import re

import pytest

from callscribe.adapters.memory.deps import memory_deps
from callscribe.dialects.transcripto import routes
from callscribe.dialects.transcripto.codes import CODES, GENERAL, UNUSED, Code, Problem, code_of, endpoint_of, published
from tests.dialects.conftest import Client

# Section 11 of the document.
LISTED = {
    *(4001, 4002, 4012, 4020, 4021, 4023, 4024, 4025, 4026, 4030, 4031, 4032, 4033, 4034, 4035, 4036, 4037, 4041),
    *(4043, 4044, 4045, 4046, 4047, 4050, 4052, 4053, 4054, 4055, 4056, 4057, 4060, 4061, 4062, 4070),
    *(5000, 5002, 5003),
}
UNLISTED = {4003, 4017, 4059, 4066, 4091, 4092, 4602, 5001}  # T-A6: only the endpoints' own tables have them
# The endpoints' own tables in the document, each number with words that its description has.
DOCUMENTED = {
    "/addtaskcall": {
        4001: "directory_id", 4024: "not provided", 4025: "format", 4026: "decoding", 4044: "plan", 4050: "(calls)",
        4091: "same original filename", 4092: "< 2 sec", 5000: "nternal",
    },
    "/addtaskcallbyurl": {
        4001: "without TZ", 4002: "file_url", 4024: "download", 4044: "plan", 4050: "(calls)", 4092: "empty after",
        5000: "nternal",
    },
    "/addtaskaudio": {
        4024: "not provided", 4025: "format", 4026: "decoding", 4044: "plan", 4050: "(audio)", 4092: "too long",
        5000: "nternal",
    },
    "/addtaskyoutube": {4017: "unsupported URL", 4044: "plan", 5000: "nternal"},
    "/user/callreport": {
        4023: "JWT", 4060: "not provided", 4061: "date format", 4062: "later than", 4602: "quota exhausted",
        5000: "nternal",
    },
    "/user/call_categories/delete/<id>": {
        4023: "user not found", 4045: "child records", 4059: "Category", 5000: "nternal",
    },
    "/tasks/filters/save": {4045: "Required fields", 5000: "nternal"},
    "/tasks/filters/delete/<filter_id>": {4066: "Filter not found", 5000: "nternal"},
    "/user/callreport/file": {
        4001: "task_code and filename are required", 4002: "filename", 4003: "path", 4041: "Task not found",
        4043: "missing on disk", 4044: "User id not found", 5000: "Generic", 5001: "handler",
    },
    "/get_file": {
        4021: "for the user", 4023: "JWT", 4045: "Missing task_code", 4046: "on disk", 4047: "file_type",
        4056: "call expected", 4057: "No data", 4061: "youtubenew expected", 4062: "completed expected",
        4070: "DOCX", 5000: "nternal", 5002: "DB error",
    },
}  # fmt: skip
PATHS = sorted({path for _, path in routes.ROUTES} | set(CODES) | {"-"})


def effective(path: str) -> dict[Problem, Code]:
    return {problem: code_of(path, problem) for problem in Problem}


def test_T_A6_every_number_of_the_document_is_published_and_no_other() -> None:
    assert {code.number for _, code in published()} == LISTED | UNLISTED


@pytest.mark.parametrize("path", DOCUMENTED)
def test_T_A5_every_number_of_an_endpoints_own_table_can_be_answered_there_in_the_documents_words(path: str) -> None:
    said = {code.number: code.english for code in effective(path).values()}
    assert {number: words in said.get(number, "") for number, words in DOCUMENTED[path].items()} == dict.fromkeys(
        DOCUMENTED[path], True
    )


@pytest.mark.parametrize("path", PATHS)
def test_T_A5_every_problem_has_a_number_at_every_endpoint_and_no_number_two_meanings_there(path: str) -> None:
    meanings: dict[int, set[Code]] = {}
    for code in effective(path).values():
        meanings.setdefault(code.number, set()).add(code)
    assert [number for number, said in meanings.items() if len(said) > 1] == []


@pytest.mark.parametrize("path", PATHS)
def test_T_A5_a_number_that_its_endpoint_says_nothing_about_keeps_its_general_meaning(path: str) -> None:
    general = {*GENERAL.values(), *UNUSED}
    own = set(CODES.get(endpoint_of(path), {}).values())
    assert [code for code in effective(path).values() if code not in own and code not in general] == []


def test_T_A5_the_general_table_gives_no_number_twice() -> None:
    numbers = [code.number for code in (*GENERAL.values(), *UNUSED)]
    assert len(numbers) == len(set(numbers))


def test_every_table_belongs_to_a_route_that_there_is() -> None:
    known = {endpoint_of(path) for _, path in routes.ROUTES}
    assert set(CODES) - known == set()


def test_T_A7_a_link_that_is_not_supported_is_4017() -> None:
    assert {code_of(path, Problem.BAD_LINK).number for path in PATHS} == {4017}


def test_T_A8_a_bad_token_is_4023_everywhere() -> None:
    assert {code_of(path, Problem.UNAUTHORIZED).number for path in PATHS} == {4023}


def test_T_03_every_text_is_there_in_both_languages() -> None:
    for _, code in published():
        assert code.english.strip()
        assert not re.search("[а-яё]", code.english, re.IGNORECASE)
        assert re.search("[а-яё]", code.russian, re.IGNORECASE) or "start_date" in code.russian


def test_T_A6_the_whole_table_stands_in_the_documents_own_description() -> None:
    document = Client(routes.build(memory_deps())).send("GET", routes.OPENAPI).json
    rows = [f"| {code.number} | {f'`{path}`' if path else ''} | {code.english} |" for path, code in published()]
    assert [row for row in rows if row not in document["info"]["description"]] == []
