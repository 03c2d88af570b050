"""The figures of the security table, each with the control that shows it could have been missed."""

import pytest

from tests.security import figures, modes


def test_no_hostile_url_leads_to_a_connection_where_a_plain_client_reaches_most() -> None:
    figure = figures.hostile_connections()
    assert figure.measured == 0
    assert figure.of >= 2 * 161
    assert figure.controls_hold, figure.controls


def test_no_redirect_to_a_hostile_url_leads_to_a_connection_where_a_plain_client_follows_most() -> None:
    figure = figures.hostile_redirects()
    assert figure.measured == 0
    assert figure.of > 600
    assert figure.controls_hold, figure.controls


def test_we_connect_to_no_random_url_that_another_library_refuses_by_its_address() -> None:
    figure = figures.oracle_disagreements()
    assert figure.measured == 0
    assert figure.of == 20_000
    assert figure.controls_hold, figure.controls


def test_no_changed_bit_of_body_id_or_timestamp_passes_the_independent_verifier() -> None:
    figure = figures.accepted_tamperings()
    assert figure.measured == 0
    assert figure.of > 2_500
    assert figure.controls_hold, figure.controls


def test_there_are_twelve_receiver_modes() -> None:
    assert len(modes.MODES) == 12


@pytest.mark.parametrize("mode", modes.MODES)
def test_a_hostile_receiver_is_handled_right(mode: str) -> None:
    assert modes.MODES[mode]()
