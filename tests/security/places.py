"""What a row of the tenant matrix is made of: requests, and the places in them that take an id."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.dialects.transcripto.world import multipart
from tests.security.tenants import Stranger

Route = tuple[str, str]
Value = str | int


@dataclass(frozen=True)
class Request:
    """One request; `params` are the values of the `<names>` in its path, `fields` its JSON body."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    fields: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    form: Mapping[str, Any] | None = None  # instead of `fields`: of a form, which also holds a file
    file_name: str = "call.wav"

    @property
    def filled_path(self) -> str:
        path = self.path
        for name, value in self.params.items():
            path = path.replace(f"<{name}>", value)
        return path

    @property
    def sent(self) -> dict[str, Any]:
        """Headers, body and query, for `http_event`."""
        if self.form is not None:
            made = multipart(self.form, file_name=self.file_name)
            return {"body": made["body"], "headers": {**made["headers"], **self.headers}, "query": self.query}
        if self.fields is None:
            return {"body": None, "headers": self.headers, "query": self.query}
        headers = {"Content-Type": "application/json", **self.headers}
        return {"body": json.dumps(self.fields).encode(), "headers": headers, "query": self.query}

    def with_header(self, name: str, value: str) -> "Request":
        return replace(self, headers={**self.headers, name: value})

    def with_query(self, **parameters: Value) -> "Request":
        return replace(self, query=urlencode({**dict(parse_qsl(self.query)), **parameters}))

    def with_fields(self, *without: str, **fields: Any) -> "Request":
        kept = {name: value for name, value in (self.fields or {}).items() if name not in without}
        return replace(self, fields={**kept, **fields})


Put = Callable[[Request, Value, Stranger], Request]
Make = Callable[[Stranger], Value]


@dataclass(frozen=True)
class Slot:
    """A place that takes an id. `put` puts a value there, in the name of somebody.

    `owner` says how the tenant itself is answered for each kind that means something there: the control of the
    matrix. `opens` are the kinds that are a credential there: whoever holds one is its tenant, so no other tenant's
    can be tried.
    """

    put: Put
    owner: Mapping[str, int] = field(default_factory=dict)
    opens: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Row:
    """One route: `request` with the tenant's own ids is answered `done`.

    `plain` are documented fields that name nothing. `credentials`: by which ones it is asked, where the dialect's
    usual ones do not fit. `judges` names the credential that the route judges itself, see `refusals`; `numbers` are
    those of its refusals that differ from the dialect's usual ones, by their HTTP status.
    """

    request: Callable[[Stranger], Request]
    done: int = 200
    slots: Mapping[str, Slot] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()
    credentials: tuple[str, ...] | None = None
    judges: str | None = None
    numbers: Mapping[int, int] = field(default_factory=dict)


def parameter(name: str) -> Put:
    return lambda request, value, _who: replace(request, params={**request.params, name: str(value)})


def body(name: str, *instead_of: str) -> Put:
    return lambda request, value, _who: request.with_fields(*instead_of, **{name: value})


def header(name: str) -> Put:
    return lambda request, value, _who: request.with_header(name, str(value))


def query(name: str) -> Put:
    return lambda request, value, _who: request.with_query(**{name: value})


def form(name: str) -> Put:
    return lambda request, value, _who: replace(request, form={**(request.form or {}), name: value})


def smuggle(request: Request, value: Value, _who: Stranger) -> Request:
    """Put a value to where no route should look."""
    text = str(value)
    for name in ("X-Tenant", "X-Tenant-Id", "X-User", "X-Job-Id", "Cookie"):
        request = request.with_header(name, f"tenant={text}" if name == "Cookie" else text)
    names = ("tenant", "tenant_id", "id", "uuid", "job_id", "key_id", "user_id", "requestId", "token")
    if isinstance(request.fields, dict):
        taken = {name: value for name in names if name not in request.fields and name != "requestId"}
        request = request.with_fields(**taken)
    if request.form is not None:
        request = replace(request, form={**request.form, **dict.fromkeys(names, text)})
    kept = [request.query] if request.query else []
    return replace(request, query="&".join([*kept, *(f"{name}={text}" for name in names)]))


SMUGGLED = Slot(smuggle)
