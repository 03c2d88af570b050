"""Dollars for an hour of audio, line by line, at 10,000 and 100,000 calls a day, beside what others charge.

An hour of audio is an hour of the call, both channels together. GPU hours come from the simulation, requests from the
running use cases (`one_job`), prices and all else from `benchmarks/inputs.toml`. Run: `make bench NAME=cost`.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import report, sites
from benchmarks.calls import Day, make_day
from benchmarks.fleet import Outcome, run
from benchmarks.inputs import all_inputs, number, table
from benchmarks.one_job import Requests, count_requests
from benchmarks.report import Goal
from callscribe.domain.scaling import ScalingSettings

GOALS = {10_000: 0.020, 100_000: 0.010}
MACHINE = "g6.xlarge"  # what gpu_stack asks for first
OTHERS = ("g5.xlarge", "g4dn.xlarge")
SEED = 1
MONTH_DAYS = 365 / 12
MONTH_HOURS = 24 * MONTH_DAYS
_GB = 1e9

Lines = dict[str, float]  # USD a day, by what it is paid for


@dataclass(frozen=True)
class Site:
    """One way to run a day's calls, and what it costs. `lines` are in USD a day."""

    calls: int
    machine: str
    pricing: str
    workers: str
    audio_hours: float
    outcome: Outcome
    lines: Lines

    @property
    def per_hour(self) -> float:
        """USD for an hour of audio."""
        return sum(self.lines.values()) / self.audio_hours

    @property
    def gpu_per_hour(self) -> float:
        """The part of it that machines cost."""
        return self.lines["GPU machines"] / self.audio_hours

    def cells(self) -> list[str]:
        """A line of the comparison."""
        wait_s = self.outcome.wait_s(99)
        name = f"{self.calls:,} on {self.machine} {self.pricing}, {self.workers}"
        return [name, f"{self.per_hour:.4f}", f"{self.gpu_per_hour:.4f}", f"{wait_s / 60:.0f} min"]


def main() -> int:
    """Print the lines beside the goals, which hold for the policy's defaults on spot; 1 when one is missed."""
    asked = count_requests(length_s=number("calls.length_mean_s"), channels=int(number("calls.channels")))
    print(f"one job, counted: {_told(asked)}\n")
    chosen = {calls: site(calls, asked, workers="prompt") for calls in GOALS}
    head = ("USD for an hour of audio", *(f"{calls:,} calls a day" for calls in GOALS))
    print(report.table(head, _lines(list(chosen.values()))))
    print("\nother ways to run it")
    rows = [one for calls in GOALS for one in ways(calls, asked)]
    print(report.table(("calls a day", "USD an hour", "GPU alone", "wait p99"), [one.cells() for one in rows]))
    print("\nwhat others charge for an hour of audio")
    print(report.table(("", "USD", "× ours, at 10,000", "× ours, at 100,000"), _competitors(chosen)))
    found = [
        Goal(f"{calls:,} calls a day: USD for an hour of audio", chosen[calls].per_hour, GOALS[calls])
        for calls in GOALS
    ]
    results = {
        "requests_of_one_job": asdict(asked),
        "chosen": [kept(one) for one in chosen.values()],
        "ways": [kept(one) for one in rows],
    }
    return report.conclude("cost", results, found)


def ways(calls: int, asked: Requests) -> list[Site]:
    """Letting work gather, on demand, at the lower speed that was published, and on other machines."""
    return [
        site(calls, asked, workers="gathering"),
        site(calls, asked, workers="prompt", pricing="on_demand"),
        site(calls, asked, workers="prompt", gpu="low_gpu_rtfx"),
        *(site(calls, asked, workers="prompt", machine=machine) for machine in OTHERS),
    ]


def site(
    calls: int,
    asked: Requests,
    *,
    workers: str,
    machine: str = MACHINE,
    pricing: str = "spot",
    gpu: str = "gpu_rtfx",
) -> Site:
    """Simulate the day, and add up what everything costs."""
    day = make_day(calls, SEED)
    settings: ScalingSettings = {"prompt": sites.prompt, "gathering": sites.gathering}[workers]()
    fleet = sites.draining(sites.worker_rate(machine, gpu=gpu))
    outcome = run(day, fleet, settings, SEED)
    hours = outcome.paid_s / 3_600
    lines = {**gpu_lines(hours, machine, pricing), **job_lines(day, asked), **fixed_lines()}
    told = workers if gpu == "gpu_rtfx" else f"{workers}, the lower speed published"
    return Site(calls, machine, pricing.replace("_", " "), told, day.lengths_s.sum() / 3_600, outcome, lines)


def gpu_lines(hours: float, machine: str, pricing: str) -> Lines:
    """Machines with disk and address, by the hours they are paid for; USD a day."""
    disk = number("fixed.machine_disk_gb") * number("prices.ebs_gb_month") / MONTH_HOURS
    return {
        "GPU machines": hours * number(f"machines.{machine}.{pricing}"),
        "their disks and addresses": hours * (disk + number("prices.public_ipv4_hour")),
    }


