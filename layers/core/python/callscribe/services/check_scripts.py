"""Call check scripts (T-33, T-34): what a user's operators shall say. An identifier stands for one script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

from callscribe.domain.records import Change, delete, insert, update
from callscribe.domain.shelves import CheckScript
from callscribe.domain.tasks import folded
from callscribe.domain.texts import one_line
from callscribe.errors import Taken
from callscribe.ports import Deps
from callscribe.services import shelves
from callscribe.services.accounts import Principal

MAX_BODY_CHARACTERS: Final = 100_000


class ScriptFields(TypedDict, total=False):
    """What an edit changes; what is missing stays. `version_number` is the owner's own."""

    identifier: str
    title: str
    description: str | None
    is_active: bool
    version_number: int
    script_body: str


@dataclass(frozen=True, slots=True)
class Scripts:
    """One page of scripts, and how many there are on all pages."""

    items: list[CheckScript]
    total: int


def search(
    deps: Deps, principal: Principal, *, q: str = "", only_active: bool = False, page: int = 1, per_page: int = 20
) -> Scripts:
    """A page of the scripts with `q` in identifier or title, as they are `folded`, in the order of their making."""
    wanted = folded(one_line(q))
    found = [
        one
        for one in deps.store.children(CheckScript, principal.tenant_id, principal.key_id)
        if (one.is_active or not only_active) and (wanted in folded(one.identifier) or wanted in folded(one.title))
    ]
    return Scripts(shelves.page_of(found, page, per_page), len(found))


def create(
    deps: Deps,
    principal: Principal,
    *,
    identifier: str,
    title: str,
    script_body: str,
    description: str | None = None,
    is_active: bool = True,
    version_number: int = 1,
) -> CheckScript:
    """Add a script. Raises Invalid, and Taken for an identifier that another script has."""
    given = _checked({"identifier": identifier, "title": title, "script_body": script_body, "description": description})
    new_id = shelves.numbering(deps, CheckScript, principal.tenant_id)

    def decide(kept: list[CheckScript]) -> tuple[Sequence[Change], CheckScript]:
        _require_free(kept, given["identifier"])
        now_ms = deps.now_ms()
        made = CheckScript(
            tenant_id=principal.tenant_id,
            owner=principal.key_id,
            id=new_id(),
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            is_active=is_active,
            version_number=version_number,
            **given,
        )
        return (insert(made),), made

    return _change(deps, principal, decide)


def edit(deps: Deps, principal: Principal, script_id: int, **fields: Unpack[ScriptFields]) -> CheckScript:
    """Change a script. Raises Invalid, NotFound, and Taken for an identifier that another script has."""
    given = _checked(fields)

    def decide(kept: list[CheckScript]) -> tuple[Sequence[Change], CheckScript]:
        known = shelves.of_id(kept, script_id, "script")
        _require_free([one for one in kept if one != known], given.get("identifier"))
        change = update(known, **given, updated_at_ms=deps.now_ms())
        return (change,), change.after

    return _change(deps, principal, decide)


def remove(deps: Deps, principal: Principal, script_id: int) -> None:
    """Remove a script. Raises NotFound."""

    def decide(kept: list[CheckScript]) -> tuple[Sequence[Change], None]:
        return (delete(shelves.of_id(kept, script_id, "script")),), None

    _change(deps, principal, decide)


def _change(
    deps: Deps, principal: Principal, decide: Callable[[list[CheckScript]], tuple[Sequence[Change], shelves.T]]
) -> shelves.T:
    return shelves.change(deps, CheckScript, principal.tenant_id, principal.key_id, decide)


def _require_free(others: Sequence[CheckScript], identifier: str | None) -> None:
    if any(one.identifier == identifier for one in others):
        raise Taken("identifier", "is another script's")


def _checked(fields: ScriptFields) -> dict[str, Any]:
    """The fields as they are kept. Raises Invalid."""
    given: dict[str, Any] = dict(fields)
    for name in given.keys() & {"identifier", "title"}:
        given[name] = shelves.required(name, given[name])
    if "description" in given:
        given["description"] = shelves.described(given["description"])
    if "script_body" in given:
        shelves.required("script_body", given["script_body"], most=MAX_BODY_CHARACTERS)
    return given
