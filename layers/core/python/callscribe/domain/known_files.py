"""Files that a user's tasks were made of, so that none is taken twice (T-A12)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class KnownFile:
    """Which job a file of this digest belongs to; once that has failed, was cancelled or is gone, nobody's."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "owner", "digest")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    owner: str  # the credential that made the task: a user or a key
    digest: str
    job_id: str
    version: int = 0


def digest_of_name(file_name: str) -> str:
    """Any name as a key of one length; every byte of it counts."""
    return f"name-{hashlib.sha256(file_name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def digest_of_content(path: Path) -> str:
    """SHA-256 of what is in a file."""
    with path.open("rb") as opened:
        return f"content-{hashlib.file_digest(opened, 'sha256').hexdigest()}"
