"""Constants that the infrastructure and the running code must agree on. Imports nothing."""

from typing import Final

SERVICE: Final = "callscribe"

# Every dialect and the path prefix that only it answers under.
DIALECTS: Final[dict[str, str]] = {
    "presign": "/api/v1",
    "mor": "/billing/api/v2",
    "aivoco": "/aivoco",
    "transcripto": "/transcripto",
}
# Paths that a dialect answers outside its prefix.
OTHER_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "aivoco": ("/transcribe",),
    "transcripto": (
        "/auth/login",
        "/user",
        "/tasks",
        "/gettask",
        "/get_file",
        "/checklist",
        "/dictionaries",
        "/addtaskcall",
        "/addtaskcallbyurl",
        "/addtaskaudio",
        "/addtaskyoutube",
        "/add_chat_analysis_task",
        "/api/calls_analysis",
        "/api/calls_analysis_v2",
    ),
}
# Where each dialect's own documentation can be read.
DOCS: Final[dict[str, str]] = {
    "presign": "/api/v1/docs",
    "mor": "/billing/api/v2/api-docs",
    "aivoco": "/aivoco/docs",
    "transcripto": "/transcripto/docs",
}
# Links to large transcripts, whichever dialect the job came by.
RESULT_LINKS: Final = f"{DIALECTS['presign']}/transcriptions"

# Environment variables of the functions and the worker. Only `wiring` reads them.
ENV_STAGE: Final = "CALLSCRIBE_STAGE"
ENV_DIALECT: Final = "CALLSCRIBE_DIALECT"
ENV_TABLE: Final = "CALLSCRIBE_TABLE"
ENV_AUDIO_BUCKET: Final = "CALLSCRIBE_AUDIO_BUCKET"
ENV_RESULTS_BUCKET: Final = "CALLSCRIBE_RESULTS_BUCKET"
ENV_ROOT_KEYS_SECRET: Final = "CALLSCRIBE_ROOT_KEYS_SECRET"
ENV_TRANSCRIPTION_MACHINE: Final = "CALLSCRIBE_TRANSCRIPTION_MACHINE"
ENV_CALLBACK_MACHINE: Final = "CALLSCRIBE_CALLBACK_MACHINE"
ENV_CALLBACK_QUEUE: Final = "CALLSCRIBE_CALLBACK_QUEUE"
ENV_WORK_QUEUE: Final = "CALLSCRIBE_WORK_QUEUE"
ENV_FETCH_QUEUE: Final = "CALLSCRIBE_FETCH_QUEUE"
ENV_VIDEO_QUEUE: Final = "CALLSCRIBE_VIDEO_QUEUE"
ENV_INDEX_QUEUE: Final = "CALLSCRIBE_INDEX_QUEUE"
ENV_INDEX_BUCKET: Final = "CALLSCRIBE_INDEX_BUCKET"
ENV_CAPTCHA_SECRET: Final = "CALLSCRIBE_CAPTCHA_SECRET"  # ARN; only where `Settings.captcha_url` names a service
ENV_SETTINGS: Final = "CALLSCRIBE_SETTINGS"  # JSON object: overrides of `ports.Settings`, by field name
ENV_ENGINE: Final = "CALLSCRIBE_ENGINE"
ENV_MODEL_DIR: Final = "CALLSCRIBE_MODEL_DIR"  # where the engine finds its model; pocketsphinx brings its own
ENV_DIARIZER: Final = "CALLSCRIBE_DIARIZER"  # who tells the speakers of a mono recording apart; default: embedded
ENV_DIARIZER_DIR: Final = "CALLSCRIBE_DIARIZER_DIR"  # where it finds its model; the embedded one needs none
ENV_WORKER_POOL: Final = "CALLSCRIBE_WORKER_POOL"  # JSON object: `queue` and `definition` of AWS Batch
ENV_SCALING: Final = "CALLSCRIBE_SCALING"  # JSON object: overrides of `domain.scaling.ScalingSettings`, by field name
ENV_WORKER: Final = "CALLSCRIBE_WORKER"  # JSON object: overrides of the worker's own settings, by field name
ENV_WORKER_ID: Final = "AWS_BATCH_JOB_ID"  # set by AWS Batch
# Of the door alone: 0 or 1 proxy before it whose X-Forwarded-For it believes, and how long a call may wait.
ENV_DOOR_TRUSTED_PROXIES: Final = "CALLSCRIBE_DOOR_TRUSTED_PROXIES"
ENV_DOOR_WAIT_S: Final = "CALLSCRIBE_DOOR_WAIT_S"

