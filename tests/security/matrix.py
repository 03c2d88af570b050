"""Figures 9, 11 and 15: `python -m tests.security.matrix` asks every route of every dialect for what is another's.

Each cell is a route × a place that takes an id × a kind of id × a kind of credential. Bert asks with Anna's id, and,
in the very same state, with one that nobody has: the two answers must be equal byte for byte, and neither may say or
change anything of Anna's. Anna asks the same for herself: if that did not succeed, the cell would prove nothing.
"""

import base64
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import chain
from threading import Barrier
from typing import Any
from unittest import mock

from callscribe import names
from callscribe.adapters.memory import MemoryStore
from callscribe.dialects.front import Access
from callscribe.domain.accounts import ApiKey
from callscribe.domain.jobs import Job
from tests.dialects.conftest import Answer
from tests.hashing import quick_scrypt
from tests.security import canaries, refusals
from tests.security.figures import Figure
from tests.security.places import SMUGGLED, Request, Route, Row, Slot, Value
from tests.security.table import CREDENTIALS, KINDS, USUAL, check_fields, rows_of
from tests.security.tenants import KEPT, Place, Stage, State, Stranger, Town, owner, town

REQUESTS_PER_MINUTE = 60
THREADS = 8


@dataclass(frozen=True)
class Cell:
    """One question of the matrix."""

    dialect: str
    route: Route
    row: Row
    place: str
    slot: Slot
    kind: str
    credential: str

    def __str__(self) -> str:
        method, path = self.route
        return f"{method} {path}: {self.place} = {self.kind}, by {self.credential}"


@dataclass
class Verdict:
    """What was found. `leaks`, `effects` and `let_in` (bad credentials that were not refused as they should be) must
    be empty; `idle` are controls that do not hold.
    """

    cells: int = 0
    controls: int = 0
    refusals: int = 0
    leaks: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    let_in: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return self.leaks + self.effects + self.let_in + self.idle


@dataclass(frozen=True)
class Seen:
    """What a request led to: its answer, and everything that was different afterwards."""

    answer: Answer
    changed: State


def routes_of(dialect: str) -> Mapping[Route, Access]:
    """The dialect's own table of routes."""
    routes: Mapping[Route, Access] = import_module(f"callscribe.dialects.{dialect}.routes").ROUTES
    return routes


def cells_of(
    dialect: str, routes: Mapping[Route, Access] | None = None, *, only: Route | None = None
) -> Iterator[Cell]:
    """Every cell of a dialect, or of one route, from its table of routes. Raises table.Undescribed."""
    known = routes_of(dialect) if routes is None else routes
    for route, row in rows_of(dialect, known).items():
        if only not in (None, route):
            continue
        for credential in credentials_of(dialect, row):
            for place, slot in {**row.slots, "elsewhere": SMUGGLED}.items():
                for kind in KINDS:
                    if kind not in slot.opens:
                        yield Cell(dialect, route, row, place, slot, kind, credential)


def credentials_of(dialect: str, row: Row) -> tuple[str, ...]:
    return USUAL[dialect] if row.credentials is None else row.credentials


def check_documents(dialect: str, where: Stage) -> None:
    """Raises table.Undescribed for a field or a header that the OpenAPI document knows and the rows do not."""
    module = import_module(f"callscribe.dialects.{dialect}.routes")
    document = where.ask(dialect, "GET", module.OPENAPI).json
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            route = method.upper(), path.replace("{", "<").replace("}", ">")
            check_fields(*route, rows_of(dialect, routes_of(dialect))[route], _documented(document, operation))


