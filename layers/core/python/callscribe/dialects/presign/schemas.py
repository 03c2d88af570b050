"""The contract's bodies on the wire. Requests are checked by these; answers are described by them."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from callscribe.dialects.omitting import omittable
from callscribe.dialects.presign.mapping import ALIASES, COMPLETED, ERROR, MEDIA_TYPES, PENDING, SUBTITLED_CHARACTERS
from callscribe.domain.transcripts import SCHEMA


class Wire(BaseModel):
    """Camel case outside; no type is bent into another; unknown fields are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, strict=True)


_LINK = (
    "Where a transcript is found that is too large to stand here. It opens without a credential, and leads to"
    " callscribe's own JSON (schema StoredTranscript), not this contract's."
)


class UploadRequest(Wire):
    """P-01. What will be uploaded, and where its result goes."""

    mime_type: str = Field(
        description=f"One of {', '.join(MEDIA_TYPES)}; also understood: {', '.join(ALIASES)}.",
        examples=["audio/wav"],
    )
    callback_url: str | None = Field(
        default=None,
        description="Where the result is sent by POST: https, a public host. Without it, ask get-transcription.",
        examples=["https://mock-callback.mydomain.com"],
    )
    language: str | None = Field(
        default=None, description='BCP 47 tag of the speech, or "auto" (the default).', examples=["en"]
    )


class UploadAnswer(Wire):
    """P-01. The file goes to `presignedUrl` by one PUT within 15 minutes."""

    presigned_url: str
    request_id: str


class TranscriptionRequest(Wire):
    """P-11. Which request is asked about."""

    request_id: str


class TranscriptionSegment(Wire):
    """ITranscriptionSegment. Times in seconds from the start of the recording."""

    text: str
    start: float
    end: float
    speaker: str = omittable("The speaker's number; missing where it is not known.")


class Failure(Wire):
    """Why a recording could not be transcribed."""

    code: str
    message: str


class TranscriptionAnswer(Wire):
    """P-11, P-A8. How a request stands, and its transcript once it is completed."""

    request_id: str
    transcription: list[TranscriptionSegment]
    processing_status: str = Field(json_schema_extra={"enum": [PENDING, COMPLETED, ERROR]})
    transcription_status: str = Field(json_schema_extra={"enum": [PENDING, COMPLETED, ERROR]})
    vtt_transcription: str = omittable(
        f"The same as WebVTT; missing for a text of more than {SUBTITLED_CHARACTERS} characters,"
        " and where it would make the answer too large."
    )
    transcription_url: str = omittable(_LINK, format="uri")
    error_message: str = omittable("Code and reason of a failure.")
    error: Failure = omittable("Code and reason of a failure, apart.")
    engine: str = omittable("The speech engine that made the transcript.")
    language: str = omittable("The language of the speech; `und` where it is not known.")


class StoredWord(BaseModel):
    """One word. Times in seconds from the start of the recording; the confidence is of the engine's own scale."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None


class StoredSegment(BaseModel):
    """What one speaker said without a long pause."""

    text: str
    start_s: float
    end_s: float
    channel: int
    speaker: str | None
    confidence: float | None
    words: list[StoredWord]


class StoredTranscript(BaseModel):
    """What a `transcriptionUrl` opens: the transcript as callscribe keeps it."""

    version: int = Field(alias="schema", json_schema_extra={"const": SCHEMA})
    segments: list[StoredSegment]
    language: str | None
    language_probability: float | None
    engine: str
    model: str
    duration_s: float
    speech_s: float
    warnings: list[str]


class TokenAnswer(Wire):
    """P-10. An access token for the Authorization header, good for `expiresIn` seconds; each name in both spellings."""

    camel_token: str = Field(alias="accessToken")
    camel_life: int = Field(alias="expiresIn")
    camel_type: str = Field(alias="tokenType")
    snake_token: str = Field(alias="access_token")
    snake_life: int = Field(alias="expires_in")
    snake_type: str = Field(alias="token_type")


class Refusal(Wire):
    """P-07 to P-09, P-A2. `messsage` is spelled as the contract spells it, `message` as everybody else does."""

    messsage: str
    message: str
    error_type: str = omittable("What kind of refusal it is; missing in 401.")


class Callback(Wire):
    """P-06. What is posted to `callbackUrl`, with the three headers of Standard Webhooks."""

    request_id: str
    transcription: list[TranscriptionSegment]
    signature: str = Field(description="Base64 HMAC-SHA256 of the RFC 8785 form of the body without this field.")
    created_at: int | str = Field(description="Epoch milliseconds; a string where the credential asks for it.")
    status: str = omittable("`ERROR` where the recording could not be transcribed.", enum=[ERROR])
    error: Failure = omittable("Why not.")
    transcription_url: str = omittable(_LINK, format="uri")
