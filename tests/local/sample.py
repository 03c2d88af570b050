"""A small cloud assembly with one of everything that callscribe's own template uses, to test the emulator with."""

import json
import shutil
from pathlib import Path
from typing import Any

Json = dict[str, Any]

STACK = "sample"
BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"

HANDLER = """
import json, os, time
import boto3
import layered

sqs = boto3.client("sqs")
seen = []

class TryAgain(Exception):
    pass

def note(**what):
    what |= {"at": time.time(), "pid": os.getpid()}
    sqs.send_message(QueueUrl=os.environ["NOTES"], MessageBody=json.dumps(what, default=str))

def api(event, context):
    if event["rawPath"].endswith("/raise"):
        raise TryAgain("a secret reason")
    note(kind="api")
    if event["rawPath"].endswith("/binary"):
        return {"statusCode": 200, "isBase64Encoded": True, "body": event["body"],
                "headers": {"content-type": "application/octet-stream"}}
    return {"statusCode": 200, "headers": {"content-type": "application/json", "x-sample": "yes"},
            "cookies": ["a=1", "b=2"], "body": json.dumps(event)}

def uploaded(event, context):
    bodies = [record["body"] for record in event["Records"]]
    if any("poison" in body for body in bodies):
        failed = [record["messageId"] for record in event["Records"] if "poison" in record["body"]]
        note(kind="uploaded", records=event["Records"], failed=failed)
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
    note(kind="uploaded", records=event["Records"])
    return {"batchItemFailures": []}

def on_record(event, context):
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    note(kind="record", keys=keys)
    if any("slow" in key for key in keys):
        time.sleep(3)
    if any("poison" in key for key in keys):
        raise TryAgain("poison")

def step(event, context):
    seen.append(event.get("name"))
    if event.get("fail_times", 0) > seen.count(event.get("name")) - 1:
        raise TryAgain("not yet")
    return {"pid": os.getpid(), "calls": len(seen), "role": layered.NAME, "marker": MARKER}

def tick(event, context):
    note(kind="tick", source=event.get("source"))

def slow(event, context):
    time.sleep(event.get("sleep_s", 1))
    note(kind="slow", n=event.get("n"))
    return {"pid": os.getpid()}

def imports(event, context):
    found = {}
    for name in event["names"]:
        try:
            __import__(name)
            found[name] = True
        except ImportError:
            found[name] = False
    return found

def reads_secret(event, context):
    return boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"])["SecretString"]
"""


def write_assembly(folder: Path, *, marker: str = "one") -> Path:
    """Write the assembly, as `cdk synth` lays it out, with `marker` in the function's code; return the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    code, layer = folder / f"asset.code{marker}", folder / "asset.layer"
    code.mkdir(parents=True)
    (code / "handler.py").write_text(HANDLER + f"\nMARKER = {marker!r}\n")
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "layered.py").write_text("NAME = 'from the layer'\n")
    template_file = folder / f"{STACK}.template.json"
    template_file.write_text(json.dumps(template(f"code{marker}.zip", "layer.zip"), indent=1))
    files = {
        f"code{marker}": _asset(code.name, "zip", f"code{marker}.zip"),
        "layer": _asset(layer.name, "zip", "layer.zip"),
        "template": _asset(template_file.name, "file", f"template{marker}.json"),
    }
    (folder / f"{STACK}.assets.json").write_text(json.dumps({"version": "41.0.0", "files": files}))
    properties = {"templateFile": template_file.name}
    artifacts = {STACK: {"type": "aws:cloudformation:stack", "properties": properties, "dependencies": []}}
    (folder / "manifest.json").write_text(json.dumps({"version": "41.0.0", "artifacts": artifacts}))
    return folder


def template(code_key: str, layer_key: str) -> Json:
    """The stack's CloudFormation template."""
    return {
        "Parameters": {
            "BootstrapVersion": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/cdk-bootstrap/hnb659fds/version",
            }
        },
        "Resources": _stores() | _functions(code_key, layer_key) | _pipeline() | _gateway(),
        "Outputs": {
            name: {"Value": value}
            for name, value in {
                "Table": {"Ref": "Table"},
                "Bucket": {"Ref": "Bucket"},
                "NotesUrl": {"Ref": "Notes"},
                "WorkUrl": {"Ref": "Work"},
                "UploadsUrl": {"Ref": "Uploads"},
                "DeadUrl": {"Ref": "Dead"},
                "StreamFailuresUrl": {"Ref": "StreamFailures"},
                "Machine": {"Ref": "Machine"},
                "WorkerRole": {"Fn::GetAtt": ["WorkerRole", "Arn"]},
                "SecretRef": {"Ref": "Secret"},
                "ApiId": {"Ref": "Api"},
                "StepName": {"Ref": "StepFunction"},
                "SlowName": {"Ref": "SlowFunction"},
                "ImportsName": {"Ref": "ImportsFunction"},
                "SecretReaderName": {"Ref": "ReadsSecretFunction"},
            }.items()
        },
    }


