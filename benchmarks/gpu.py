"""How fast a GPU recognises speech: ours against a loop over files, transformers' pipeline, and the encoder alone.

Models of real shapes with random weights, which write a fixed number of tokens: the ratios hold for the real weights,
the words mean nothing, and no figure here is a model's accuracy or speed. Where there is no GPU a tiny model runs on
the CPU, which shows that everything works and nothing else; its goals are shown and not judged.

All rows run in this one process, on one model in the device's memory, in a new random order each round: loading takes
longer than a round. (The other benchmarks give each case a process of its own.) Time is wall-clock time, the device's
work done. Run: `make bench NAME=gpu`; `--sweep` shows how our own settings were chosen.
"""

import argparse
import importlib.metadata
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from transformers.utils import logging

from benchmarks import gpu_models, gpu_rows, gpu_whisper, report
from benchmarks.gpu_rows import Calls, Row
from benchmarks.report import Goal
from callscribe.costs.calls import make_lengths, make_spans
from callscribe.engines.base import SAMPLE_RATE_HZ
from callscribe.engines.transformers import MAX_CHUNK_S, Device, Transformers, choose_device
from callscribe.media.speech import SpeechRules

ROUNDS: Final = 7  # and one before them, thrown away
BATCH: Final = 32
OURS, ONE_BY_ONE, PIPELINE, LIMIT = "ours", "one file at a time", "transformers' pipeline", "encoder alone (the limit)"
READY, WHISPER = "ours, batches at hand", "faster-whisper, another model"
_P90 = 0.9


@dataclass(frozen=True)
class Setting:
    """What is measured, and on what: seconds of speech in a round, models, and the device's settings."""

    speech_s: float
    parakeet: gpu_models.ParakeetShape
    whisper: gpu_whisper.WhisperShape
    device: Device
    judged: bool


@dataclass
class Times:
    """Wall-clock seconds of a row, a round each; the tokens of the last round."""

    seconds: list[float] = field(default_factory=list)
    tokens: int = 0

    @property
    def median_s(self) -> float:
        """Of the rounds that count."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The 90th percentile over the median."""
        ordered = sorted(self.seconds)
        return ordered[round(_P90 * (len(ordered) - 1))] / self.median_s


