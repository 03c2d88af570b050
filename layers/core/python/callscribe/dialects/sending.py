"""Files as answers: their bytes where the way of a request allows that, else a redirect to where they lie."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response

from callscribe.dialects.front import Call
from callscribe.domain.jobs import Job
from callscribe.errors import NotFound
from callscribe.exports.text import clean
from callscribe.ports import Deps, ObjectStore, SentAs
from callscribe.services import jobs

LeadTo = Callable[[str], Response[Any]]  # an answer that leads to a URL

_MOST_CHARACTERS: Final = 150  # of a file's name
_NOT_PLAIN: Final = re.compile(r'[^ !#-$&-~]|["\\%]')  # what some clients do not read in a quoted name
_NAMELESS: Final = "file"


@dataclass(frozen=True, slots=True)
class File:
    """A file that was made for an answer. `name`: of its object, letters, digits and `._-` alone."""

    name: str
    media_type: str
    body: bytes
    is_text: bool = False  # then `body` is UTF-8


def redirect(url: str) -> Response[str]:
    """An answer that leads to a URL."""
    return Response(302, "text/plain", "", headers={"Location": url})


def sent(
    deps: Deps,
    call: Call,
    job: Job,
    file: File,
    headers: dict[str, str],
    *,
    led_to: LeadTo = redirect,
) -> Response[Any]:
    """What was made of a job, to be kept beside its results where it is too large for the way of this request: then
    the answer is what `led_to` makes of its URL.

    Raises NotFound where the job was deleted meanwhile.
    """
    if _size_bytes(file) <= call.max_answer_bytes:
        body: str | bytes = file.body.decode() if file.is_text else file.body
        return Response(200, file.media_type, body, headers=headers)
    return led_to(link(deps, job, file))


def link(deps: Deps, job: Job, file: File) -> str:
    """A URL, good for a while, of what was made of a job and is kept beside its results from now on.

    Raises NotFound where the job was deleted meanwhile.
    """
    key = f"{job.results_prefix}{hashlib.sha256(file.body).hexdigest()[:32]}/{file.name}"
    deps.results.put_if_absent(key, file.body, content_type=file.media_type)
    try:
        jobs.find(deps, tenant_id=job.tenant_id, job_id=job.id)
    except NotFound:  # it was deleted meanwhile: nothing of it may stay
        deps.results.erase(job.results_prefix)
        raise
    return deps.results.presign_get(key, expires_s=deps.settings.result_url_s)


def stored(
    deps: Deps,
    call: Call,
    bucket: ObjectStore,
    key: str,
    *,
    sent_as: SentAs,
    headers: dict[str, str],
    led_to: LeadTo = redirect,
) -> Response[Any]:
    """An object as it is. `sent_as` says of which media type it is, and what goes with a redirect (`led_to`) to it.

    Raises NotFound.
    """
    info = bucket.head(key, version_id=sent_as.version_id)
    if info is None:
        raise NotFound("no such object")
    if info.size_bytes > call.max_answer_bytes:
        return led_to(bucket.presign_get(key, expires_s=deps.settings.result_url_s, sent_as=sent_as))
    body = bucket.read(key, version_id=sent_as.version_id)
    return Response(200, sent_as.media_type, body, headers=headers)


def attachment(name: str) -> str:
    """Content-Disposition (RFC 6266) for a file of any name: its last part, without what a header cannot hold.

    A name that is not plain is said twice: in ASCII for old clients, and whole as RFC 8187 has it.
    """
    path = PurePosixPath(clean(name.replace("\\", "/")).rstrip("/. "))
    whole = f"{path.stem[: _MOST_CHARACTERS - len(path.suffix)]}{path.suffix}"[:_MOST_CHARACTERS] or _NAMELESS
    plain = _NOT_PLAIN.sub("_", whole)
    also = "" if plain == whole else f"; filename*=UTF-8''{quote(whole, safe='')}"
    return f'attachment; filename="{plain}"{also}'


def text_bytes(text: str) -> int:
    """What text counts towards the limits on an answer: a Lambda hands it out as a JSON string, with its escapes."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def _size_bytes(file: File) -> int:
    """The limits leave room for the base64 of what is no text."""
    return text_bytes(file.body.decode()) if file.is_text else len(file.body)
