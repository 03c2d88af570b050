"""Area `results` of the contract: lists of tasks, one task, its analysis, and what the numbers mean."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from callscribe.dialects import sending
from callscribe.dialects.answers import later
from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.sending import File
from callscribe.dialects.transcripto import found, queries, refusals
from callscribe.dialects.transcripto.answering import done, principal_of
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.documenting import Area, described
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
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.tasks import Found
from callscribe.errors import NotFound
from callscribe.ports import Deps
from callscribe.services import directories, task_lists, task_rows

AREA: Final = Area("results", "Lists of tasks, one task, its analysis, and what the numbers mean.")
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
_BENEATH: Final = (
    "Criteria may stand in the query, too, as `GET` takes them; what the body says of one, null too, wins."
)


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()
    _list_routes(deps, router)
    _task_routes(deps, router)
    _analysis_routes(deps, router)
    _dictionary_routes(router)
    return router


def _list_routes(deps: Deps, router: Router) -> None:
    def by_query() -> Response[str]:
        return _listed(deps, router.call, queries.of(router))

    def by_body(body: Annotated[FilterRequest, Body()] = _NO_CRITERIA) -> Response[str]:
        return _listed(deps, router.call, {**queries.of(router), **body.model_dump(exclude_unset=True)})

    what = "The tasks that fit all criteria, last changed first (T-18)"
    for number, path in enumerate(FILTERS):
        also = "Also" * number  # operation ids are unique, and each path stands in the document
        router.get(path, **described(AREA, what, f"getTasks{also}", FilterAnswer, parameters=_parameters()))(by_query)
        router.post(path, description=_BENEATH, **described(AREA, what, f"filterTasks{also}", FilterAnswer))(by_body)


def _task_routes(deps: Deps, router: Router) -> None:
    what = "One task, and what came of it (T-19)"

    @router.get(GET_TASK, **described(AREA, what, "getTask", GetTaskAnswer, parameters=[queries.TASK_CODE]))
    def get_task() -> Response[str]:
        code = queries.of(router).get("task_code", "")
        return later(router.call, partial(_task, deps, router.call, code))


def _analysis_routes(deps: Deps, router: Router) -> None:
    def analysis(task_code: Annotated[str, Path(description=queries.ANY_NAME)]) -> Response[str]:
        return _analysis(deps, router.call, task_code)

    what = "The analysis of a call or a chat (T-20)"
    for number, path in enumerate(ANALYSES):
        router.get(
            path,
            description="Until there are analyses, `error_code` is 4057 for every task.",
            **described(AREA, what, f"getAnalysis{'Also' * number}", AnalysisAnswer),
        )(analysis)


def _dictionary_routes(router: Router) -> None:
    what = "What ids, ratings, fixed words and error codes mean (T-A17)"

    @router.get(DICTIONARIES, **described(AREA, what, "getDictionaries", DictionariesAnswer))
    def dictionaries() -> Response[str]:
        return done(**mapping.dictionaries(language_of(router.call.languages)))


def _parameters() -> list[dict[str, Any]]:
    properties = FilterRequest.model_json_schema()["properties"]
    return [queries.criterion(name, described) for name, described in properties.items()]


def _listed(deps: Deps, call: Call, given: Mapping[str, Any]) -> Response[str]:
    question = criteria.read(given)
    return later(call, partial(_page, deps, principal_of(call).tenant_id, call.languages, question))


def _page(deps: Deps, tenant_id: str, languages: str, question: criteria.Question) -> Response[str]:
    page = {"page": question.page, "per_page": question.per_page}
    tasks = _NONE if question.criteria is None else task_lists.find(deps, tenant_id, question.criteria, **page)
    return done(**mapping.listed(tasks, directories.known_ids(deps, tenant_id), languages, **page))


def _task(deps: Deps, call: Call, code: str) -> Response[str]:
    job = found.task(deps, call, code)
    text = _text(deps, job)
    known = directories.known_ids(deps, job.tenant_id)
    row = task_rows.row_of(job)
    failed_as = refusals.number_of(job.failure, GET_TASK) if job.state is JobState.FAILED else None
    show = partial(mapping.one_task, row, known, call.languages, failed_as)
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
