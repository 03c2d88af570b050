"""Reports on a time's calls and chats."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class PublicReport:
    """Global look-up: whose job a report's code names. Whoever knows the code may have the report (T-35)."""

    KEY: ClassVar[tuple[str, ...]] = ("code",)
    LISTED: ClassVar[str | None] = None

    code: str  # the job's id
    tenant_id: str
    job_id: str
    version: int = 0