def _documented(document: Mapping[str, Any], operation: Mapping[str, Any]) -> set[str]:
    found = {str(parameter["name"]) for parameter in operation.get("parameters", ())}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        found |= _fields(document, content["schema"])
    return found


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    """Of an object, or of each object of a list."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return _fields(document, schema["items"]) if "items" in schema else set(schema["properties"])


class Matrix:
    """Judges cells in one town, which is set back before each request."""

    def __init__(self, where: Town) -> None:
        self._town = where
        self._stage = where.stage
        self._known_to_hold: set[tuple[str, Route, str]] = set()
        refusals.prepare(where)
        self._jobs = [record for place, record in where.before.items() if place[:2] == ("record", Job)]
        self._jobs.sort(key=lambda job: (job.tenant_id, job.id))

    def judge(self, cell: Cell, verdict: Verdict) -> None:
        """Put one cell to the test, with its controls."""
        verdict.cells += 1
        self._judge_base(cell, verdict)
        foreign = self._asked(cell, self._town.bert, self._town.anna)
        unknown = self._asked(cell, self._town.bert, self._town.otto)
        if foreign.answer != unknown.answer:
            verdict.leaks.append(f"{cell}: {_short(foreign.answer)}, unknown: {_short(unknown.answer)}")
        if _is_ours_to_mend(foreign.answer):
            verdict.leaks.append(f"{cell}: {_short(foreign.answer)}")
        sent = str(KINDS[cell.kind](self._town.anna))
        verdict.leaks += [f"{cell}: says {mark!r}" for mark in self._marks(foreign.answer, sent)]
        self._judge_effects(cell, foreign, sent, verdict)
        if cell.kind in cell.slot.owner:
            self._judge_owner(cell, verdict)

    def refuse(self, dialect: str, route: Route, row: Row, access: Access, verdict: Verdict) -> None:
        """Everything that is no good credential is refused at this route, and changes nothing."""
        for bad in refusals.of(dialect, row, access):
            self._stage.restore(self._town.saved)
            self._stage.clock.advance(bad.after_s)
            request = bad.put(row.request(self._town.anna), self._town)
            before = self._stage.state()
            answer = self._send(dialect, request)
            changed = _changes(before, self._stage.state())
            verdict.refusals += 1
            said = f"{route[0]} {route[1]} by {bad.name}: {_short(answer)}"
            if answer.outcome != bad.outcome:
                verdict.let_in.append(f"{said}, not {bad.outcome}")
            if answer.status == 401 and "www-authenticate" not in answer.headers:
                verdict.let_in.append(f"{said} names no scheme")
            if answer.outcome >= 400:
                verdict.let_in += [f"{said} says {mark!r}" for mark in self._marks(answer, "")]
            effects = [place for place, value in changed.items() if not _is_count(before.get(place), value, place)]
            if effects and not bad.may_change:
                verdict.let_in.append(f"{said} changed {effects}")

    def notices(self, dialect: str, route: Route) -> bool:
        """Whether a leak on this route would be seen: with a store that looks a record up whoever it belongs to."""
        verdict = Verdict()
        with blind(self._stage.store):
            for cell in cells_of(dialect, only=route):
                if cell.kind in cell.slot.owner:
                    self.judge(cell, verdict)
                if verdict.leaks or verdict.effects:
                    return True
        return False

    def _judge_base(self, cell: Cell, verdict: Verdict) -> None:
        """The request with the tenant's own ids succeeds for both tenants, or the cells would prove nothing."""
        asked = cell.dialect, cell.route, cell.credential
        if asked in self._known_to_hold:
            return
        self._known_to_hold.add(asked)
        for who in (self._town.anna, self._town.bert):
            self._stage.restore(self._town.saved)
            answer = self._served(cell.dialect, CREDENTIALS[cell.credential](cell.row.request(who), who), who)
            verdict.controls += 1
            if answer.outcome != cell.row.done:
                verdict.idle.append(f"{asked} of {who.name}: {_short(answer)}, not {cell.row.done}")

    def _judge_effects(self, cell: Cell, foreign: Seen, sent: str, verdict: Verdict) -> None:
        """Nothing but Bert's own is changed, at once or by the pipeline, and nothing of Anna's gets into it."""
        bert = self._town.bert.tenant_id
        for place, value in foreign.changed.items():
            whose = bert if place[0] in ("post", "asked") else owner(place, value) or bert
            if whose != bert:
                verdict.effects.append(f"{cell}: changed {place}")
            elif marks := self._marks(f"{place} {value!r}", sent):
                verdict.effects.append(f"{cell}: {place} got {marks}")

    def _judge_owner(self, cell: Cell, verdict: Verdict) -> None:
        """To its own tenant the id means something: another answer, or another effect, than an unknown one has."""
        verdict.controls += 1
        own = self._asked(cell, self._town.anna, self._town.anna)
        unknown = self._asked(cell, self._town.anna, self._town.otto)
        if own.answer.outcome != cell.slot.owner[cell.kind]:
            verdict.idle.append(f"{cell}: its owner got {_short(own.answer)}, not {cell.slot.owner[cell.kind]}")
        elif (own.answer, own.changed.keys()) == (unknown.answer, unknown.changed.keys()):
            verdict.idle.append(f"{cell}: means nothing to its owner")

    def _asked(self, cell: Cell, who: Stranger, whose: Stranger) -> Seen:
        """Ask with somebody's credential for somebody's id, and let the pipeline do what follows."""
        self._stage.restore(self._town.saved)
        value: Value = KINDS[cell.kind](whose)
        request = CREDENTIALS[cell.credential](cell.slot.put(cell.row.request(who), value, who), who)
        answer = self._served(cell.dialect, request, who)
        if self._stage.store.all(Job) != self._jobs:
            self._stage.settle(who.tenant_id)
        return Seen(answer, _changes(self._town.before, self._stage.state()))

    def _served(self, dialect: str, request: Request, who: Stranger) -> Answer:
        self._stage.served = {who.tenant_id}
        try:
            return self._send(dialect, request)
        finally:
            self._stage.served = set()

    def _send(self, dialect: str, request: Request) -> Answer:
        return self._stage.ask(dialect, request.method, request.filled_path, **request.sent)

    def _marks(self, said: Answer | str, sent: str) -> list[str]:
        """What is Anna's in an answer, apart from what the question held."""
        text = said if isinstance(said, str) else f"{said.headers} {said.content.decode(errors='replace')}"
        return [mark for mark in self._town.anna.marks if mark in text and not _holds(sent, mark)]


