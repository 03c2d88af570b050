"""How much of a padded batch is speech: a pool of chunks across jobs, sorted by length, against whole files.

A batch is as long as its longest member; what the others lack is computed for nothing. Calls and the spans of speech in
them are drawn from the distributions in `benchmarks/inputs.toml`; what fills the batches is
`callscribe.engines.packing`, the worker's own. Run: `make bench NAME=pack`.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks import report
from benchmarks.calls import make_lengths, make_spans
from benchmarks.inputs import number
from benchmarks.report import Goal
from callscribe.engines.packing import BatchLimits, full_batches, pack
from callscribe.media.speech import SpeechRules

GOAL = 0.95
BATCH = 32
CALLS = 2_000
SEED = 1
LIMITS = BatchLimits(chunks=BATCH)


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
    at_once = int(number("worker.files_at_once") * number("calls.channels"))
    pool = chunk_pool(f"chunks, pool of {at_once // 2} calls, sorted", spans, at_once)
    rows = [
        whole_files("whole channels, as they come", files, speech, range(len(files))),
        whole_files(
            "whole channels, all of them sorted", files, speech, sorted(range(len(files)), key=files.__getitem__)
        ),
        whole_files("chunks, as they come", *_twice([span for of_file in spans for span in of_file])),
        one_file_at_a_time("chunks, each call by itself, sorted", spans),
        chunk_pool("chunks, pool of 4 calls, sorted", spans, 8),
        pool,
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
    return files, [make_spans(random, length_s, SpeechRules()) for length_s in files]


def whole_files(name: str, lengths_s: Sequence[float], speech_s: Sequence[float], order: Sequence[int]) -> Share:
    """Batches of what follows one another in this order."""
    share = Share(name)
    for first in range(0, len(order), BATCH):
        places = [int(place) for place in order[first : first + BATCH]]
        share.add([lengths_s[place] for place in places], [speech_s[place] for place in places])
    return share


def one_file_at_a_time(name: str, spans: Sequence[Sequence[float]]) -> Share:
    """What a worker does that shares no batch between calls; both channels of one go together."""
    share = Share(name)
    channels = int(number("calls.channels"))
    for first in range(0, len(spans), channels):
        _fill(share, [span for of_file in spans[first : first + channels] for span in of_file])
    return share


def chunk_pool(name: str, spans: Sequence[Sequence[float]], files_at_once: int) -> Share:
    """What the worker does: so many channels come into the pool, full batches leave it, the rest waits for the next."""
    share = Share(name)
    pool: list[float] = []
    for first in range(0, len(spans), files_at_once):
        pool += [span for of_file in spans[first : first + files_at_once] for span in of_file]
        batches = full_batches(pool, LIMITS)
        for batch in batches:
            _add_chunks(share, [pool[place] for place in batch])
        used = {place for batch in batches for place in batch}
        pool = [span for place, span in enumerate(pool) if place not in used]
    _fill(share, pool)
    return share


def _fill(share: Share, chunks: Sequence[float]) -> None:
    for batch in pack(chunks, LIMITS):
        _add_chunks(share, [chunks[place] for place in batch])


def _add_chunks(share: Share, lengths_s: Sequence[float]) -> None:
    share.add(lengths_s, lengths_s)


def _twice(chunks: Sequence[float]) -> tuple[Sequence[float], Sequence[float], range]:
    """A chunk is all speech."""
    return chunks, chunks, range(len(chunks))


if __name__ == "__main__":
    sys.exit(main())
