"""The HTTP API: one Lambda per dialect under its paths, and a landing page for every other path."""

from functools import cached_property
from json import dumps

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from aws_cdk.aws_lambda import Function, FunctionUrl, FunctionUrlAuthType, FunctionUrlCorsOptions
from aws_cdk.aws_lambda import HttpMethod as UrlMethod
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from callscribe import names
from infra.data_stack import DataStack
from infra.dialects import PARTS, DialectPart
from infra.findings import acknowledge
from infra.functions import DocumentsLayer, FunctionKit, FunctionSize, MediaLayer, log_group, python_function
from infra.permissions import READ_OBJECT, READ_VERSION, WRITE_OBJECT, Grants
from infra.runtime import Variables
from infra.settings import StageSettings

# No path in the log: the paths of result links hold their tokens.
_ACCESS_LOG_FIELDS = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "latencyMs": "$context.responseLatency",
    "bytes": "$context.responseLength",
    "error": "$context.integrationErrorMessage",
}


class Api(Construct):
    """The gateway. Dialects are added after the variables are known, which name the gateway's address."""

    def __init__(self, scope: Construct, *, kit: FunctionKit) -> None:
        super().__init__(scope, "Api")
        self._kit = kit
        self.urls: dict[str, FunctionUrl] = {}
        self.landing = python_function(self, "landing", kit, size=FunctionSize(memory_mb=256, timeout_s=10))
        self.dialects: list[Function] = []
        self.http_api = gateway.HttpApi(
            self,
            "Http",
            api_name=f"{names.SERVICE}-{kit.settings.stage}",
            create_default_stage=False,
            cors_preflight=_cors(kit.settings),
            default_integration=HttpLambdaIntegration("Landing", self.landing),
        )
        acknowledge(
            self,
            {"AwsSolutions-APIG4": "each dialect checks the credentials that its vendor asks for, in its handler"},
        )
        self._stage = self._default_stage()
        self.domain_target = self._custom_domain()

    @property
    def functions(self) -> list[Function]:
        """All of the API's Lambdas."""
        return [self.landing, *self.dialects]

    @property
    def base_url(self) -> str:
        """The public address: as set, else the custom domain's, else the gateway's own."""
        settings = self._kit.settings
        if settings.public_base_url:
            return settings.public_base_url
        return f"https://{settings.domain_name}" if settings.domain_name else self.http_api.api_endpoint

    def add_dialects(self, data: DataStack, variables: Variables, fetch_queue: Queue) -> None:
        """One Lambda per dialect, each with its own role and concurrency."""
        for dialect in names.DIALECTS:
            part = PARTS[dialect]
            function = self._dialect_function(dialect, part, variables)
            grant_dialect(Grants.of(function), part, data, fetch_queue, self._kit.settings)
            self.dialects.append(function)
            integration = HttpLambdaIntegration(dialect.title(), function)
            for path in _routes(dialect):
                self.http_api.add_routes(path=path, methods=[gateway.HttpMethod.ANY], integration=integration)
            if part.waits and self._kit.settings.function_url:
                self.urls[dialect] = self._function_url(function)

    def _dialect_function(self, dialect: str, part: DialectPart, variables: Variables) -> Function:
        settings = self._kit.settings
        wanted = [names.ENV_TABLE, names.ENV_AUDIO_BUCKET, names.ENV_RESULTS_BUCKET, names.ENV_ROOT_KEYS_SECRET]
        wanted += [names.ENV_FETCH_QUEUE] if part.fetches else []
        wanted += [names.ENV_INDEX_BUCKET] if part.lists_tasks else []
        wanted += [names.ENV_CAPTCHA_SECRET] if part.asks_captcha and settings.captcha_secret_arn else []
        return python_function(
            self,
            "api",
            self._kit,
            part=dialect,
            environment={**variables.pick(*wanted), names.ENV_DIALECT: dialect},
            size=FunctionSize(
                memory_mb=part.memory_mb,
                timeout_s=part.timeout_s,
                scratch_mb=part.scratch_mb,
                reserved_concurrency=settings.reserved_concurrency,
            ),
            extra_layers=[
                *([self._documents_layer] if part.writes_documents else []),
                *([self._media_layer] if part.opens_audio else []),
            ],
        )

    @cached_property
    def _documents_layer(self) -> DocumentsLayer:
        return DocumentsLayer(self, settings=self._kit.settings)

    @cached_property
    def _media_layer(self) -> MediaLayer:
        return MediaLayer(self, settings=self._kit.settings)

    def _function_url(self, function: Function) -> FunctionUrl:
        """Where a call may wait longer than at the gateway. The handler judges who calls, as it does there."""
        settings = self._kit.settings
        cors = FunctionUrlCorsOptions(
            allowed_origins=list(settings.cors_origins),
            allowed_methods=[UrlMethod.ALL],
            allowed_headers=list(names.CORS_REQUEST_HEADERS),
            exposed_headers=list(names.CORS_RESPONSE_HEADERS),
        )
        return function.add_function_url(
            auth_type=FunctionUrlAuthType.NONE, cors=cors if settings.cors_origins else None
        )

    def _default_stage(self) -> gateway.CfnStage:
        settings = self._kit.settings
        logs = log_group(self, "AccessLogs", settings)
        return gateway.CfnStage(
            self,
            "Stage",
            api_id=self.http_api.http_api_id,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=gateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=logs.log_group_arn, format=dumps(_ACCESS_LOG_FIELDS)
            ),
            default_route_settings=gateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=settings.throttle_rate,
                throttling_burst_limit=settings.throttle_burst,
                detailed_metrics_enabled=True,
            ),
        )

    def _custom_domain(self) -> str | None:
        """The name that the operator's DNS record must point to, or None without a custom domain."""
        settings = self._kit.settings
        if not settings.domain_name:
            return None
        configuration = gateway.CfnDomainName.DomainNameConfigurationProperty(
            certificate_arn=settings.certificate_arn, endpoint_type="REGIONAL", security_policy="TLS_1_2"
        )
        domain = gateway.CfnDomainName(
            self, "Domain", domain_name=settings.domain_name, domain_name_configurations=[configuration]
        )
        mapping = gateway.CfnApiMapping(
            self, "Mapping", api_id=self.http_api.http_api_id, domain_name=domain.ref, stage=self._stage.ref
        )
        mapping.node.add_dependency(self._stage)
        return domain.attr_regional_domain_name


