"""Directories as the contract shows them."""

from callscribe.dialects.transcripto.directories.schemas import DirectoryBody
from callscribe.domain.shelves import Directory


def directory(one: Directory) -> dict[str, object]:
    """One directory, at the log-in too."""
    return DirectoryBody(id=one.id, name=one.name).model_dump()
