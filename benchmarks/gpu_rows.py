"""The ways to recognise the same speech that the benchmark `gpu` compares; each answers how many tokens it wrote."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from transformers import AutoProcessor, pipeline

from callscribe.engines.base import NO_HINTS, SAMPLE_RATE_HZ, Chunk, Samples
from callscribe.engines.pool import ChunkPool, Feed
from callscribe.engines.transformers import Transformers

Row = Callable[[], int]
Calls = Sequence[Sequence[Samples]]  # the spans of speech of each channel of a call
_READERS = 16


def ours(engine: Transformers, calls: Calls) -> Row:
    """Our engine behind the chunk pool, with a thread for each of some calls at a time, as in a worker."""
    pool = ChunkPool(engine, readers=_READERS)

    def recognise(spans: Sequence[Samples]) -> int:
        with pool.open() as feed:
            return sum(_through(feed, [Chunk(span) for span in spans]))

    def run() -> int:
        with ThreadPoolExecutor(_READERS) as threads:
            return sum(threads.map(recognise, calls))

    return run


def _through(feed: Feed, chunks: Sequence[Chunk]) -> Iterator[int]:
    waiting: list[Any] = []
    for chunk in chunks:
        while not feed.has_room(chunk):
            yield len(feed.take(waiting.pop(0)).words)
        waiting.append(feed.submit(chunk, None))
    feed.finish()
    for task in waiting:
        yield len(feed.take(task).words)


def in_ready_batches(engine: Transformers, calls: Calls, batch: int) -> Row:
    """Our engine without the pool, all spans at hand: sorted by length, in full batches."""
    batches = sorted_batches(calls, batch)

    def run() -> int:
        heard = (engine.transcribe(chunks, language=None, hints=NO_HINTS) for chunks in batches)
        return sum(len(one.words) for results in heard for one in results)

    return run


def one_by_one(model: Any, model_dir: Path, calls: Calls) -> Row:
    """A loop over the files, each by itself, by transformers' own processor and `generate`."""
    processor = AutoProcessor.from_pretrained(model_dir, local_files_only=True)
    return lambda: sum(_generate(model, processor, span) for spans in calls for span in spans)


def _generate(model: Any, processor: Any, span: Samples) -> int:
    with torch.inference_mode():
        inputs = processor([span], sampling_rate=SAMPLE_RATE_HZ).to(model.device, model.dtype)
        found = model.generate(**inputs, max_length=_MORE_THAN_ENOUGH)
    (text,) = processor.batch_decode(found.sequences, skip_special_tokens=True)
    return len(text.split())


_MORE_THAN_ENOUGH = 2_000  # tokens; the end of the sound ends them


def by_pipeline(model: Any, model_dir: Path, calls: Calls, batch: int) -> Row:
    """The pipeline for speech recognition of transformers, with batches, in the order in which the spans come."""
    processor = AutoProcessor.from_pretrained(model_dir, local_files_only=True)
    recogniser = pipeline(
        "automatic-speech-recognition",
        model=model,
        feature_extractor=processor.feature_extractor,
        tokenizer=processor.tokenizer,
        device=model.device,
        dtype=model.dtype,
    )

    def run() -> int:
        spans = ({"raw": span, "sampling_rate": SAMPLE_RATE_HZ} for of_call in calls for span in of_call)
        heard = recogniser(spans, batch_size=batch, generate_kwargs={"max_length": _MORE_THAN_ENOUGH})
        return sum(len(one["text"].split()) for one in heard)

    return run


def encoder_alone(engine: Transformers, calls: Calls, batch: int) -> Row:
    """The limit: the encoder alone, on batches of features that wait on the device. It writes no tokens."""
    with torch.inference_mode():
        ready = [engine.prepare(chunks) for chunks in sorted_batches(calls, batch)]

    def run() -> int:
        with torch.inference_mode():
            for features, mask in ready:
                engine.encode(features, mask)
        return 0

    return run


def by_faster_whisper(model_dir: Path, calls: Calls, batch: int, device: str, precision: str) -> Row:
    """CTranslate2's Whisper as faster-whisper drives it: windows of 30 s filled with spans; fixed numbers of tokens."""
    from benchmarks.gpu_whisper import WINDOW_S, Whisper

    whisper = Whisper(model_dir, device, precision)
    windows = list(_filled([span for spans in calls for span in spans], WINDOW_S))

    def run() -> int:
        return sum(whisper.recognise(list(group)) for group in _batched(windows, batch))

    return run


def _batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _filled(spans: Sequence[Samples], window_s: float) -> Iterator[list[Samples]]:
    """Spans in groups of at most so many seconds."""
    group: list[Samples] = []
    for span in spans:
        if group and sum(one.size for one in [*group, span]) > window_s * SAMPLE_RATE_HZ:
            yield group
            group = []
        group.append(span)
    yield group


def sorted_batches(calls: Calls, batch: int) -> list[list[Chunk]]:
    """All spans in batches, longest first, with the least padding there can be."""
    chunks = sorted((Chunk(span) for spans in calls for span in spans), key=lambda chunk: -chunk.duration_s)
    return [list(of_batch) for of_batch in _batched(chunks, batch)]
