"""Every trigger has its permission, every handler its variables and rights, and nobody more than that."""

import re
from pathlib import Path
from typing import Any

import pytest

from callscribe import dialects, names
from callscribe.dialects import front
from callscribe.services import indexing
from callscribe.wiring import environment_of, parse_settings
from infra import alarms
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
ERASE = {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions"}
RESULTS = {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
SECRET = {"secretsmanager:GetSecretValue"}

ACTIONS: dict[str, set[str]] = {
    "api_presign": TABLE | SECRET | RESULTS,
    "api_mor": TABLE | SECRET | RESULTS | ERASE | {"sqs:SendMessage", "s3:GetObjectVersion"},
    "api_aivoco": TABLE | SECRET | RESULTS | ERASE | {"sqs:SendMessage", "s3:GetObjectVersion"},
    "api_transcripto": TABLE | SECRET | RESULTS | ERASE | {"sqs:SendMessage", "s3:GetObjectVersion"},
    "landing": set(),
    "fetch_audio": TABLE
    | SECRET
    | RESULTS
    | ERASE
    | CONSUME
    | {"s3:AbortMultipartUpload", "s3:GetObjectVersion", "sqs:SendMessage"},
    "audio_uploaded": TABLE | CONSUME | ERASE | {"states:StartExecution"},
    "prepare_audio": TABLE | AUDIO | {"s3:PutObject"},
    "finish_job": TABLE | RESULTS | ERASE | SECRET,
    "index_tasks": TABLE | RESULTS | CONSUME | {"sqs:SendMessage"},
    "on_record": STREAM | {"sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"},
    "deliver_callback": TABLE | SECRET | CONSUME | {"s3:GetObject", "s3:ListBucket", "states:StartExecution"},
    "work_failed": CONSUME | {"states:SendTaskFailure"},
    "sweep": TABLE
    | AUDIO
    | RESULTS
    | ERASE
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
    "fetch_queue": {names.ENV_FETCH_QUEUE},
    "video_queue": {names.ENV_VIDEO_QUEUE},
    "index_queue": {names.ENV_INDEX_QUEUE},
    "task_index": {names.ENV_INDEX_BUCKET},
    "captcha": set(),  # but for the operator's service, where one is named: see test_options
    "keyring": {names.ENV_ROOT_KEYS_SECRET},
    "work_gauge": {names.ENV_WORK_QUEUE},
    "worker_pool": {names.ENV_WORKER_POOL},
    "task_reports": set(),
    "webhooks": set(),
    "downloader": set(),
    "inspector": set(),
}
# Where AWS offers nothing narrower, or where the name's end is not known before it is made.
WIDE = [
    r"\*",
    r"<Data:Audio\w+\.Arn>/(audio|sources|recordings)/\*",
    r"<Data:Results\w+\.Arn>/results/\*",
    r"<Data:Index\w+\.Arn>/tasks/\*",
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


def deployed() -> dict[str, Path]:
    """Every function's name and the source of its handler; the dialects share one."""
    folders = {path.parent.name: path for path in (ROOT / "functions").glob("*/handler.py")}
    shared = folders.pop("api")
    del folders["scale_workers"]  # stands in the stack of the GPU workers: see test_gpu
    return {**folders, **{f"api_{dialect}": shared for dialect in names.DIALECTS}}


def adapters_of(name: str) -> tuple[str, ...]:
    """What the function's handler asks `wiring.aws_deps` for."""
    if name.startswith("api_"):
        return dialects.load(name.removeprefix("api_")).needs
    asked = re.search(r"aws_deps\((.*?)\)", deployed()[name].read_text(), re.DOTALL)
    return tuple(re.findall(r'"(\w+)"', asked[1])) if asked else ()


def reached(stage: Stage, name: str, action: str) -> set[str]:
    """The resources of an action of a function, in short: `audio/sources/*`, `results`."""
    found = [resource for granted, resource in stage.function_grants(name) if granted == action]
    bucket = re.compile(r"<Data:(Audio|Results|Index)\w+\.Arn>")
    return {bucket.sub(lambda match: match[1].lower(), resource) for resource in found}


def test_every_folder_with_a_handler_is_deployed_and_the_api_once_per_dialect(stage: Stage) -> None:
    assert set(stage.functions) == set(deployed()) == set(ACTIONS)


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_function_may_do_what_its_handler_needs_and_nothing_else(stage: Stage, name: str) -> None:
    assert {action for action, _ in stage.function_grants(name)} == ACTIONS[name] | OWN


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_function_is_told_what_its_handler_asks_for(stage: Stage, name: str) -> None:
    adapters = adapters_of(name)
    wanted = {variable for adapter in adapters for variable in VARIABLES[adapter]}
    wanted |= {names.ENV_STAGE} | ({names.ENV_SETTINGS} if adapters else set())
    wanted |= {names.ENV_DIALECT} if name.startswith("api_") else set()
    told = stage.functions[name]["Environment"]["Variables"]
    assert {variable for variable in told if variable.startswith("CALLSCRIBE_")} == wanted
    if names.ENV_DIALECT in wanted:
        assert f"api_{told[names.ENV_DIALECT]}" == name


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_function_reaches_buckets_and_queues_only_by_the_adapters_it_asks_for(stage: Stage, name: str) -> None:
    adapters = set(adapters_of(name))
    resources = {resource for action, resource in stage.function_grants(name) if action.startswith("s3:")}
    assert any(resource.startswith("<Data:Audio") for resource in resources) == ("uploads" in adapters)
    assert any(resource.startswith("<Data:Results") for resource in resources) == ("results" in adapters)
    assert any(resource.startswith("<Data:Index") for resource in resources) == ("task_index" in adapters)
    queues = {
        "fetch_queue": "FetchQueueUrl",
        "callback_queue": "CallbackQueueUrl",
        "video_queue": "VideoQueueUrl",
        "index_queue": "IndexQueueUrl",
    }
    failures = {r for a, r in stage.function_grants(name) if a == "sqs:SendMessage" and "RecordFailures" in r}
    sends = {r for a, r in stage.function_grants(name) if a == "sqs:SendMessage"} - failures
    assert sends == {arn_of(stage.output(output)) for adapter, output in queues.items() if adapter in adapters}


def test_each_dialect_reaches_as_much_of_the_audio_bucket_as_its_routes_do(stage: Stage) -> None:
    assert reached(stage, "api_presign", "s3:PutObject") == {"audio/audio/*"}
    assert reached(stage, "api_presign", "s3:GetObject") == {"results/results/*"}
    own = {"audio/audio/*", "audio/sources/*"}
    for name in ("api_mor", "api_aivoco"):
        assert reached(stage, name, "s3:GetObject") == {"audio/audio/*", "audio/recordings/*", "results/results/*"}
        assert reached(stage, name, "s3:GetObjectVersion") == {"audio/audio/*"}
        assert reached(stage, name, "s3:DeleteObjectVersion") == own | {"results/results/*"}
    assert reached(stage, "api_mor", "s3:PutObject") == own | {"results/results/*"}
    assert reached(stage, "api_aivoco", "s3:PutObject") == own
    assert reached(stage, "api_transcripto", "s3:GetObject") == {"audio/audio/*", "results/results/*", "index/tasks/*"}
    assert reached(stage, "api_transcripto", "s3:GetObjectVersion") == {"audio/audio/*"}
    assert reached(stage, "api_transcripto", "s3:PutObject") == own | {"results/results/*"}
    assert reached(stage, "api_transcripto", "s3:DeleteObjectVersion") == own | {"results/results/*"}


def test_the_index_is_written_by_the_one_function_that_makes_it(stage: Stage) -> None:
    writers = {name for name in stage.functions if "index/tasks/*" in reached(stage, name, "s3:PutObject")}
    readers = {name for name in stage.functions if "index/tasks/*" in reached(stage, name, "s3:GetObject")}
    assert (writers, readers) == ({"index_tasks"}, {"index_tasks", "api_transcripto"})


def test_audio_is_fetched_into_its_place_and_nowhere_else(stage: Stage) -> None:
    everywhere = {"audio/audio/*", "audio/sources/*", "audio/recordings/*"}
    assert reached(stage, "fetch_audio", "s3:GetObject") == everywhere
    assert reached(stage, "fetch_audio", "s3:GetObjectVersion") == {"audio/audio/*"}
    assert reached(stage, "fetch_audio", "s3:PutObject") == {"audio/audio/*", "results/results/*"}
    assert reached(stage, "fetch_audio", "s3:AbortMultipartUpload") == {"audio/audio/*"}
    assert reached(stage, "fetch_audio", "s3:DeleteObjectVersion") == {
        "audio/audio/*",
        "audio/sources/*",
        "results/results/*",
    }


def test_nobody_erases_a_registered_recording_and_only_versions_below_a_prefix_can_be_listed(stage: Stage) -> None:
    for role in stage.resources("AWS::IAM::Role"):
        for statement in stage.statements(role):
            actions, resources = listed(statement["Action"]), listed(statement["Resource"])
            if {"s3:DeleteObjectVersion", "s3:DeleteObject"} & set(actions):
                assert not [resource for resource in resources if "recordings" in resource]
            if "s3:ListBucketVersions" in actions:
                assert actions == ["s3:ListBucketVersions"]
                prefixes = listed(statement["Condition"]["StringLike"]["s3:prefix"])
                assert set(prefixes) <= {"audio/*", "sources/*", "results/*"}


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
    assert len(mappings) == 6
    by_reference = {function["self"]: name for name, function in stage.functions.items()}
    for mapping in mappings:
        name, source = by_reference[mapping["FunctionName"]], mapping["EventSourceArn"]
        action = "dynamodb:GetRecords" if source.endswith(".StreamArn>") else "sqs:ReceiveMessage"
        assert (action, source) in stage.function_grants(name)
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_stream_reader_sees_new_outbox_and_dirty_rows_only_and_gives_up_into_its_queue(stage: Stage) -> None:
    (mapping,) = (m for m in stage.resources("AWS::Lambda::EventSourceMapping").values() if "FilterCriteria" in m)
    (criteria,) = mapping["FilterCriteria"]["Filters"]
    assert criteria["Pattern"] == (
        '{"eventName":["INSERT"],"dynamodb":{"NewImage":{"kind":{"S":["'
        + f'{names.CALLBACK_KIND}","{names.DIRTY_TASK_KIND}"'
        + "]}}}}"
    )
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 5
    destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert ("sqs:SendMessage", destination) in stage.function_grants("on_record")


def test_every_route_has_its_function_and_the_permission_to_call_it(stage: Stage) -> None:
    integrations = stage.resources("AWS::ApiGatewayV2::Integration")
    routes = {route["RouteKey"]: route for route in stage.resources("AWS::ApiGatewayV2::Route").values()}
    expected = {f"ANY {prefix}/{{proxy+}}": f"api_{dialect}" for dialect, prefix in names.DIALECTS.items()}
    expected |= {
        f"ANY {path}{below}": f"api_{dialect}"
        for dialect, paths in names.OTHER_PATHS.items()
        for path in paths
        for below in ("", "/{proxy+}")
    }
    expected |= {"$default": "landing"}
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


def test_the_worker_may_drain_report_read_audio_and_write_results(stage: Stage) -> None:
    role = role_of(stage.output("WorkerRoleArn"))
    grants = stage.grants(role)
    consume = CONSUME - {"sqs:GetQueueAttributes", "sqs:GetQueueUrl"}
    reports = {"states:SendTaskSuccess", "states:SendTaskFailure"}
    assert {action for action, _ in grants} == consume | reports | TABLE | AUDIO | RESULTS | ERASE
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
        "FetchQueueUrl",
        "VideoQueueUrl",
        "IndexQueueUrl",
        "IndexBucket",
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
    extra = {"prepare_audio": 1, "api_mor": 1, "api_transcripto": 2}  # media; documents; both
    for name, function in stage.functions.items():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Handler"] == "handler.handler"
        assert len(listed(function["Layers"])) == 1 + extra.get(name, 0)
    prepare = stage.functions["prepare_audio"]
    assert (prepare["Timeout"], prepare["MemorySize"], prepare["EphemeralStorage"]) == (900, 2048, {"Size": 4096})


def test_the_dialect_that_looks_into_files_has_the_cpu_for_it_and_room_for_the_index_it_reads(stage: Stage) -> None:
    function = stage.functions["api_transcripto"]
    assert (function["Timeout"], function["MemorySize"]) == (30, 2_048)
    room_mb, index_mb = (stage.functions[n]["EphemeralStorage"]["Size"] for n in ("api_transcripto", "index_tasks"))
    assert room_mb == index_mb + 512  # what a request may bring or fetch, several times over
    assert {stage.functions[f"api_{name}"]["MemorySize"] for name in ("presign", "mor", "aivoco")} == {1_024}


def test_the_function_that_fetches_has_time_and_room_for_the_largest_file(stage: Stage) -> None:
    function = stage.functions["fetch_audio"]
    settings = parse_settings({})
    assert settings.fetch_s < function["Timeout"] <= 900
    assert function["EphemeralStorage"]["Size"] * 1024**2 > settings.limits.max_bytes
    (mapping,) = (
        mapping
        for mapping in stage.resources("AWS::Lambda::EventSourceMapping").values()
        if mapping["FunctionName"] == function["self"]
    )
    assert mapping["EventSourceArn"] == arn_of(stage.output("FetchQueueUrl"))
    assert (mapping["BatchSize"], mapping["ScalingConfig"]) == (1, {"MaximumConcurrency": 5})


def test_the_synchronous_dialect_alone_has_time_and_a_url_of_its_own_that_everybody_may_call(stage: Stage) -> None:
    function = stage.functions["api_aivoco"]
    times = {stage.functions[f"api_{dialect}"]["Timeout"] for dialect in names.DIALECTS if dialect != "aivoco"}
    assert (function["Timeout"], times) == (300, {30})
    assert function["Timeout"] > front.FUNCTION_URL_WAIT_S
    ((reference, url),) = stage.resources("AWS::Lambda::Url").items()
    assert url == {"AuthType": "NONE", "TargetFunctionArn": arn_of(function["self"])}
    assert stage.output("AivocoUrl") == reference.replace(">", ".FunctionUrl>")
    public = [p for p in stage.resources("AWS::Lambda::Permission").values() if p["Principal"] == "*"]
    assert {(p["FunctionName"], p["Action"]) for p in public} == {
        (arn_of(function["self"]), "lambda:InvokeFunctionUrl"),
        (arn_of(function["self"]), "lambda:InvokeFunction"),
    }
    for permission in public:  # callers of the URL, not everybody with an AWS account
        by_url = permission.get("FunctionUrlAuthType") == "NONE" or permission.get("InvokedViaFunctionUrl") is True
        assert by_url, permission


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
    found = _logged(stage, names.ENDPOINT_DISABLED_LOG)
    assert [each["LogGroupName"] for each in found] == [log_group_of(stage, "deliver_callback")]
    _assert_one_is_an_alarm(stage, found)


def test_an_answer_of_500_raises_an_alarm_whichever_dialect_gave_it_and_a_503_raises_none(stage: Stage) -> None:
    found = _logged(stage, alarms.SERVER_ERROR_LOG)
    groups = {log_group_of(stage, f"api_{dialect}") for dialect in names.DIALECTS}
    assert {each["LogGroupName"] for each in found} == groups
    _assert_one_is_an_alarm(stage, found)
    gateways = [a for a in stage.resources("AWS::CloudWatch::Alarm").values() if a["Namespace"] == "AWS/ApiGateway"]
    assert gateways == []  # it counts those 503 as well


def test_audio_that_waits_to_be_fetched_raises_an_alarm_before_its_job_fails(stage: Stage) -> None:
    queue = stage.output("FetchQueueUrl").replace(">", ".QueueName>")
    (alarm,) = (
        each
        for each in stage.resources("AWS::CloudWatch::Alarm").values()
        if (each["MetricName"], each["Dimensions"][0]["Value"] if "Dimensions" in each else None)
        == ("ApproximateAgeOfOldestMessage", queue)
    )
    settings = parse_settings({})
    assert settings.fetch_s < alarm["Threshold"] < settings.upload_deadline_s
    assert alarm["Statistic"] == "Maximum"


def test_changes_of_tasks_that_failed_come_back_in_minutes_and_raise_an_alarm_if_they_never_get_through(
    stage: Stage,
) -> None:
    """A message that failed holds up its tenant's next ones: its group is handed out one by one."""
    queue = stage.output("IndexQueueUrl")
    timeout_s = stage.functions["index_tasks"]["Timeout"]
    properties = stage.resources("AWS::SQS::Queue")[queue]
    assert timeout_s < properties["VisibilityTimeout"] <= timeout_s + 60
    assert timeout_s / 2 >= indexing.LONGEST_S
    ages = [
        alarm["Threshold"]
        for alarm in stage.resources("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
        and alarm["Dimensions"][0]["Value"] == queue.replace(">", ".QueueName>")
    ]
    assert ages == [1_800]


def test_each_tenants_changes_have_a_throughput_of_their_own(stage: Stage) -> None:
    properties = stage.resources("AWS::SQS::Queue")[stage.output("IndexQueueUrl")]
    wanted: dict[str, object] = {"FifoQueue": True, "ContentBasedDeduplication": True}
    wanted |= {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    assert {name: properties.get(name) for name in wanted} == wanted


def test_the_sweeper_alone_finds_what_is_due_whoever_it_belongs_to(stage: Stage) -> None:
    finders = [
        role
        for role in stage.resources("AWS::IAM::Role")
        if any(resource.endswith(f"/index/{names.DUE_INDEX}") for _, resource in stage.grants(role))
    ]
    assert finders == [role_of(stage.functions["sweep"]["Role"])]
    assert ".due(" in (ROOT / "layers/core/python/callscribe/services/sweep.py").read_text()


def test_every_function_machine_and_the_api_have_their_alarms(stage: Stage) -> None:
    known = stage.resources("AWS::CloudWatch::Alarm").values()
    watched = {(a["MetricName"], d["Value"]) for a in known for d in a.get("Dimensions", [])}
    for function in stage.functions.values():
        assert ("Errors", function["self"]) in watched
        assert ("Throttles", function["self"]) in watched
    for machine in stage.resources("AWS::StepFunctions::StateMachine"):
        assert ("ExecutionsFailed", machine) in watched
        assert ("ExecutionsTimedOut", machine) in watched
    assert ("IteratorAge", stage.functions["on_record"]["self"]) in watched
    aged = {value for metric, value in watched if metric == "ApproximateAgeOfOldestMessage"}
    queues = map(stage.output, ("WorkQueueUrl", "FetchQueueUrl", "IndexQueueUrl"))
    assert aged == {queue.replace(">", ".QueueName>") for queue in queues}


def log_group_of(stage: Stage, name: str) -> str:
    return str(stage.functions[name]["LoggingConfig"]["LogGroup"])


def _logged(stage: Stage, words: str) -> list[dict[str, Any]]:
    """The metric filters that look for these words."""
    return [f for f in stage.resources("AWS::Logs::MetricFilter").values() if f["FilterPattern"] == f'"{words}"']


def _assert_one_is_an_alarm(stage: Stage, filters: list[dict[str, Any]]) -> None:
    """All count into one metric, one of which is enough."""
    (metric,) = {(m["MetricNamespace"], m["MetricName"]) for f in filters for m in f["MetricTransformations"]}
    known = stage.resources("AWS::CloudWatch::Alarm").values()
    (alarm,) = (a for a in known if (a["Namespace"], a["MetricName"]) == metric)
    assert metric[0] == "callscribe/test"
    assert (alarm["Threshold"], alarm["Statistic"]) == (1, "Sum")


def _variables(stage: Stage) -> dict[str, str]:
    found: dict[str, str] = {}
    for function in stage.functions.values():
        variables = function["Environment"]["Variables"]
        found |= {name: value for name, value in variables.items() if name.startswith("CALLSCRIBE_")}
    return found
