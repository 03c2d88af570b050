"""What must outlive every deployment: the table, the buckets, the root keys, and the queue that uploads feed."""

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_secretsmanager import Secret, SecretStringGenerator
from constructs import Construct

from callscribe import names
from infra.findings import CFN_LINT, acknowledge
from infra.queues import dead_letter_queue, queue
from infra.settings import StageSettings

UPLOAD_HANDLER_TIMEOUT_S = 30
_NO_ACCESS_LOG = "whoever wants a log of reads turns on CloudTrail data events"


class DataStack(Stack):
    """Stack `Callscribe-<stage>-Data`; its resources stay when it is destroyed, unless `retain_data=false`."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: StageSettings, **options: object) -> None:
        super().__init__(scope, construct_id, description="callscribe: data (retained)", **options)  # type: ignore[arg-type]  # passed on as they came
        self.template_options.metadata = CFN_LINT
        self._settings = settings
        self._removal = RemovalPolicy.RETAIN if settings.retain_data else RemovalPolicy.DESTROY
        self.table = self._table()
        self.upload_dead_letters = dead_letter_queue(self, "UploadDeadLetters")
        self.uploads = queue(
            self, "Uploads", visibility_s=6 * UPLOAD_HANDLER_TIMEOUT_S, dead_letters=self.upload_dead_letters
        )
        self.audio = self._bucket("Audio", retention_days=settings.audio_retention_days, cors=self._upload_cors())
        self.audio.add_lifecycle_rule(
            id="sources", prefix=names.SOURCES_PREFIX, expiration=Duration.days(_source_days(settings))
        )
        self._notify_of_uploads()
        self.results = self._bucket("Results", retention_days=settings.results_retention_days)
        self.index = self._index_bucket()
        self.root_keys = self._root_keys()

    def _table(self) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            "Table",
            partition_key=_key(names.PARTITION_KEY),
            sort_key=_key(names.SORT_KEY),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            time_to_live_attribute=names.TTL_ATTRIBUTE,
            deletion_protection=self._settings.retain_data,
            removal_policy=self._removal,
        )
        table.add_global_secondary_index(
            index_name=names.LIST_INDEX,
            partition_key=_key(names.LIST_PARTITION_KEY),
            sort_key=_key(names.LIST_SORT_KEY),
        )
        table.add_global_secondary_index(
            index_name=names.DUE_INDEX,
            partition_key=_key(names.DUE_PARTITION_KEY),
            sort_key=dynamodb.Attribute(name=names.DUE_SORT_KEY, type=dynamodb.AttributeType.NUMBER),
        )
        return table

    def _bucket(self, construct_id: str, *, retention_days: int, cors: list[s3.CorsRule] | None = None) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            construct_id,
            versioned=True,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            cors=cors,
            lifecycle_rules=self._lifecycle(retention_days),
            removal_policy=self._removal,
        )
        acknowledge(bucket, {"AwsSolutions-S1": _NO_ACCESS_LOG})
        return bucket

    def _index_bucket(self) -> s3.Bucket:
        """The files that lists of tasks are read from. They are replaced every minute, what was deleted must not stay,
        and all of it can be made anew: so there are no versions.
        """
        unfinished = s3.LifecycleRule(id="unfinished", abort_incomplete_multipart_upload_after=Duration.days(1))
        bucket = s3.Bucket(
            self,
            "Index",
            versioned=False,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[unfinished],
            removal_policy=self._removal,
        )
        acknowledge(bucket, {"AwsSolutions-S1": _NO_ACCESS_LOG})
        return bucket

    def _lifecycle(self, retention_days: int) -> list[s3.LifecycleRule]:
        retention = s3.LifecycleRule(
            id="retention",
            expiration=Duration.days(retention_days),
            noncurrent_version_expiration=Duration.days(self._settings.noncurrent_retention_days),
            abort_incomplete_multipart_upload_after=Duration.days(1),
        )
        # S3 wants it in a rule of its own: what is left of an object when its last version is gone.
        markers = s3.LifecycleRule(id="delete-markers", expired_object_delete_marker=True)
        return [retention, markers]

    def _upload_cors(self) -> list[s3.CorsRule] | None:
        if not self._settings.cors_origins:
            return None
        origins = list(self._settings.cors_origins)
        return [s3.CorsRule(allowed_methods=[s3.HttpMethods.PUT], allowed_origins=origins, allowed_headers=["*"])]

    def _notify_of_uploads(self) -> None:
        """Written at the CloudFormation level: CDK's own way brings a custom resource with wide rights.

        The queue cannot name the bucket, which in turn needs the queue's policy first: the account stands for it.
        """
        self.uploads.add_to_resource_policy(
            PolicyStatement(
                principals=[ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.uploads.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        rule = s3.CfnBucket.FilterRuleProperty(name="prefix", value=names.AUDIO_PREFIX)
        upload = s3.CfnBucket.QueueConfigurationProperty(
            event="s3:ObjectCreated:*",
            queue=self.uploads.queue_arn,
            filter=s3.CfnBucket.NotificationFilterProperty(s3_key=s3.CfnBucket.S3KeyFilterProperty(rules=[rule])),
        )
        bucket = self.audio.node.default_child
        assert isinstance(bucket, s3.CfnBucket)  # noqa: S101  # tells mypy what CDK's untyped child is
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[upload]
        )
        policy = self.uploads.node.find_child("Policy")
        bucket.node.add_dependency(policy)

    def _root_keys(self) -> Secret:
        generator = SecretStringGenerator(
            secret_string_template='{"id":"1"}', generate_string_key="key", password_length=64, exclude_punctuation=True
        )
        secret = Secret(
            self,
            "RootKeys",
            description="callscribe: the root keys that every other secret is derived from",
            generate_secret_string=generator,
            removal_policy=self._removal,
        )
        acknowledge(
            secret,
            {"AwsSolutions-SMG4": "a rotation adds a key beside those that still verify: a command, no schedule"},
        )
        return secret


def _source_days(settings: StageSettings) -> int:
    """Days after which nothing waits for what says where audio is to be fetched from: it may be a signed URL."""
    return 1 + -(-settings.upload_deadline_s // 86_400)


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