def _asset(path: str, packaging: str, key: str) -> Json:
    destination = {"bucketName": {"Fn::Sub": BUCKET}["Fn::Sub"], "objectKey": key}
    return {"source": {"path": path, "packaging": packaging}, "destinations": {"current": destination}}


def _stores() -> Json:
    return {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gsi1pk", "gsi1sk")
                ],
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "gsi1",
                        "KeySchema": [
                            {"AttributeName": "gsi1pk", "KeyType": "HASH"},
                            {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
                        ],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "SSESpecification": {"SSEEnabled": True},
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "DependsOn": "UploadsPolicy",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "NotificationConfiguration": {
                    "QueueConfigurations": [
                        {
                            "Event": "s3:ObjectCreated:*",
                            "Queue": {"Fn::GetAtt": ["Uploads", "Arn"]},
                            "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "audio/"}]}},
                        }
                    ]
                },
            },
        },
        "Uploads": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": 2,
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 2},
            },
        },
        "UploadsPolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Uploads"}],
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": {"AWS": "*"},
                            "Action": "sqs:*",
                            "Resource": {"Fn::GetAtt": ["Uploads", "Arn"]},
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        },
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "s3.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": {"Fn::GetAtt": ["Uploads", "Arn"]},
                        },
                    ]
                },
            },
        },
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "StreamFailures": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Notes": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Work": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": {}}},
    }


def _functions(code_key: str, layer_key: str) -> Json:
    bucket = {"Fn::Sub": BUCKET}
    resources: Json = {
        "Layer": {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"Content": {"S3Bucket": bucket, "S3Key": layer_key}},
        },
        "Role": _role("lambda.amazonaws.com", _lambda_grants()),
        "WorkerRole": _role(
            None,
            [
                _allow("states:SendTaskSuccess", {"Ref": "Machine"}),
                _allow("states:SendTaskFailure", {"Ref": "Machine"}),
                _allow("states:SendTaskHeartbeat", {"Ref": "Machine"}),
            ],
        ),
        "UploadedSource": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "UploadedFunction"},
                "EventSourceArn": {"Fn::GetAtt": ["Uploads", "Arn"]},
                "BatchSize": 10,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        },
        "RecordSource": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "OnRecordFunction"},
                "EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]},
                "StartingPosition": "TRIM_HORIZON",
                "BisectBatchOnFunctionError": True,
                "MaximumRetryAttempts": 1,
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["StreamFailures", "Arn"]}}},
                "FilterCriteria": {
                    "Filters": [
                        {
                            "Pattern": json.dumps(
                                {
                                    "eventName": ["INSERT"],
                                    "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "outbox#"}]}}},
                                }
                            )
                        }
                    ]
                },
            },
        },
        "Schedule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "ScheduleExpression": "rate(1 minute)",
                "Targets": [{"Id": "tick", "Arn": {"Fn::GetAtt": ["TickFunction", "Arn"]}}],
            },
        },
        "SchedulePermission": _permission("TickFunction", "events.amazonaws.com"),
    }
    for name in ("api", "uploaded", "on_record", "step", "tick", "slow", "imports", "reads_secret"):
        resources[_logical(name)] = {
            "Type": "AWS::Lambda::Function",
            "DependsOn": ["Role"],
            "Properties": {
                "Handler": f"handler.{name}",
                "Runtime": "python3.13",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"S3Bucket": bucket, "S3Key": code_key},
                "Layers": [{"Ref": "Layer"}],
                "Timeout": 20,
                "MemorySize": 256,
                "Environment": {"Variables": {"NOTES": {"Ref": "Notes"}, "SECRET": {"Ref": "Secret"}}},
            },
        }
    return resources


