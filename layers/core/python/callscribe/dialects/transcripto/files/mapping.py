"""Files of tasks: what they are called, of which media type they are, and what reports tell."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.found import WITH_OPERATOR
from callscribe.domain.jobs import Job
from callscribe.domain.roles import Roles
from callscribe.domain.task_facts import TaskType
from callscribe.domain.transcripts import Transcript
from callscribe.exports import MEDIA_TYPES
from callscribe.exports.task_report import Kind, TaskReport
from callscribe.services.checklists import Answered

AUDIO: Final = "audio"
# By `file_type`: what the report is about, and of which format it is.
REPORTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "docx_call": (Kind.CALL, "docx"),
    "txt_call": (Kind.CALL, "txt"),
    "docx_youtube": (Kind.VIDEO, "docx"),
    "txt_youtube": (Kind.VIDEO, "txt"),
}
FILE_TYPES: Final = (*REPORTS, AUDIO)
TYPES: Final[Mapping[Kind, TaskType]] = {Kind.CALL: TaskType.CALL, Kind.VIDEO: TaskType.YOUTUBE}
PERIOD_REPORTS: Final[Mapping[str, str]] = {"pdf": "application/pdf", "html": "text/html; charset=utf-8"}
# By FFmpeg's name of the container: the usual ending of a file's name, and its media type.
CONTAINERS: Final[Mapping[str, tuple[str, str]]] = {
    "wav": ("wav", "audio/wav"),
    "w64": ("w64", "audio/x-w64"),
    "mp3": ("mp3", "audio/mpeg"),
    "aac": ("aac", "audio/aac"),
    "mov": ("m4a", "audio/mp4"),
    "flac": ("flac", "audio/flac"),
    "ogg": ("ogg", "audio/ogg"),
    "matroska": ("webm", "audio/webm"),
}
NO_CONTAINER: Final = ("bin", "application/octet-stream")
_STEMS: Final = {Kind.CALL: "call_report_task", Kind.VIDEO: "youtube_report_task"}
_PERIOD_REPORT: Final = re.compile(r"report_[0-9]{1,15}\.(pdf|html)")
_PATH: Final = re.compile(r"[/\\%\x00-\x1f\x7f]|\.\.")
# Nothing of a report may run or load, wherever a browser shows it.
HTML_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; sandbox"
)


def report_name(job: Job, kind: Kind, form: str) -> str:
    """`call_report_task17.docx`."""
    return f"{_STEMS[kind]}{job.number}.{form}"


def media_type(form: str) -> str:
    """Of a report's format."""
    return MEDIA_TYPES[form]


def report(
    job: Job, kind: Kind, *, answers: Sequence[Answered], transcript: Transcript | None, roles: Roles | None
) -> TaskReport:
    """What a report tells of a task. Raises ValueError for a job that is none."""
    task = job.task
    if task is None:
        raise ValueError(f"job {job.id} is no task")
    return TaskReport(
        kind=kind,
        number=job.number,
        created_at_ms=job.created_at_ms,
        file_name=task.file_name,
        operator_name=task.operator_name if task.type in WITH_OPERATOR else None,
        client_id=task.client_id,
        direction=job.call.direction,
        called_at_ms=task.call_at_ms,
        call_date=task.call_date,
        duration_s=None if job.audio is None else job.audio.duration_s,
        answers=tuple((one.question, one.answer) for one in answers),
        transcript=transcript,
        roles=roles,
    )


def audio_file(job: Job) -> tuple[str, str]:
    """What a task's audio is called, and its media type."""
    ending, kind = NO_CONTAINER if job.audio is None else CONTAINERS.get(job.audio.container, NO_CONTAINER)
    name = job.task.file_name if job.task is not None else None
    return name or f"task{job.number}.{ending}", kind


def period_report(name: str) -> str:
    """The media type of a report's file. Raises Refused for a name that none has, and for one that leads elsewhere."""
    if _PATH.search(name):
        raise Refused(Problem.BAD_PATH)
    known = _PERIOD_REPORT.fullmatch(name)
    if known is None:
        raise Refused(Problem.BAD_FILE_NAME, "it must be report_<number>.pdf or report_<number>.html")
    return PERIOD_REPORTS[known[1]]
