"""Area `files` of the contract: reports on one task, its audio, and the files of reports on a time."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from callscribe.dialects import sending
from callscribe.dialects.answers import later
from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.sending import File
from callscribe.dialects.transcripto import found, queries
from callscribe.dialects.transcripto.admitting import admit
from callscribe.dialects.transcripto.answering import led_to
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.documenting import ANYBODY, Area, described, file_responses
from callscribe.dialects.transcripto.files import mapping
from callscribe.dialects.transcripto.texts import language_of
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import Job, JobState, is_job_id
from callscribe.domain.task_facts import TaskType
from callscribe.errors import Forbidden, NotFound, Unauthenticated
from callscribe.exports.task_report import Kind, TaskReport
from callscribe.ports import Deps, SentAs
from callscribe.services import checklists, public_reports

AREA: Final = Area("files", "Reports on one task, its recording, and the files of reports on a period.")
GET_FILE: Final = "/get_file"
REPORT_FILE: Final = "/user/callreport/file"

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("GET", GET_FILE): Access(Scope.READ),
    ("GET", REPORT_FILE): Access(),  # who knows the report's code may have it
}
_HAVE_AUDIO: Final = (TaskType.CALL, TaskType.AUDIO, TaskType.YOUTUBE)
_FILE_TYPE: Final = queries.needed(
    "file_type", "Reports on a call, or on a video; or the recording itself.", enum=list(mapping.FILE_TYPES)
)
_CODE: Final = {
    **queries.TASK_CODE,
    "description": f"The report's UUID; with a token, also its id, or {queries.SHORT_CODE}",
}
_FILE_NAME: Final = {
    **queries.needed("filename", "As `gettask` gives it in `report_files`.", minLength=1),
    "example": "report_17.pdf",
}
_FILE_OPERATION: Final = described(
    AREA,
    "A report on one task, or its recording (T-36)",
    "getFile",
    file_responses(*map(mapping.media_type, ("docx", "txt")), "audio/*"),
    parameters=[_FILE_TYPE, queries.TASK_CODE],
)
_OPEN: Final = (
    "No token is needed: the report's UUID is the right to have it. With one, its id and its short code are understood"
    " as well."
)
_REPORT_FILE_OPERATION: Final = described(
    AREA,
    "A file of a report on a time's calls and chats (T-35)",
    "getReportFile",
    file_responses(*mapping.PERIOD_REPORTS.values()),
    security=ANYBODY,
    parameters=[_CODE, _FILE_NAME],
)


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()

    @router.get(GET_FILE, **_FILE_OPERATION)
    def get_file() -> Response[str]:
        given = queries.of(router)
        file_type, code = given.get("file_type", ""), given.get("task_code", "")
        return later(router.call, partial(_file, deps, router.call, file_type, code))

    @router.get(REPORT_FILE, description=_OPEN, **_REPORT_FILE_OPERATION)
    def get_report_file() -> Response[str]:
        given = queries.of(router)
        find = partial(_report_of, deps, router.event)
        code, name = given.get("task_code", ""), given.get("filename", "")
        return later(router.call, partial(_period_report, deps, router.call, find, code, name))

    return router


def _file(deps: Deps, call: Call, file_type: str, code: str) -> Response[Any]:
    if not code.strip():
        raise Refused(Problem.NO_TASK_CODE)
    if file_type not in mapping.FILE_TYPES:
        raise Refused(Problem.FILE_TYPE, f"file_type: must be one of {', '.join(mapping.FILE_TYPES)}")
    job = found.task(deps, call, code)
    if file_type == mapping.AUDIO:
        return _audio(deps, call, job)
    kind, form = mapping.REPORTS[file_type]
    file = File(
        mapping.report_name(job, kind, form),
        mapping.media_type(form),
        _render(form, _report(deps, job, kind), language_of(call.languages)),
        is_text=form == "txt",
    )
    try:
        headers = {"Content-Disposition": sending.attachment(file.name)}
        return sending.sent(deps, call, job, file, headers, led_to=partial(led_to, call))
    except NotFound as error:
        raise Refused(Problem.TASK_NOT_FOUND) from error


def _report(deps: Deps, job: Job, kind: Kind) -> TaskReport:
    """What is told of a call with answers or an analysis, or of a video that is transcribed. Raises Refused."""
    _require(job, kind)
    said = found.transcript(deps, job)
    answers = checklists.answers_of(deps, job) if kind is Kind.CALL else []
    if kind is Kind.CALL and not answers:
        raise Refused(Problem.NO_ANALYSIS, "the call has neither an analysis nor answers to a checklist")
    if kind is Kind.VIDEO and said is None:
        raise Refused(Problem.NO_ANALYSIS, "the transcript is no longer kept")
    roles = None if said is None else found.roles_of(job, said)
    return mapping.report(job, kind, answers=answers, transcript=said, roles=roles)


def _require(job: Job, kind: Kind) -> None:
    if found.type_of(job) is not mapping.TYPES[kind]:
        raise Refused(Problem.WRONG_TYPE if kind is Kind.CALL else Problem.NOT_A_VIDEO)
    if kind is Kind.VIDEO and job.state is not JobState.COMPLETED:
        raise Refused(Problem.WRONG_STATUS)


def _render(form: str, report: TaskReport, language: str) -> bytes:
    """Raises Refused where the library for documents is not installed."""
    if form == "txt":
        from callscribe.exports import task_txt  # late, as below: most requests make no file

        return task_txt.render(report, language)
    try:
        from callscribe.exports import task_docx  # late: it takes long to load, and needs a library of its own
    except ImportError as error:
        raise Refused(Problem.NO_DOCX) from error
    return task_docx.render(report, language)


def _audio(deps: Deps, call: Call, job: Job) -> Response[Any]:
    """The bytes that were transcribed, as they came."""
    _require_audio(job)
    name, media_type = mapping.audio_file(job)
    disposition = sending.attachment(name)
    sent_as = SentAs(job.audio_version_id, media_type, disposition)
    headers = {"Content-Disposition": disposition}
    try:
        return sending.stored(
            deps, call, deps.uploads, job.audio_key, sent_as=sent_as, headers=headers, led_to=partial(led_to, call)
        )
    except NotFound as error:
        raise Refused(Problem.FILE_GONE, "the recording is no longer kept") from error


def _require_audio(job: Job) -> None:
    """Raises Refused where there is none. What came in place of a video may be a note why there is none."""
    if found.type_of(job) not in _HAVE_AUDIO:
        raise Refused(Problem.FILE_GONE, "the task has no recording")
    unknown_video = found.type_of(job) is TaskType.YOUTUBE and job.audio is None
    if job.state is JobState.AWAITING_UPLOAD or unknown_video:
        raise Refused(Problem.FILE_GONE, "the recording has not arrived")


def _report_of(deps: Deps, event: Mapping[str, Any], code: str) -> Job:
    """T-A14: other names than the UUID can be guessed, so that only a token of the same tenant opens a report by them.

    Raises NotFound.
    """
    if is_job_id(code.lower()):
        return public_reports.find(deps, code)
    try:
        tenant_id = admit(deps, event, Scope.READ).tenant_id
    except (Unauthenticated, Forbidden) as error:
        raise NotFound("this names no report without a token") from error
    return public_reports.find_own(deps, tenant_id, code)


def _period_report(deps: Deps, call: Call, find: Callable[[str], Job], code: str, name: str) -> Response[Any]:
    if not code.strip() or not name:
        raise Refused(Problem.MISSING)
    media_type = mapping.period_report(name)
    try:
        job = find(code.strip())
    except public_reports.NoOwner as error:
        raise Refused(Problem.NO_OWNER) from error
    except NotFound as error:
        raise Refused(Problem.TASK_NOT_FOUND) from error
    headers = {"Content-Disposition": sending.attachment(name)}
    if name.endswith(".html"):
        headers["Content-Security-Policy"] = mapping.HTML_POLICY
    sent_as = SentAs(None, media_type, headers["Content-Disposition"])
    try:
        key = f"{job.results_prefix}{name}"
        return sending.stored(
            deps, call, deps.results, key, sent_as=sent_as, headers=headers, led_to=partial(led_to, call)
        )
    except NotFound as error:
        raise Refused(Problem.FILE_GONE) from error
