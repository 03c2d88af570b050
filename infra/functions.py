"""CoreLayer, MediaLayer, DocumentsLayer and `python_function()`: the only place where a Lambda is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Annotations, Duration, RemovalPolicy, Size
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_lambda import (
    ApplicationLogLevel,
    Architecture,
    Code,
    Function,
    LayerVersion,
    LoggingFormat,
    Runtime,
    SystemLogLevel,
    Tracing,
)
from aws_cdk.aws_logs import LogGroup, RetentionDays
from constructs import Construct

from callscribe import names
from infra.bundling import LAMBDA_PYTHON, ROOT, LayerSource, find_interpreter, layer_code
from infra.findings import acknowledge
from infra.permissions import Grants
from infra.settings import StageSettings

RUNTIME = Runtime.PYTHON_3_13
CORE = LayerSource(
    lock=ROOT / "layers/core/requirements.txt",
    package=ROOT / "layers/core/python/callscribe",
    left_out=frozenset({"engines", "cli", "client.py", "costs"}),  # for the worker and people's machines only
)
MEDIA = LayerSource(lock=ROOT / "layers/media/requirements.txt")
DOCUMENTS = LayerSource(lock=ROOT / "layers/documents/requirements.txt")
_NOT_SOURCE = ["__pycache__", "**/__pycache__", "*.pyc"]
_RETENTION = {
    1: RetentionDays.ONE_DAY,
    3: RetentionDays.THREE_DAYS,
    5: RetentionDays.FIVE_DAYS,
    7: RetentionDays.ONE_WEEK,
    14: RetentionDays.TWO_WEEKS,
    30: RetentionDays.ONE_MONTH,
    60: RetentionDays.TWO_MONTHS,
    90: RetentionDays.THREE_MONTHS,
}


class Layer(LayerVersion):
    """A layer for Lambda on arm64, or for this machine's Python on the laptop."""

    def __init__(self, scope: Construct, construct_id: str, *, source: LayerSource, settings: StageSettings) -> None:
        super().__init__(
            scope,
            construct_id,
            code=layer_code(source, local=settings.is_local),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[Architecture.ARM_64],
            removal_policy=RemovalPolicy.DESTROY,
        )
        if not settings.is_local and find_interpreter(LAMBDA_PYTHON) is None:
            Annotations.of(self).add_warning_v2(
                "callscribe:no-interpreter",
                f"No Python {LAMBDA_PYTHON} is installed here, so this layer holds no compiled modules:"
                " each cold start will take two to four times as long",
            )


class CoreLayer(Layer):
    """The package `callscribe` and what it needs; every Lambda has it."""

    def __init__(self, scope: Construct, *, settings: StageSettings) -> None:
        super().__init__(scope, "CoreLayer", source=CORE, settings=settings)


class MediaLayer(Layer):
    """PyAV and numpy, for those that open audio."""

    def __init__(self, scope: Construct, *, settings: StageSettings) -> None:
        super().__init__(scope, "MediaLayer", source=MEDIA, settings=settings)


class DocumentsLayer(Layer):
    """What writes office documents, for the dialects that offer them."""

    def __init__(self, scope: Construct, *, settings: StageSettings) -> None:
        super().__init__(scope, "DocumentsLayer", source=DOCUMENTS, settings=settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionSize:
    """How much of everything a function may use."""

    memory_mb: int = 512
    timeout_s: int = 30
    scratch_mb: int = 512
    reserved_concurrency: int | None = None


DEFAULT_SIZE = FunctionSize()


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionKit:
    """What all functions of a stack share."""

    settings: StageSettings
    layers: Sequence[LayerVersion]


def python_function(
    scope: Construct,
    name: str,
    kit: FunctionKit,
    *,
    part: str | None = None,
    environment: Mapping[str, str] | None = None,
    size: FunctionSize = DEFAULT_SIZE,
    extra_layers: Sequence[LayerVersion] = (),
) -> Function:
    """The Lambda of `functions/<name>/handler.py`, with a role and a log group of its own and no other rights.

    `part` tells apart several Lambdas of one folder; its description, by which a Lambda is found, holds both names.
    """
    title = " ".join(filter(None, (name.replace("_", " "), part)))
    construct_id = title.title().replace(" ", "")
    logs = log_group(scope, f"{construct_id}Logs", kit.settings)
    role = Role(scope, f"{construct_id}Role", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
    Grants(role).allow(["logs:CreateLogStream", "logs:PutLogEvents"], logs.log_group_arn)
    function = Function(
        scope,
        construct_id,
        description=f"callscribe: {title}",
        runtime=RUNTIME,
        architecture=Architecture.ARM_64,
        handler="handler.handler",
        code=Code.from_asset(str(ROOT / "functions" / name), exclude=_NOT_SOURCE),
        layers=[*kit.layers, *extra_layers],
        role=role,
        log_group=logs,
        logging_format=LoggingFormat.JSON,
        application_log_level_v2=ApplicationLogLevel.INFO,
        system_log_level_v2=SystemLogLevel.WARN,
        memory_size=size.memory_mb,
        timeout=Duration.seconds(size.timeout_s),
        ephemeral_storage_size=Size.mebibytes(size.scratch_mb),
        reserved_concurrent_executions=size.reserved_concurrency,
        tracing=Tracing.ACTIVE,
        environment={names.ENV_STAGE: kit.settings.stage, **(environment or {})},
    )
    acknowledge(role, {"AwsSolutions-IAM5[Resource::*]": "X-Ray accepts trace segments on the resource * only"})
    acknowledge(function, {"AwsSolutions-L1": "3.13 is the newest Python that callscribe's tests run on"})
    return function


def log_group(scope: Construct, construct_id: str, settings: StageSettings, *, name: str | None = None) -> LogGroup:
    """A log group that forgets after the stage's retention and goes with the stack."""
    retention = _RETENTION[settings.log_retention_days]
    return LogGroup(scope, construct_id, log_group_name=name, retention=retention, removal_policy=RemovalPolicy.DESTROY)
