"""Area `results` of the contract: lists of tasks, one task, its analysis, and what the numbers mean."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects import sending
from callscribe.dialects.front import Access, Call
from callscribe.dialects.sending import File
from callscribe.dialects.transcripto import found, queries
from callscribe.dialects.transcripto.answering import done, later, principal_of
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.documenting import BEARER, responses
from callscribe.dialects.transcripto.results import criteria, mapping
from callscribe.dialects.transcripto.results.schemas import (
    AnalysisAnswer,
    DictionariesAnswer,
    FilterAnswer,
    FilterRequest,
    GetTaskAnswer,
)
from callscribe.dialects.transcripto.texts import language_of
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import Job
from callscribe.domain.tasks import Found
from callscribe.errors import NotFound
from callscribe.ports import Deps
from callscribe.services import directories, task_lists, task_rows

FILTER: Final = "/tasks/filter"
FILTERS: Final = (FILTER, "/user/tasks/filter")  # T-A1
GET_TASK: Final = "/gettask"
ANALYSES: Final = ("/api/calls_analysis_v2/<task_code>", "/api/calls_analysis/<task_code>")  # T-A2
DICTIONARIES: Final = "/dictionaries"

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    **{("GET", path): Access(Scope.READ) for path in FILTERS},
    **{("POST", path): Access(Scope.READ, takes_json=True, empty_body="{}") for path in FILTERS},
    ("GET", GET_TASK): Access(Scope.READ),
    **{("GET", path): Access(Scope.READ) for path in ANALYSES},
    ("GET", DICTIONARIES): Access(Scope.READ),
}
_NONE: Final = Found((), 0)
_NO_CRITERIA: Final = FilterRequest()


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()  # type: ignore[no-untyped-call]  # Powertools' own constructor is not typed
    _add_lists(router, deps)
    _add_tasks(router, deps)
    _add_analyses(router, deps)

    @router.get(
        DICTIONARIES,
        summary="What ids, ratings, fixed words and error codes mean (T-A17)",
        operation_id="getDictionaries",
        responses=responses(DictionariesAnswer),
        security=BEARER,
    )
    def dictionaries() -> Response[str]:
        call: Call = router.context["call"]
        return done(**mapping.dictionaries(language_of(call.languages)))

    return router


def _add_lists(router: Router, deps: Deps) -> None:
    def by_query() -> Response[str]:
        return _listed(deps, router.context["call"], queries.of(router))

    def by_body(body: Annotated[FilterRequest, Body()] = _NO_CRITERIA) -> Response[str]:
        return _listed(deps, router.context["call"], body.model_dump(exclude_none=True))

    for number, path in enumerate(FILTERS):
        documented = {
            "summary": "The tasks that fit all criteria, last changed first (T-18)",
            "responses": responses(FilterAnswer),
            "security": BEARER,
        }
        also = "Also" * number  # operation ids are unique, and each path stands in the document
        router.get(
            path,
            operation_id=f"getTasks{also}",
            openapi_extensions={"parameters": _parameters()},
            **documented,
        )(by_query)
        router.post(path, operation_id=f"filterTasks{also}", **documented)(by_body)


def _add_tasks(router: Router, deps: Deps) -> None:
    @router.get(
        GET_TASK,
        summary="One task, and what came of it (T-19)",
        operation_id="getTask",
        responses=responses(GetTaskAnswer),
        security=BEARER,
        openapi_extensions={"parameters": [queries.TASK_CODE]},
    )
    def get_task() -> Response[str]:
        call: Call = router.context["call"]
        return later(call, partial(_task, deps, call, queries.of(router).get("task_code", "")))


def _add_analyses(router: Router, deps: Deps) -> None:
    def analysis(task_code: str) -> Response[str]:
        return _analysis(deps, router.context["call"], task_code)

    for number, path in enumerate(ANALYSES):
        router.get(
            path,
            summary="The analysis of a call or a chat (T-20)",
            description="Until there are analyses, `error_code` is 4057 for every task.",
            operation_id=f"getAnalysis{'Also' * number}",
            responses=responses(AnalysisAnswer),
            security=BEARER,
        )(analysis)


def _parameters() -> list[dict[str, Any]]:
    properties = FilterRequest.model_json_schema()["properties"]
    return [queries.criterion(name, described) for name, described in properties.items()]


def _listed(deps: Deps, call: Call, given: Mapping[str, Any]) -> Response[str]:
    question = criteria.read(given)
    return later(call, partial(_page, deps, principal_of(call).tenant_id, question))


def _page(deps: Deps, tenant_id: str, question: criteria.Question) -> Response[str]:
    page = {"page": question.page, "per_page": question.per_page}
    tasks = _NONE if question.criteria is None else task_lists.find(deps, tenant_id, question.criteria, **page)
    return done(**mapping.listed(tasks, directories.known_ids(deps, tenant_id), **page))


def _task(deps: Deps, call: Call, code: str) -> Response[str]:
    job = found.task(deps, call, code)
    text = _text(deps, job)
    show = partial(mapping.one_task, task_rows.row_of(job), directories.known_ids(deps, job.tenant_id))
    answer = done(**show(text))
    if text is None or sending.text_bytes(str(answer.body)) <= call.max_answer_bytes:
        return answer
    file = File("original_text.txt", "text/plain; charset=utf-8", text.encode(), is_text=True)
    try:
        return done(**show(None, sending.link(deps, job, file)))
    except NotFound as error:
        raise Refused(Problem.TASK_NOT_FOUND) from error


def _text(deps: Deps, job: Job) -> str | None:
    """What was said or written; None before it is known, and once it is no longer kept."""
    if job.is_written:
        chat = found.chat(deps, job)
        return None if chat is None else chat.text
    said = found.transcript(deps, job)
    return None if said is None else mapping.original_text(said, found.roles_of(job, said))


def _analysis(deps: Deps, call: Call, code: str) -> Response[str]:
    """4057 until there are analyses: none is made up."""
    job = found.task(deps, call, code)
    status = task_rows.row_of(job).status
    raise Refused(Problem.NO_ANALYSIS, f"the task is {status}, and there is no analysis of it")