def _holds(sent: str, mark: str) -> bool:
    """Whether the question itself held this, as it is or in base64."""
    return mark.lower() in sent.lower() or sent == base64.b64encode(mark.encode()).decode()


def _changes(before: State, after: State) -> State:
    """What was added, removed or changed, with its value now (or the last one)."""
    places = before.keys() | after.keys()
    return {
        place: after.get(place, before.get(place))
        for place in places
        if before.get(place) is not after.get(place) and before.get(place) != after.get(place)
    }


def _is_count(before: Any, after: Any, place: Place) -> bool:
    """Whether a change says no more than that somebody came: a counter of the stage, a key's last use."""
    if isinstance(before, ApiKey) and isinstance(after, ApiKey):
        return replace(before, last_used_at_ms=None, version=0) == replace(after, last_used_at_ms=None, version=0)
    return owner(place, after) is None


def _is_ours_to_mend(answer: Answer) -> bool:
    """Whether the answer tells of a fault of the server, in either way of numbering."""
    return 500 <= answer.outcome < 600 or 5_000 <= answer.outcome < 6_000


def _short(answer: Answer) -> str:
    return f"{answer.outcome} {answer.content[:100]!r}"


def takes_ids(row: Row) -> bool:
    """Whether a route looks something up by an id of a tenant, beside what it takes as a credential."""
    kinds = ("uuid, completed", "order at presign", "order at transcripto", "number", *KEPT)
    return any(kind in slot.owner for slot in row.slots.values() for kind in kinds)


@contextmanager
def blind(store: MemoryStore) -> Iterator[None]:
    """Let a store forget whose record is asked for (the tenant, and the user who keeps it), where the one who asks has
    none of this id; and whose list.
    """

    def of_anybody(kind: Any, *key: str | int) -> list[Any]:
        asked = {name: value for name, value in zip(kind.KEY, key, strict=False) if name not in ("tenant_id", "owner")}
        return [one for one in store.all(kind) if all(getattr(one, name) == asked[name] for name in asked)]

    def get(kind: Any, *key: str | int) -> Any:
        found = MemoryStore.get(store, kind, *key)
        if found is not None or kind.KEY[0] != "tenant_id":
            return found
        return next(iter(of_anybody(kind, *key)), None)

    def children(kind: Any, *prefix: str | int, limit: int | None = None) -> Any:
        if kind.KEY[0] == "tenant_id":
            return of_anybody(kind, *prefix)[:limit]
        return MemoryStore.children(store, kind, *prefix, limit=limit)

    with mock.patch.object(store, "get", get), mock.patch.object(store, "children", children):
        yield


