"""Area `tasks` of the contract: the routes that make tasks. Everything that takes time is done later."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Annotated, Any, Final, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.answers import later
from callscribe.dialects.front import Access, Call, fingerprint, header, idempotency_key, idempotency_parameter
from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto import forms
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.documenting import Area, Done, DuplicateRefusal, Refusal, Wire, described
from callscribe.dialects.transcripto.forms import FILE, FormFile
from callscribe.dialects.transcripto.tasks import mapping
from callscribe.dialects.transcripto.tasks.schemas import (
    AudioFields,
    CallByUrlRequest,
    CallFields,
    ChatAnswer,
    ChatRequest,
    ReportAnswer,
    ReportRequest,
    TaskAnswer,
    VideoAnswer,
    VideoRequest,
    form_body,
    read_form,
)
from callscribe.dialects.transcripto.texts import Said
from callscribe.domain import video_links
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import Job
from callscribe.domain.known_files import digest_of_content
from callscribe.domain.task_facts import TaskType
from callscribe.errors import Invalid
from callscribe.ports import Deps
from callscribe.services import tasks
from callscribe.services.creation import Idempotency
from callscribe.services.scratch import scratch_folder
from callscribe.services.tasks import NewTask

B = TypeVar("B")  # a request's body

AREA: Final = Area("tasks", "Calls, other recordings, videos, chats and reports to be worked on.")
ADD_CALL: Final = "/addtaskcall"
ADD_CALL_BY_URL: Final = "/addtaskcallbyurl"
ADD_AUDIO: Final = "/addtaskaudio"
ADD_VIDEO: Final = "/addtaskyoutube"
ADD_CHAT: Final = "/add_chat_analysis_task"
ADD_REPORT: Final = "/user/callreport"

DUPLICATE_CHECK: Final = "x-callscribe-duplicate-check"
_BY_CONTENT: Final = "content"
_STORE_S: Final = 5  # of a request's time, for what follows when it is known what the audio is: making and storing

_JSON: Final = Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}")
_FORM: Final = Access(Scope.TRANSCRIBE, takes_bytes=True, max_body_bytes=None)
ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("POST", ADD_CALL): _FORM,
    ("POST", ADD_CALL_BY_URL): _JSON,
    ("POST", ADD_AUDIO): _FORM,
    ("POST", ADD_VIDEO): _JSON,
    ("POST", ADD_CHAT): replace(_JSON, max_body_bytes=None),
    ("POST", ADD_REPORT): _JSON,
}
_CHECK_HEADER: Final = {
    "name": "X-Callscribe-Duplicate-Check",
    "in": "header",
    "required": False,
    "description": "`content`: refuse (4091, with `id` and `code` of the earlier task) a file that came before with the"
    " same header, whatever its name.",
    "schema": {"type": "string", "enum": [_BY_CONTENT]},
}
_IDEMPOTENCY_KEY: Final = idempotency_parameter(
    "The same key with the same request, its file included, gives the same task"
)


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()
    _form_routes(deps, router)
    _json_routes(deps, router)
    return router


def _form_routes(deps: Deps, router: Router) -> None:
    def make(model: type[Any], new_task: Callable[[Any, list[str]], NewTask]) -> Response[str]:
        return later(router.call, partial(_add_file, deps, router.call, router.event, model, new_task))

    @router.post(ADD_CALL, **_by_form("Process a call, by its file (T-12)", "addTaskCall", CallFields))
    def add_call() -> Response[str]:
        return make(CallFields, mapping.call)

    @router.post(ADD_AUDIO, **_by_form("Process another recording, by its file (T-14)", "addTaskAudio", AudioFields))
    def add_audio() -> Response[str]:
        return make(AudioFields, partial(mapping.audio, TaskType.AUDIO))


def _json_routes(deps: Deps, router: Router) -> None:
    def make(add: Callable[[Deps, Call, B, str | None], Response[str]], body: B) -> Response[str]:
        return later(router.call, partial(add, deps, router.call, body, idempotency_key(router.event)))

    by_url = "Process a call, by a link to its recording (T-13)"

    @router.post(ADD_CALL_BY_URL, **_by_json(by_url, "addTaskCallByUrl", TaskAnswer))
    def add_call_by_url(body: Annotated[CallByUrlRequest, Body()]) -> Response[str]:
        return make(_add_url, body)

    @router.post(ADD_VIDEO, **_by_json("Process a video, by its link (T-15)", "addTaskYoutube", VideoAnswer))
    def add_video(body: Annotated[VideoRequest, Body()]) -> Response[str]:
        return make(_add_video, body)

    @router.post(ADD_CHAT, **_by_json("Analyse a chat (T-16)", "addChatAnalysisTask", ChatAnswer))
    def add_chat(body: Annotated[ChatRequest, Body()]) -> Response[str]:
        return make(_add_chat, body)

    @router.post(ADD_REPORT, **_by_json("Make a report on a period (T-17)", "addCallReport", ReportAnswer))
    def add_report(body: Annotated[ReportRequest, Body()]) -> Response[str]:
        return make(_add_report, body)


def _by_form(summary: str, operation_id: str, fields: type[Wire]) -> dict[str, Any]:
    headers = [_CHECK_HEADER, _IDEMPOTENCY_KEY]
    body = form_body(fields)
    refusals = DuplicateRefusal | Refusal
    return described(AREA, summary, operation_id, TaskAnswer, refusals=refusals, parameters=headers, requestBody=body)


def _by_json(summary: str, operation_id: str, success: type[Done]) -> dict[str, Any]:
    return described(AREA, summary, operation_id, success, parameters=[_IDEMPOTENCY_KEY])


def _add_file(
    deps: Deps, call: Call, event: dict[str, Any], model: type[Any], new_task: Callable[[Any, list[str]], NewTask]
) -> Response[str]:
    """T-12, T-14. Fields of a form are texts: what would be a leniency in JSON is none here."""
    checks_content = _checks_content(event)
    with scratch_folder() as folder:
        form = forms.read(event, folder, tuple(model.model_fields))
        new = new_task(read_form(model, form.fields), [])
        file = _required(form.file)
        named = replace(new, file_name=file.name, unique_content=checks_content)
        key = idempotency_key(event)
        digest = digest_of_content(file.path) if key else None
        named = replace(named, idempotency=_idempotency(call, key, named, digest))
        return _made(tasks.add_file(deps, principal_of(call), named, file.path, within_s=_within_s(call)))


def _required(file: FormFile | None) -> FormFile:
    if file is None:
        raise Refused(Problem.NO_FILE, f"the form has no field {FILE}")
    if file.size_bytes == 0:
        raise Refused(Problem.NO_FILE, "the file is empty")
    return file


def _checks_content(event: Mapping[str, Any]) -> bool:
    """T-A12, our extension."""
    given = header(event, DUPLICATE_CHECK)
    if given not in (None, _BY_CONTENT):
        raise Invalid("X-Callscribe-Duplicate-Check", f"must be {_BY_CONTENT}")
    return given is not None


def _add_url(deps: Deps, call: Call, body: CallByUrlRequest, key: str | None) -> Response[str]:
    """T-13. What does not come while the request may wait is fetched afterwards."""
    url = (body.file_url or "").strip()
    if not url:
        raise Refused(Problem.MISSING)
    new = mapping.call(body, call.leniencies)
    new = replace(new, idempotency=_idempotency(call, key, new, url))
    fetch_s, within_s = deps.settings.quick_fetch_s, _within_s(call)
    return _made(tasks.add_url(deps, principal_of(call), new, url, fetch_s=fetch_s, within_s=within_s))


def _add_video(deps: Deps, call: Call, body: VideoRequest, key: str | None) -> Response[str]:
    """T-15, T-A26: which links are supported is told without any network."""
    given = mapping.video(body.file_path)
    new = mapping.audio(TaskType.YOUTUBE, body, call.leniencies)
    link = video_links.canonical(given, allow_loopback=deps.settings.allow_loopback) if deps.settings.videos else None
    if link is None:
        why = "no video of a site that is supported" if deps.settings.videos else "links to videos are switched off"
        raise Refused(Problem.BAD_LINK, why)
    new = replace(new, idempotency=_idempotency(call, key, new, link))
    return _made(tasks.add_video(deps, principal_of(call), new, link), demo=False)


def _add_chat(deps: Deps, call: Call, body: ChatRequest, key: str | None) -> Response[str]:
    """T-16."""
    new, chat = mapping.chat(body)
    new = replace(new, idempotency=_idempotency(call, key, new, asdict(chat)))
    job = tasks.add_chat(deps, principal_of(call), new, chat)
    return done(success_message=message(call, Said.CHAT_CREATED), task_code=job.id, id=job.number)


def _add_report(deps: Deps, call: Call, body: ReportRequest, key: str | None) -> Response[str]:
    """T-17."""
    start, end = mapping.period(body)
    kind = body.report_type or mapping.STANDARD
    once = _idempotency(call, key, start, end, kind)
    job, left = tasks.add_report(deps, principal_of(call), start=start, end=end, report_type=kind, idempotency=once)
    count = {} if left is None else {"available_report_count": left}
    said = message(call, Said.REPORT_CREATED)
    return done(success_message=said, report_task_code=job.id, id=job.number, **count)


def _within_s(call: Call) -> float:
    """What a request has left for finding out what its audio is."""
    return max(0.0, call.max_wait_s - _STORE_S)


def _idempotency(call: Call, key: str | None, *meaning: object) -> Idempotency | None:
    """A client's key with what the request means at its route: dataclasses as they are, all else as JSON has it."""
    plain = [asdict(one) if isinstance(one, NewTask) else one for one in meaning]
    return Idempotency(key, fingerprint([call.route, *plain])) if key else None


def _made(job: Job, **more: Any) -> Response[str]:
    return done(id=job.number, code=job.id, **more)
