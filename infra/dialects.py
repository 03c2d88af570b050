"""What the Lambda of each dialect gets beyond what all of them get.

It follows from the use cases that the dialect's routes call; `Dialect.needs` says the same as adapters, and
tests/infra/test_rights.py holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callscribe import names
from infra.indexing import SCRATCH_MB as INDEX_MB
from infra.permissions import READ_OBJECT, WRITE_OBJECT

GATEWAY_TIMEOUT_S = 30  # it waits no longer itself
FUNCTION_URL_TIMEOUT_S = 300  # network devices cut idle connections near 350 s


@dataclass(frozen=True, kw_only=True, slots=True)
class DialectPart:
    """One dialect's share of the stage.

    `reads`, `writes` and `erases` are prefixes of the audio bucket (to sign a URL for an upload is to write),
    `results` are actions on the results bucket's objects.
    """

    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    erases: Sequence[str] = ()
    results: Sequence[str] = READ_OBJECT
    erases_results: bool = False
    fetches: bool = False  # has audio fetched from URLs, by way of the fetch queue
    writes_documents: bool = False
    opens_audio: bool = False  # within the request
    lists_tasks: bool = False  # reads the index
    asks_captcha: bool = False  # of the operator's service, where one is named
    waits: bool = False  # answers when the transcript is there: has a function URL, and time

    @property
    def timeout_s(self) -> int:
        """How long one request may take."""
        return FUNCTION_URL_TIMEOUT_S if self.waits else GATEWAY_TIMEOUT_S

    @property
    def memory_mb(self) -> int:
        """CPU comes with it, and decoding takes that."""
        return 2_048 if self.opens_audio else 1_024

    @property
    def scratch_mb(self) -> int:
        """Room for audio, and for the files of the index that were read last."""
        return 512 + (INDEX_MB if self.lists_tasks else 0)


PARTS: dict[str, DialectPart] = {
    "presign": DialectPart(writes=(names.AUDIO_PREFIX,)),
    "mor": DialectPart(
        reads=(names.AUDIO_PREFIX, names.RECORDINGS_PREFIX),  # whether a call has audio
        writes=(names.AUDIO_PREFIX, names.SOURCES_PREFIX),
        erases=(names.AUDIO_PREFIX, names.SOURCES_PREFIX),
        results=READ_OBJECT + WRITE_OBJECT,  # a download that is too large for an answer is kept for its link
        erases_results=True,
        fetches=True,
        writes_documents=True,
    ),
    "aivoco": DialectPart(
        reads=(names.AUDIO_PREFIX, names.RECORDINGS_PREFIX),
        writes=(names.AUDIO_PREFIX, names.SOURCES_PREFIX),
        erases=(names.AUDIO_PREFIX, names.SOURCES_PREFIX),
        erases_results=True,
        fetches=True,
        waits=True,
    ),
    "transcripto": DialectPart(
        reads=(names.AUDIO_PREFIX,),
        writes=(names.AUDIO_PREFIX, names.SOURCES_PREFIX),
        erases=(names.AUDIO_PREFIX, names.SOURCES_PREFIX),
        results=READ_OBJECT + WRITE_OBJECT,  # as of `mor`
        erases_results=True,
        fetches=True,
        writes_documents=True,
        opens_audio=True,
        lists_tasks=True,
        asks_captcha=True,
    ),
}
