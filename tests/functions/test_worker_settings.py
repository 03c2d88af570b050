"""What a worker is told by its environment and its command line."""

import os

import pytest

from callscribe import names
from callscribe.services.drain import WorkerSettings
from callscribe.wiring import worker_settings


def test_a_worker_that_is_told_nothing_opens_a_recording_for_each_core_and_never_leaves_by_itself() -> None:
    settings = worker_settings(environment={})
    assert settings == WorkerSettings(slots=min(os.cpu_count() or 1, 4))
    assert settings.idle_s is None
    assert not settings.spot_notice


def test_the_environment_overrides_the_defaults_and_the_command_line_both() -> None:
    told = {names.ENV_WORKER: '{"slots": 64, "idle_s": 600, "grace_s": 100, "spot_notice": true}'}
    assert worker_settings(environment=told) == WorkerSettings(64, 600, 100, spot_notice=True)
    assert worker_settings(idle_s=1.5, environment=told).idle_s == 1.5


@pytest.mark.parametrize(
    ("told", "said"), [('{"slot": 1}', "unknown settings of the worker: slot"), ('{"slots": 0}', "at least 1 slot")]
)
def test_what_is_not_understood_is_refused(told: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        worker_settings(environment={names.ENV_WORKER: told})
