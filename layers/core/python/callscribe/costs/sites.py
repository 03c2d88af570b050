"""Fleets as `inputs.toml` describes them: what one worker of a machine does, and how its provider behaves."""

from dataclasses import replace
from functools import cache

from callscribe.costs import calls
from callscribe.costs.fleet import Site
from callscribe.costs.inputs import number, numbers
from callscribe.domain.scaling import ScalingSettings

ENOUGH_WORKERS = 10_000  # what is needed is asked, not what an account's quota allows


def worker_rate(machine: str, *, gpu: str = "gpu_rtfx", rtfx: float | None = None) -> float:
    """Seconds of audio, counted by channel, that a worker does in a second, silence included.

    The GPU sees speech alone, the cores all of it: they decode it and look for the speech. The slower one counts.
    `gpu` names the input with the GPU's speed, `rtfx` is one of one's own.
    """
    speed = number(f"machines.{machine}.{gpu}") if rtfx is None else rtfx
    share = _speech_share()
    cores = number(f"machines.{machine}.cores") * number("worker.core_yield")
    core_s = 1 / number("worker.vad_rtfx_per_core") + 1 / number("worker.decode_rtfx_per_core")
    return min(speed / share, cores / core_s)


def draining(rate: float, *, channels: int | None = None) -> Site:
    """Workers that load their model once and fill their batches from many files. `channels` of a call: as stated."""
    boot, tail = numbers("provider.boot_s"), numbers("provider.idle_tail_s")
    return Site(
        rate=rate,
        start_s=number("worker.container_and_model_start_s"),
        files_at_once=int(number("worker.files_at_once")),
        round_floor_s=number("worker.round_floor_s"),
        poll_s=number("worker.poll_s"),
        boot_s=(boot[0], boot[1]),
        tail_s=(tail[0], tail[1]),
        interruptions_per_s=number("provider.interruptions_per_hour") / 3_600,
        channels=channels or int(number("calls.channels")),
        tick_s=number("policy.tick_s"),
        window_s=number("policy.window_s"),
    )


def one_job_per_file(rate: float) -> Site:
    """The same machines, where every file is a job that starts a container and loads the model.

    All else favours it: the same scaling, machines that go from job to job without a pause, full speed for one file.
    """
    site = draining(rate)
    return replace(site, start_s=0.0, file_start_s=site.start_s, files_at_once=1, round_floor_s=0.0)


def prompt() -> ScalingSettings:
    """A site that transcribes as soon as it can: the defaults."""
    return ScalingSettings(max_workers=ENOUGH_WORKERS)


def gathering() -> ScalingSettings:
    """A small site that lets work gather, and whose workers go as soon as the queue is empty."""
    return ScalingSettings(max_workers=ENOUGH_WORKERS, hold_s=number("policy.gathering_hold_s"), idle_s=0)


@cache
def _speech_share() -> float:
    return calls.speech_share()
