"""T-26, T-27 on the wire."""

from pydantic import Field

from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.shelving import NeededText
from callscribe.services.shelves import MAX_NAME_CHARACTERS


class DirectoryRequest(Wire):
    """A new directory."""

    name: NeededText = Field(
        description=f"Up to {MAX_NAME_CHARACTERS} characters. The directory of this name, where there is one already.",
        examples=["New directory"],
    )


class DirectoryBody(Wire):
    """One directory."""

    id: int = Field(examples=[123])
    name: str = Field(examples=["New directory"])


class DirectoriesAnswer(Done):
    """All directories."""

    directories: list[DirectoryBody]


class DirectoryAnswer(Done):
    """The directory."""

    directory: DirectoryBody


class DirectoryDeletedAnswer(Done):
    """It is gone; the tasks in it stay, and lie in no directory (T-A23)."""

    message: str = Field(examples=["Directory deleted successfully"])
