import logging
from dataclasses import replace

import pytest

from tests.reliability import figures
from tests.reliability.paths import WAYS


def test_a_way_that_is_paid_against_expectation_misses_its_goal() -> None:
    way = WAYS["cancelled when TRANSCRIBING"]
    assert figures._way("as it is", way).met
    assert not figures._way("as if it were paid", replace(way, paid=True)).met
    assert not figures._way("as if it ended otherwise", replace(way, state=None)).met


@pytest.mark.parametrize(("met", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_tells_whether_a_goal_was_missed(
    met: bool, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("_bookkeeping", "_contention", "_crashes", "_bad_luck"):
        monkeypatch.setattr(figures, name, lambda: [figures.Figure("something", "1", "0", met)])
    monkeypatch.setattr(logging, "disable", lambda _level: None)
    assert figures.main() == status
    assert ("MISSED" in capsys.readouterr().out) is not met
