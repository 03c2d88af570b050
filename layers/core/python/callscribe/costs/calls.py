"""Calls of a made-up day: when they end, how long they are, and where in them somebody speaks. Seeded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callscribe.costs import inputs
from callscribe.media.speech import SpeechRules

DAY_S = 86_400.0
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Day:
    """Calls in the order in which they arrive; seconds since midnight, and lengths in seconds."""

    arrivals_s: Numbers
    lengths_s: Numbers


def make_day(calls: int, seed: int, *, mean_s: float | None = None) -> Day:
    """So many calls, spread over the day by its hourly shares, at random within an hour.

    `mean_s`: their mean length, if it is not the one that the inputs state.
    """
    random = np.random.default_rng(seed)
    shares = np.array(inputs.numbers("calls.hourly_share"))
    hours = random.choice(len(shares), size=calls, p=shares / shares.sum())
    arrivals = np.sort((hours + random.random(calls)) * DAY_S / len(shares))
    return Day(arrivals, make_lengths(random, calls, mean_s=mean_s))


def make_lengths(random: np.random.Generator, calls: int, *, mean_s: float | None = None) -> Numbers:
    """Lengths in seconds, lognormal, cut to the stated limits, which stretch with a mean of one's own."""
    stated_s = inputs.number("calls.length_mean_s")
    sigma = inputs.number("calls.length_sigma")
    mu = np.log(stated_s) - sigma**2 / 2
    shortest, longest = inputs.numbers("calls.length_limits_s")
    stretch = 1.0 if mean_s is None else mean_s / stated_s
    return np.clip(random.lognormal(mu, sigma, calls), shortest, longest) * stretch


def make_spans(random: np.random.Generator, length_s: float, rules: SpeechRules) -> list[float]:
    """Lengths in seconds of the spans that voice detection finds in one channel of a call.

    Talk spurts and pauses alternate. Pauses below the rules' least silence belong to the span; each span is padded on
    both sides, and one that is longer than the rules allow is cut, as `SpeechFinder` does.
    """
    count = int(length_s / (inputs.number("calls.talk_spurt_s") + inputs.number("calls.pause_s")) * 2) + 20
    spurts = random.exponential(inputs.number("calls.talk_spurt_s"), count)
    pauses = random.exponential(inputs.number("calls.pause_s"), count)
    starts = np.cumsum(pauses + spurts) - spurts
    inside = starts < length_s
    return _joined(starts[inside], np.minimum((starts + spurts)[inside], length_s), rules)


def speech_share(seed: int = 1, channel_s: float = 100_000) -> float:
    """Share of a channel that voice detection hands to the engine, its padding included."""
    rules = SpeechRules()
    return sum(make_spans(np.random.default_rng(seed), channel_s, rules)) / channel_s


def _joined(starts: Numbers, ends: Numbers, rules: SpeechRules) -> list[float]:
    silence_s, pad_s = rules.min_silence_ms / 1_000, rules.pad_ms / 1_000
    spans: list[float] = []
    if not len(starts):
        return spans
    first = np.concatenate([[True], starts[1:] - ends[:-1] >= silence_s])
    last = np.concatenate([first[1:], [True]])
    for start_s, end_s in zip(starts[first], ends[last], strict=True):
        spans += _cut(float(end_s - start_s) + 2 * pad_s, rules.max_span_s)
    return spans


def _cut(span_s: float, longest_s: float) -> list[float]:
    whole = int(span_s // longest_s)
    rest_s = span_s - whole * longest_s
    return [longest_s] * whole + ([rest_s] if rest_s > 0 else [])
