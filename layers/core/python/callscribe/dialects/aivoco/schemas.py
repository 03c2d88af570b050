"""The contract's bodies on the wire. Requests are checked by these; answers are described by them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callscribe.dialects.aivoco.mapping import ALIASES, DEFAULT_MEDIA_TYPE, MEDIA_TYPES
from callscribe.dialects.front import Malformed
from callscribe.dialects.omitting import no_default


class Wire(BaseModel):
    """No type is bent into another; unknown fields are ignored."""

    model_config = ConfigDict(strict=True)


class TranscribeRequest(Wire):
    """A-01. Exactly one of `audio_data`, `audio_url` and `call_id`; null and "" count as missing."""

    api_key: str | None = Field(
        default=None, description="May be sent as the header X-API-Key, or as Authorization: Bearer, instead."
    )
    audio_data: str | None = Field(default=None, description="The audio, in base64.", examples=["UklGRiQAAABXQVZFZm10"])
    audio_url: str | None = Field(
        default=None,
        description="Where the audio is: https or http, a public host.",
        examples=["https://example.com/recording.wav"],
    )
    call_id: str | int | None = Field(
        default=None,
        description="The id of a registered recording, or the id or number of a job whose audio is kept.",
        examples=["123"],
    )
    mime_type: str | None = Field(
        default=DEFAULT_MEDIA_TYPE,
        description=f"One of {', '.join(MEDIA_TYPES)}; also understood: {', '.join(ALIASES)}.",
    )


class TranscribeAnswer(Wire):
    """A-03. The transcript, which is kept nowhere else."""

    transcription: str = Field(
        description="Lines `AI: …` and `User: …`, joined by newlines; `[unclear]` for what could not be made out."
    )
    user_credits_deducted: float = Field(
        description="What was paid: credits or, where the user has prepaid seconds, started seconds of audio. 0.0"
        " where admin units paid, or nothing is charged."
    )
    timestamp: str = Field(
        description="When the transcript was ready: UTC, without a zone.",
        examples=["2025-10-28T12:34:56.789000"],
        json_schema_extra={"pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}$"},
    )
    roles_confidence: float = Field(
        description="The share of the words that is expected to bear the right label; 0.5 is a guess.", ge=0, le=1
    )


class Refusal(Wire):
    """Every answer but a 200."""

    error: str


class PaymentRefusal(Refusal):
    """A-07. Which fields there are says what is missing: none, units of the operator, or the user's credits."""

    required_units: float = Field(
        default=0.0,
        description="For a key that pays with admin units.",
        json_schema_extra=no_default,
    )
    required_credits: float = Field(
        default=0.0,
        description="What the audio costs: credits or, where the user has prepaid seconds, seconds.",
        json_schema_extra=no_default,
    )
    current_credits: float = Field(
        default=0.0,
        description="What is there: credits or, where the user has prepaid seconds, seconds.",
        json_schema_extra=no_default,
    )


class WaitRefusal(Refusal):
    """Not ready yet (`job_id`), or a service did not answer. The same request sent again gets the same job's answer."""

    job_id: str = Field(default="", json_schema_extra=no_default)


def read_request(fields: dict[str, Any]) -> TranscribeRequest:
    """A request of the right types. Raises Malformed, which never quotes a value."""
    try:
        return TranscribeRequest.model_validate(fields)
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"][0])
        rule = "must be a string or a number" if name == "call_id" else "must be a string"
        raise Malformed(name, rule) from None  # the cause would quote the audio
