"""Bodies of log-in and tariff on the wire."""

from typing import Literal

from pydantic import Field

from callscribe.dialects.omitting import omittable
from callscribe.dialects.transcripto.directories.schemas import DirectoryBody
from callscribe.dialects.transcripto.documenting import Done, Refusal, Wire
from callscribe.dialects.transcripto.shelving import NeededText
from callscribe.dialects.transcripto.texts import LANGUAGES
from callscribe.domain.tasks import TaskStatus

_START, _END = "2025-07-24T09:26:14.868326Z", "2025-12-23T09:26:14.868326Z"


class LoginRequest(Wire):
    """T-10, T-A9, T-A10."""

    email: NeededText = Field(description="The user's name.", examples=["user@example.com"])
    password_hash: NeededText = Field(
        description="SHA-512 or SHA-256 of the password's UTF-8 bytes, in hex; the operator may allow one of them only."
    )
    captcha_token: NeededText = Field(
        description="The token of the operator's captcha service; any text where there is none.",
        examples=["<captcha-token>"],
    )


class ResourcesAtLogin(Wire):
    """What is available, in whole minutes."""

    available_audio_minutes: int
    available_call_minutes: int
    available_text_tokens: int
    available_image_tokens: int


class Resources(ResourcesAtLogin):
    """The same, and pieces."""

    available_report_count: int
    available_video_minutes: int
    available_chat_count: int


class UsageAtLogin(Wire):
    """Limit less what is available, at least 0: what is held for tasks under way counts as used."""

    used_audio_minutes: int
    used_call_minutes: int
    used_text_tokens: int
    used_image_tokens: int


class Usage(UsageAtLogin):
    """The same, and pieces."""

    used_report_count: int
    used_video_minutes: int
    used_chat_count: int


class Limits(Wire):
    """What the tariff grants."""

    audio_minutes: int
    call_minutes: int
    text_tokens: int
    image_tokens: int
    report_count: int
    video_minutes: int
    chat_count: int


class Price(Wire):
    """Of the tariff, for the region from Accept-Language."""

    currency: str = Field(examples=["EUR"])
    value: float = Field(examples=[600.0])


class TariffHead(Wire):
    """Which tariff it is, until when, and what it allows."""

    id: int = Field(examples=[4])
    name: str = Field(examples=["Enterprise"])
    identifier: str = Field(examples=["enterprise"])
    days_left: int = Field(description="Full days until its end, rounded up; 0 once it is over.", examples=[64])
    transcription_enabled: bool
    image_generation_enabled: bool
    calls_enabled: bool
    start_date: str = Field(examples=[_START])
    end_date: str = Field(examples=[_END])


class TariffAtLogin(TariffHead):
    """T-10."""

    remaining_resources: ResourcesAtLogin
    usage: UsageAtLogin


class TariffInFull(TariffHead):
    """T-11."""

    text_tokens: int = Field(description="The same as `remaining_resources.available_text_tokens`.")
    image_tokens: int = Field(description="The same as `remaining_resources.available_image_tokens`.")
    limits: Limits
    remaining_resources: Resources
    usage: Usage
    price: Price = omittable("Left out where the tariff has none for this region.")


class LastTask(Wire):
    """T-10."""

    directory_id: int | None
    status: TaskStatus
    id: str = Field(description="The task's code.")
    created_at: str = Field(examples=["2025-10-20T08:45:25.670423Z"])
    file_path: str | None = Field(description="The file's name.")
    task_length: float = Field(description="Minutes.", examples=[6.4])


class LoginAnswer(Done):
    """T-10."""

    message: str = Field(examples=["Login successful"])
    token: str = Field(description="For `Authorization: Bearer`.")
    locale: Literal[LANGUAGES]  # type: ignore[valid-type]  # the languages that there are
    user_id: int
    email: str
    tariff: TariffAtLogin | None = Field(description="null for a tenant that never had one.")
    directories: list[DirectoryBody]
    last_tasks: list[LastTask] = Field(max_length=5)
    call_activity_tree: dict[str, dict[str, dict[str, int]]] = Field(
        description="Calls by year, month and day: those that `date_from` and `date_to` find.",
        examples=[{"2025": {"10": {"01": 247, "02": 316}}}],
    )


class TariffRefusal(Refusal):
    """T-A4. The number once more, as the document spells its key for the tariff alone."""

    errorcode: int = Field(examples=[4044])


class TariffAnswer(Done):
    """T-11."""

    errorcode: Literal[0]
    tariff: TariffInFull
