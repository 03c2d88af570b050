"""Looking into an audio file without trusting it: the real `ports.Inspector`.

Policy for damaged files: what decodes counts. A file that breaks off, or holds damaged packets, is accepted
with the part that could be decoded, as long as that part keeps the limits.
"""

import json
from pathlib import Path
from typing import BinaryIO

from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.errors import FailureCode, JobFailed
from callscribe.media import sandbox
from callscribe.media.sniff import locate


def inspect(path: Path, limits: AudioLimits, *, within_s: float | None = None) -> AudioFacts:
    """Facts measured by decoding the whole first audio track in a process of its own.

    Raises JobFailed: audio_empty (no bytes, no samples), audio_unsupported (no accepted container, no audio
    track, a codec not in the list), audio_unreadable, audio_too_short, audio_too_long, upload_too_large;
    TooSlow where decoding has not ended `within_s`; Unavailable where the child process could not start.
    """
    with path.open("rb") as audio:
        size_bytes = path.stat().st_size
        _check_size(size_bytes, limits)
        facts = _measure(audio, size_bytes, limits, within_s)
    _check_duration(facts.duration_s, limits)
    return facts


def _check_size(size_bytes: int, limits: AudioLimits) -> None:
    if size_bytes == 0:
        raise JobFailed(FailureCode.AUDIO_EMPTY, "the file is empty (0 bytes)")
    if size_bytes > limits.max_bytes:
        message = f"the file has {size_bytes} bytes; at most {limits.max_bytes} are accepted"
        raise JobFailed(FailureCode.UPLOAD_TOO_LARGE, message)


def _measure(audio: BinaryIO, size_bytes: int, limits: AudioLimits, within_s: float | None) -> AudioFacts:
    located = locate(audio)
    if located is None:
        message = "the file is none of the accepted audio formats (wav, mp3, m4a, mp4, aac, flac, ogg, webm)"
        raise JobFailed(FailureCode.AUDIO_UNSUPPORTED, message)
    container, start = located
    request = {"mode": "inspect", "container": container, "start": start, "max_duration_s": limits.max_duration_s}
    ((_, report),) = sandbox.run(request, audio, within_s=within_s)
    measured = json.loads(report)
    dual_mono = bool(measured["dual_mono"])
    return AudioFacts(
        container=container,
        codec=str(measured["codec"]),
        channels=2 if measured["channels"] == 2 and not dual_mono else 1,
        sample_rate_hz=int(measured["sample_rate_hz"]),
        duration_s=float(measured["duration_s"]),
        size_bytes=size_bytes,
        dual_mono=dual_mono,
    )


def _check_duration(duration_s: float, limits: AudioLimits) -> None:
    if duration_s == 0:
        raise JobFailed(FailureCode.AUDIO_EMPTY, "the file holds no audio samples (0 s)")
    if duration_s < limits.min_duration_s:
        message = f"the audio lasts {duration_s:.3f} s; at least {limits.min_duration_s:g} s are needed"
        raise JobFailed(FailureCode.AUDIO_TOO_SHORT, message)
    if duration_s > limits.max_duration_s:
        message = f"the audio lasts {duration_s:.1f} s; at most {limits.max_duration_s:g} s are accepted"
        raise JobFailed(FailureCode.AUDIO_TOO_LONG, message)
