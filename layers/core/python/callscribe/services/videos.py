"""Sound from sites of videos, brought by a process that has no rights of ours.

It is told by an `Order` where the sound is and where to put it, and puts a refusal there in place of sound that cannot
be had: so the job goes on at once, and its owner is told why.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from callscribe.domain.jobs import Job
from callscribe.errors import OutboundFailed, OutboundRefused
from callscribe.ports import Deps, VideoSite
from callscribe.services.scratch import scratch_folder

MAX_REFUSAL_BYTES: Final = 2_000
MAX_REASON_CHARACTERS: Final = 300
_REFUSAL: Final = "callscribe_video_refusal"  # the only key of the document; no sound begins as it does

Put = Callable[[str, Path], None]
"""(URL, file) → the file is there. Raises OutboundFailed."""


@dataclass(frozen=True, slots=True)
class Order:
    """One video's sound, to be put to `put_url`, which is a secret. `job_id` is for logs only.

    `total_s`: for the download alone.
    """

    link: str
    put_url: str
    job_id: str
    max_bytes: int
    total_s: float

    def message(self) -> dict[str, str]:
        """For the queue. Every value is a text: a pipe hands them over as arguments of a command."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def of(cls, message: Mapping[str, object]) -> "Order":
        """What a message says. Raises KeyError and ValueError for one that is no order."""
        return cls(
            link=str(message["link"]),
            put_url=str(message["put_url"]),
            job_id=str(message["job_id"]),
            max_bytes=int(str(message["max_bytes"])),
            total_s=float(str(message["total_s"])),
        )


def order(deps: Deps, job: Job, link: str, *, max_bytes: int) -> None:
    """Have a video's sound put where uploads arrive.

    The URL for it stands in the arguments of a container, which more people may read than the bucket: it holds no
    longer than an order is under way, or the job waits.
    """
    left_s = (job.created_at_ms - deps.now_ms()) // 1000 + deps.settings.upload_deadline_s
    put_url = deps.uploads.presign_put(job.audio_key, expires_s=max(1, min(left_s, deps.settings.video_message_s)))
    deps.video_queue.send(Order(link, put_url, job.id, max_bytes, deps.settings.video_s).message())


def fetch(site: VideoSite, wanted: Order, put: Put) -> str | None:
    """Bring the sound to where it was ordered; or bring a refusal there, whose reason is the answer.

    Safe to run twice: the first that arrives counts. Raises OutboundFailed when nothing could be put.
    """
    with scratch_folder() as folder:
        path, reason = folder / "sound", None
        try:
            site.fetch(wanted.link, path, max_bytes=wanted.max_bytes, total_s=wanted.total_s)
        except (OutboundRefused, OutboundFailed) as error:
            reason = str(error)
        if reason is not None:
            path.write_bytes(refusal(reason))
        put(wanted.put_url, path)
    return reason


def refusal(message: str) -> bytes:
    """The document that stands in place of sound, at most MAX_REFUSAL_BYTES long."""
    return json.dumps({_REFUSAL: _reason(message)}, ensure_ascii=False).encode()


def read_refusal(body: bytes) -> str | None:
    """Why there is no sound; None for everything that is no such document."""
    if len(body) > MAX_REFUSAL_BYTES or not body.startswith(b"{"):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    message = document.get(_REFUSAL) if len(document) == 1 else None
    return _reason(message) if isinstance(message, str) else None


def _reason(message: str) -> str:
    """One short line that can be printed, whatever a site has said, or somebody else who held the URL."""
    text = "".join(filter(str.isprintable, " ".join(message.split())))
    return text[:MAX_REASON_CHARACTERS].strip() or "the site gave no reason"
