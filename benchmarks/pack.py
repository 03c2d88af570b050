"""How much of a padded batch is speech: a pool of chunks across jobs, alike in length, against whole files.

A batch is as long as its longest member; what the others lack is computed for nothing. Calls and the spans of speech in
them are drawn from the distributions in `callscribe/costs/inputs.toml`; what fills the batches is
`callscribe.engines.packing`, the worker's own. Run: `make bench NAME=pack`.
"""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from benchmarks import report
from benchmarks.report import Goal
from callscribe.costs.calls import make_lengths, make_spans
from callscribe.costs.inputs import number
from callscribe.engines.packing import BatchLimits, Turns, Waiting, pick
from callscribe.engines.pool import POOL_BATCHES
from callscribe.media.speech import SpeechRules

GOAL = 0.95
BATCH = 32
CALLS = 600
SEED = 1
LIMITS = BatchLimits(chunks=BATCH)
RULES = SpeechRules()
ROOM_S = POOL_BATCHES * BATCH * RULES.max_span_s  # what the worker's pool holds


@dataclass
class Share:
    """Seconds of speech, of audio and of padded batches; `rows` and `batches` say how full the batches were."""

    name: str
    speech_s: float = 0
    audio_s: float = 0
    padded_s: float = 0
    rows: int = 0
    batches: int = 0

    @property
    def speech(self) -> float:
        """Share of the padded batches that is speech."""
        return self.speech_s / self.padded_s

    def add(self, lengths_s: Sequence[float], speech_s: Sequence[float]) -> None:
        """Count one batch."""
        self.padded_s += len(lengths_s) * max(lengths_s)
        self.audio_s += sum(lengths_s)
        self.speech_s += sum(speech_s)
        self.rows += len(lengths_s)
        self.batches += 1

    def cells(self) -> list[str]:
        """A line of the table."""
        return [
            self.name,
            f"{self.speech:.1%}",
            f"{self.audio_s / self.padded_s:.1%}",
            f"{self.rows / self.batches:.1f}",
        ]


def main() -> int:
    """Print the shares beside the goal; 1 when it is missed."""
    files, spans = make_channels(CALLS, SEED)
    speech = [sum(of_file) for of_file in spans]
    at_once = int(number("worker.files_at_once"))
    pool = chunk_pool(f"chunks, pool of {at_once} calls", spans, at_once)
    rows = [
        whole_files("whole channels, as they come", files, speech, range(len(files))),
        whole_files(
            "whole channels, all of them sorted", files, speech, sorted(range(len(files)), key=files.__getitem__)
        ),
        whole_files("chunks, as they come", *_twice([span for of_file in spans for span in of_file])),
        one_call_at_a_time("chunks, each call by itself", spans),
        chunk_pool("chunks, pool of 4 calls", spans, 4),
        pool,
        chunk_pool(f"chunks, pool of {at_once} calls, each another tenant's", spans, at_once, tenants=at_once),
    ]
    print(f"{CALLS:,} calls, {len(files):,} channels, {sum(map(len, spans)):,} chunks; batches of {BATCH}")
    print(report.table(("", "speech", "audio", "rows of a batch"), [row.cells() for row in rows]))
    goal = Goal(f"{pool.name}: share of the padded batch that is speech", pool.speech, GOAL, at_most=False)
    return report.conclude("pack", {"rows": [{**asdict(row), "speech": row.speech} for row in rows]}, [goal])


def make_channels(calls: int, seed: int) -> tuple[list[float], list[list[float]]]:
    """Length of every channel of so many calls, and the lengths of the spans of speech in it."""
    random = np.random.default_rng(seed)
    channels = int(number("calls.channels"))
    files = [float(length_s) for length_s in make_lengths(random, calls) for _ in range(channels)]
    return files, [make_spans(random, length_s, RULES) for length_s in files]


def whole_files(name: str, lengths_s: Sequence[float], speech_s: Sequence[float], order: Sequence[int]) -> Share:
    """Batches of what follows one another in this order."""
    share = Share(name)
    for first in range(0, len(order), BATCH):
        places = [int(place) for place in order[first : first + BATCH]]
        share.add([lengths_s[place] for place in places], [speech_s[place] for place in places])
    return share


def one_call_at_a_time(name: str, spans: Sequence[Sequence[float]]) -> Share:
    """What a worker does that shares no batch between calls; both channels of one go together."""
    share = Share(name)
    for call in _calls(spans):
        _drain(share, iter(call), float("inf"))
    return share


def chunk_pool(name: str, spans: Sequence[Sequence[float]], calls_at_once: int, *, tenants: int = 1) -> Share:
    """What the worker does: so many calls are read at a time, by turns, into a pool that always has batches to choose.

    `tenants`: to how many the calls belong, one call after the other.
    """
    share = Share(name)
    chunks = ([Waiting(str(at % tenants), span.length_s) for span in call] for at, call in enumerate(_calls(spans)))
    _drain(share, _by_turns(chunks, calls_at_once), ROOM_S)
    return share


def _calls(spans: Sequence[Sequence[float]]) -> Iterator[list[Waiting]]:
    channels = int(number("calls.channels"))
    for first in range(0, len(spans), channels):
        yield [Waiting("", span) for of_file in spans[first : first + channels] for span in of_file]


def _by_turns(calls: Iterator[list[Waiting]], at_once: int) -> Iterator[Waiting]:
    """A chunk of each open call after the other; where one ends, the next is opened."""
    reading = deque(iter(call) for call in islice(calls, at_once))
    while reading:
        chunk = next(reading[0], None)
        if chunk is not None:
            yield chunk
            reading.rotate(-1)
            continue
        reading.popleft()
        reading.extend(iter(call) for call in islice(calls, 1))


def _drain(share: Share, coming: Iterator[Waiting], room_s: float) -> None:
    """Fill the pool up to its room, take a batch, and again."""
    turns, waiting, held_s = Turns(), list[Waiting](), 0.0
    while True:
        while held_s < room_s and (chunk := next(coming, None)) is not None:
            waiting.append(chunk)
            held_s += chunk.length_s
        if not waiting:
            return
        turns.begin({chunk.tenant_id for chunk in waiting})
        turn = pick(waiting, LIMITS, turns.taken_s)
        lengths_s = [waiting[place].length_s for place in turn.places]
        share.add(lengths_s, lengths_s)
        turns.charge(turn.tenant_id, len(lengths_s) * lengths_s[0])
        held_s -= sum(lengths_s)
        picked = set(turn.places)
        waiting = [chunk for place, chunk in enumerate(waiting) if place not in picked]


def _twice(chunks: Sequence[float]) -> tuple[Sequence[float], Sequence[float], range]:
    """A chunk is all speech."""
    return chunks, chunks, range(len(chunks))


if __name__ == "__main__":
    sys.exit(main())
