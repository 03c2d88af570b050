"""Buckets, table, secret, queues and logs are as safety.md asks."""

import json

import pytest

from callscribe import names
from tests.infra.templates import Stage, arn_of, listed

RETAINED = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret")


def test_every_bucket_is_private_and_encrypted_and_those_of_data_are_versioned_and_forget(stage: Stage) -> None:
    buckets = stage.resources("AWS::S3::Bucket")
    assert len(buckets) == 3
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["BucketEncryption"]
        if "VersioningConfiguration" not in bucket:  # the index: made anew from the table, and whole files replaced
            (unfinished,) = bucket["LifecycleConfiguration"]["Rules"]
            assert unfinished["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
            continue
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        retention, markers, *_ = bucket["LifecycleConfiguration"]["Rules"]
        assert retention["ExpirationInDays"] > 0
        assert retention["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
        assert retention["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
        assert markers["ExpiredObjectDeleteMarker"] is True
        assert "Prefix" not in retention


def test_every_bucket_and_queue_refuses_requests_without_tls(stage: Stage) -> None:
    policies = stage.resources("AWS::S3::BucketPolicy") | stage.resources("AWS::SQS::QueuePolicy")
    guarded: set[str] = set()
    for policy in policies.values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}:
                assert statement["Principal"] == {"AWS": "*"}
                guarded.update([policy["Bucket"]] if "Bucket" in policy else policy["Queues"])
    assert guarded == set(stage.resources("AWS::S3::Bucket")) | set(stage.resources("AWS::SQS::Queue"))


def test_the_table_has_the_agreed_keys_indexes_stream_and_safeguards(stage: Stage) -> None:
    (table,) = stage.resources("AWS::DynamoDB::Table").values()
    assert table["KeySchema"] == _keys(names.PARTITION_KEY, names.SORT_KEY)
    indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    assert indexes[names.LIST_INDEX]["KeySchema"] == _keys(names.LIST_PARTITION_KEY, names.LIST_SORT_KEY)
    assert indexes[names.DUE_INDEX]["KeySchema"] == _keys(names.DUE_PARTITION_KEY, names.DUE_SORT_KEY)
    assert {index["Projection"]["ProjectionType"] for index in indexes.values()} == {"ALL"}
    kinds = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
    assert kinds.pop(names.DUE_SORT_KEY) == "N"
    assert set(kinds.values()) == {"S"}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": names.TTL_ATTRIBUTE, "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


def test_what_holds_data_is_in_the_data_stack_and_stays_when_the_stack_goes(stage: Stage) -> None:
    kept = [r for r in stage.data.body["Resources"].values() if r["Type"] in RETAINED]
    assert len(kept) == 5
    for resource in kept:
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    assert not [r for r in stage.app.body["Resources"].values() if r["Type"] in RETAINED]


def test_the_root_keys_are_made_by_aws_and_never_stand_in_the_template(stage: Stage) -> None:
    (secret,) = stage.resources("AWS::SecretsManager::Secret").values()
    generator = secret["GenerateSecretString"]
    assert json.loads(generator["SecretStringTemplate"]) == {"id": "1"}
    assert generator["GenerateStringKey"] == "key"
    assert generator["PasswordLength"] == 64
    assert "SecretString" not in secret


def test_uploads_and_nothing_else_reach_the_upload_queue(stage: Stage) -> None:
    (audio,) = (b for b in stage.resources("AWS::S3::Bucket").values() if "NotificationConfiguration" in b)
    (notification,) = audio["NotificationConfiguration"]["QueueConfigurations"]
    assert notification["Event"] == "s3:ObjectCreated:*"
    assert notification["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": names.AUDIO_PREFIX}]}}
    allowed = [
        (statement["Resource"], statement["Condition"])
        for policy in stage.resources("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert allowed == [(notification["Queue"], {"StringEquals": {"aws:SourceAccount": "<AWS::AccountId>"}})]


def test_the_bucket_waits_for_the_policy_that_lets_it_notify(stage: Stage) -> None:
    (bucket,) = (r for r in stage.data.body["Resources"].values() if "NotificationConfiguration" in str(r))
    policies = [n for n, r in stage.data.body["Resources"].items() if r["Type"] == "AWS::SQS::QueuePolicy"]
    assert set(listed(bucket["DependsOn"])) & set(policies)


def test_every_queue_is_encrypted_and_ends_in_a_dead_letter_queue_with_an_alarm(stage: Stage) -> None:
    queues = stage.resources("AWS::SQS::Queue")
    assert len(queues) == 13
    assert {queue["SqsManagedSseEnabled"] for queue in queues.values()} == {True}
    ends = {arn_of(reference) for reference, queue in queues.items() if "RedrivePolicy" not in queue}
    targets = {queue["RedrivePolicy"]["deadLetterTargetArn"] for queue in queues.values() if "RedrivePolicy" in queue}
    for mapping in stage.resources("AWS::Lambda::EventSourceMapping").values():
        if "DestinationConfig" in mapping:
            targets.add(mapping["DestinationConfig"]["OnFailure"]["Destination"])
    assert targets == ends
    # A queue that a function drains is never seen to hold anything: what counts is that messages come.
    drained = {m["EventSourceArn"] for m in stage.resources("AWS::Lambda::EventSourceMapping").values()} & ends
    assert len(drained) == 1
    assert _watched(stage, "ApproximateNumberOfMessagesVisible") == ends - drained
    assert _watched(stage, "NumberOfMessagesReceived") == drained


def test_a_queue_hides_a_message_six_times_as_long_as_its_function_may_take_and_two_that_must_not_wait_once(
    stage: Stage,
) -> None:
    """The functions that fetch and index take one message at a time; see infra/fetching.py and infra/indexing.py."""
    functions = {function["self"]: function for function in stage.functions.values()}
    queues = {arn_of(reference): queue for reference, queue in stage.resources("AWS::SQS::Queue").items()}
    checked = 0
    for mapping in stage.resources("AWS::Lambda::EventSourceMapping").values():
        if mapping["EventSourceArn"] in queues:
            visibility_s = queues[mapping["EventSourceArn"]]["VisibilityTimeout"]
            timeout_s = functions[mapping["FunctionName"]]["Timeout"]
            if mapping["EventSourceArn"] in [arn_of(stage.output(name)) for name in ("FetchQueueUrl", "IndexQueueUrl")]:
                assert visibility_s == timeout_s + 60
            else:
                assert visibility_s >= 6 * timeout_s
            checked += 1
    assert checked == 5


def test_the_work_queue_is_standard_and_gives_a_message_to_five_workers_at_most(stage: Stage) -> None:
    queue = stage.resources("AWS::SQS::Queue")[stage.output("WorkQueueUrl")]
    assert queue["VisibilityTimeout"] == names.WORK_MESSAGE_VISIBILITY_S
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert "FifoQueue" not in queue


@pytest.mark.parametrize("highest_days", [90])
def test_every_log_group_forgets_within_90_days(stage: Stage, highest_days: int) -> None:
    groups = stage.resources("AWS::Logs::LogGroup")
    assert len(groups) == len(stage.functions) + 2 + 1  # the functions, the machines, the gateway
    assert all(group["RetentionInDays"] <= highest_days for group in groups.values())


def _watched(stage: Stage, metric: str) -> set[str]:
    return {
        dimension["Value"].replace(".QueueName>", ".Arn>")
        for alarm in stage.resources("AWS::CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", [])
        if alarm["MetricName"] == metric
    }


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def test_where_audio_was_to_be_fetched_from_is_forgotten_with_its_deadline(stage: Stage) -> None:
    rules = [b["LifecycleConfiguration"]["Rules"] for b in stage.resources("AWS::S3::Bucket").values()]
    (sources,) = [rule for of_bucket in rules for rule in of_bucket if rule["Id"] == "sources"]
    assert (sources["Prefix"], sources["ExpirationInDays"], sources["Status"]) == (names.SOURCES_PREFIX, 2, "Enabled")
