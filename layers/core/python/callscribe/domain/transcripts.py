"""The transcript as callscribe keeps it; every vendor's shape is rendered from this one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Word:
    """One word; times in seconds from the start of the file, confidence in [0, 1] on the engine's own scale."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Segment:
    """What one speaker said without a long pause. `speaker` is "0", "1", … or None where it is unknown."""

    text: str
    start_s: float
    end_s: float
    channel: int
    speaker: str | None
    confidence: float | None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """Segments in order of start; 0 ≤ start ≤ end ≤ duration. Confidences of different engines do not compare."""

    segments: tuple[Segment, ...]
    language: str | None
    language_probability: float | None
    engine: str
    model: str
    duration_s: float
    speech_s: float
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All segments' text, joined by single spaces."""
        return " ".join(segment.text for segment in self.segments)


def to_json(transcript: Transcript) -> bytes:
    """UTF-8 JSON with sorted keys: the same transcript always gives the same bytes."""
    document = {"schema": SCHEMA, **asdict(transcript)}
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def from_json(body: bytes) -> Transcript:
    """The inverse of `to_json`. Raises ValueError for anything else, another schema included."""
    try:
        document = json.loads(body)
        if document.pop("schema", None) != SCHEMA:
            raise ValueError("another schema")
        segments = tuple(_segment(entry) for entry in document.pop("segments"))
        return Transcript(segments=segments, warnings=tuple(document.pop("warnings")), **document)
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError("not a callscribe transcript of schema 1") from error


def _segment(entry: Mapping[str, Any]) -> Segment:
    if not isinstance(entry["text"], str):
        raise TypeError("text")
    words = tuple(Word(**word) for word in entry["words"])
    return Segment(**{**entry, "words": words})