def main() -> int:
    """Print real-time factors and ratios beside their goals; 1 when one is missed on a GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweep", action="store_true", help="our engine with other settings, one changed at a time")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--speech-s", type=float, help="seconds of speech in a round")
    parser.add_argument("--real-shape", action="store_true", help="the real shapes on the CPU too, which takes long")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    setting = choose_setting()
    if arguments.real_shape:
        setting = replace(setting, parakeet=gpu_models.REAL, whisper=gpu_whisper.REAL)
    if arguments.speech_s:
        setting = replace(setting, speech_s=arguments.speech_s)
    say(setting)
    with tempfile.TemporaryDirectory() as folder:
        run = sweep if arguments.sweep else compare
        return run(setting, Path(folder), arguments.rounds)


def choose_setting() -> Setting:
    """Real shapes where there is a GPU, else a tiny model on one core."""
    device = replace(choose_device(), batch=BATCH)
    if device.name == "cuda":
        return Setting(1_800.0, gpu_models.REAL, gpu_whisper.REAL, device, judged=True)
    torch.set_num_threads(1)
    return Setting(240.0, gpu_models.TINY, gpu_whisper.TINY, replace(device, bucket_s=1.0), judged=False)


def say(setting: Setting) -> None:
    """What runs where."""
    if setting.judged:
        print(f"{torch.cuda.get_device_name()}, {setting.device}; random weights of {setting.parakeet.name}'s shape")
    else:
        print(
            f"NO GPU HERE: random weights of the shape {setting.parakeet.name} on one core of the CPU. It shows that "
            "all rows work and say the same; the ratios below say nothing about a GPU, and are not judged."
        )


def compare(setting: Setting, folder: Path, rounds: int) -> int:
    """All rows, interleaved."""
    calls = make_calls(setting.speech_s)
    rows, missing = make_rows(setting, calls, folder)
    times = measure(rows, rounds)
    require_same_tokens(times)
    speech_s = seconds_of(calls)
    print(table(times, speech_s))
    for name, reason in missing.items():
        print(f"not run: {name}: {reason}")
    kept = {
        "setting": asdict(setting),
        "versions": versions(),
        "gpu": torch.cuda.get_device_name() if setting.judged else None,
        "parameters": gpu_models.parameters_of(folder / "parakeet"),
        "speech_s": speech_s,
        "rows": {name: asdict(one) for name, one in times.items()},
        "not_run": missing,
    }
    return conclude(goals_of(times), kept, judged=setting.judged)


def goals_of(times: Mapping[str, Times]) -> list[Goal]:
    """Ratios of wall-clock time for the same speech."""
    ours_s = times[OURS].median_s
    return [
        Goal("× one file at a time", times[ONE_BY_ONE].median_s / ours_s, 5.0, at_most=False),
        Goal("× transformers' pipeline", times[PIPELINE].median_s / ours_s, 1.5, at_most=False),
        Goal("share of the limit", times[LIMIT].median_s / ours_s, 0.80, at_most=False),
    ]


def conclude(goals: Sequence[Goal], results: Mapping[str, Any], *, judged: bool) -> int:
    """Print and keep; without a GPU nothing is judged."""
    if judged:
        return report.conclude("gpu", results, goals)
    print()
    for goal in goals:
        print(f"{goal.name}: {goal.value:.4g} (goal ≥ {goal.limit:.4g}): not judged: no GPU")
    unjudged = {goal.name: goal.value for goal in goals}
    print(f"kept in {report.save('gpu', {**results, 'not_judged': unjudged}, [])}")
    return 0


def make_calls(speech_s: float, seed: int = 1) -> Calls:
    """Channels of calls as the inputs of all benchmarks draw them, of noise in place of speech."""
    dice = np.random.default_rng(seed)
    calls: list[list[Any]] = []
    while seconds_of(calls) < speech_s:
        (length_s,) = make_lengths(dice, 1)
        spans_s = make_spans(dice, min(float(length_s), speech_s), SpeechRules(max_span_s=MAX_CHUNK_S))
        calls.append([dice.normal(0, 0.1, int(span_s * SAMPLE_RATE_HZ)).astype(np.float32) for span_s in spans_s])
    return calls


def seconds_of(calls: Calls) -> float:
    """Of speech: what the engine is given."""
    return sum(span.size for spans in calls for span in spans) / SAMPLE_RATE_HZ


def make_rows(setting: Setting, calls: Calls, folder: Path) -> tuple[dict[str, Row], dict[str, str]]:
    """The rows by name, all on the same loaded model; and those that do not run here, with the reason."""
    model_dir = gpu_models.write_parakeet(folder / "parakeet", setting.parakeet)
    engine = Transformers(model_dir, setting.device)
    model = engine.model
    rows = {
        OURS: gpu_rows.ours(engine, calls),
        READY: gpu_rows.in_ready_batches(engine, calls, BATCH),
        ONE_BY_ONE: gpu_rows.one_by_one(model, model_dir, calls),
        PIPELINE: gpu_rows.by_pipeline(model, model_dir, calls, BATCH),
        LIMIT: gpu_rows.encoder_alone(engine, calls, BATCH),
    }
    try:
        whisper_dir = gpu_whisper.write_whisper(folder / "whisper", setting.whisper)
        precision = "float16" if setting.judged else "float32"
        row = gpu_rows.by_faster_whisper(whisper_dir, calls, BATCH, setting.device.name, precision)
        row()
    except RuntimeError as error:  # CTranslate2 wants CUDA 12 where torch brings 13
        return rows, {WHISPER: str(error)}
    return {**rows, WHISPER: row}, {}


def measure(rows: Mapping[str, Row], rounds: int, seed: int = 1) -> dict[str, Times]:
    """Every row in every round, in an order of its own; the first round is thrown away."""
    dice, order = random.Random(seed), list(rows)
    times = {name: Times() for name in rows}
    for number in range(rounds + 1):
        dice.shuffle(order)
        for name in order:
            took_s, tokens = timed(rows[name])
            if number:
                times[name].seconds.append(took_s)
                times[name].tokens = tokens
    return times


def timed(row: Row) -> tuple[float, int]:
    """Seconds until the device is done, and the tokens written."""
    _finish()
    began_s = time.perf_counter()
    tokens = row()
    _finish()
    return time.perf_counter() - began_s, tokens


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def require_same_tokens(times: Mapping[str, Times]) -> None:
    """Raises ValueError where rows of one model did other work, by the tokens they wrote.

    `generate` lets recordings that have ended write on until the longest of their batch has; so the pipeline has more,
    in no more steps.
    """
    written = {name: times[name].tokens for name in (OURS, READY, ONE_BY_ONE)}
    if not times[OURS].tokens or len(set(written.values())) > 1 or times[PIPELINE].tokens < times[OURS].tokens:
        raise ValueError(f"the rows did other work: {written}, {PIPELINE} {times[PIPELINE].tokens}")


def table(times: Mapping[str, Times], speech_s: float) -> str:
    """Lines for people."""
    ours_s = times[OURS].median_s
    rows = [
        [
            name,
            f"{speech_s / one.median_s:,.1f}",
            f"{one.spread:.2f}",
            f"{one.median_s / ours_s:.2f}",
            f"{one.tokens:,}",
        ]
        for name, one in times.items()
    ]
    head = ("", "× real time", "p90/p50", "time / ours", "tokens")
    return f"{speech_s:,.0f} s of speech a round\n{report.table(head, rows)}"


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    return {name: importlib.metadata.version(name) for name in ("torch", "transformers", "faster-whisper")}


def sweep(setting: Setting, folder: Path, rounds: int) -> int:
    """Our engine on batches at hand, with one setting changed at a time; the first and the last are the same."""
    calls = make_calls(setting.speech_s)
    model_dir = gpu_models.write_parakeet(folder / "parakeet", setting.parakeet)
    results = []
    for name, device in variants(setting.device):
        engine = Transformers(model_dir, device)
        times = measure({name: gpu_rows.in_ready_batches(engine, calls, device.batch)}, rounds)[name]
        engine.close()
        results.append({"name": name, "device": asdict(device), **asdict(times), "median_s": times.median_s})
    base_s = results[0]["median_s"]
    rows = [
        [one["name"], f"{seconds_of(calls) / one['median_s']:,.1f}", f"{one['median_s'] / base_s:.2f}"]
        for one in results
    ]
    print(report.table(("", "× real time", "time / as it is"), rows))
    print(f"kept in {report.save('gpu-sweep', {'variants': results, 'versions': versions()}, [])}")
    return 0


def variants(device: Device) -> Iterator[tuple[str, Device]]:
    """The device's settings as they are, others, and again as they are."""
    yield "as it is", device
    for batch in (8, 16, 64):
        yield f"batches of {batch}", replace(device, batch=batch)
    for precision in ("float16", "float32") if device.name == "cuda" else ("bfloat16",):
        yield precision, replace(device, precision=precision)
    for bucket_s in (0.0, 5.0):
        yield f"padded to {bucket_s:g} s", replace(device, bucket_s=bucket_s)
    if device.name == "cuda":
        yield (
            "search not as a graph" if device.graphed else "search as a graph",
            replace(device, graphed=not device.graphed),
        )
    yield "encoder compiled", replace(device, compiled=True)
    yield "as it is, again", device


if __name__ == "__main__":
    sys.exit(main())
