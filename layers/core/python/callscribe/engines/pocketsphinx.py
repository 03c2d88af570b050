"""The embedded default: PocketSphinx with the English model that its wheel brings. Real, and modest.

Word error rate 18 to 32 % on clear wide-band speech, about 60 % on telephone calls.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, LifoQueue
from typing import BinaryIO

import numpy as np

from callscribe.domain.transcripts import Word
from callscribe.engines.base import Chunk, EngineInfo, Hints, Recognised, Samples, settle_language
from callscribe.errors import Invalid, Unavailable

_CHILD = Path(__file__).with_name("pocketsphinx_child.py")
_MAX_PROCESSES = 2  # one per channel
_CHUNKS_PER_PROCESS = 4  # at a time: the longest go first, so that the last ones to end are short
_ANSWER_S = 120.0  # twenty seconds of speech take about five
_STOP_S = 5.0
_VARIANT = re.compile(r"\(\d+\)$")  # "the(2)": the second pronunciation


class PocketSphinx:
    """Recognises chunks in up to `processes` processes; each loads its model once, when it is first needed."""

    def __init__(self, *, processes: int | None = None, answer_s: float = _ANSWER_S) -> None:
        workers = processes or min(_MAX_PROCESSES, os.cpu_count() or 1)
        self._answer_s = answer_s
        self._idle: LifoQueue[_Process] = LifoQueue()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pocketsphinx")
        self.info = EngineInfo(
            name="pocketsphinx",
            model=_model_id(),
            languages=frozenset({"en"}),
            word_times=True,
            max_chunk_s=20.0,
            device="cpu",
            min_sample_rate_hz=16_000,
            doubtful_below=0.28,
            batch_chunks=_CHUNKS_PER_PROCESS * workers,
        )

    def transcribe(
        self,
        chunks: Sequence[Chunk],
        *,
        language: str | None,
        hints: Hints,  # noqa: ARG002 - of the port; this engine has no use for hints
    ) -> Iterator[Recognised]:
        """See `base.Engine`. Raises Unavailable when a process died or hung."""
        settle_language(self.info, language)
        return self._threads.map(self._recognise, chunks)

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().stop()

    def _recognise(self, chunk: Chunk) -> Recognised:
        process = self._borrow()
        try:
            heard = process.ask(_to_pcm(chunk.samples))
        except BaseException:
            process.kill()
            raise
        self._idle.put(process)
        words = tuple(_words(heard))
        return Recognised(" ".join(word.text for word in words), words, language="en")

    def _borrow(self) -> "_Process":
        try:
            return self._idle.get_nowait()
        except Empty:
            return _Process(self._answer_s)


def create(model_dir: Path | None = None) -> PocketSphinx:
    """The engine with its defaults. Raises Invalid for a model directory: who names one expects another engine."""
    if model_dir is not None:
        raise Invalid("model_dir", "pocketsphinx brings its own model: name none, or another engine")
    return PocketSphinx()


class _Process:
    """One child. Whatever goes wrong with it becomes Unavailable: the job is done again, by a new child."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        command = [sys.executable, "-P", str(_CHILD)]  # -P: `import pocketsphinx` must not find our own module
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._fresh = True

    def ask(self, pcm: bytes) -> list[tuple[str, float, float, float]]:
        """What the child heard. Raises Unavailable."""
        timer = threading.Timer(self._answer_s, self._child.kill)
        timer.start()
        try:
            return self._exchange(pcm)
        except (OSError, ValueError) as error:
            status = self._child.wait()
            raise Unavailable(f"the recogniser's process ended with status {status}") from error
        finally:
            timer.cancel()

    def stop(self) -> None:
        """End the child in peace: it leaves when its input ends."""
        self._stdin.close()
        try:
            self._child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._stdout.close()

    def kill(self) -> None:
        """End the child at once."""
        self._child.kill()
        self._child.wait()
        self._stdout.close()

    def _exchange(self, pcm: bytes) -> list[tuple[str, float, float, float]]:
        if self._fresh:
            json.loads(self._stdout.readline())
            self._fresh = False
        self._stdin.write(struct.pack("<I", len(pcm)) + pcm)
        self._stdin.flush()
        heard: list[tuple[str, float, float, float]] = json.loads(self._stdout.readline())  # nothing: ValueError
        return heard

    @property
    def _stdin(self) -> BinaryIO:
        return _opened(self._child.stdin)

    @property
    def _stdout(self) -> BinaryIO:
        return _opened(self._child.stdout)


def _opened(pipe: object) -> BinaryIO:
    if pipe is None:
        raise TypeError("the child was started without pipes")
    return pipe  # type: ignore[return-value]  # Popen types its pipes as IO[bytes] | None


def _to_pcm(samples: Samples) -> bytes:
    """Little-endian 16-bit PCM."""
    return (np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes()


def _words(heard: Sequence[tuple[str, float, float, float]]) -> Iterator[Word]:
    """Words as people write them: no pronunciation variants, no markers for silence (`<sil>`) or noise (`[NOISE]`)."""
    for text, start_s, end_s, posterior in heard:
        if not text.startswith(("<", "[", "+")):
            yield Word(_VARIANT.sub("", text), start_s, end_s, round(max(0.0, posterior), 4))


def _model_id() -> str:
    """Package version, model name and the digest of the model's files."""
    package = importlib.util.find_spec("pocketsphinx")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the embedded engine needs PocketSphinx: install callscribe[asr]")
    folder = Path(package.submodule_search_locations[0]) / "model" / "en-us"
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return f"pocketsphinx-{importlib.metadata.version('pocketsphinx')}/en-us@sha256:{digest.hexdigest()[:16]}"
