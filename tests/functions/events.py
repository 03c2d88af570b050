"""Events as AWS hands them to a Lambda."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from callscribe import names

REGION = "eu-central-1"


def sqs_event(*bodies: str | Mapping[str, Any], receive_count: int = 1) -> dict[str, Any]:
    """A batch of queue messages, named m0, m1, …"""
    return {"Records": [_message(number, body, receive_count) for number, body in enumerate(bodies)]}


def _message(number: int, body: str | Mapping[str, Any], receive_count: int) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a==",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": "1767225600000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1767225600001",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:queue",
        "awsRegion": REGION,
    }


def s3_event(key: str, version_id: str) -> dict[str, Any]:
    """S3's own notification of one uploaded object. S3 sends the key URL-encoded, blanks as plus signs."""
    uploaded = {"key": quote_plus(key, safe="/"), "size": 1024, "eTag": "d41d8cd98f00b204", "versionId": version_id}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "203.0.113.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Uploads",
            "bucket": {
                "name": "audio",
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": "arn:aws:s3:::audio",
            },
            "object": {**uploaded, "sequencer": "0055AED6DCD90281E5"},
        },
    }
    return {"Records": [record]}


# What S3 sends once, when a notification is configured.
S3_TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-01-01T00:00:00.000Z",
    "Bucket": "audio",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}


def stream_record(sequence_number: str, image: dict[str, Any]) -> dict[str, Any]:
    """A new row of the table, as its stream tells of it."""
    change = {
        "ApproximateCreationDateTime": 1_767_225_600.0,
        "Keys": {name: image[name] for name in (names.PARTITION_KEY, names.SORT_KEY)},
        "NewImage": image,
        "SequenceNumber": sequence_number,
        "SizeBytes": 300,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    return {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": change,
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/records/stream/2026-01-01T00:00:00.000",
    }


def http_event(method: str, path: str, *, headers: Mapping[str, str] | None = None, body: str = "") -> dict[str, Any]:
    """An HTTP API's request, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "abc.execute-api.eu-central-1.amazonaws.com", **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": "abc.execute-api.eu-central-1.amazonaws.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000,
        },
        "body": body,
        "isBase64Encoded": False,
    }
