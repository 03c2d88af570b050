"""Any error as the contract's answer: HTTP 200, `success: false`, the endpoint's own number, and what happened."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from callscribe import names
from callscribe.dialects import answers
from callscribe.dialects.answers import json_response
from callscribe.dialects.front import BodyTooLong, Call, MethodNotAllowed, log_refusal
from callscribe.dialects.transcripto import amounts, rules
from callscribe.dialects.transcripto.codes import Code, Problem, Refused, code_of
from callscribe.dialects.transcripto.texts import RUSSIAN, language_of
from callscribe.domain.prices import Account
from callscribe.errors import (
    Conflict,
    DuplicateFile,
    Exhausted,
    Failure,
    FailureCode,
    Forbidden,
    InsufficientCredits,
    Invalid,
    JobFailed,
    NoTariff,
    NotFound,
    OutboundFailed,
    OutboundRefused,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

# The nearest base class counts.
PROBLEMS: Final[Mapping[type[Exception], Problem]] = {
    Invalid: Problem.INVALID,
    BodyTooLong: Problem.BODY_TOO_LONG,
    Unauthenticated: Problem.UNAUTHORIZED,
    Forbidden: Problem.FORBIDDEN,
    NotFound: Problem.NOT_FOUND,
    MethodNotAllowed: Problem.NOT_FOUND,
    TooLarge: Problem.BODY_TOO_LONG,
    Conflict: Problem.INTERNAL,
    DuplicateFile: Problem.DUPLICATE_FILE,
    Exhausted: Problem.NOT_ENOUGH,
    InsufficientCredits: Problem.NOT_ENOUGH,
    NoTariff: Problem.NO_TARIFF,
    RateLimited: Problem.TOO_MANY,
    OutboundRefused: Problem.NO_FILE,
    OutboundFailed: Problem.NO_FILE,
    Unavailable: Problem.DATABASE,
    Exception: Problem.HANDLER,
}
FAILURES: Final[Mapping[FailureCode, Problem]] = {
    FailureCode.AUDIO_EMPTY: Problem.LENGTH,
    FailureCode.AUDIO_UNREADABLE: Problem.UNDECODABLE,
    FailureCode.AUDIO_UNSUPPORTED: Problem.UNSUPPORTED_FORMAT,
    FailureCode.AUDIO_TOO_SHORT: Problem.LENGTH,
    FailureCode.AUDIO_TOO_LONG: Problem.LENGTH,
    FailureCode.UPLOAD_TOO_LARGE: Problem.LENGTH,
    FailureCode.UPLOAD_EXPIRED: Problem.NO_FILE,
    FailureCode.LANGUAGE_UNSUPPORTED: Problem.INVALID,
    FailureCode.INSUFFICIENT_CREDITS: Problem.NOT_ENOUGH,
    FailureCode.SOURCE_UNREACHABLE: Problem.NO_FILE,
    FailureCode.REPORT_FAILED: Problem.REPORT,
    FailureCode.DEADLINE_EXCEEDED: Problem.INTERNAL,
    FailureCode.INTERNAL: Problem.INTERNAL,
}
_AGAIN: Final = "send the request again"
_DETAILS: Final[Mapping[type[Exception], str]] = {
    Conflict: f"the record was changed at the same moment; {_AGAIN}",
    Exhausted: f"others used it at the same moment; {_AGAIN}",
    Unavailable: f"a service did not answer; {_AGAIN}",
    Exception: "it was logged",
}
# T-L1: what a client whose file is too large for the way it took can do.
_DOOR_MB: Final = names.DOOR_MAX_BODY_BYTES // 1_000_000
_LARGER: Final = (
    f"larger files, up to {_DOOR_MB} MB, take the door, whose address the operator knows; a call may also be sent as a"
    " link, to /addtaskcallbyurl"
)
_FORMS: Final = ("/addtaskcall", "/addtaskaudio")
_REQUIRED: Final = "is required"  # the rule that `answers.malformed` gives a missing field
_OTHER_KEY: Final = {"/user/tariff": "errorcode"}  # T-A4: as the document spells it there
_OURS: Final = (Problem.DATABASE, Problem.HANDLER, Problem.INTERNAL)


def refuse(error: Exception, call: Call) -> dict[str, Any]:
    """The answer to whatever was raised before or after the router."""
    return answers.plain(refusal(error, call))


def refusal(error: Exception, call: Call) -> Response[str]:
    """The answer to whatever was raised in the router. What is ours to mend is logged."""
    if isinstance(error, RequestValidationError):
        error = rules.malformed(error)
    problem = problem_of(error)
    if problem in _OURS and not isinstance(error, Conflict):
        log_refusal(error)
        call.logged_status = 503 if isinstance(error, Unavailable) else 500
    code = code_of(call.route, problem)
    detail = detail_of(error)
    if problem is Problem.BODY_TOO_LONG and call.route in _FORMS:
        detail = f"{detail}; {_LARGER}"
    body = {
        "success": False,
        _OTHER_KEY.get(call.route, "error_code"): code.number,
        "error_code": code.number,
        "error_message": _message(code, detail, language_of(call.languages)),
        **_named(error),
    }
    return json_response(200, json.dumps(body), **_headers(error))


def _named(error: Exception) -> dict[str, Any]:
    """The task that a refusal is about, by the keys under which it was answered."""
    return {"id": error.number, "code": error.job_id} if isinstance(error, DuplicateFile) else {}


def _message(code: Code, detail: str, language: str) -> str:
    """What happened; in Russian an English detail stands in brackets, where there is no Russian one."""
    if language != RUSSIAN:
        return f"{code.english}: {detail}" if detail else code.english
    rule = rules.in_russian(detail)
    if rule is not None:
        return f"{code.russian}: {rule}"
    return f"{code.russian} ({detail})" if detail else code.russian


def problem_of(error: Exception) -> Problem:
    """What an error means to the client."""
    if isinstance(error, Refused):
        return error.problem
    if isinstance(error, JobFailed):
        return FAILURES[error.failure.code]
    if isinstance(error, InsufficientCredits) and error.account == Account.REPORTS:
        return Problem.NO_REPORTS_LEFT
    if isinstance(error, Invalid) and error.rule == _REQUIRED:
        return Problem.MISSING
    return PROBLEMS[_known(error, PROBLEMS)]


def number_of(failure: Failure | None, route: str) -> int:
    """What the endpoint at this path calls a job's failure; that of an error of ours where nobody noted one."""
    problem = PROBLEMS[Exception] if failure is None else FAILURES[failure.code]
    return code_of(route, problem).number


def detail_of(error: Exception) -> str:
    """One sentence that says more than the number, "" where there is nothing to say; never names anything internal."""
    if isinstance(error, Refused):
        return error.detail
    if isinstance(error, JobFailed):
        return error.failure.message
    if isinstance(error, InsufficientCredits):
        return amounts.too_little(Account(error.account), available=error.available, required=error.required)
    return _DETAILS.get(_known(error, PROBLEMS)) or str(error)


def _known(error: Exception, known: Mapping[type[Exception], Any]) -> type[Exception]:
    return next(kind for kind in type(error).__mro__ if kind in known)


def _headers(error: Exception) -> dict[str, str]:
    """What a client of HTTP would look for beside the body."""
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after_s)}
    return {"Retry-After": "1"} if isinstance(error, Unavailable) else {}
