"""Dollars for an hour of audio, line by line.

An hour of audio is an hour of the call, all its channels together. GPU hours come from the simulated day (`fleet`),
requests from the running use cases (`one_job`), prices and all else from `inputs.toml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callscribe.costs import sites
from callscribe.costs.calls import make_day
from callscribe.costs.fleet import Outcome, mean_of, run
from callscribe.costs.inputs import number, table
from callscribe.costs.one_job import Requests
from callscribe.domain.scaling import ScalingSettings

MACHINE = "g6.xlarge"  # what gpu_stack asks for first
MACHINES = (MACHINE, "g5.xlarge", "g4dn.xlarge")
MONTH_DAYS = 365 / 12
MONTH_HOURS = 24 * MONTH_DAYS
_GB = 1e9
_ENOUGH_CALLS = 20_000  # of a small site several days are simulated: one says little
_MOST_DAYS = 30

Lines = dict[str, float]  # USD a day, by what it is paid for


@dataclass(frozen=True)
class Plan:
    """A site that is asked about. `machine_usd`: what an hour of its machine costs, if not what the inputs say.

    `gpu` names the input that says how fast the machine's GPU is, `gpu_rtfx` is a speed of one's own.
    """

    calls_per_day: int
    mean_s: float
    channels: int
    machine: str = MACHINE
    pricing: str = "spot"  # or on_demand
    settings: ScalingSettings = field(default_factory=sites.prompt)
    gpu: str = "gpu_rtfx"
    gpu_rtfx: float | None = None
    machine_usd: float | None = None

    @property
    def hour_usd(self) -> float:
        """USD for an hour of the machine."""
        return number(f"machines.{self.machine}.{self.pricing}") if self.machine_usd is None else self.machine_usd


@dataclass(frozen=True)
class Estimate:
    """What a plan comes to. `lines` are in USD for a mean day, `audio_hours` those of that day."""

    plan: Plan
    audio_hours: float
    outcome: Outcome
    lines: Lines

    @property
    def per_hour(self) -> float:
        """USD for an hour of audio."""
        return sum(self.lines.values()) / self.audio_hours

    @property
    def month(self) -> float:
        """USD for a mean month."""
        return sum(self.lines.values()) * MONTH_DAYS


def stated_plan(calls_per_day: int) -> Plan:
    """A site of so many calls as the inputs describe calls."""
    return Plan(calls_per_day, number("calls.length_mean_s"), int(number("calls.channels")))


def estimate(plan: Plan, asked: Requests, *, seed: int = 1) -> Estimate:
    """Simulate the site's days, and add up what everything costs. `asked`: what one of its jobs asks for."""
    count = max(1, min(_MOST_DAYS, _ENOUGH_CALLS // plan.calls_per_day))
    days = [make_day(plan.calls_per_day, seed + at, mean_s=plan.mean_s) for at in range(count)]
    rate = sites.worker_rate(plan.machine, gpu=plan.gpu, rtfx=plan.gpu_rtfx)
    fleet = sites.draining(rate, channels=plan.channels)
    outcome = mean_of([run(day, fleet, plan.settings, seed + at) for at, day in enumerate(days)])
    audio_s = sum(float(day.lengths_s.sum()) for day in days) / count
    gpu = gpu_lines(outcome.paid_s / 3_600, plan.hour_usd)
    lines = {**gpu, **job_lines(plan.calls_per_day, audio_s, asked, channels=plan.channels), **fixed_lines()}
    return Estimate(plan, audio_s / 3_600, outcome, lines)


def gpu_lines(hours: float, hour_usd: float) -> Lines:
    """Machines with disk and address, by the hours they are paid for; USD a day."""
    disk = number("fixed.machine_disk_gb") * number("prices.ebs_gb_month") / MONTH_HOURS
    return {
        "GPU machines": hours * hour_usd,
        "their disks and addresses": hours * (disk + number("prices.public_ipv4_hour")),
    }


def job_lines(jobs: int, audio_s: float, asked: Requests, *, channels: int) -> Lines:
    """What grows with the number of calls and their audio; USD a day."""
    audio_gb = audio_s * channels * number("calls.audio_bytes_per_channel_s") / _GB
    audio_months, results_months = (number(f"job.{what}_kept_days") / MONTH_DAYS for what in ("audio", "results"))
    results_gb, table_gb = jobs * asked.results_bytes / _GB, jobs * asked.table_bytes / _GB
    per_job = {
        "Lambda": _lambda_job(),
        "Step Functions": number("job.transitions") * number("prices.transitions_thousand") / 1e3,
        "HTTP API": number("job.api_requests") * number("prices.http_api_million") / 1e6,
        "DynamoDB requests": _dynamodb_job(asked),
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


def _lambda_job() -> float:
    runs: Mapping[str, list[float]] = table("job.lambda_runs")
    return sum(count * lambda_run(memory_mb=memory, billed_ms=ms) for count, memory, ms in runs.values())


def _dynamodb_job(asked: Requests) -> float:
    writes = asked.write_units * number("prices.dynamodb_million_writes")
    return (writes + asked.read_units * number("prices.dynamodb_million_reads")) / 1e6


def _sqs_job() -> float:
    fair = number("job.fair_sqs_requests") * number("prices.sqs_fair_million")
    return (number("job.sqs_requests") * number("prices.sqs_million") + fair) / 1e6
