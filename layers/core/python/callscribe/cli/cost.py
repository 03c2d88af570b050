"""`callscribe cost`: what an hour of audio will cost on workers of one's own, before anything is deployed."""

import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.edge import UsageError
from callscribe.cli.output import Form, FormOption, document, line, notice, table

if TYPE_CHECKING:
    from callscribe.costs.model import Estimate, Plan


class Machine(StrEnum):
    """Machines whose speed and price are known."""

    G6 = "g6.xlarge"
    G5 = "g5.xlarge"
    G4DN = "g4dn.xlarge"


class Speech(StrEnum):
    """Models whose speed is known, or guessed with a reason."""

    WHISPER = "whisper-large-v3-turbo"
    PARAKEET = "parakeet-tdt-0.6b-v3"


_SPEED = {Speech.WHISPER: "whisper_gpu_rtfx", Speech.PARAKEET: "gpu_rtfx"}
_LOW_SPEED = {Speech.PARAKEET: "low_gpu_rtfx"}
_GATHERING_S = 900  # longer than a machine idles before AWS Batch takes it away
_WAYS_TITLES = ("", "USD an hour", "a month", "half wait up to", "99 of 100", "machine hours a day", "most workers")
_SHOWN_USD = 0.005  # a month; smaller lines are added up


def cost(
    calls_per_day: Annotated[int, typer.Option(min=1, max=2_000_000, help="Calls that are transcribed.")] = 1_000,
    minutes_per_call: Annotated[float, typer.Option(min=0.1, max=240, help="Their mean length.")] = 4.0,
    channels: Annotated[int, typer.Option(min=1, max=2, help="2: agent and customer are recorded apart.")] = 2,
    machine: Annotated[Machine, typer.Option(help="With one GPU each: NVIDIA L4, A10G, T4.")] = Machine.G6,
    model: Annotated[Speech, typer.Option(help="What the workers recognise speech with.")] = Speech.WHISPER,
    gpu_rtfx: Annotated[
        float | None,
        typer.Option(min=1, max=100_000, help="Seconds of speech in a second of the GPU, as you measured it."),
    ] = None,
    spot: Annotated[bool, typer.Option("--spot/--on-demand", help="How its machines are paid for.")] = True,
    machine_usd: Annotated[
        float | None,
        typer.Option(min=0.01, max=1_000, help="What an hour of the machine costs you. Default: as listed here."),
    ] = None,
    hold_s: Annotated[float, typer.Option(min=0, max=86_400, help="As the setting gpu_hold_s.")] = 0.0,
    idle_s: Annotated[float, typer.Option(min=0, max=86_400, help="As the setting gpu_idle_s.")] = 300.0,
    target_wait_s: Annotated[float, typer.Option(min=60, max=86_400, help="As gpu_target_wait_s.")] = 600.0,
    max_workers: Annotated[int, typer.Option(min=1, max=10_000, help="As the setting gpu_max_workers.")] = 10,
    output: FormOption = Form.TEXT,
) -> None:
    """Say what a site will cost, line by line, how long its recordings will wait, and what others charge.

    Days are simulated with the very policy that scales the workers; what a job asks of AWS is counted while one is
    led through the real code in memory. List prices of us-east-1, without free tiers, taxes and discounts.
    """
    _require_numbers(minutes_per_call, gpu_rtfx, machine_usd, hold_s, idle_s, target_wait_s)
    _need_simpy()
    from callscribe.costs.model import Plan
    from callscribe.domain.scaling import ScalingSettings

    plan = Plan(
        calls_per_day=calls_per_day,
        mean_s=60 * minutes_per_call,
        channels=channels,
        machine=machine,
        pricing="spot" if spot else "on_demand",
        settings=ScalingSettings(max_workers=max_workers, target_wait_s=target_wait_s, hold_s=hold_s, idle_s=idle_s),
        gpu=_SPEED[model],
        gpu_rtfx=gpu_rtfx,
        machine_usd=machine_usd,
    )
    found = _estimates(plan, _LOW_SPEED.get(model, _SPEED[model]))
    if output is Form.JSON:
        document(_described(*found))
    else:
        _show(*found)


def _require_numbers(*given: float | None) -> None:
    """`nan` passes every bound, with some versions of typer the option's own, too."""
    if any(one is not None and math.isnan(one) for one in given):
        raise UsageError("nan is not a number")


def _need_simpy() -> None:
    try:
        import numpy as np  # noqa: F401 - only whether it is there
        import simpy  # noqa: F401 - as above
    except ModuleNotFoundError as missing:
        raise UsageError(f"a day is simulated with {missing.name}: install callscribe[cli]") from missing


def _estimates(plan: "Plan", low_speed: str) -> "tuple[Estimate, Estimate, Estimate]":
    """What is expected; with what could go against it (on demand, the lowest speed published); where work gathers."""
    from callscribe.costs.inputs import all_inputs
    from callscribe.costs.model import estimate
    from callscribe.costs.one_job import count_requests

    asked = count_requests(length_s=plan.mean_s, channels=plan.channels)
    gpu = low_speed if f"machines.{plan.machine}.{low_speed}" in all_inputs() else plan.gpu
    gathering = replace(plan.settings, hold_s=_GATHERING_S, idle_s=0)
    plans = plan, replace(plan, pricing="on_demand", gpu=gpu), replace(plan, settings=gathering)
    expected, worst, gathered = (estimate(one, asked) for one in plans)
    return expected, worst, gathered


