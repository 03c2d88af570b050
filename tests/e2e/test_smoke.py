"""`make smoke` against the laptop cloud, which is a deployed stage like any other."""

import pytest

from local import smoke
from local.system import LocalSystem

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]


def test_every_step_of_the_smoke_test_works_on_the_laptop_cloud(
    system: LocalSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_ID", system.credentials.app_id)
    monkeypatch.setenv("API_KEY", system.credentials.api_key)
    monkeypatch.setenv("COLUMNS", "200")
    status = smoke.main(["--base-url", system.base_url, "--timeout-s", "60"])
    printed = capsys.readouterr().out
    assert "11 of 11 steps work" in printed, printed
    assert "young man" in printed
    assert system.credentials.api_key not in printed
    assert status == 0
