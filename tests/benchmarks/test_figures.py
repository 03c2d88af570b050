"""Inputs, counts and shares that the benchmarks rest on: a figure that would be wrong is an error."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cost, pack, report, sim
from benchmarks.report import Goal
from callscribe.costs import calls, inputs, model, one_job, sites
from callscribe.costs.fleet import Outcome
from callscribe.costs.inputs import NoSuchInput
from callscribe.domain.jobs import JobNumber
from callscribe.domain.records import delete, insert
from callscribe.media.speech import SpeechRules


def test_every_input_has_a_unit_a_source_and_a_date() -> None:
    assert len(inputs.all_inputs()) > 60
    for name, one in inputs.all_inputs().items():
        assert one.unit, name
        assert len(one.source) > 6, name
        assert isinstance(one.date, date), name


def test_every_machine_and_every_kind_of_price_can_be_asked_for() -> None:
    for machine in model.MACHINES:
        assert inputs.number(f"machines.{machine}.spot") < inputs.number(f"machines.{machine}.on_demand")


@pytest.mark.parametrize("name", ["prices.nothing", "competitors", "provider.boot_s"])
def test_an_input_that_is_not_there_or_no_single_figure_is_an_error(name: str) -> None:
    with pytest.raises(NoSuchInput):
        inputs.number(name)


def test_an_input_without_its_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inputs.toml").write_text('[prices.x]\nvalue = 1\nunit = "USD"\ndate = 2026-01-01\n')
    monkeypatch.setattr(inputs, "FILE", tmp_path / "inputs.toml")
    with pytest.raises(ValueError, match=r"prices\.x has"):
        inputs.all_inputs.__wrapped__()


def test_calls_come_in_order_and_are_as_long_as_stated() -> None:
    day = calls.make_day(200_000, 1)
    assert (np.diff(day.arrivals_s) >= 0).all()
    assert day.arrivals_s[0] >= 0
    assert day.arrivals_s[-1] < calls.DAY_S
    assert day.lengths_s.mean() == pytest.approx(inputs.number("calls.length_mean_s"), rel=0.02)


def test_spans_are_no_longer_than_allowed_and_cover_more_than_the_talk_spurts() -> None:
    rules = SpeechRules(max_span_s=5)
    spans = calls.make_spans(np.random.default_rng(1), 50_000, rules)
    assert max(spans) <= 5
    talking = inputs.number("calls.talk_spurt_s")
    share = sum(spans) / 50_000
    assert talking / (talking + inputs.number("calls.pause_s")) < share < 0.7


def test_the_slower_of_gpu_and_cores_decides() -> None:
    speech = calls.speech_share()
    assert sites.worker_rate("g6.xlarge") == pytest.approx(inputs.number("machines.g6.xlarge.gpu_rtfx") / speech)
    core_s = 1 / inputs.number("worker.vad_rtfx_per_core") + 1 / inputs.number("worker.decode_rtfx_per_core")
    assert sites.worker_rate("reference") <= 8 * inputs.number("worker.core_yield") / core_s


def test_a_put_in_a_transaction_costs_twice_and_its_indexes_once() -> None:
    number = JobNumber("tenant", 1, "job")
    assert one_job.write_units(None, number, in_transaction=False) == 1
    assert one_job.write_units(None, number, in_transaction=True) == 2
    assert one_job.write_units(number, None, in_transaction=True) == 2


def test_the_store_counts_reads_of_nothing_and_writes_of_each_step() -> None:
    store = one_job.CountingStore()
    assert store.get(JobNumber, "tenant", 1) is None
    store.commit(*(insert(JobNumber("tenant", number, "job")) for number in range(3)))
    assert (store.asked.read_units, store.asked.write_units) == (1, 6)
    store.commit(delete(JobNumber("tenant", 0, "job")))
    assert store.asked.write_units == 8  # a lone deletion goes as a transaction too
    assert store.count("tenant", "jobs") == 1
    assert store.asked.units_by_kind == {"JobNumber": 8, "Counter": 1}


def test_one_job_is_led_to_its_end_and_everything_it_asks_for_is_counted() -> None:
    asked = one_job.count_requests(length_s=240, channels=2)
    assert asked.s3_puts == 3  # audio, transcript, the callback's body
    assert asked.queue_messages == 1
    assert 25 < asked.write_units < 100
    assert {"Job", "Callback", "Attempt", "Hold", "Entry", "Balance"} <= asked.units_by_kind.keys()
    assert sum(asked.units_by_kind.values()) == asked.write_units
    longer = one_job.count_requests(length_s=480, channels=2)
    assert longer.results_bytes > 1.8 * asked.results_bytes
    assert longer.write_units == asked.write_units


def test_the_lines_of_a_cost_add_up_and_the_large_site_is_the_cheaper() -> None:
    asked = one_job.count_requests(length_s=240, channels=2)
    small, large = (model.estimate(model.stated_plan(count), asked) for count in (2_000, 20_000))
    assert small.per_hour == pytest.approx(sum(cost.kept(small)["lines_usd_per_audio_hour"].values()))
    assert small.month == pytest.approx(small.per_hour * small.audio_hours * 365 / 12)
    assert large.per_hour < small.per_hour
    assert large.lines["Step Functions"] / 20_000 == pytest.approx(inputs.number("job.transitions") * 0.025 / 1_000)
    spot = inputs.number("machines.g6.xlarge.spot")
    assert large.lines["GPU machines"] == pytest.approx(large.outcome.paid_s / 3_600 * spot)


def test_a_small_site_is_judged_by_several_days() -> None:
    asked = one_job.count_requests(length_s=240, channels=2)
    few = model.estimate(model.stated_plan(20), asked)
    assert len(few.outcome.waits_s) == 20 * 30
    assert few.audio_hours == pytest.approx(20 * 240 / 3_600, rel=0.15)


def test_traces_are_the_first_of_each_second_and_a_twentieth_of_the_rest() -> None:
    assert model.traces_recorded(1_000) == 1_000
    assert model.traces_recorded(186_400) == 86_400 + 5_000


def test_a_share_counts_padding_and_silence_as_lost() -> None:
    share = pack.whole_files("", [10, 5, 1], [4, 3, 1], range(3))
    assert share.speech == pytest.approx(8 / 30)


def test_the_pool_loses_no_chunk() -> None:
    _, spans = pack.make_channels(50, 1)
    share = pack.chunk_pool("", spans, 8)
    assert share.rows == sum(map(len, spans))
    assert share.speech_s == pytest.approx(sum(map(sum, spans)))


def test_a_larger_pool_fills_its_batches_better() -> None:
    _, spans = pack.make_channels(200, 1)
    assert pack.chunk_pool("", spans, 8).speech < pack.chunk_pool("", spans, 128).speech


def outcome(paid_s: float) -> Outcome:
    return Outcome(paid_s, 100, np.array([1.0, 2.0]), 1, 1, 0, 1)


def test_a_missed_goal_fails_the_run_unless_nothing_could_reach_it(tmp_path: Path) -> None:
    assert Goal("x", 2, 1).met is False
    assert Goal("x", 2, 1, at_most=False).met
    missed = report.save("x", {}, [Goal("x", 2, 1)], tmp_path)
    assert json.loads(missed.read_text())["goals"][0]["met"] is False


def test_out_of_reach_is_only_what_the_floor_itself_misses() -> None:
    row = sim.Row("g6.xlarge", 10, "drain", outcome(150), 0.03, 0)
    floor, share = sim.goals([row])
    assert floor.met
    assert not floor.out_of_reach
    assert not share.met
    assert share.out_of_reach is (sim.least_share(sites.worker_rate("g6.xlarge")) > sim.GOAL_PER_FILE)
    assert not sim.goals([sim.Row("reference", 10, "drain", outcome(150), 0.03, 0)])[1].out_of_reach


def test_what_is_kept_names_machine_and_inputs(tmp_path: Path) -> None:
    kept = json.loads(report.save("x", {"rows": []}, [], tmp_path).read_text())
    assert kept["machine"]["cores"] >= 1
    assert kept["inputs"]["prices.s3_gb_month"]["source"]
    assert kept["benchmark"] == "x"
