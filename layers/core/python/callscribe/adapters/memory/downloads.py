"""URLs that lead to bytes, or to the error they are told to."""

from pathlib import Path

from callscribe.errors import OutboundFailed, OutboundRefused


class MemoryDownloads:
    """`files[url]` is what a URL gives, or the exception it raises; nobody answers at others.

    `refuse[url] = rule` makes the guard refuse a URL, in `check` as in `download`; `asked` lists the requests.
    """

    def __init__(self, files: dict[str, bytes | Exception] | None = None) -> None:
        self.files = dict(files or {})
        self.refuse: dict[str, str] = {}
        self.asked: list[str] = []

    def check(self, url: str) -> None:
        """See `ports.Downloader.check`."""
        if rule := self.refuse.get(url):
            raise OutboundRefused(rule, f"the address was refused by the rule {rule}")

    def download(self, url: str, path: Path, *, max_bytes: int, total_s: float) -> None:  # noqa: ARG002  # nothing takes time here
        """See `ports.Downloader.download`."""
        self.check(url)
        self.asked.append(url)
        found = self.files.get(url, OutboundFailed("connect", "nothing answers there"))
        if isinstance(found, Exception):
            raise found
        if len(found) > max_bytes:
            raise OutboundFailed("too_large", "the file is too large")
        path.write_bytes(found)