def _show(expected: "Estimate", worst: "Estimate", gathered: "Estimate") -> None:
    from callscribe.costs.model import MONTH_DAYS

    plan = expected.plan
    hours = expected.audio_hours * MONTH_DAYS
    line(
        f"{plan.calls_per_day:,} calls a day of {plan.mean_s / 60:g} minutes: {hours:,.0f} hours of audio a month,"
        f" on {plan.machine} {plan.pricing.replace('_', ' ')} at {plan.hour_usd:g} USD an hour"
    )
    rows = [(name, usd * MONTH_DAYS, usd / expected.audio_hours) for name, usd in _merged(expected)]
    rows.append(("all", expected.month, expected.per_hour))
    table(("", "USD a month", "USD an hour of audio"), [_cells(*row) for row in rows])
    ways = {"expected": expected, f"--hold-s {_GATHERING_S} --idle-s 0": gathered, "at worst": worst}
    table(_WAYS_TITLES, [_way(name, one) for name, one in ways.items()])
    table(("others charge", "USD an hour of audio", "× this"), list(_others(expected)))
    settings = plan.settings
    if expected.outcome.most_workers >= settings.max_workers and expected.outcome.wait_s(99) > settings.target_wait_s:
        notice(f"--max-workers {settings.max_workers} are all at work, and do not do it in time: allow more")
    for sentence in _how_sure(expected):
        notice(sentence)


def _way(name: str, one: "Estimate") -> list[str]:
    outcome = one.outcome
    waits = [_duration(outcome.wait_s(percent)) for percent in (50, 99)]
    hours = f"{outcome.paid_s / 3_600:.1f}"
    return [name, f"{one.per_hour:.4f}", f"{one.month:,.2f}", *waits, hours, str(outcome.most_workers)]


def _merged(one: "Estimate") -> list[tuple[str, float]]:
    """The lines, the dearest first; those of less than a cent a month together."""
    from callscribe.costs.model import MONTH_DAYS

    shown = {name: usd for name, usd in one.lines.items() if usd * MONTH_DAYS >= _SHOWN_USD}
    rest = sum(one.lines.values()) - sum(shown.values())
    ordered = sorted(shown.items(), key=lambda item: -item[1])
    return [*ordered, ("less than a cent each", rest)] if len(shown) < len(one.lines) else ordered


def _cells(name: str, month_usd: float, hour_usd: float) -> list[str]:
    return [name, f"{month_usd:,.2f}", f"{hour_usd:.5f}"]


def _others(one: "Estimate") -> Iterable[list[str]]:
    from callscribe.costs.inputs import table as figures

    for name, usd in sorted(figures("competitors").items(), key=lambda item: -item[1]):
        yield [name, f"{usd:.4f}", f"{usd / one.per_hour:.1f}"]


def _how_sure(one: "Estimate") -> list[str]:
    from callscribe.costs.inputs import all_inputs

    known = all_inputs()
    prices = [price for name, price in known.items() if _is_price(name)]
    read = sum(price.seen is not None for price in prices)
    assumed = sum(each.assumed for each in known.values())
    others = known["competitors"]
    speed = known[f"machines.{one.plan.machine}.{one.plan.gpu}"]
    told = "yours" if one.plan.gpu_rtfx else f"{speed.value} × real time, {speed.source}; measure it, and --gpu-rtfx"
    return [
        f"prices: {read} of {len(prices)} were read on {max(price.date for price in prices)} in texts that quote them,"
        " none on the vendors' own pages; spot prices move and differ by region: --machine-usd",
        f"the GPU's speed: {told}",
        "at worst: on demand, and at the lowest speed published where there is more than one",
        f"assumed: {assumed} of {len(known)} inputs; -o json prints them all with their sources",
        f"others' prices: {others.seen}; {others.unit.partition(';')[2].strip()}",
    ]


def _is_price(name: str) -> bool:
    return name.startswith("prices.") or name.endswith((".spot", ".on_demand"))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _described(expected: "Estimate", worst: "Estimate", gathered: "Estimate") -> dict[str, Any]:
    from callscribe.costs.inputs import all_inputs
    from callscribe.costs.model import MONTH_DAYS

    inputs = {name: asdict(one) | {"date": one.date.isoformat()} for name, one in all_inputs().items()}
    return {
        "plan": asdict(expected.plan),
        "audio_hours_a_month": expected.audio_hours * MONTH_DAYS,
        "usd_a_month": expected.month,
        "usd_an_audio_hour": expected.per_hour,
        "usd_an_audio_hour_at_worst": worst.per_hour,
        "usd_an_audio_hour_gathering": gathered.per_hour,
        "lines_usd_a_month": {name: usd * MONTH_DAYS for name, usd in expected.lines.items()},
        "wait_s": {f"p{percent}": expected.outcome.wait_s(percent) for percent in (50, 90, 99)},
        "machine_hours_a_day": expected.outcome.paid_s / 3_600,
        "most_workers": expected.outcome.most_workers,
        "inputs": inputs,
    }
