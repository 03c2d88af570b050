"""An inspector that believes what it was told."""

from dataclasses import replace
from pathlib import Path

from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.errors import JobFailed, TooSlow

TEN_SECONDS_OF_TWO_CHANNELS = AudioFacts("wav", "pcm_s16le", 2, 8_000, 10.0, 0)


class MemoryInspector:
    """Answers `facts` (with the file's own size) or raises it. `inspected` holds the bytes of every file seen.

    It takes `takes_s`, which nobody has to wait for, and gives up where that is too long.
    """

    def __init__(self, facts: AudioFacts | JobFailed = TEN_SECONDS_OF_TWO_CHANNELS) -> None:
        self.facts = facts
        self.takes_s = 0.0
        self.inspected: list[bytes] = []

    def __call__(
        self,
        path: Path,
        limits: AudioLimits,  # noqa: ARG002 # the port's signature
        *,
        within_s: float | None = None,
    ) -> AudioFacts:
        """See `ports.Inspector`."""
        self.inspected.append(path.read_bytes())
        if within_s is not None and within_s < self.takes_s:
            raise TooSlow(f"it takes {self.takes_s:g} s")
        if isinstance(self.facts, JobFailed):
            raise self.facts
        return replace(self.facts, size_bytes=path.stat().st_size)