def judged(dialect: str, where: Town, route: Route | None = None) -> Verdict:
    """The verdict on a dialect, or on one of its routes."""
    verdict, matrix = Verdict(), Matrix(where)
    with quick_scrypt():
        for cell in cells_of(dialect, only=route):
            matrix.judge(cell, verdict)
        for known, row in rows_of(dialect, routes_of(dialect)).items():
            if route in (None, known):
                matrix.refuse(dialect, known, row, routes_of(dialect)[known], verdict)
    return verdict


def noticed(dialect: str, where: Town) -> tuple[int, int]:
    """Of how many routes that take ids a leak would be seen, and how many there are."""
    routes = [route for route, row in rows_of(dialect, routes_of(dialect)).items() if takes_ids(row)]
    matrix = Matrix(where)
    with quick_scrypt():
        return sum(matrix.notices(dialect, route) for route in routes), len(routes)


def figures_of(dialect: str, where: Town) -> list[Figure]:
    """Figure 9 for one dialect."""
    check_documents(dialect, where.stage)
    verdict = judged(dialect, where)
    seen, of = noticed(dialect, where)
    controls = (
        f"{verdict.controls} requests that their owners may make, failed: {len(verdict.idle)};"
        f" routes where a store that forgets tenants is noticed: {seen} of {of}"
    )
    holds = not verdict.idle and seen == of and verdict.controls > 0
    sys.stderr.writelines(f"{fault}\n" for fault in verdict.faults)
    routes = f"{dialect}, {len(routes_of(dialect))} routes"
    return [
        Figure(9, f"{routes}: foreign ids that show anything", len(verdict.leaks), verdict.cells, 0, controls, holds),
        Figure(
            9, f"{routes}: foreign ids that change anything", len(verdict.effects), verdict.cells, 0, controls, holds
        ),
        Figure(9, f"{routes}: bad credentials let in", len(verdict.let_in), verdict.refusals, 0, controls, holds),
    ]


def requests_let_through() -> Figure:
    """Figure 11: how many of 61 requests of one address pass in a minute, sent by 8 threads at a time."""
    stage = Stage()
    start = Barrier(THREADS)

    def ask(count: int) -> list[int]:
        start.wait()
        return [stage.ask("aivoco", "POST", "/transcribe", body=b"{}").status for _ in range(count)]

    share, rest = divmod(REQUESTS_PER_MINUTE + 1, THREADS)
    with ThreadPoolExecutor(THREADS) as threads:
        seen = [*chain.from_iterable(threads.map(ask, [share + (number < rest) for number in range(THREADS)]))]
    passed, refused = sum(status != 429 for status in seen), seen.count(429)
    stage.clock.advance(60)
    again = stage.ask("aivoco", "POST", "/transcribe", body=b"{}").status != 429
    controls = f"refused with 429: {refused}; the next minute's first passes: {'yes' if again else 'NO'}"
    return Figure(
        11, "aivoco: requests of one address let through in a minute", passed, len(seen), REQUESTS_PER_MINUTE, controls,
        refused == 1 and again,
    )  # fmt: skip


def measured() -> Iterator[Figure]:
    """Every figure of this module, as it is measured."""
    with quick_scrypt():
        where = town()
    for dialect in names.DIALECTS:
        yield from figures_of(dialect, where)
    yield requests_let_through()
    yield canaries.logged()


def main() -> int:
    """Print the table; 0 when every goal is reached."""
    sys.stdout.write("| # | figure | measured | of | goal | reached | controls |\n|---|---|---|---|---|---|---|\n")
    reached = True
    for figure in measured():
        reached = reached and figure.reached
        cells = (figure.number, figure.name, figure.measured, figure.of, figure.goal, "yes" if figure.reached else "NO")
        sys.stdout.write("| " + " | ".join(map(str, (*cells, figure.controls))) + " |\n")
        sys.stdout.flush()
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