def job_lines(day: Day, asked: Requests) -> Lines:
    """What grows with the number of calls; USD a day."""
    jobs = len(day.arrivals_s)
    audio_gb = float(day.lengths_s.sum()) * number("calls.audio_bytes_per_s") / _GB
    audio_months, results_months = (number(f"job.{what}_kept_days") / MONTH_DAYS for what in ("audio", "results"))
    results_gb, table_gb = jobs * asked.results_bytes / _GB, jobs * asked.table_bytes / _GB
    per_job = {
        "Lambda": _lambda_job(),
        "Step Functions": number("job.transitions") * number("prices.transitions_thousand") / 1e3,
        "HTTP API": number("job.api_requests") * number("prices.http_api_million") / 1e6,
        "DynamoDB requests": (
            asked.write_units * number("prices.dynamodb_million_writes")
            + asked.read_units * number("prices.dynamodb_million_reads")
        )
        / 1e6,
        "S3 requests": asked.s3_puts * number("prices.s3_thousand_puts") / 1e3
        + asked.s3_gets * number("prices.s3_thousand_gets") / 1e3,
        "SQS": _sqs_job(),
        "CloudWatch logs": number("job.log_bytes") / _GB * number("prices.logs_gb"),
        "data out": (asked.callback_bytes + asked.results_bytes) / _GB * number("prices.data_out_gb"),
    }
    return {
        **{name: jobs * price for name, price in per_job.items()},
        "X-Ray traces": number("job.trace_roots") * traces_recorded(jobs) * number("prices.xray_million") / 1e6,
        "audio kept in S3": audio_gb * audio_months * number("prices.s3_gb_month"),
        "results kept in S3": results_gb * results_months * number("prices.s3_gb_month"),
        "records kept in DynamoDB": table_gb * results_months * number("prices.dynamodb_gb_month"),
    }


def fixed_lines() -> Lines:
    """What is paid when nobody calls; USD a day."""
    monthly = (
        number("fixed.alarms") * number("prices.alarm_month")
        + number("fixed.secrets") * number("prices.secret_month")
        + number("fixed.image_gb") * number("prices.ecr_gb_month")
    )
    runs = number("fixed.lambda_runs_day") * lambda_run(memory_mb=1_024, billed_ms=300)
    receives = number("fixed.empty_receives_day") * number("prices.sqs_million") / 1e6
    return {"fixed (alarms, secret, image, idle polls)": monthly / MONTH_DAYS + runs + receives}


def lambda_run(*, memory_mb: float, billed_ms: float) -> float:
    """USD for one run."""
    gb_s = memory_mb / 1_024 * billed_ms / 1_000
    return gb_s * number("prices.lambda_gb_second") + number("prices.lambda_million_runs") / 1e6


def traces_recorded(requests: float) -> float:
    """Of a day's requests, by X-Ray's default rule: the first of each second and 5 % of the rest, evenly spread."""
    first = min(requests, 86_400.0)
    return first + 0.05 * (requests - first)


def kept(one: Site) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "calls": one.calls,
        "machine": one.machine,
        "pricing": one.pricing,
        "workers": one.workers,
        "usd_per_audio_hour": one.per_hour,
        "wait_p99_s": one.outcome.wait_s(99),
        "gpu_hours_paid": one.outcome.paid_s / 3_600,
        "lines_usd_per_audio_hour": {name: usd / one.audio_hours for name, usd in one.lines.items()},
    }


def _lambda_job() -> float:
    runs: Mapping[str, list[float]] = table("job.lambda_runs")
    return sum(count * lambda_run(memory_mb=memory, billed_ms=ms) for count, memory, ms in runs.values())


def _sqs_job() -> float:
    fair = number("job.fair_sqs_requests") * number("prices.sqs_fair_million")
    return (number("job.sqs_requests") * number("prices.sqs_million") + fair) / 1e6


def _lines(found: list[Site]) -> list[list[str]]:
    names = sorted(found[0].lines, key=lambda name: -found[0].lines[name] / found[0].audio_hours)
    rows = [[name, *(f"{one.lines[name] / one.audio_hours:.5f}" for one in found)] for name in names]
    settings = ["workers", *(f"{one.workers}, {one.machine} {one.pricing}" for one in found)]
    return [*rows, ["all", *(f"{one.per_hour:.5f}" for one in found)], settings]


def _competitors(chosen: Mapping[int, Site]) -> list[list[str]]:
    return [
        [name, f"{usd:.4f}", *(f"{usd / one.per_hour:.1f}" for one in chosen.values())]
        for name, usd in table("competitors").items()
    ]


def _told(asked: Requests) -> str:
    assumed = sum(one.assumed for one in all_inputs().values())
    return (
        f"{asked.write_units:.0f} write and {asked.read_units:.0f} read units, {asked.s3_puts} PUTs, "
        f"{asked.s3_gets} GETs, {asked.results_bytes:,} bytes of results; "
        f"{len(all_inputs())} inputs, {assumed} of them assumed"
    )


if __name__ == "__main__":
    sys.exit(main())