def _lambda_grants() -> list[Json]:
    return [
        _allow("sqs:SendMessage", {"Fn::GetAtt": ["Notes", "Arn"]}),
        _allow("secretsmanager:GetSecretValue", {"Ref": "Secret"}),
    ]


def _pipeline() -> Json:
    definition = {
        "StartAt": "Prepare",
        "States": {
            "Prepare": {
                "Type": "Task",
                "Resource": "${step}",
                "ResultPath": None,
                "Retry": [
                    {
                        "ErrorEquals": ["TryAgain"],
                        "IntervalSeconds": 1,
                        "BackoffRate": 50,
                        "MaxDelaySeconds": 1,
                        "MaxAttempts": 3,
                        "JitterStrategy": "FULL",
                    }
                ],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}],
                "Next": "Transcribe",
            },
            "Transcribe": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "TimeoutSeconds": 4,
                "Parameters": {
                    "QueueUrl": "${work}",
                    "MessageGroupId.$": "$.tenant",
                    "MessageBody": {"token.$": "$$.Task.Token", "name.$": "$.name", "execution.$": "$$.Execution.Name"},
                },
                "ResultPath": None,
                "Retry": [{"ErrorEquals": ["Lost"], "IntervalSeconds": 0, "MaxAttempts": 2}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}],
                "Next": "Finish",
            },
            "Finish": {"Type": "Task", "Resource": "${step}", "ResultPath": "$.finish", "End": True},
            "Failed": {"Type": "Task", "Resource": "${step}", "ResultPath": None, "End": True},
        },
    }
    return {
        "MachineRole": _role("states.amazonaws.com", [_allow("lambda:InvokeFunction", "*")]),
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
                "DefinitionString": {
                    "Fn::Sub": [
                        json.dumps(definition),
                        {"step": {"Fn::GetAtt": ["StepFunction", "Arn"]}, "work": {"Ref": "Work"}},
                    ]
                },
            },
        },
    }


def _gateway() -> Json:
    integration = {"Fn::Sub": "integrations/${ApiIntegration}"}
    return {
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "sample", "ProtocolType": "HTTP"}},
        "ApiIntegration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": ["ApiFunction", "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        },
        "ProxyRoute": _route("ANY /v1/{proxy+}", integration),
        "DefaultRoute": _route("$default", integration),
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        },
        "ApiPermission": _permission("ApiFunction", "apigateway.amazonaws.com"),
    }


def _route(key: str, target: Any) -> Json:
    properties = {"ApiId": {"Ref": "Api"}, "RouteKey": key, "Target": target}
    return {"Type": "AWS::ApiGatewayV2::Route", "Properties": properties}


def _permission(function: str, service: str) -> Json:
    properties = {"FunctionName": {"Ref": function}, "Action": "lambda:InvokeFunction", "Principal": service}
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}


def _role(service: str | None, statements: list[Json]) -> Json:
    principal = {"Service": service} if service else {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
        },
    }


def _allow(action: str, resource: Any) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _logical(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_")) + "Function"
