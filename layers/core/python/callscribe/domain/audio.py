"""What is known about an audio file once its bytes were read, and the limits it must keep."""

from dataclasses import dataclass

from callscribe.errors import FailureCode, JobFailed


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """Limits on decoded audio and on file size; both ends of the duration are allowed values."""

    max_bytes: int = 2 * 1024**3
    min_duration_s: float = 0.1
    max_duration_s: float = 12 * 3600.0

    def require_size(self, size_bytes: int) -> None:
        """Raises JobFailed for a file that is larger than allowed."""
        if size_bytes > self.max_bytes:
            message = f"the file has {size_bytes} bytes; at most {self.max_bytes} are allowed"
            raise JobFailed(FailureCode.UPLOAD_TOO_LARGE, message)


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """Facts measured by decoding, not read from headers.

    `container` and `codec` are FFmpeg's names (wav, mp3, mov, flac, ogg, matroska; pcm_s16le, opus, …).
    `channels` is what the transcript is made of: 1 or 2; more are downmixed to 1, and two channels
    with the same signal (`dual_mono`) count as 1.
    """

    container: str
    codec: str
    channels: int
    sample_rate_hz: int
    duration_s: float
    size_bytes: int
    dual_mono: bool = False
