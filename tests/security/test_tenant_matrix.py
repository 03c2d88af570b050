"""Tenants never meet: every route of every dialect × every kind of id × every kind of credential (safety figure 9)."""

import pytest

from callscribe import names
from callscribe.dialects.front import Access
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import Job
from tests.security import matrix, table
from tests.security.figures import Figure
from tests.security.matrix import Matrix, Verdict
from tests.security.places import SMUGGLED, Request, Route, Row
from tests.security.table import CREDENTIALS, KINDS, USUAL
from tests.security.tenants import Town, town

ROUTES = [(dialect, route) for dialect in names.DIALECTS for route in matrix.routes_of(dialect)]
IDS = [f"{dialect}: {' '.join(route)}" for dialect, route in ROUTES]


@pytest.fixture(scope="module")
def where() -> Town:
    return town()


@pytest.mark.parametrize(("dialect", "route"), ROUTES, ids=IDS)
def test_another_tenants_id_is_answered_as_an_unknown_one_and_does_nothing(
    where: Town, dialect: str, route: Route
) -> None:
    verdict = matrix.judged(dialect, where, route)
    assert verdict.faults == []
    assert verdict.cells >= len(KINDS)
    assert verdict.controls >= 2
    assert verdict.refusals > 0


@pytest.mark.parametrize("dialect", names.DIALECTS)
def test_a_store_that_forgets_whose_record_is_asked_for_is_noticed_on_every_route_that_takes_ids(
    where: Town, dialect: str
) -> None:
    seen, of = matrix.noticed(dialect, where)
    assert seen == of > 0


