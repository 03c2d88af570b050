"""What a client keeps here: how it is created and listed, and how it is refused."""

from typing import Any

from tests.dialects.conftest import Client


def created(client: Client, path: str, fields: dict[str, Any]) -> int:
    """The id of something new, which a path that creates answers as `data`."""
    answer = client.send("POST", path, fields=fields).json
    assert answer["success"], answer
    number: int = answer["data"]["id"]
    return number


def listed(client: Client, path: str, **wanted: Any) -> list[int]:
    """The ids of one page of a list, in its order."""
    answer = client.send("POST", path, fields=wanted).json
    assert answer["success"], answer
    return [one["id"] for one in answer["items"]]


def refused(client: Client, path: str, fields: Any = ..., *, method: str = "POST", **how: Any) -> int:
    """The number of a refusal, which is an HTTP 200 all the same and says why; `how` goes to `Client.send`."""
    answer = client.send(method, path, fields=fields, **how)
    assert answer.status == 200
    assert answer.json["success"] is False
    assert answer.json["error_message"]
    number: int = answer.json["error_code"]
    return number
