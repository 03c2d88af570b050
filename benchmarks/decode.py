"""From a file to 16 kHz float32, format by format: ours against PyAV frame by frame, the ffmpeg program and libsndfile.

Ours is measured twice: the decoding as the child process does it, and the whole of it, with the start of the confined
process and the samples' way through its pipe. The goals are the former's, for the others do not confine themselves
either. Run: `make bench NAME=decode` (several minutes); `--format mp3` for the formats whose names begin so.
"""

import argparse
import importlib
import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks import report
from benchmarks.interleaved import Case, Sample, compare
from benchmarks.report import Goal
from benchmarks.speech_files import Format, Samples, two_voices, write_file
from callscribe.domain.audio import AudioFacts
from callscribe.media import pcm, resample, source
from callscribe.media.decode import decode as decode_confined
from callscribe.media.decode import gather, keep_within
from callscribe.media.sniff import locate

RATE_HZ = 16_000
SECONDS = 180.0
PEER = "PyAV frame by frame"
OURS = "ours"
CONFINED = "ours, confined"
CLI = "ffmpeg"
SNDFILE = "libsndfile + soxr"
TOLERANCE = 2e-5  # of full scale; the last bit of 16 is 3e-5


@dataclass(frozen=True, slots=True)
class Row:
    """A format by its name, with the least ratio to the peer that it must reach, if there is one."""

    name: str
    form: Format
    goal: float | None = None


ROWS = (
    Row("mulaw 8 kHz mono", Format("pcm_mulaw", "wav", 8_000, 1), 2.0),
    Row("mulaw 8 kHz stereo", Format("pcm_mulaw", "wav", 8_000, 2), 2.0),
    Row("alaw 8 kHz stereo", Format("pcm_alaw", "wav", 8_000, 2)),
    Row("wav 8 kHz stereo", Format("pcm_s16le", "wav", 8_000, 2)),
    Row("wav 44.1 kHz stereo", Format("pcm_s16le", "wav", 44_100, 2)),
    Row("mp3 8 kHz mono", Format("libmp3lame", "mp3", 8_000, 1), 1.25),
    Row("mp3 44.1 kHz stereo", Format("libmp3lame", "mp3", 44_100, 2), 1.25),
    Row("aac 8 kHz mono", Format("aac", "ipod", 8_000, 1), 1.25),
    Row("aac 44.1 kHz stereo", Format("aac", "ipod", 44_100, 2), 1.25),
    Row("flac 44.1 kHz stereo", Format("flac", "flac", 44_100, 2)),
    Row("opus 48 kHz mono, ogg", Format("libopus", "ogg", 48_000, 1), 1.25),
    Row("opus 48 kHz stereo, webm", Format("libopus", "webm", 48_000, 2), 1.25),
)


def frame_by_frame(path: Path) -> Samples:
    """The loop that everybody writes; samples of shape (channels, frames)."""
    pieces, resampler = [], None
    with av.open(str(path)) as opened:
        for frame in opened.decode(audio=0):
            resampler = resampler or av.AudioResampler("fltp", frame.layout.name, RATE_HZ)
            pieces += [resampled.to_ndarray() for resampled in resampler.resample(frame)]
    if resampler is not None:
        pieces += [resampled.to_ndarray() for resampled in resampler.resample(None)]
    return np.concatenate(pieces, axis=1)


def ours(path: Path) -> Samples:
    """The same by the code of the child process, and what its parent does to the samples."""
    with path.open("rb") as file:
        opened, stream = source.open_audio(file.fileno(), *_located(path))
        channels = stream.codec_context.channels
        blocks = pcm.blocks(opened, stream, block_s=2.0)
        frames = resample.resample(blocks, rate_hz=RATE_HZ, channels=channels, block_frames=10 * RATE_HZ)
        return gather((_samples(frame) for frame in frames), channels, round((SECONDS + 1) * RATE_HZ))


def _samples(frame: av.AudioFrame) -> Samples:
    planes = [np.frombuffer(memoryview(plane), np.float32, frame.samples) for plane in frame.planes]
    return keep_within(np.stack(planes))


def ours_confined(path: Path) -> Samples:
    """`decode`: a process is started, confines itself, and sends the samples through a pipe."""
    with av.open(str(path)) as opened:  # what `prepare` has found out already; some milliseconds
        channels = opened.streams.audio[0].codec_context.channels
    facts = AudioFacts(_located(path)[0], "", channels, RATE_HZ, SECONDS + 1, path.stat().st_size, dual_mono=False)
    return decode_confined(path, facts)


def by_ffmpeg(path: Path) -> Samples:
    """The program writes float32 into a pipe; its processor time counts. Raises FileNotFoundError where it is not."""
    with av.open(str(path)) as opened:
        channels = opened.streams.audio[0].codec_context.channels
    program = ffmpeg_program()
    if program is None:
        raise FileNotFoundError("no ffmpeg program: install the bench extra")
    quiet = ("-v", "error", "-nostdin", "-threads", "1", "-filter_threads", "1")
    command = (program, *quiet, "-i", str(path), "-f", "f32le", "-ar", str(RATE_HZ), "pipe:1")
    written = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return np.ascontiguousarray(np.frombuffer(written, np.float32).reshape(-1, channels).T)


