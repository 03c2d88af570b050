"""What people keep: directories, checklist questions, categories, saved filters and check scripts. Times: epoch ms.

Each lies on a shelf: the records of one kind and owner. Directories are the tenant's (`EVERYBODY`), as its tasks are;
the others belong to the user, or key, who made them. Ids count per tenant and kind, and are never given out again.
"""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Final

EVERYBODY: Final = "everybody"  # the owner of what belongs to a tenant as a whole


@dataclass(frozen=True, slots=True)
class Shelf:
    """Counts the changes of a shelf: each changes this record, so that whoever decides has seen all of them."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "owner", "name")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    owner: str
    name: str  # of the kind
    version: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """What everything has that lies on a shelf."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "owner", "id")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    owner: str
    id: int
    _: KW_ONLY  # behind the fields of each kind, some of which have no default
    version: int = 0


@dataclass(frozen=True, slots=True)
class Directory(Kept):
    """Where tasks are put (T-26)."""

    name: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Question(Kept):
    """Of a checklist (T-21). One that was deleted is hidden: its answers stay."""

    question: str
    created_at_ms: int
    is_active: bool = True
    is_answered: bool = False  # from the first answer on its text stays as it is


@dataclass(frozen=True, slots=True)
class Category(Kept):
    """Of calls, below another one or at the top (T-28)."""

    name: str
    description: str | None
    parent_id: int | None
    created_at_ms: int
    updated_at_ms: int


@dataclass(frozen=True, slots=True)
class SavedFilter(Kept):
    """A named question to the list of tasks (T-30). `criteria_json` is a JSON object, as it was sent."""

    name: str
    criteria_json: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class CheckScript(Kept):
    """What operators shall say (T-33). `version_number` is the one that its owner gives it."""

    identifier: str
    title: str
    script_body: str
    created_at_ms: int
    updated_at_ms: int
    description: str | None = None
    is_active: bool = True
    version_number: int = 1
