"""JSON for programs: one object on one line, keys always in this order.

```
{"schema": 1, "engine": "pocketsphinx", "model": "en-us", "language": "en", "language_probability": null,
 "duration_s": 12.5, "speech_s": 9.1, "warnings": [], "speakers": ["0", "1"], "text": "…",
 "segments": [{"start_s": 0.4, "end_s": 2.1, "speaker": "0", "channel": 0, "confidence": 0.9, "text": "…",
               "words": [{"start_s": 0.4, "end_s": 0.7, "confidence": 0.9, "text": "…"}]}]}
```
Times are seconds from the start of the recording; `speaker`, `language` and every `confidence` may be null.
Where roles were asked for, `"role_confidence": 0.93, "role_source": "evidence"` follow `speakers`, and each segment
has `"role": "agent"` or `"customer"` after its speaker.
"""

import json
from typing import Any

from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Segment, Transcript, Word

SCHEMA = 1


def render(transcript: Transcript, roles: Roles | None) -> bytes:
    """The document above, ended by a line feed. A lone surrogate, which UTF-8 cannot hold, becomes `?`."""
    text = json.dumps(_document(transcript, roles), ensure_ascii=False, separators=(",", ":"))
    return f"{text}\n".encode(errors="replace")


def _document(transcript: Transcript, roles: Roles | None) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "engine": transcript.engine,
        "model": transcript.model,
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "duration_s": transcript.duration_s,
        "speech_s": transcript.speech_s,
        "warnings": list(transcript.warnings),
        "speakers": sorted({segment.speaker for segment in transcript.segments if segment.speaker is not None}),
        **({"role_confidence": roles.confidence, "role_source": roles.source} if roles else {}),
        "text": transcript.text,
        "segments": [_segment(segment, roles) for segment in transcript.segments],
    }


def _segment(segment: Segment, roles: Roles | None) -> dict[str, Any]:
    return {
        "start_s": segment.start_s,
        "end_s": segment.end_s,
        "speaker": segment.speaker,
        **({"role": roles.of(segment)} if roles else {}),
        "channel": segment.channel,
        "confidence": segment.confidence,
        "text": segment.text,
        "words": [_word(word) for word in segment.words],
    }


def _word(word: Word) -> dict[str, Any]:
    return {"start_s": word.start_s, "end_s": word.end_s, "confidence": word.confidence, "text": word.text}
