"""What is known of a month in the index of tasks, beside its tasks."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class IndexedMonth:
    """A month (`YYYY-MM`) of which something was taken in.

    `due_at_ms` is when somebody must look whether its words are to be forgotten, or at once where the month is
    `unreadable` and must be made anew; None once its words are forgotten.
    """

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "list_name", "month")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    list_name: str
    month: str
    due_at_ms: int | None
    unreadable: bool = False
    version: int = 0
