"""The one error tree. Raised deep, rendered once, at an edge (a dialect, a handler, the command line).

CallscribeError
├── Invalid               a request's content breaks a rule; names the field and the rule
│   ├── IdempotencyMismatch   the same Idempotency-Key came with another body
│   ├── Taken                 what must be unique stands for another thing already
│   └── InUse                 other things hang on what is to be changed or removed
├── Unauthenticated       no credential, or one that is unknown, expired, revoked or forged
├── Forbidden             a good credential without the scope that the action needs
├── NotFound              no such thing for this tenant (a foreign id answers exactly so)
├── TooLarge              an object has more bytes than the caller takes
├── Conflict              somebody else changed the record first: read again and decide again
├── Exhausted             a count would have gone below zero; nothing of the transaction was written
├── InsufficientCredits   a tenant's balance does not cover what is asked for
├── DuplicateFile         a file that is to come once has come before
├── NoTariff              a tenant has no tariff, or not now, where one is needed
├── RateLimited           too many requests; says when the next may come
├── JobFailed             a job cannot succeed; carries the failure code that its owner is told
├── OutboundRefused       the outbound guard refused an address; names the rule, never the answer
├── OutboundFailed        the other side did not answer in the way or the time HTTP asks for
├── Unavailable           a service we depend on did not answer; trying again may help
│   ├── TooSlow               what was asked for needs more time than there is
│   └── Unreadable            months of the index of tasks cannot be read, and must be made anew
└── Stopped               this process was told to end: the work is for another one
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class FailureCode(StrEnum):
    """Every reason for which a job can fail. Stored, sent and never renamed."""

    AUDIO_EMPTY = "audio_empty"
    AUDIO_UNREADABLE = "audio_unreadable"
    AUDIO_UNSUPPORTED = "audio_unsupported"
    AUDIO_TOO_SHORT = "audio_too_short"
    AUDIO_TOO_LONG = "audio_too_long"
    UPLOAD_TOO_LARGE = "upload_too_large"
    UPLOAD_EXPIRED = "upload_expired"
    LANGUAGE_UNSUPPORTED = "language_unsupported"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    SOURCE_UNREACHABLE = "source_unreachable"
    REPORT_FAILED = "report_failed"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure code with one sentence for the owner of the job; never names anything internal."""

    code: FailureCode
    message: str


class CallscribeError(Exception):
    """Base of every error that callscribe raises on purpose."""


class Invalid(CallscribeError):
    """A request's content breaks a rule. `field` is the caller's own name for it, `rule` says what holds."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class IdempotencyMismatch(Invalid):
    """The same Idempotency-Key was sent before with another body."""


class Taken(Invalid):
    """A name, or what else must be unique, stands for another thing already."""


class InUse(Invalid):
    """Other things hang on what is to be changed or removed."""


class Unauthenticated(CallscribeError):
    """The credential is missing, unknown, expired, revoked or forged. The message never says which key."""


class Forbidden(CallscribeError):
    """The credential is good but lacks `scope`."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the credential lacks the permission {scope}")
        self.scope = scope


class NotFound(CallscribeError):
    """No such thing for this tenant."""


class TooLarge(CallscribeError):
    """An object has `size_bytes`, more than the caller takes."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the object has {size_bytes} bytes")
        self.size_bytes = size_bytes


class Conflict(CallscribeError):
    """A record changed between read and write; nothing of the transaction was written."""


class Exhausted(CallscribeError):
    """An adjustment would have taken a count below zero; nothing of the transaction was written."""


class InsufficientCredits(CallscribeError):
    """The account `account` has `available` units, less than the `required` ones (None: not known yet)."""

    def __init__(self, account: str, *, available: int, required: int | None = None) -> None:
        super().__init__(f"insufficient {account}: {available} available")
        self.account = account
        self.available = available
        self.required = required


class DuplicateFile(CallscribeError):
    """A task was made of this file before: of one with this name, or, where that was asked for, with this content.

    `job_id` and `number` name it. It is the same user's.
    """

    def __init__(self, job_id: str, number: int) -> None:
        super().__init__(f"the task {number} was made of this file before")
        self.job_id = job_id
        self.number = number


class NoTariff(CallscribeError):
    """The tenant has no tariff at this time, and what is asked for needs one."""


class RateLimited(CallscribeError):
    """Too many requests in this window; another may be made in `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many requests; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class JobFailed(CallscribeError):
    """The job cannot succeed, however often it is tried; `failure` is what its owner is told."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.failure = Failure(code, message)


class OutboundRefused(CallscribeError):
    """The outbound guard refused a URL or an address it resolved to. `rule` names the rule that broke."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class OutboundFailed(CallscribeError):
    """An allowed outbound request got no usable answer.

    `kind`: connect, tls, timeout, protocol, too_large, or (of a download) status.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Stopped(CallscribeError):
    """Raised in the middle of work that is given up because this process ends; nothing is wrong with the work."""


class Unavailable(CallscribeError):
    """A service we depend on did not answer; the same call may succeed later."""


class TooSlow(Unavailable):
    """The work was given up because its caller could wait no longer; nothing is known to be wrong with it."""


class Unreadable(Unavailable):
    """`months` (`YYYY-MM`) of a tenant's index of tasks cannot be read, and must be made anew from its jobs."""

    def __init__(self, months: Sequence[str]) -> None:
        super().__init__(f"the index of tasks cannot be read: {', '.join(months)}")
        self.months = tuple(months)
