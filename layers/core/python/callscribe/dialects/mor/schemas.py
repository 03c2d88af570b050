"""The contract's bodies on the wire. Requests are checked by these; answers are described by them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from callscribe.dialects.mor.mapping import CANCELLED, DELETED, STATUS
from callscribe.dialects.omitting import omittable
from callscribe.domain.call_facts import CallFacts, Direction

_MAX_CHARACTERS = 200  # of a name; a transcript's records are small
_STATUS_WORDS: list[Any] = list(dict.fromkeys(STATUS.values()))

CallId = Annotated[str, Field(max_length=128)] | int


class Wire(BaseModel):
    """No type is bent into another; unknown fields are ignored."""

    model_config = ConfigDict(strict=True)


class RefreshRequest(Wire):
    """M-03. The refresh token, unless it stands in `Authorization: Bearer`."""

    refresh_token: str | None = Field(default=None, description="From the login, or from the last refresh.")


class TranscriptionRequest(Wire):
    """M-08, M-A6. Whose audio is to be transcribed: at most one of the first five, in which null and "" count as
    missing; without one, it is uploaded.

    Unknown fields are kept, so that they can be named in the answer (`unknown`).
    """

    recording_id: CallId | None = Field(
        default=None,
        description="A recording that the operator registered, or a transcription whose audio is still there.",
    )
    call_id: CallId | None = Field(default=None, description="The same.")
    uniqueid: CallId | None = Field(default=None, description="The same, by the name that Asterisk gives it.")
    recording_url: str | None = Field(
        default=None,
        description="Where the audio is fetched from: http or https, a public host.",
        examples=["https://recordings.example.com/2026/01/08/1767880680.42.wav"],
    )
    s3_uri: str | None = Field(
        default=None,
        description="An object below a bucket and prefix that is registered for the tenant.",
        examples=["s3://example-recordings/2026/01/1767880680.42.wav"],
    )
    language: str | None = Field(
        default=None, description='BCP 47 tag of the speech, or "auto" (the default).', examples=["en"]
    )
    diarize: bool = Field(default=True, description="Whether the speakers of one channel are told apart.")
    callback_url: str | None = Field(
        default=None,
        description="Where the result is sent by POST: https, a public host.",
        examples=["https://hooks.example.com/transcriptions"],
    )
    agent_channel: Literal[0, 1] | None = Field(
        default=None, description="On which of two channels the agent speaks: 0 is left."
    )
    direction: Literal["inbound", "outbound"] | None = Field(
        default=None, description="Who called: `inbound`, a customer; `outbound`, an agent."
    )
    agent_name: str | None = Field(default=None, max_length=_MAX_CHARACTERS, examples=["Anna"])
    company_name: str | None = Field(default=None, max_length=_MAX_CHARACTERS, examples=["Example Ltd"])

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        json_schema_extra={"examples": [{"recording_id": "1767880680.42", "language": "en"}]},
    )

    @property
    def known(self) -> dict[str, Any]:
        """The contract's own fields."""
        return self.model_dump(include=set(type(self).model_fields))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of all other fields."""
        return tuple(self.model_extra or ())

    @property
    def call(self) -> CallFacts:
        """What the request says about the call."""
        direction = None if self.direction is None else Direction(self.direction)
        return CallFacts(self.agent_channel, direction, self.agent_name, self.company_name)


class SessionAnswer(Wire):
    """M-04, M-A5. Tokens for the Authorization header; lives in seconds."""

    token: str
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(examples=[900])
    refresh_expires_in: int = Field(examples=[604_800])


class BalanceAnswer(Wire):
    """Amounts of the account, as text, so that no digits are lost."""

    remaining: str
    used: str
    held: str


class UsageAnswer(Wire):
    """M-07. What is left for transcription, what was used, and what is held for jobs that are under way.

    Seconds and minutes are what the amounts buy at today's price; null where nothing is charged.
    """

    unlimited: bool
    remaining_seconds: int | None = Field(examples=[5_400])
    remaining_minutes: float | None = Field(examples=[90.0])
    used_seconds: int | None = Field(examples=[600])
    used_minutes: float | None = Field(examples=[10.0])
    held_seconds: int | None = Field(examples=[60])
    held_minutes: float | None = Field(examples=[1.0])
    account: str | None = Field(description="What is paid with: credits, units or seconds.", examples=["credits"])
    price_per_second: str | None = Field(description="Of one started second.", examples=["0.01"])
    balance: BalanceAnswer | None


class Failure(Wire):
    """Why a recording could not be transcribed."""

    code: str = Field(examples=["audio_unreadable"])
    message: str


class Ids(Wire):
    """M-A10. Both are understood wherever an id is taken."""

    id: int = Field(examples=[17])
    uuid: str


class StatusAnswer(Ids):
    """M-09. How a transcription stands."""

    status: str = Field(json_schema_extra={"enum": _STATUS_WORDS})
    created_at: str = Field(examples=["2026-01-08T13:58:00.000Z"])
    finished_at: str | None
    duration: float | None = Field(description="Of the recording, in seconds, once it is known.")
    language: str | None = Field(description="As it was asked for; null: the engine decides.")
    error: Failure = omittable("Only of a transcription that failed.")


class CreatedAnswer(StatusAnswer):
    """M-08. The new transcription."""

    upload_url: str = omittable("Where the audio goes by one PUT, where the request named none.")
    upload_expires_in: int = omittable("For how many seconds.")


class DeletedAnswer(Ids):
    """M-10, M-A8. What became of the transcription."""

    status: str = Field(json_schema_extra={"enum": [CANCELLED, DELETED]})


class WordAnswer(Wire):
    """One word. Times in seconds from the start of the recording."""

    text: str
    start: float
    end: float
    confidence: float | None


class SegmentAnswer(Wire):
    """What one speaker said without a long pause. Times in seconds from the start of the recording."""

    start: float
    end: float
    speaker: str | None = Field(description="The speaker's number; null where it is not known.")
    role: Literal["agent", "customer"]
    text: str
    confidence: float | None = Field(description="In [0, 1], on the engine's own scale.")
    words: list[WordAnswer] = omittable("Missing in callbacks.")


class Heard(StatusAnswer):
    """What is known about a transcript as a whole."""

    engine: str
    role_confidence: float = Field(description="In [0, 1]: the share of words that is expected to bear the right role.")
    role_source: str = Field(description="What the roles follow from: channel, metadata or evidence.")


class TranscriptAnswer(Heard):
    """M-11. The transcript."""

    text: str
    segments: list[SegmentAnswer]


class Callback(StatusAnswer):
    """What is posted to `callback_url`, with the three headers of Standard Webhooks."""

    engine: str = omittable("Missing where it failed, as the fields below.")
    role_confidence: float = omittable("In [0, 1].")
    role_source: str = omittable("channel, metadata or evidence.")
    text: str = omittable("All that was said.")
    segments: list[SegmentAnswer] = omittable("The same with times, speakers and roles.")
    transcription_url: str = omittable("In place of text and segments that are too large to stand here.")


class Refusal(Wire):
    """M-16. Why a request was refused, for people and for programs."""

    error: str
    code: str
