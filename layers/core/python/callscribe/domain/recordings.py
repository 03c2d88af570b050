"""Calls whose recordings the operator has registered, so that clients can name them by an id of their own."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from callscribe import names
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts

MAX_ID_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Recording:
    """A call in the operator's books. Its audio is at `url`, or stored with us (`stored`), or not there at all."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = "created_at_ms"

    tenant_id: str
    id: str
    created_at_ms: int
    url: str | None = None
    audio_sha256: str | None = None  # of the stored audio, hex
    call: CallFacts = NOTHING_KNOWN
    version: int = 0

    @property
    def stored(self) -> bool:
        """Whether its audio is kept with us."""
        return self.audio_sha256 is not None

    @property
    def audio_key(self) -> str:
        """Object key of the stored audio, in the audio bucket; other audio has another key."""
        return f"{self.audio_prefix}{self.audio_sha256}"

    @property
    def audio_prefix(self) -> str:
        """What the keys of all audio start with that was ever stored for it, and no other one's keys.

        The id, which may hold any character, is not part of it.
        """
        place = hashlib.sha256(self.id.encode()).hexdigest()[:32]
        return f"{names.RECORDINGS_PREFIX}{self.tenant_id}/{place}/"


def is_id(text: str) -> bool:
    """Whether a text can be a recording's id: 1 to 128 printable characters."""
    return 1 <= len(text) <= MAX_ID_CHARACTERS and text.isprintable()
