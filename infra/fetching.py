"""Audio that jobs name by URL: the queue of what is to be fetched, and the function that fetches it.

Sound of videos goes on from that function into a queue of its own, which is there in every stage; what drains it is the
stack of `video_stack`, or a process on the laptop.

The queue is a standard one, and fair: messages carry their tenant as their group (see `wiring`), so that a tenant with
a thousand URLs does not hold up another's one.
"""

from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from callscribe import names
from infra.data_stack import DataStack
from infra.functions import FunctionKit, FunctionSize, python_function
from infra.permissions import READ_OBJECT, READ_VERSION, WRITE_OBJECT, WRITE_PARTS, Grants
from infra.queues import dead_letter_queue, queue
from infra.runtime import Variables

_BIGGEST_FILE_MB = 2_048
_ORDER_VISIBILITY_S = 120  # whoever takes an order removes it at once, or lets another one try soon
_SLACK_MB = 512


class Fetching(Construct):
    """Everything between a job's source and its audio. The sweeper asks again for what got lost."""

    def __init__(self, scope: Construct, *, kit: FunctionKit, data: DataStack, variables: Variables) -> None:
        super().__init__(scope, "Fetching")
        # Lambda's limit of 900 s bounds `fetch_s`.
        timeout_s = kit.settings.fetch_s + names.FETCH_STORE_S
        # Not six times the time-out, as for other queues: that is for batches, and for pollers that are throttled and
        # take messages out in vain. These take one at a time and no more than `max_concurrency`; and after a service
        # was down, the next try is to come in minutes and not in an hour.
        visibility_s = timeout_s + names.FETCH_MARGIN_S
        self.dead_letters = dead_letter_queue(self, "DeadLetters")
        self.queue = queue(self, "Queue", visibility_s=visibility_s, dead_letters=self.dead_letters)
        variables.values[names.ENV_FETCH_QUEUE] = self.queue.queue_url
        self.video_dead_letters = dead_letter_queue(self, "VideoDeadLetters")
        self.videos = queue(self, "Videos", visibility_s=_ORDER_VISIBILITY_S, dead_letters=self.video_dead_letters)
        variables.values[names.ENV_VIDEO_QUEUE] = self.videos.queue_url
        wanted = (
            names.ENV_TABLE,
            names.ENV_AUDIO_BUCKET,
            names.ENV_RESULTS_BUCKET,
            names.ENV_ROOT_KEYS_SECRET,
            names.ENV_VIDEO_QUEUE,
        )
        self.function = python_function(
            self,
            "fetch_audio",
            kit,
            environment=variables.pick(*wanted),
            size=FunctionSize(memory_mb=1_024, timeout_s=timeout_s, scratch_mb=_BIGGEST_FILE_MB + _SLACK_MB),
        )
        self._grant(data, kit.settings.source_buckets)
        source = SqsEventSource(
            self.queue,
            batch_size=1,  # one slow server delays nobody else's audio
            max_concurrency=kit.settings.fetch_concurrency,
            report_batch_item_failures=True,
        )
        self.function.add_event_source(source)

    def _grant(self, data: DataStack, source_buckets: tuple[str, ...]) -> None:
        grants = Grants.of(self.function).table(data.table).secret(data.root_keys).send(self.videos)
        grants.objects(data.audio, names.AUDIO_PREFIX, READ_VERSION)  # an earlier job's, as it was transcribed
        for prefix in (names.SOURCES_PREFIX, names.RECORDINGS_PREFIX):
            grants.objects(data.audio, prefix, READ_OBJECT)
        grants.objects(data.audio, names.AUDIO_PREFIX, WRITE_PARTS).missing_objects(data.audio)
        grants.objects(data.results, names.RESULTS_PREFIX, WRITE_OBJECT)  # the callback of a job that fails here
        grants.cleaning_up(data.audio, data.results)
        for bucket in source_buckets:
            grants.foreign_objects(bucket)
