"""Every trigger has its permission, every handler its variables and rights, and nobody more than that."""

import re
from pathlib import Path

import pytest

from callscribe import names
from callscribe.wiring import environment_of
from infra.bundling import ROOT
from tests.infra.templates import Stage, arn_of, listed, role_of

READ = {"dynamodb:GetItem", "dynamodb:Query"}
TABLE = READ | {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"}
OWN = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
CONSUME = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
}
STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
AUDIO = {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}
RESULTS = {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
SECRET = {"secretsmanager:GetSecretValue"}

ACTIONS: dict[str, set[str]] = {
    "api": TABLE | SECRET | {"s3:PutObject", "s3:GetObject", "s3:ListBucket"},
    "landing": set(),
    "audio_uploaded": TABLE | CONSUME | {"states:StartExecution"},
    "prepare_audio": TABLE | AUDIO,
    "finish_job": TABLE | RESULTS | SECRET,
    "on_record": STREAM | {"sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"},
    "deliver_callback": TABLE | SECRET | CONSUME | {"s3:GetObject", "s3:ListBucket", "states:StartExecution"},
    "work_failed": CONSUME | {"states:SendTaskFailure"},
    "sweep": TABLE
    | AUDIO
    | RESULTS
    | SECRET
    | {"states:StartExecution", "states:DescribeExecution", "sqs:SendMessage"},
}
# What an adapter of `callscribe.wiring` needs to know.
VARIABLES: dict[str, set[str]] = {
    "store": {names.ENV_TABLE},
    "uploads": {names.ENV_AUDIO_BUCKET},
    "results": {names.ENV_RESULTS_BUCKET},
    "transcriptions": {names.ENV_TRANSCRIPTION_MACHINE},
    "redeliveries": {names.ENV_CALLBACK_MACHINE},
    "callback_queue": {names.ENV_CALLBACK_QUEUE},
    "keyring": {names.ENV_ROOT_KEYS_SECRET},
    "task_reports": set(),
    "webhooks": set(),
    "inspector": set(),
}
# Where AWS offers nothing narrower, or where the name's end is not known before it is made.
WIDE = [
    r"\*",
    r"<Data:Audio\w+\.Arn>/audio/\*",
    r"<Data:Results\w+\.Arn>/results/\*",
    r"arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:<App:PipelineTranscription\w+\.Name>:\*",
]
ON_EVERYTHING = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "dynamodb:ListStreams",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}


def handlers() -> list[Path]:
    return sorted((ROOT / "functions").glob("*/handler.py"))


def test_every_folder_with_a_handler_is_deployed(stage: Stage) -> None:
    assert set(stage.functions) == {path.parent.name for path in handlers()} == set(ACTIONS)


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_function_may_do_what_its_handler_needs_and_nothing_else(stage: Stage, name: str) -> None:
    assert {action for action, _ in stage.function_grants(name)} == ACTIONS[name] | OWN


@pytest.mark.parametrize("path", handlers(), ids=lambda path: path.parent.name)
def test_a_function_is_told_what_its_handler_asks_for(stage: Stage, path: Path) -> None:
    asked = re.search(r"aws_deps\((.*?)\)", path.read_text(), re.DOTALL)
    adapters = re.findall(r'"(\w+)"', asked[1]) if asked else []
    wanted = {variable for adapter in adapters for variable in VARIABLES[adapter]}
    wanted |= {names.ENV_STAGE} | ({names.ENV_SETTINGS} if asked else set())
    wanted |= {names.ENV_DIALECT} if path.parent.name == "api" else set()
    told = stage.functions[path.parent.name]["Environment"]["Variables"]
    assert {name for name in told if name.startswith("CALLSCRIBE_")} == wanted


def test_no_role_uses_wildcards_but_where_aws_has_nothing_narrower(stage: Stage) -> None:
    roles = stage.resources("AWS::IAM::Role")
    assert len(roles) == len(stage.functions) + 2 + 1  # the functions, the machines, the worker
    for role, properties in roles.items():
        assert "ManagedPolicyArns" not in properties
        for action, resource in stage.grants(role):
            assert "*" not in action
            if "*" in resource:
                assert any(re.fullmatch(pattern, resource) for pattern in WIDE), (role, action, resource)
            if resource == "*":
                assert action in ON_EVERYTHING


