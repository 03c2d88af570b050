"""Bodies of the routes that make tasks. "", like null, is as good as not given; unknown fields are ignored."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, WithJsonSchema

from callscribe.dialects.omitting import no_default, omittable
from callscribe.dialects.transcripto import rules
from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.forms import FILE
from callscribe.dialects.transcripto.shelving import filled_in, whole

_MAX_CHARACTERS = 200  # of a name; a task's record is small
_MAX_CHUNKS = 10_000

M = TypeVar("M", bound=BaseModel)


def _folded(value: Any) -> Any:
    """Whatever its case, and the blanks round it."""
    return value.strip().lower() if isinstance(value, str) else value


def _demanding(*names: str) -> ConfigDict:
    """The OpenAPI document demands these fields of a body. Whether they are there is left to its route, which has a
    number of its own for what is missing.
    """

    def demand(schema: dict[str, Any]) -> None:
        for name in names:
            no_default(schema["properties"][name])
        schema["required"] = [*names]

    return ConfigDict(json_schema_extra=demand)


_FOLDED = BeforeValidator(_folded)
Name = Annotated[str, Field(max_length=_MAX_CHARACTERS)]
Directory = Annotated[
    int | Annotated[str, Field(max_length=20)] | None, BeforeValidator(whole), BeforeValidator(filled_in)
]
Day = Annotated[str, Field(max_length=40)] | None
Moment = Annotated[str, Field(max_length=64)] | None
# A text for which the endpoint has a number of its own, whatever is wrong with it.
Judged = Annotated[Any, WithJsonSchema({"type": "string"})]
MOST_LINK_CHARACTERS = 2_048
Link = Annotated[
    Annotated[str, Field(max_length=MOST_LINK_CHARACTERS)] | None,
    WithJsonSchema({"type": "string", "maxLength": MOST_LINK_CHARACTERS}),
]

_DIRECTORY: Any = Field(default=None, description="The id of a directory; 0 is none.", examples=[123])
_LANGUAGE: Any = Field(
    default=None,
    max_length=40,
    description="A language tag such as en or pt-BR; 00, the default: detected.",
    examples=["00"],
)


class CallFields(Wire):
    """T-12, T-13: what is known about a call."""

    directory_id: Directory = _DIRECTORY
    operator_name: Name | None = Field(default=None, description="`global`, where it is not given.", examples=["Ivan"])
    client_id: Name | int | None = Field(default=None, description="The customer, as you call them.", examples=["C-42"])
    call_type: Annotated[Literal["inbound", "outbound", ""] | None, _FOLDED] = Field(
        default=None, description="Who called: `inbound`, a customer; `outbound`, an operator."
    )
    call_date: Day = Field(
        default=None, description="YYYY-MM-DD; where it is not given, that of call_datetime.", examples=["2025-10-20"]
    )
    call_datetime: Moment = Field(
        default=None, description="ISO 8601 with a time zone.", examples=["2025-10-20T10:00:00+03:00"]
    )
    processing_type: Annotated[Literal["standard", "analysis", ""] | None, _FOLDED] = Field(
        default=None, description="The queue; both are served alike. `standard` is the default."
    )


class CallByUrlRequest(CallFields):
    """T-13. A call by a link to its recording."""

    model_config = _demanding("file_url")

    file_url: Link = Field(default=None, description="A direct link.", examples=["https://example.com/rec_001.wav"])


class AudioFields(Wire):
    """T-14: what is known about another recording."""

    directory_id: Directory = _DIRECTORY
    file_lang: str | None = _LANGUAGE


class VideoRequest(AudioFields):
    """T-15. A video by its link."""

    model_config = _demanding("file_path")

    file_path: Judged = Field(
        default=None, description="The link.", examples=["https://www.youtube.com/watch?v=dQw4w9WgXcQ"]
    )


class Chunk(Wire):
    """T-A20. One message of a chat."""

    text: str
    role: Name | None = Field(default=None, description="Who wrote it.", examples=["operator"])
    time: Name | int | float | None = Field(default=None, description="When; kept as it is sent.")


def _chunk_kind(value: Any) -> str | None:
    """Whether a chunk is a text or a message; None for what is neither."""
    return "str" if isinstance(value, str) else "Chunk" if isinstance(value, dict | Chunk) else None


_CHUNK_KINDS = Discriminator(
    _chunk_kind, custom_error_type="chunk", custom_error_message="must be a string, or an object with `text`"
)
AnyChunk = Annotated[Annotated[str, Tag("str")] | Annotated[Chunk, Tag("Chunk")], _CHUNK_KINDS]


class ChatRequest(Wire):
    """T-16, T-A20. A chat as one text, or in chunks; one of the two is needed, and both are kept."""

    text: str | None = Field(default=None, examples=["Dialog with a customer..."])
    chunks: list[AnyChunk] | None = Field(default=None, max_length=_MAX_CHUNKS)
    operator_name: Name | None = Field(default=None, description="`global`, where it is not given.")
    call_date: Moment = Field(
        default=None, description="YYYY-MM-DD, or ISO 8601 with a time zone.", examples=["2025-10-20"]
    )


class ReportRequest(Wire):
    """T-17. A report on the calls and chats of a period; both dates belong to it."""

    model_config = _demanding("start_date", "end_date")

    start_date: Judged = Field(
        default=None, description="YYYY-MM-DD, or ISO 8601; UTC where no zone is given.", examples=["2025-10-01"]
    )
    end_date: Judged = Field(default=None, description="The same; not before start_date.", examples=["2025-10-31"])
    report_type: Annotated[Literal["standard", "business", "daily", ""] | None, _FOLDED] = Field(
        default=None, description="`standard` is the default; a `business` report takes one of the tariff's."
    )


class TaskAnswer(Done):
    """A new task: both are understood wherever a task is asked for."""

    id: int = Field(examples=[101])
    code: str = Field(examples=["a1bc2d3e-4f56-7890-abcd-ef1234567890"])


class VideoAnswer(TaskAnswer):
    """T-15. The same for a video."""

    demo: Literal[False]


class ChatAnswer(Done):
    """T-16. The same for a chat."""

    success_message: str
    task_code: str
    id: int


class ReportAnswer(Done):
    """T-17. The same for a report."""

    success_message: str
    report_task_code: str
    id: int
    available_report_count: int = omittable("What is left of the tariff's; of a business report only.")


def read_form(model: type[M], fields: Mapping[str, str]) -> M:
    """A form's fields by a model. Raises Malformed."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise rules.malformed(RequestValidationError(error.errors(include_url=False, include_input=False))) from None


def form_body(model: type[BaseModel]) -> dict[str, Any]:
    """How the OpenAPI document describes a form with the model's fields and a file."""
    texts = {name: _as_text(field) for name, field in model.model_json_schema()["properties"].items()}
    file = {"type": "string", "format": "binary", "description": "The recording: WAV, MP3, OGG, …; 2 s to 4 h."}
    form = {"type": "object", "required": [FILE], "properties": {FILE: file, **texts}}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


def _as_text(field: Mapping[str, Any]) -> dict[str, Any]:
    """How a form has a field: as text, of the same words where only some are taken."""
    told = {key: value for key, value in field.items() if key == "description"}
    examples = {"examples": [str(example) for example in field["examples"]]} if "examples" in field else {}
    words = next((kind["enum"] for kind in field.get("anyOf", ()) if "enum" in kind), None)
    return {"type": "string", **told, **examples, **({} if words is None else {"enum": words})}