def _routes(dialect: str) -> list[str]:
    """The paths of a dialect. The gateway refuses routes that end in a slash; `{proxy+}` takes such requests."""
    others = names.OTHER_PATHS.get(dialect, ())
    below = [f"{path}/{{proxy+}}" for path in (names.DIALECTS[dialect], *others)]
    return [*below, *others]


def grant_dialect(
    grants: Grants, part: DialectPart, data: DataStack, fetch_queue: Queue, settings: StageSettings
) -> None:
    """What the use cases of a dialect do, whichever process runs them."""
    grants.table(data.table).secret(data.root_keys)
    for prefix in part.reads:  # of a job's audio that version which was transcribed
        grants.objects(data.audio, prefix, READ_VERSION if prefix == names.AUDIO_PREFIX else READ_OBJECT)
    for prefix in part.writes:
        grants.objects(data.audio, prefix, WRITE_OBJECT)
    grants.objects(data.results, names.RESULTS_PREFIX, part.results).missing_objects(data.results)
    if part.reads:
        grants.missing_objects(data.audio)
    if part.erases:
        grants.erase(data.audio, *part.erases)
    if part.erases_results:
        grants.erase(data.results, names.RESULTS_PREFIX)
    if part.fetches:
        grants.send(fetch_queue)
    if part.lists_tasks:
        grants.index(data.index)
    if part.asks_captcha and settings.captcha_secret_arn:
        grants.allow(["secretsmanager:GetSecretValue"], settings.captcha_secret_arn)


def _cors(settings: StageSettings) -> gateway.CorsPreflightOptions | None:
    if not settings.cors_origins:
        return None
    return gateway.CorsPreflightOptions(
        allow_origins=list(settings.cors_origins),
        allow_methods=[gateway.CorsHttpMethod.ANY],
        allow_headers=list(names.CORS_REQUEST_HEADERS),
        expose_headers=list(names.CORS_RESPONSE_HEADERS),
    )
