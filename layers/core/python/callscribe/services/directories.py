"""Directories, in which a tenant's tasks lie (T-26, T-27). They belong to all of its users, as its tasks do.

A task keeps the id of its directory when that is deleted: whoever shows the task asks `known_ids`, and shows none
for another id (T-A23). Ids are never given out again.
"""

from collections.abc import Sequence
from typing import Final

from callscribe.domain.records import Change, delete, insert
from callscribe.domain.shelves import EVERYBODY, Directory
from callscribe.errors import Invalid
from callscribe.ports import Deps
from callscribe.services import shelves

_FIRST_IMPOSSIBLE_ID: Final = 10**18  # no key of a record is that long


def list_directories(deps: Deps, tenant_id: str) -> list[Directory]:
    """All directories of a tenant, by id."""
    return deps.store.children(Directory, tenant_id, EVERYBODY)


def known_ids(deps: Deps, tenant_id: str) -> frozenset[int]:
    """The ids of all directories that there are."""
    return frozenset(one.id for one in list_directories(deps, tenant_id))


def require(deps: Deps, tenant_id: str, directory_id: int) -> None:
    """Raises Invalid where the tenant has no such directory."""
    possible = 0 < directory_id < _FIRST_IMPOSSIBLE_ID
    if not possible or deps.store.get(Directory, tenant_id, EVERYBODY, directory_id) is None:
        raise Invalid("directory_id", "must be the id of a directory of yours")


def create(deps: Deps, tenant_id: str, *, name: str) -> Directory:
    """The directory of this name, which is made if there is none. Raises Invalid.

    Ours, where the document is silent: two directories of one name could not be told apart, and whoever did not get
    the first answer may ask again without making a second one.
    """
    wanted = shelves.required("name", name)
    new_id = shelves.numbering(deps, Directory, tenant_id)

    def decide(kept: list[Directory]) -> tuple[Sequence[Change], Directory]:
        known = next((one for one in kept if one.name == wanted), None)
        if known is not None:
            return (), known
        made = Directory(tenant_id, EVERYBODY, new_id(), wanted, deps.now_ms())
        return (insert(made),), made

    return shelves.change(deps, Directory, tenant_id, EVERYBODY, decide)


def remove(deps: Deps, tenant_id: str, directory_id: int) -> None:
    """Remove a directory; its tasks stay, and lie in none. Raises NotFound."""

    def decide(kept: list[Directory]) -> tuple[Sequence[Change], None]:
        return (delete(shelves.of_id(kept, directory_id, "directory")),), None

    shelves.change(deps, Directory, tenant_id, EVERYBODY, decide)
