"""No secret is ever logged or printed, whatever is asked and however a job ends (safety figure 15)."""

import logging

import pytest

from callscribe import names
from tests.security import canaries, matrix
from tests.security.table import ROWS
from tests.security.tenants import Town, town


@pytest.fixture(scope="module")
def where() -> Town:
    return town()


def test_no_secret_is_logged_on_any_route_nor_by_the_services_behind(capfd: pytest.CaptureFixture[str]) -> None:
    figure = canaries.logged()
    assert figure.measured == 0, capfd.readouterr().err
    assert figure.of > 50
    assert figure.controls_hold, figure.controls
    assert "".join(capfd.readouterr()) == ""


def test_a_secret_in_a_message_its_arguments_an_exception_or_an_extra_field_is_seen() -> None:
    log = logging.getLogger(names.SERVICE)
    with canaries.listening() as heard:
        log.debug("in-message")
        log.info("%s", "in-arguments")
        log.info("here", extra={"more": "in-extra"})
        try:
            raise ValueError("in-exception")
        except ValueError:
            log.exception("it failed")
        print("in-print")  # noqa: T201 - what is printed is heard as well
    secrets = ["in-message", "in-arguments", "in-extra", "in-exception", "in-print"]
    assert canaries.found_in(heard.text, secrets) == sorted(secrets)


def test_listening_leaves_the_loggers_as_they_were() -> None:
    root, ours = logging.getLogger(), logging.getLogger(names.SERVICE)
    before = root.level, ours.level, list(root.handlers)
    with canaries.listening():
        assert ours.isEnabledFor(logging.DEBUG)
    assert (root.level, ours.level, list(root.handlers)) == before


@pytest.mark.parametrize("dialect", names.DIALECTS)
def test_each_request_is_logged_by_its_route_and_never_by_what_stands_in_its_path(where: Town, dialect: str) -> None:
    client = {"Authorization": f"Bearer {where.anna.tokens['mor']}"}
    for method, path in matrix.routes_of(dialect):
        request = ROWS[dialect][method, path].request(where.anna)
        shown = path
        for name in request.params:
            shown = shown.replace(f"<{name}>", f"secret-{name}")
        where.stage.restore(where.saved)
        with canaries.listening() as heard:
            where.stage.ask(dialect, method, shown, headers=client, query="key=secret-query")
        assert f"route={path} status=" in heard.text
        assert "secret-" not in heard.text


@pytest.mark.parametrize("dialect", names.DIALECTS)
def test_a_path_that_is_no_route_is_not_logged(where: Town, dialect: str) -> None:
    with canaries.listening() as heard:
        where.stage.ask(dialect, "GET", f"{names.DIALECTS[dialect]}/secret-path/more")
    status = 200 if dialect == "transcripto" else 404  # the one contract whose every answer is a 200
    assert f"route=- status={status}" in heard.text
    assert "secret-" not in heard.text