def by_sndfile(path: Path) -> Samples:
    """Read by libsndfile, resampled by soxr at its high quality. Raises LibsndfileError for a format it cannot read."""
    import soundfile  # type: ignore[import-untyped]  # ships no types; only where it is installed
    import soxr  # type: ignore[import-untyped]  # as above

    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(soxr.resample(samples, rate_hz, RATE_HZ).T)


WAYS: Mapping[str, Callable[[Path], Samples]] = {
    PEER: frame_by_frame,
    OURS: ours,
    CONFINED: ours_confined,
    CLI: by_ffmpeg,
    SNDFILE: by_sndfile,
}
# What a way imports when it is first needed, for not everybody has it.
LIBRARIES: Mapping[str, Sequence[str]] = {CLI: ("imageio_ffmpeg",), SNDFILE: ("soundfile", "soxr")}


def ffmpeg_program() -> str | None:
    """The program of the bench extra, or else one on the PATH."""
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg  # type: ignore[import-untyped]  # ships no types; 65 MB, only in the bench extra

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    return shutil.which("ffmpeg")


def why_not(way: str, path: Path) -> str | None:
    """Why one of the LIBRARIES cannot decode a file, or None where it can."""
    try:
        WAYS[way](path)
    except ImportError as error:
        return f"{error.name} is not installed"
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:  # libsndfile's errors are RuntimeErrors
        return str(error).rpartition(": ")[2]
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for each format, then the goals; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", default="", help="how the names of the wanted formats begin")
    parser.add_argument("--way", choices=WAYS, help="decode one file in this process and report; for the runner")
    parser.add_argument("--file", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.way:
        print(json.dumps(measure(chosen.way, chosen.file)))
        return 0
    rows = [row for row in ROWS if row.name.startswith(chosen.format)]
    print(f"{SECONDS:g} s of speech, CPU time on one core, medians of interleaved processes")
    with tempfile.TemporaryDirectory() as folder:
        samples = two_voices(SECONDS)
        results = {row.name: _run(row, write_file(Path(folder) / "audio", row.form, samples)) for row in rows}
    return report.conclude("decode", results, goals(rows, results))


def measure(way: str, path: Path) -> dict[str, float]:
    """Processor time of decoding a file once, as a process does that has loaded its libraries; children included."""
    for library in LIBRARIES.get(way, ()):
        if importlib.util.find_spec(library) is not None:
            importlib.import_module(library)
    before_s = _cpu_s()
    frames = WAYS[way](path).shape[1]
    return {"cpu_s": _cpu_s() - before_s, "frames": frames}


def goals(rows: Sequence[Row], results: Mapping[str, Mapping[str, Any]]) -> list[Goal]:
    """For each row with a goal: how many times faster than PyAV frame by frame; and for all: the same samples."""
    found = [
        Goal(f"{row.name}: {PEER} ÷ {OURS}", float(results[row.name]["ratio"]), row.goal, at_most=False)
        for row in rows
        if row.goal is not None
    ]
    differences = [one["difference"] for one in results.values() if one["difference"] is not None]
    if differences:
        found.append(Goal("largest difference from ffmpeg's samples", max(differences), TOLERANCE))
    return found


def _run(row: Row, path: Path) -> dict[str, Any]:
    refused = {way: reason for way in LIBRARIES if (reason := why_not(way, path)) is not None}
    command = (sys.executable, "-m", "benchmarks.decode", "--file", str(path), "--way")
    cases = [Case(way, (*command, way)) for way in WAYS if way not in refused]
    started_s = time.monotonic()
    samples = compare(cases)
    difference = None if CLI in refused else largest_difference(ours(path), by_ffmpeg(path))
    print(f"\n{row.name}  ({time.monotonic() - started_s:.0f} s)")
    print(_table(samples))
    for way, reason in refused.items():
        print(f"{way}: not measured, {reason}")
    return {
        "ratio": samples[PEER].median / samples[OURS].median,
        "difference": difference,
        "not_measured": refused,
        "cpu_s": {way: {"median": one.median, "values": one.values} for way, one in samples.items()},
    }


def largest_difference(mine: Samples, theirs: Samples) -> float:
    """Between samples at the same place, of full scale; one may be shorter by what its encoder padded."""
    frames = min(mine.shape[1], theirs.shape[1]) - RATE_HZ // 100  # the end of the shorter one has seen less
    return float(np.abs(mine[:, :frames] - np.clip(theirs[:, :frames], -1, 1)).max())


def _table(samples: Mapping[str, Sample]) -> str:
    peer = samples[PEER].median
    rows = [
        [way, f"{1e3 * one.median:.1f}", f"{one.p90_over_p50:.2f}", f"{peer / one.median:.2f}"]
        for way, one in samples.items()
    ]
    return report.table(["", "CPU ms", "p90/p50", "× as fast"], rows)


def _located(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        located = locate(file)
    if located is None:
        raise ValueError(f"{path} is no audio file")
    return located


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    sys.exit(main())