# What a browser of another origin may send and read, beyond what every browser may; a test knows who uses each.
CORS_REQUEST_HEADERS: Final = (
    "authorization",
    "content-type",
    "idempotency-key",
    "x-api-key",
    "x-callscribe-duplicate-check",
    "x-invox-medical-api-version",
)
CORS_RESPONSE_HEADERS: Final = (
    "Content-Disposition",
    "Location",
    "Retry-After",
    "X-Callscribe-Leniency",
    "X-Invox-Medical-Api-Version",
)

# DynamoDB: one table. See adapters/aws/table.py for the item layout.
PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
TTL_ATTRIBUTE: Final = "ttl_s"
KIND_ATTRIBUTE: Final = "kind"
LIST_INDEX: Final = "by_tenant"  # list_pk (S), list_sk (S)
LIST_PARTITION_KEY: Final = "list_pk"
LIST_SORT_KEY: Final = "list_sk"
DUE_INDEX: Final = "by_due"  # due_pk (S), due_at_ms (N); sparse
DUE_PARTITION_KEY: Final = "due_pk"
DUE_SORT_KEY: Final = "due_at_ms"
# The stream filter of `on_record` matches inserts of these kinds.
CALLBACK_KIND: Final = "Callback"
DIRTY_TASK_KIND: Final = "DirtyTask"

# Prefixes of the audio bucket: what is to be transcribed (each new object starts its job), where a job's audio
# is to be fetched from, and the recordings that the operator registered.
AUDIO_PREFIX: Final = "audio/"
SOURCES_PREFIX: Final = "sources/"
RECORDINGS_PREFIX: Final = "recordings/"
RESULTS_PREFIX: Final = "results/"
TASKS_PREFIX: Final = "tasks/"  # of the index bucket

FETCH_STORE_S: Final = 120  # after a download: the file goes on to S3, or the job is ended
FETCH_MARGIN_S: Final = 60  # how long a message stays hidden beyond its function's own time
VIDEO_S: Final = 900  # how long the download of a video's sound may take
VIDEO_START_S: Final = 180  # from the order of a video's sound to the container that fetches it
# What an order of a video's sound says, in the order of the arguments of `functions/fetch_video`.
VIDEO_ORDER: Final = ("link", "put_url", "job_id", "max_bytes", "total_s")
WORK_MESSAGE_VISIBILITY_S: Final = 300
WORKER_BEAT_S: Final = 20  # so often a worker says that it lives, and looks whether it shall go
DOOR_MAX_BODY_BYTES: Final = 80_000_000
# Said where a body has more.
LARGER_RECORDINGS: Final = "a larger recording comes by its URL, or goes to an upload URL, where its API has these"
DOOR_WAIT_S: Final = 900
STACK_PREFIX: Final = "Callscribe"
ENDPOINT_DISABLED_LOG: Final = "endpoint disabled"  # a log line with these words raises an alarm
# One line for each look at the pool of workers; alarms count its words. waiting_s is rounded up to whole seconds.
SCALING_LOG: Final = "workers wanted=%d alive=%d starting=%d waiting_s=%d reason=%s"
SENT_AWAY: Final = "callscribe: "  # a job of AWS Batch whose end is given a reason that begins so has not failed