def test_every_event_source_may_be_read_by_its_function(stage: Stage) -> None:
    mappings = stage.resources("AWS::Lambda::EventSourceMapping").values()
    assert len(mappings) == 4
    by_reference = {function["self"]: name for name, function in stage.functions.items()}
    for mapping in mappings:
        name, source = by_reference[mapping["FunctionName"]], mapping["EventSourceArn"]
        action = "dynamodb:GetRecords" if source.endswith(".StreamArn>") else "sqs:ReceiveMessage"
        assert (action, source) in stage.function_grants(name)
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_stream_reader_sees_new_outbox_rows_only_and_gives_up_into_its_queue(stage: Stage) -> None:
    (mapping,) = (m for m in stage.resources("AWS::Lambda::EventSourceMapping").values() if "FilterCriteria" in m)
    (criteria,) = mapping["FilterCriteria"]["Filters"]
    assert criteria["Pattern"] == (
        '{"eventName":["INSERT"],"dynamodb":{"NewImage":{"kind":{"S":["' + names.CALLBACK_KIND + '"]}}}}'
    )
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 5
    destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert ("sqs:SendMessage", destination) in stage.function_grants("on_record")


def test_every_route_has_its_function_and_the_permission_to_call_it(stage: Stage) -> None:
    integrations = stage.resources("AWS::ApiGatewayV2::Integration")
    routes = {route["RouteKey"]: route for route in stage.resources("AWS::ApiGatewayV2::Route").values()}
    expected = {f"ANY {prefix}/{{proxy+}}": "api" for prefix in names.DIALECTS.values()} | {"$default": "landing"}
    assert set(routes) == set(expected)
    permissions = stage.resources("AWS::Lambda::Permission").values()
    for key, name in expected.items():
        integration = integrations[routes[key]["Target"].removeprefix("integrations/")]
        function = arn_of(stage.functions[name]["self"])
        assert integration["IntegrationUri"] == function
        assert integration["PayloadFormatVersion"] == "2.0"
        assert [
            p
            for p in permissions
            if p["FunctionName"] == function
            and p["Principal"] == "apigateway.amazonaws.com"
            and p["SourceArn"].startswith("arn:<AWS::Partition>:execute-api:")
        ]


def test_the_clock_may_start_the_sweeper(stage: Stage) -> None:
    ((rule_reference, rule),) = stage.resources("AWS::Events::Rule").items()
    function = arn_of(stage.functions["sweep"]["self"])
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    assert [target["Arn"] for target in rule["Targets"]] == [function]
    permissions = stage.resources("AWS::Lambda::Permission").values()
    assert [p for p in permissions if p["FunctionName"] == function and p["SourceArn"] == arn_of(rule_reference)]


def test_presigned_uploads_are_within_the_rights_of_the_function_that_signs_them(stage: Stage) -> None:
    grants = stage.function_grants("api")
    assert {resource for action, resource in grants if action == "s3:PutObject"} == {
        stage.output("AudioBucket").replace(">", ".Arn>") + f"/{names.AUDIO_PREFIX}*"
    }


def test_the_worker_may_drain_report_read_audio_and_write_results(stage: Stage) -> None:
    role = role_of(stage.output("WorkerRoleArn"))
    grants = stage.grants(role)
    consume = CONSUME - {"sqs:GetQueueAttributes", "sqs:GetQueueUrl"}
    reports = {"states:SendTaskSuccess", "states:SendTaskFailure"}
    assert {action for action, _ in grants} == consume | reports | TABLE | AUDIO | RESULTS
    assert {r for a, r in grants if a in consume} == {arn_of(stage.output("WorkQueueUrl"))}
    assert {r for a, r in grants if a in reports} == {stage.output("TranscriptionMachine")}


