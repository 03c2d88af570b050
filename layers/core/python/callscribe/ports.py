"""What the use cases need from the world, as Protocols, and the one object that carries them.

Adapters: `adapters.memory` (the fakes), `adapters.aws`, `adapters.web`, `media`, `engines`. Every method may
also raise Unavailable. Nothing here knows AWS or HTTP.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from callscribe import names
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.callbacks import SCHEDULE_S, Answer
from callscribe.domain.records import Record, Step
from callscribe.domain.tariffs import TARIFFS, Tariff
from callscribe.domain.transcripts import Transcript
from callscribe.domain.work_figures import WorkFigures

if TYPE_CHECKING:  # for the few processes that have an index; every Lambda imports this module
    from callscribe.domain.tasks import Criteria, Found, TaskRow, Unwritten

R = TypeVar("R", bound=Record)


class Store(Protocol):
    """Records, changed only in transactions whose every step is conditional on the version that was read."""

    def get(self, kind: type[R], *key: str | int) -> R | None:
        """The record with these values of KEY, read consistently."""
        ...

    def children(self, kind: type[R], *key_prefix: str | int, limit: int | None = None) -> list[R]:
        """Records whose KEY starts with these values (at least the first two), by key, read consistently; of many the
        first `limit` (1 or more).
        """
        ...

    def listed(self, kind: type[R], tenant_id: str, *, since_ms: int = 0, until_ms: int | None = None) -> Iterator[R]:
        """A tenant's records, newest first, since ≤ LISTED field < until. A fresh write may be missing."""
        ...

    def due(self, kind: type[R], *, now_ms: int, limit: int) -> list[R]:
        """Records with `due_at_ms` ≤ now, earliest first, at most `limit`. A fresh write may be missing."""
        ...

    def commit(self, *steps: Step) -> None:
        """All steps or none.

        Raises Conflict when any `before` is not what is stored or an adjusted record is missing, else Exhausted when
        an adjustment would make a field negative.
        """
        ...

    def count(self, scope: str, name: str, *, by: int = 1, forget_at_ms: int | None = None) -> int:
        """Add `by` (1 or more) to a `Counter`, 0 where there is none, and answer its new value; no two callers get the
        same.
        """
        ...


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Size in bytes and version of a stored object; the version is None in an unversioned bucket."""

    size_bytes: int
    version_id: str | None


@dataclass(frozen=True, slots=True)
class SentAs:
    """How an object is sent to whoever asks for it by URL: which version (None: the newest), and in which headers."""

    version_id: str | None = None
    media_type: str | None = None  # Content-Type; None: what it was stored with
    disposition: str | None = None  # Content-Disposition; None: no such header


class ObjectStore(Protocol):
    """One bucket. Methods that read raise NotFound for a missing key or version."""

    def presign_put(self, key: str, *, expires_s: int) -> str:
        """A URL that accepts one PUT request's body as the object, whatever its Content-Type."""
        ...

    def presign_get(self, key: str, *, expires_s: int, sent_as: "SentAs | None" = None) -> str:
        """A URL that anybody holding it can read the object by, which is then sent as `sent_as` says."""
        ...

    def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo | None:
        """Facts about the object, or None where there is none."""
        ...

    def read(self, key: str, *, version_id: str | None = None) -> bytes:
        """The whole object; for small ones."""
        ...

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> None:
        """The whole object into a file."""
        ...

    def put_if_absent(self, key: str, body: bytes, *, content_type: str) -> bool:
        """Store an object unless the key is taken; whether it was stored."""
        ...

    def put_file(self, key: str, path: Path) -> None:
        """Store a file as the object's newest version; whole up to `names.DOOR_MAX_BODY_BYTES`, above that in parts.

        Of parts that were not put together `erase` finds nothing.
        """
        ...

    def copy(
        self,
        source_key: str,
        key: str,
        *,
        bucket: str | None = None,
        version_id: str | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """Store a copy of another object of this bucket, or of `bucket`, as the object's newest version, as `put_file`
        does. `version_id` is the other object's; without it the newest one is copied.

        Raises TooLarge, before a byte is copied, for one of more than `max_bytes`.
        """
        ...

    def erase(self, prefix: str) -> int:
        """Remove every version of every object whose key starts with the prefix; how many versions there were."""
        ...


class ExecutionState(StrEnum):
    """How an execution stands."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"  # failed, timed out or aborted


class IndexFiles(Protocol):
    """Small files that one writer at a time replaces and many readers cache, each known by the ETag of its contents."""

    def etags(self, prefix: str) -> dict[str, str]:
        """The ETags of all files whose key starts with the prefix, by key; what was written before is seen."""
        ...

    def fetch(self, key: str, path: Path) -> str | None:
        """The file into `path`, and its ETag; None where there is none."""
        ...

    def replace(self, key: str, path: Path, *, etag: str | None) -> str | None:
        """Store `path` in place of the file with that ETag (None: of none); its new ETag, or None for a lost race."""
        ...


class TaskIndex(Protocol):
    """Lists of a tenant's tasks. What it has not taken in yet is given to it with each question.

    It asks for that itself, and again where something was taken in meanwhile, so that its answer is of one moment.
    Whichever it is told of a task, in whatever order: the highest version counts, and one that went stays away.
    Raises Unreadable for months that cannot be read, but where it is said what happens then.
    """

    def find(
        self,
        tenant_id: str,
        criteria: "Criteria",
        unwritten: "Callable[[], Unwritten]",
        *,
        page: int,
        per_page: int,
    ) -> "Found":
        """One page (from 1) of the tasks that fit.

        The rows come without their words, and in order of their last change, the newest first.
        """
        ...

    def latest(self, tenant_id: str, unwritten: "Callable[[], Unwritten]", count: int) -> "tuple[TaskRow, ...]":
        """The tasks that were made last, at most `count`, the newest first, without their words: ids count up."""
        ...

    def days(self, tenant_id: str, unwritten: "Callable[[], Unwritten]") -> dict[str, int]:
        """How many calls there were on each day (see `TaskRow.day`) that had any, by `YYYY-MM-DD`."""
        ...

    def take_in(self, tenant_id: str, month: str, rows: "Sequence[TaskRow]", *, gone: Mapping[int, int]) -> None:
        """Keep rows of one month, and forget tasks that are gone since the versions given.

        Raises Conflict when somebody else wrote at the same time; then nothing was taken in.
        """
        ...

    def drop_words(self, tenant_id: str, month: str) -> None:
        """Forget what was said in all tasks of a month: criterion `words` finds none of them any more.

        Raises Conflict as `take_in` does.
        """
        ...

    def rewrite(self, tenant_id: str, month: str, rows: "Iterable[TaskRow]", *, gone: Mapping[int, int]) -> None:
        """Keep these rows alone of a month, whatever is known of it, even where that cannot be read any more. They are
        gone through once, and not kept in memory.

        Raises Conflict as `take_in` does, and where a task is known that is neither here nor gone, or a newer version.
        """
        ...

    def versions(self, tenant_id: str, month: str) -> dict[int, int]:
        """The versions of all tasks of a month that were taken in, by id; none where that cannot be read any more."""
        ...

    def months(self, tenant_id: str) -> list[str]:
        """The months (`YYYY-MM`) of which something was ever taken in, in order."""
        ...


class Captcha(Protocol):
    """Judges the token by which a client shows that a person is there."""

    def __call__(self, token: str, *, address: str) -> bool:
        """Whether the token holds, for a request from this address."""
        ...


class VideoSite(Protocol):
    """Fetches the sound of a video from a site that we support. Runs in a process that has no rights of ours."""

    def fetch(self, url: str, path: Path, *, max_bytes: int, total_s: float) -> None:
        """The best sound into a file, as the site has it. Raises OutboundRefused, OutboundFailed."""
        ...


class Executions(Protocol):
    """Executions of one state machine. A name starts at most once."""

    def start(self, name: str, payload: Mapping[str, str | int | float]) -> bool:
        """Start an execution; False when the name is taken. At most one execution of a name ever exists.

        As Step Functions does, the same start again (same payload, still running) may be answered True.
        """
        ...

    def state(self, name: str) -> ExecutionState | None:
        """The state of an execution by its name, or None where there never was one."""
        ...


class TaskReports(Protocol):
    """How a worker tells a waiting execution that its task has ended."""

    def succeed(self, task_token: str) -> bool:
        """Whether the token was still waited for."""
        ...

    def fail(self, task_token: str, *, error: str, cause: str) -> bool:
        """Whether the token was still waited for. `error` at most 256 characters, `cause` at most 32,768."""
        ...


@dataclass(frozen=True, slots=True)
class WorkMessage:
    """One piece of work: its receipt (to extend or delete it), what it says, how often it was handed out."""

    receipt: str
    tenant_id: str
    job_id: str
    task_token: str
    received_count: int


class WorkQueue(Protocol):
    """The queue that workers drain. A received message is hidden until its visibility runs out."""

    def receive(self, *, max_messages: int, wait_s: int) -> list[WorkMessage]:
        """Up to `max_messages` (1 to 10), waiting up to `wait_s` (0 to 20) for the first."""
        ...

    def extend(self, message: WorkMessage, *, visibility_s: int) -> None:
        """Keep the message hidden for so long from now; 0 hands it to another worker at once."""
        ...

    def delete(self, message: WorkMessage) -> None:
        """The work is done (or was done before)."""
        ...


class Sender(Protocol):
    """A queue to send small JSON messages to."""

    def send(self, message: Mapping[str, str | int | float]) -> None:
        """Send one message; it may arrive more than once."""
        ...


class OrderQueue(Protocol):
    """A queue of JSON objects that one process drains, one at a time."""

    def receive(self, *, wait_s: int) -> tuple[str, dict[str, object]] | None:
        """A receipt and what the message says, waiting up to `wait_s` (0 to 20) for one."""
        ...

    def delete(self, receipt: str) -> None:
        """The message is done with."""
        ...


class Webhooks(Protocol):
    """The guarded way to a receiver."""

    def check(self, url: str) -> None:
        """Apply the rules that need no DNS. Raises OutboundRefused."""
        ...

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST within 15 s, following nothing. Raises OutboundRefused and OutboundFailed."""
        ...


class Downloader(Protocol):
    """The guarded way to audio that a client names by URL."""

    def check(self, url: str) -> None:
        """Apply the rules that need no DNS. Raises OutboundRefused."""
        ...

    def download(self, url: str, path: Path, *, max_bytes: int, total_s: float) -> None:
        """GET the URL into a file, following at most 3 redirects, each judged as the first.

        Raises OutboundRefused, and OutboundFailed (kinds as there, and `status` for an answer that is not 200).
        """
        ...


class Keys(Protocol):
    """The root keys of the stage, and what follows from them: a `KeyRing`, or one that keeps itself up to date."""

    @property
    def current(self) -> str:
        """The id of the root key that signs."""
        ...

    @property
    def roots(self) -> Mapping[str, bytes]:
        """Root keys by id, all of which verify."""
        ...

    def derive(self, purpose: str, *, root_id: str | None = None) -> bytes:
        """See `KeyRing.derive`."""
        ...

    def webhook_secret(self, tenant_id: str, key_id: str) -> str:
        """See `KeyRing.webhook_secret`."""
        ...


class Inspector(Protocol):
    """Looks into an audio file without trusting it."""

    def __call__(self, path: Path, limits: AudioLimits, *, within_s: float | None = None) -> AudioFacts:
        """Facts measured by decoding. Raises JobFailed with the audio_* codes, TooSlow for what takes longer."""
        ...


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """What is wanted of a transcript. `language`: BCP 47; None or "auto": the engine decides.

    `vocabulary`: names and terms that may be said, the most important first. `diarize`: whether to tell the speakers
    of one channel apart. `tenant_id`: whose turn it is; tenants share a worker fairly.
    """

    language: str | None = None
    diarize: bool = True
    vocabulary: tuple[str, ...] = ()
    tenant_id: str = ""


DEFAULT_OPTIONS = TranscriptionOptions()


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A transcript, and what it asked of the worker."""

    transcript: Transcript
    figures: WorkFigures


class Transcriber(Protocol):
    """Turns an inspected audio file into a transcript: decode, find speech, recognise, tell speakers apart.

    May be called by several threads at a time, whose recordings then share the engine's batches.
    """

    def __call__(self, path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
        """Raises JobFailed (language_unsupported, audio_*), Stopped where its process ends, Unavailable."""
        ...


class SpeechPipeline(Transcriber, Protocol):
    """A transcriber with a life: it holds an engine, its threads and processes until it is closed."""

    def stop(self) -> None:
        """Give everything up: each call that is under way, and each later one, soon raises Stopped. Returns at once."""
        ...

    def close(self) -> None:
        """Let the calls that are under way end, take no further ones (Stopped), and give the engine back."""
        ...


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """About how many messages wait to be received, and how many are in somebody's hands."""

    waiting: int
    in_work: int


class QueueGauge(Protocol):
    """How full a queue is."""

    def depth(self) -> QueueDepth:
        """As the queue tells it, which may lag by a minute."""
        ...


class WorkerPool(Protocol):
    """Where workers are asked for and sent away: AWS Batch."""

    def submit(self, name: str) -> str:
        """Ask for one more worker; its id. The name is for people to read, and need not be unique."""
        ...

    def starting(self) -> frozenset[str]:
        """Ids of those asked for that do not run yet. A fresh one may be missing."""
        ...

    def running(self) -> frozenset[str]:
        """Ids of those that run, be they ready or not."""
        ...

    def end(self, worker_id: str, *, reason: str) -> None:
        """End it, whether it waits or runs: it is told to stop, and killed if it does not. None of that id: nothing."""
        ...


@dataclass(frozen=True, slots=True, repr=False, eq=False)  # nobody prints or compares it; each start would pay for that
class Settings:
    """What an operator may choose and the running code reads. Durations in seconds."""

    stage: str = "local"
    public_base_url: str = ""
    allow_loopback: bool = False  # callbacks and audio by http://127.0.0.1:<port>; only where stage is local
    upload_url_s: int = 900
    upload_deadline_s: int = 3_600
    job_deadline_s: int = 86_400
    work_visibility_s: int = names.WORK_MESSAGE_VISIBILITY_S
    recheck_s: int = 300  # how long a job may be silent before the sweeper asks its execution
    token_life_s: int = 7_200
    refresh_life_s: int = 7 * 86_400
    refresh_grace_s: int = 30  # how long a used refresh token still gives the same successor
    fetch_s: float = 600  # how long the download of an audio URL may take
    failed_logins: int = 20  # of one address at one user name in 15 minutes, before it has to wait
    basic_everywhere: bool = True  # dialect `mor`: user and password at every endpoint, not at the login alone
    admin_units_url: str = "http://cloud.vispark.in"  # dialect `aivoco`: where its answers send whoever has to pay
    recharge_url: str = "https://playground.aivoco.com"
    transcription_failed_text: str = "Failed to process transcription with Gemini API"
    requests_per_minute: int = 60  # dialect `aivoco`: from one address
    waiting_calls: int = 5  # dialect `aivoco`: how many requests of one tenant may wait for their transcript
    inline_body_bytes: int = 4_000_000  # what may come through the gateway; more must take the door
    login_life_s: int = 86_400  # dialect `transcripto`: of the token that a log-in gives
    client_hashes: tuple[str, ...] = ("sha512", "sha256")  # dialect `transcripto`: by which a client hashes a password
    unique_file_names: bool = True  # dialect `transcripto`: a call's file name comes once per user (error 4091)
    captcha_url: str = ""  # dialect `transcripto`: who judges log-ins' captcha tokens; "": any token will do
    quick_fetch_s: float = 12  # dialect `transcripto`: so long a request waits for the audio that it names by URL
    tasks: AudioLimits = field(default_factory=lambda: AudioLimits(min_duration_s=2.0, max_duration_s=4 * 3600.0))
    tariffs: tuple[Tariff, ...] = TARIFFS
    results_retention_days: int = 365  # so long transcripts are kept, and what is searched by words
    index_delay_s: int = 60  # how long changes of tasks gather before the index takes them in: 1 or more
    videos: bool = False  # whether links to videos are taken: then `functions/fetch_video` runs somewhere
    video_s: float = names.VIDEO_S  # how long the download of a video's sound may take
    fetched_result_s: int = 540  # how long a transcript that is not kept waits to be fetched
    idempotency_s: int = 86_400
    result_link_s: int = 7 * 86_400
    result_url_s: int = 900
    max_runs: int = 3  # executions of one job, the first included
    inline_callback_bytes: int = 6_000_000
    callback_schedule_s: tuple[float, ...] = SCHEDULE_S
    callback_busy_s: float = 60
    limits: AudioLimits = field(default_factory=AudioLimits)

    @property
    def fetch_message_s(self) -> int:
        """How long a message of the fetch queue is surely under way: once in vain, hidden, then a whole download."""
        visibility_s = self.fetch_s + names.FETCH_STORE_S + names.FETCH_MARGIN_S
        return round(visibility_s + self.fetch_s)

    @property
    def video_message_s(self) -> int:
        """How long a video is surely under way: asked for, a container started, downloaded, and stored."""
        return round(self.video_s + names.VIDEO_START_S + names.FETCH_STORE_S + names.FETCH_MARGIN_S)

    def __post_init__(self) -> None:
        if self.allow_loopback and self.stage != "local":
            raise ValueError("allow_loopback is only for the stage 'local'")


@dataclass(frozen=True, repr=False, eq=False)  # nobody prints or compares it, and each start would pay for that
class Deps:
    """Everything a use case may ask for. An adapter that a process does not need is an `Absent`."""

    store: Store
    uploads: ObjectStore
    results: ObjectStore
    transcriptions: Executions
    redeliveries: Executions
    callback_queue: Sender
    fetch_queue: Sender
    video_queue: Sender
    index_queue: Sender
    task_index: "TaskIndex"
    task_reports: TaskReports
    work_gauge: QueueGauge
    worker_pool: WorkerPool
    webhooks: Webhooks
    downloader: Downloader
    inspector: Inspector
    captcha: Captcha
    keyring: Keys
    settings: Settings
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
