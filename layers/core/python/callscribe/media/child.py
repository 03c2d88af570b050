"""The decoding child process: `python -m callscribe.media.child '<request>'`, audio on stdin, messages on stdout.

Everything is imported first, then the process confines itself, then it reads the first byte of the file.
A defect of ours that a file brings out ends in a traceback on stderr, and in audio_unreadable for its owner.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import av
import av.subtitles.codeccontext
import av.subtitles.stream  # PyAV imports these two when it meets subtitles: too late, no file can be opened then
from av.audio.frame import AudioFrame

from callscribe.errors import FailureCode, JobFailed
from callscribe.media import confine, messages, pcm, resample, source
from callscribe.media.confine import Allowance
from callscribe.media.listing import Listed, list_packets

AUDIO, OUTPUT = 0, 1  # descriptors
_SAMPLE_BYTES = 4  # float32
_JUDGED_S = 10.0  # channels are compared over so long
_DECODED_S = 2.0  # small enough to stay in the processor's cache, and in memory that is not returned to the system
_LISTING_SLACK_S = 60.0  # audio may outlast its packets' own word by so much and a tenth before it is suspicious

Request = Mapping[str, Any]


def main() -> None:
    """Do what the request says; end after the last message."""
    request = json.loads(sys.argv[1])
    if request["mode"] == "inspect":
        import callscribe.media.measure  # noqa: F401  # now, for a confined process opens no file; not to decode: numpy
    allowance = confine.confine(max_audio_s=request["max_duration_s"])
    _send(messages.ALIVE)
    try:
        _MODES[request["mode"]](request, allowance)
    except JobFailed as failed:
        _fail(failed)
    except MemoryError:
        _fail(JobFailed(FailureCode.AUDIO_UNREADABLE, "decoding took more memory than any good file needs"))
    except av.FFmpegError:
        _fail(JobFailed(FailureCode.AUDIO_UNREADABLE, "the file is damaged: no audio could be read from it"))


def inspect(request: Request, allowance: Allowance) -> None:
    """Measure the file and send FACTS."""
    from callscribe.media.measure import Measured

    listed = _listed(request)
    opened, stream = _open(request)
    measured = Measured()
    for block in _metered(pcm.blocks(opened, stream, block_s=_JUDGED_S), listed, allowance):
        measured.add(block)
        if measured.duration_s > request["max_duration_s"]:
            raise _too_long(measured.duration_s, request)
    if listed.count and not measured.duration_s:
        raise JobFailed(FailureCode.AUDIO_UNREADABLE, "the file is damaged: none of its audio could be decoded")
    facts = {
        "codec": stream.codec_context.codec.canonical_name,
        "channels": measured.channels,
        "sample_rate_hz": measured.rate_hz,
        "duration_s": measured.duration_s,
        "dual_mono": measured.dual_mono,
    }
    _send(messages.FACTS, json.dumps(facts).encode())


def decode(request: Request, allowance: Allowance) -> None:
    """Send the file's samples as BLOCKs, then END."""
    opened, stream = _open(request)
    decoded = pcm.blocks(opened, stream, block_s=_DECODED_S)
    blocks = _metered(decoded, Listed(request["max_duration_s"], 0.0, 1), allowance)
    rate_hz, frames_left = request["rate_hz"], round(request["max_duration_s"] * request["rate_hz"])
    for frame in resample.resample(
        blocks, rate_hz=rate_hz, channels=request["channels"], block_frames=request["block_frames"]
    ):
        frames_left -= frame.samples
        if frames_left < 0:
            raise JobFailed(FailureCode.AUDIO_UNREADABLE, "the file lasts longer than when it was inspected")
        size_bytes = frame.samples * _SAMPLE_BYTES
        _send(messages.BLOCK, *(memoryview(plane)[:size_bytes] for plane in frame.planes))
    _send(messages.END)


_MODES = {"inspect": inspect, "decode": decode}


def _open(request: Request) -> tuple[Any, Any]:
    return source.open_audio(AUDIO, request["container"], request["start"])


def _listed(request: Request) -> Listed:
    opened, stream = _open(request)
    limit_s = request["max_duration_s"] + _LISTING_SLACK_S  # an encoder's padding is listed, but never heard
    listed = list_packets(source.packets(opened, stream), stop_after_s=limit_s, report=lambda: _send(messages.ALIVE))
    opened.close()
    if listed.sum_s > limit_s:
        raise _too_long(listed.sum_s, request)
    return listed


def _metered(blocks: Iterator[AudioFrame], listed: Listed, allowance: Allowance) -> Iterator[AudioFrame]:
    """Report every block and be granted the processor time for it, as far as the packets made it likely."""
    likely_s = 1.1 * max(listed.sum_s, listed.span_s) + _LISTING_SLACK_S
    audio_s = 0.0
    for block in blocks:
        audio_s += block.samples / block.sample_rate
        allowance.grant(min(audio_s, likely_s))
        _send(messages.ALIVE)
        yield block


def _too_long(duration_s: float, request: Request) -> JobFailed:
    message = f"the audio lasts {duration_s:.1f} s or more; at most {request['max_duration_s']:g} s are accepted"
    return JobFailed(FailureCode.AUDIO_TOO_LONG, message)


def _fail(failed: JobFailed) -> None:
    report = {"code": failed.failure.code, "message": failed.failure.message}
    _send(messages.FAILED, json.dumps(report).encode())


def _send(kind: bytes, *payload: bytes | memoryview) -> None:
    _write(memoryview(messages.pack(kind, sum(map(len, payload)))))
    for part in payload:
        _write(memoryview(part))


def _write(data: memoryview) -> None:
    while data:
        data = data[os.write(OUTPUT, data) :]


if __name__ == "__main__":
    main()
