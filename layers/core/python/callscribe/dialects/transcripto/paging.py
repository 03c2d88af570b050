"""How a request asks for one page of a managed list, and what the answer says of it."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.shelving import number

_PER_PAGE: Final = 20
_MAX_PER_PAGE: Final = 100

PageNumber = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(number)]
PerPage = Annotated[Annotated[int, Field(ge=1, le=_MAX_PER_PAGE)] | None, BeforeValidator(number)]


class PageRequest(Wire):
    """Which page is wanted; null or a blank text is as good as nothing."""

    page: PageNumber = Field(default=None, description="1 by default.")
    per_page: PerPage = Field(default=None, description=f"{_PER_PAGE} by default, at most {_MAX_PER_PAGE}.")

    @property
    def paging(self) -> dict[str, int]:
        """With what is there by default."""
        return {"page": self.page or 1, "per_page": self.per_page or _PER_PAGE}


class PageAnswer(Done):
    """Which page it is."""

    total: int = Field(description="On all pages.")
    page: int
    per_page: int