def test_the_outputs_are_all_that_a_process_of_the_stage_must_know(stage: Stage) -> None:
    outputs = {name: stage.output(name) for name in stage.app.outputs}
    needed = {
        "ApiUrl",
        "TableName",
        "AudioBucket",
        "ResultsBucket",
        "RootKeysSecret",
        "TranscriptionMachine",
        "CallbackMachine",
        "CallbackQueueUrl",
        "WorkQueueUrl",
        "WorkerRoleArn",
        "Settings",
    }
    assert needed <= set(outputs)
    told = {n: v for n, v in _variables(stage).items() if n not in (names.ENV_STAGE, names.ENV_DIALECT)}
    assert told.items() <= environment_of(outputs).items()


def test_the_gateway_logs_limits_and_hides_the_paths(stage: Stage) -> None:
    (gateway,) = stage.resources("AWS::ApiGatewayV2::Stage").values()
    assert gateway["DefaultRouteSettings"]["ThrottlingRateLimit"] == 100
    assert gateway["DefaultRouteSettings"]["ThrottlingBurstLimit"] == 200
    log_format = gateway["AccessLogSettings"]["Format"]
    assert "$context.requestId" in log_format
    assert "$context.path" not in log_format  # result links hold tokens


def test_every_function_runs_the_same_python_on_arm_with_tracing_and_the_core_layer(stage: Stage) -> None:
    for name, function in stage.functions.items():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Handler"] == "handler.handler"
        assert len(listed(function["Layers"])) == (2 if name == "prepare_audio" else 1)
    prepare = stage.functions["prepare_audio"]
    assert (prepare["Timeout"], prepare["MemorySize"], prepare["EphemeralStorage"]) == (900, 2048, {"Size": 4096})


def test_every_function_logs_json_from_info_on_and_is_told_nothing_that_nobody_reads(stage: Stage) -> None:
    for function in stage.functions.values():
        logging = function["LoggingConfig"]
        assert (logging["LogFormat"], logging["ApplicationLogLevel"], logging["SystemLogLevel"]) == (
            "JSON",
            "INFO",
            "WARN",
        )
        assert {name for name in function["Environment"]["Variables"] if not name.startswith("CALLSCRIBE_")} == set()


def test_a_receiver_that_is_disabled_raises_an_alarm(stage: Stage) -> None:
    (found,) = stage.resources("AWS::Logs::MetricFilter").values()
    assert found["LogGroupName"] == stage.functions["deliver_callback"]["LoggingConfig"]["LogGroup"]
    assert found["FilterPattern"] == f'"{names.ENDPOINT_DISABLED_LOG}"'
    (metric,) = found["MetricTransformations"]
    alarms = stage.resources("AWS::CloudWatch::Alarm").values()
    (alarm,) = (a for a in alarms if a["MetricName"] == metric["MetricName"])
    assert (alarm["Namespace"], alarm["Threshold"]) == (metric["MetricNamespace"], 1) == ("callscribe/test", 1)


def test_every_function_machine_and_the_api_have_their_alarms(stage: Stage) -> None:
    alarms = stage.resources("AWS::CloudWatch::Alarm").values()
    watched = {(a["MetricName"], d["Value"]) for a in alarms for d in a.get("Dimensions", [])}
    for function in stage.functions.values():
        assert ("Errors", function["self"]) in watched
        assert ("Throttles", function["self"]) in watched
    for machine in stage.resources("AWS::StepFunctions::StateMachine"):
        assert ("ExecutionsFailed", machine) in watched
        assert ("ExecutionsTimedOut", machine) in watched
    assert ("IteratorAge", stage.functions["on_record"]["self"]) in watched
    assert {"5xx", "ApproximateAgeOfOldestMessage"} <= {metric for metric, _ in watched}


def _variables(stage: Stage) -> dict[str, str]:
    found: dict[str, str] = {}
    for function in stage.functions.values():
        variables = function["Environment"]["Variables"]
        found |= {name: value for name, value in variables.items() if name.startswith("CALLSCRIBE_")}
    return found
