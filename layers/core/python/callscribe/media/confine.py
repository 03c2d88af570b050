"""What the decoding child may use, taken away before it reads the first byte. Runs in the child only."""

import resource
import sys
import time
from dataclasses import dataclass

MEMORY_BYTES = 512 * 1024 * 1024  # address space; the interpreter with PyAV and numpy takes 205 MB of it
BASE_CPU_S = 8.0  # opening, listing packets: all that a refusal may cost
AUDIO_S_PER_CPU_S = 30.0  # the slowest codec decodes some 200 s of audio in one second


@dataclass(frozen=True)
class Allowance:
    """The processor time that this process may use; it grows with the audio that was decoded."""

    base_s: float  # with what the start of the process has cost, which is no file's fault

    def grant(self, audio_s: float) -> None:
        """Allow what this much decoded audio (seconds, in total so far) may have cost.

        Always less than the hard limit, so that the signal which ends this process says why.
        """
        _, hard_s = resource.getrlimit(resource.RLIMIT_CPU)
        soft_s = min(round(self.base_s + audio_s / AUDIO_S_PER_CPU_S), hard_s - 1)
        resource.setrlimit(resource.RLIMIT_CPU, (soft_s, hard_s))


def confine(*, max_audio_s: float) -> Allowance:
    """Lower this process's limits for good: memory, processor time, no new descriptor, file, core or process.

    With no descriptor to be had, neither a socket nor a file can be opened, whatever the bytes make FFmpeg do.
    """
    if sys.platform == "linux":  # macOS refuses a limit on address space
        _lower(resource.RLIMIT_AS, MEMORY_BYTES)
    base_s = time.process_time() + BASE_CPU_S
    hard_cpu_s = round(base_s + max_audio_s / AUDIO_S_PER_CPU_S) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (round(base_s), hard_cpu_s))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        resource.setrlimit(kind, (0, 0))
    return Allowance(base_s)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
