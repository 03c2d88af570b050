"""Receivers of callbacks that answer as they are told."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from callscribe.domain.callbacks import Answer
from callscribe.errors import OutboundRefused

Reply = Answer | Exception
ACCEPTED = Answer(200, 1)


@dataclass(frozen=True, slots=True)
class Post:
    """One request that a receiver got."""

    url: str
    headers: dict[str, str]
    body: bytes


class MemoryWebhooks:
    """Records `posts`; answers with the next of `then`, after that with `otherwise` (200 by default).

    `refuse[url] = rule` makes the guard refuse a URL, in `check` as in `post`.
    """

    def __init__(self, *then: Reply, otherwise: Reply | Callable[[Post], Reply] = ACCEPTED) -> None:
        self._lock = threading.Lock()
        self._then = list(then)
        self.otherwise = otherwise
        self.refuse: dict[str, str] = {}
        self.posts: list[Post] = []

    def answer_with(self, *replies: Reply) -> None:
        """Line up the next replies; an exception is raised."""
        with self._lock:
            self._then.extend(replies)

    def check(self, url: str) -> None:
        """See `ports.Webhooks.check`."""
        if rule := self.refuse.get(url):
            raise OutboundRefused(rule, f"the address was refused by the rule {rule}")

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `ports.Webhooks.post`."""
        self.check(url)
        post = Post(url, dict(headers), body)
        with self._lock:
            self.posts.append(post)
            reply = self._then.pop(0) if self._then else None
        if reply is None:
            reply = self.otherwise(post) if callable(self.otherwise) else self.otherwise
        if isinstance(reply, Exception):
            raise reply
        return reply
