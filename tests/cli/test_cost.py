"""`callscribe cost`: the estimate that the benchmark makes too, with what it rests on."""

import json

import pytest
from typer.testing import CliRunner, Result

from callscribe.cli import app
from callscribe.cli.edge import ExitCode
from callscribe.costs import inputs, model, one_job


def cost(*options: str) -> Result:
    return CliRunner().invoke(app, ["cost", *options])


def test_the_lines_add_up_to_the_month_and_the_hour() -> None:
    told = json.loads(cost("--calls-per-day", "300", "-o", "json").stdout)
    assert sum(told["lines_usd_a_month"].values()) == pytest.approx(told["usd_a_month"])
    assert told["usd_a_month"] / told["audio_hours_a_month"] == pytest.approx(told["usd_an_audio_hour"])
    assert told["usd_an_audio_hour_gathering"] < told["usd_an_audio_hour"] < told["usd_an_audio_hour_at_worst"]
    assert told["wait_s"]["p50"] <= told["wait_s"]["p99"]
    assert told["inputs"]["prices.s3_gb_month"]["source"]


def test_it_is_the_very_estimate_of_the_benchmark() -> None:
    options = ["--calls-per-day", "3000", "--model", "parakeet-tdt-0.6b-v3", "--max-workers", "10000"]
    told = json.loads(cost(*options, "-o", "json").stdout)
    asked = one_job.count_requests(length_s=240.0, channels=2)
    expected = model.estimate(model.stated_plan(3_000), asked).per_hour  # a stored number's digits may differ
    assert told["usd_an_audio_hour"] == pytest.approx(expected, rel=1e-4)


def test_people_see_lines_waits_others_and_how_sure_it_is() -> None:
    done = cost("--calls-per-day", "300", "--minutes-per-call", "10", "--channels", "1", "--on-demand")
    assert done.exit_code == ExitCode.OK
    assert done.stdout.startswith("300 calls a day of 10 minutes: ")
    assert "on g6.xlarge on demand at 0.8048 USD an hour" in done.stdout
    for word in ("GPU machines", "Step Functions", "all", "--hold-s 900 --idle-s 0", "Amazon Transcribe, recorded"):
        assert any(line.startswith(word) for line in done.stdout.splitlines()), word
    assert "none on the vendors' own pages" in done.stderr
    assert "assumed:" in done.stderr


def test_ones_own_price_and_speed_count() -> None:
    def month(*options: str) -> float:
        return float(json.loads(cost("--calls-per-day", "5000", *options, "-o", "json").stdout)["usd_a_month"])

    assert month("--machine-usd", "0.05") < month() < month("--machine-usd", "2")
    assert month("--gpu-rtfx", "2000") < month("--gpu-rtfx", "5")


def test_calls_of_two_channels_are_more_work_than_of_one() -> None:
    one, two = (
        json.loads(cost("--calls-per-day", "20000", "--channels", channels, "-o", "json").stdout)
        for channels in ("1", "2")
    )
    assert one["machine_hours_a_day"] < two["machine_hours_a_day"]
    assert one["audio_hours_a_month"] == two["audio_hours_a_month"]


def test_long_calls_are_not_cut_to_the_length_of_short_ones() -> None:
    told = json.loads(cost("--calls-per-day", "500", "--minutes-per-call", "60", "-o", "json").stdout)
    assert told["audio_hours_a_month"] == pytest.approx(500 * 365 / 12, rel=0.1)


def test_workers_that_are_too_few_for_the_calls_are_told() -> None:
    few = cost("--calls-per-day", "10000", "--max-workers", "1")
    assert "--max-workers 1 are all at work, and do not do it in time" in few.stderr
    assert "are all at work" not in cost("--calls-per-day", "100", "--max-workers", "1").stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--calls-per-day", "0"],
        ["--machine", "p5"],
        ["--channels", "3"],
        ["--machine-usd", "inf"],
        ["--machine-usd", "nan"],
        ["--gpu-rtfx", "inf"],
        ["--minutes-per-call", "-1"],
    ],
)
def test_what_cannot_be_is_refused(options: list[str]) -> None:
    assert cost(*options).exit_code == ExitCode.USAGE


def test_every_price_was_read_somewhere_and_says_where() -> None:
    unread = [name for name, one in inputs.all_inputs().items() if name.startswith("prices.") and not one.seen]
    assert unread == []
