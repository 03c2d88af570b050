"""The docstring of the error tree draws all of it."""

import inspect
import re

from callscribe import errors
from callscribe.errors import CallscribeError

_BRANCH = re.compile(r"^(│?) *[├└]── (\w+) ", re.MULTILINE)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: dict[str, str] = {}
    above = "CallscribeError"
    for within, name in _BRANCH.findall(str(errors.__doc__)):
        drawn[name] = above if within else "CallscribeError"
        above = name if not within else above
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, CallscribeError)]
    assert drawn == {one.__name__: one.__bases__[0].__name__ for one in classes if one is not CallscribeError}
    assert {"NoTariff", "DuplicateFile", "IdempotencyMismatch"} <= drawn.keys()
    assert drawn["IdempotencyMismatch"] == "Invalid"


def test_every_error_says_in_its_docstring_when_it_is_raised() -> None:
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, CallscribeError)]
    assert [one.__name__ for one in classes if not (one.__doc__ or "").strip()] == []
