"""benchmarks/: a figure that would be wrong is an error, and what is counted is counted once."""

import os
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks import overhead
from benchmarks.__main__ import BENCHMARKS
from benchmarks.memory import everybody, proportional_bytes
from benchmarks.overhead import BenchmarkFailed, Measured, Outcome, engine_seconds
from callscribe.services import jobs
from local.system import LocalSystem


def test_a_job_without_the_engines_time_is_an_error_and_not_a_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    system = cast("LocalSystem", SimpleNamespace(deps=lambda: None, credentials=SimpleNamespace(tenant_id="t")))
    monkeypatch.setattr(jobs, "find", lambda *_args, **_names: SimpleNamespace(work=None))
    with pytest.raises(BenchmarkFailed, match="job j"):
        engine_seconds(system, "j")


@pytest.mark.parametrize(("lost", "duplicated"), [(["b"], []), ([], ["a"])])
def test_a_lost_or_a_second_callback_is_no_complete_outcome(lost: list[str], duplicated: list[str]) -> None:
    measured = [Measured("a", 2.0, 1.5)]
    assert Outcome(measured, [], []).is_complete
    assert not Outcome(measured, lost, duplicated).is_complete
    assert not Outcome(measured, lost, duplicated).goal().met


def test_jobs_at_once_are_charged_what_the_engine_leaves_of_the_time_from_the_first_upload_to_the_last_callback() -> (
    None
):
    many = Outcome([Measured("a", 2.0, 1.5, accepted_at_s=10), Measured("b", 5.0, 1.5, accepted_at_s=11)], [], [])
    assert many.elapsed_s == 6
    assert many.overhead_per_job_s == pytest.approx(1.5)
    assert overhead.linear_goal(Outcome([Measured("c", 2.0, 1.0)], [], []), many).value == pytest.approx(1.5)


def test_where_nothing_came_back_no_goal_is_met() -> None:
    nothing = Outcome([], ["a"], [])
    assert not overhead.one_goal(nothing).met
    assert not overhead.linear_goal(nothing, nothing).met


def test_the_process_that_runs_the_front_is_counted() -> None:
    assert os.getpid() in everybody()
    assert proportional_bytes(os.getpid()) > 10_000_000


def test_no_two_benchmarks_run_the_same() -> None:
    assert len({(one.module, one.arguments) for one in BENCHMARKS.values()}) == len(BENCHMARKS)