def test_a_refusal_that_has_an_effect_is_noticed(where: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the other half: credentials that would be let in."""
    from callscribe.services import accounts

    monkeypatch.setattr(accounts, "require", lambda _principal, _scope: None)
    route = ("POST", "/api/v1/generate-presigned-url")
    verdict = matrix.judged("presign", where, route)
    assert any("not 403" in fault for fault in verdict.let_in)
    assert any("changed" in fault for fault in verdict.let_in)
    assert verdict.leaks == verdict.effects == []


@pytest.mark.parametrize("dialect", names.DIALECTS)
def test_every_documented_field_and_header_is_a_place_of_the_matrix_or_names_nothing(where: Town, dialect: str) -> None:
    where.stage.restore(where.saved)
    matrix.check_documents(dialect, where.stage)


def test_every_usual_credential_of_a_dialect_is_described() -> None:
    assert USUAL.keys() == names.DIALECTS.keys()
    assert {name for usual in USUAL.values() for name in usual} <= CREDENTIALS.keys()


# What a newcomer is told


def test_a_new_route_without_a_row_fails_and_says_what_to_add() -> None:
    routes = {**matrix.routes_of("mor"), ("GET", "/billing/api/v2/ai/invented/<id>"): Access(Scope.READ)}
    with pytest.raises(table.Undescribed, match=r"GET /billing/api/v2/ai/invented/<id> of dialect 'mor' has no row"):
        list(matrix.cells_of("mor", routes))


def test_a_new_method_of_a_known_path_needs_a_row_too() -> None:
    routes = {**matrix.routes_of("mor"), ("PUT", "/billing/api/v2/ai/usage"): Access(Scope.TRANSCRIBE)}
    with pytest.raises(table.Undescribed, match="add one to ROWS"):
        list(matrix.cells_of("mor", routes))


def test_a_new_dialect_without_rows_fails() -> None:
    with pytest.raises(table.Undescribed, match="of dialect 'invented' has no row"):
        list(matrix.cells_of("invented", {("GET", "/invented"): Access()}))


def test_a_path_whose_parameter_has_no_slot_fails_and_says_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    route = ("GET", "/api/v1/calls/<call>")
    row = Row(lambda _who: Request(*route, {"call": "1"}))
    monkeypatch.setattr(table, "ROWS", {"presign": {**table.ROWS["presign"], route: row}})
    with pytest.raises(table.Undescribed, match=r"<call> of GET /api/v1/calls/<call> has no slot: add Slot"):
        list(matrix.cells_of("presign", {**matrix.routes_of("presign"), route: Access(Scope.READ)}))


def test_a_row_whose_route_is_gone_fails() -> None:
    routes = dict(list(matrix.routes_of("presign").items())[1:])
    with pytest.raises(table.Undescribed, match="rows without a route"):
        list(matrix.cells_of("presign", routes))


def test_a_documented_field_that_nobody_described_fails_and_says_what_to_add() -> None:
    route = ("POST", "/api/v1/get-transcription")
    row = table.ROWS["presign"][route]
    with pytest.raises(table.Undescribed, match="'batchId' of POST /api/v1/get-transcription is documented"):
        table.check_fields(*route, row, {"requestId", "batchId"})


def test_a_request_that_fails_for_its_own_tenant_is_no_control(where: Town) -> None:
    route = ("POST", "/api/v1/get-transcription")
    broken = Row(lambda _who: Request(*route, fields={}))
    cell = matrix.Cell("presign", route, broken, "elsewhere", SMUGGLED, "number", "token of mor")
    verdict = Verdict()
    Matrix(where).judge(cell, verdict)
    assert len(verdict.idle) == 2


# What the matrix leaves out, because it is a credential


def test_a_result_link_opens_for_whoever_holds_it_and_no_credential_adds_to_it(where: Town) -> None:
    path = f"/api/v1/transcriptions/{where.anna.link_token}"
    answers = []
    for headers in ({}, {"Authorization": f"Bearer {where.bert.tokens['mor']}"}):
        where.stage.restore(where.saved)
        answers.append(where.stage.ask("presign", "GET", path, headers=headers))
    assert answers[0] == answers[1]
    assert answers[0].status == 302
    assert where.anna.word in where.stage.results.fetch(answers[0].headers["location"]).decode()


def test_the_same_audio_joins_the_request_of_its_own_tenant_alone(where: Town) -> None:
    audio = table.KINDS["audio"](where.anna)
    made = {}
    for who in (where.anna, where.bert):
        where.stage.restore(where.saved)
        before = len(where.stage.store.all(Job))
        where.stage.served = {who.tenant_id}
        answer = where.stage.client("aivoco").send(
            "POST", "/transcribe", fields={"api_key": who.secret, "audio_data": audio}
        )
        assert answer.status == 200
        assert who.word in answer.json["transcription"]
        made[who.name] = len(where.stage.store.all(Job)) - before
    assert made == {"anna": 0, "bert": 1}


def test_a_number_is_the_tenants_own_even_if_another_has_a_job_of_that_number(where: Town) -> None:
    where.stage.restore(where.saved)
    number = where.bert.jobs["completed"].number
    while where.stage.deps.store.count(where.anna.tenant_id, "jobs") < number:
        pass
    path = f"/billing/api/v2/ai/transcriptions/{number}"
    own = where.stage.client("mor", where.bert.tokens["mor"]).send("GET", path)
    assert (own.status, own.json["uuid"]) == (200, where.bert.jobs["completed"].id)
    assert where.stage.client("mor", where.anna.tokens["mor"]).send("GET", path).status == 404


# Figure 11


def test_of_61_requests_in_a_minute_by_8_threads_exactly_60_pass() -> None:
    figure = matrix.requests_let_through()
    assert (figure.measured, figure.of) == (60, 61)
    assert figure.controls_hold, figure.controls


# The command


@pytest.mark.parametrize(
    ("measured", "controls_hold", "status"), [(0, True, 0), (1, True, 1), (0, False, 1)], ids=["good", "leak", "idle"]
)
def test_the_command_fails_for_a_leak_and_for_a_control_that_does_not_hold(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    measured: int,
    controls_hold: bool,
    status: int,
) -> None:
    good, judged = Figure(9, "good", 0, 5, 0, "all", True), Figure(9, "judged", measured, 5, 0, "some", controls_hold)
    monkeypatch.setattr(matrix, "measured", lambda: iter([judged, good]))
    assert matrix.main() == status
    assert f"| 9 | judged | {measured} | 5 | 0 | {'no' if status else 'yes'} |" in capsys.readouterr().out.lower()
