"""The HTTP API: one Lambda per dialect under its path, and a landing page for every other path."""

from json import dumps

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from aws_cdk.aws_lambda import Function
from constructs import Construct

from callscribe import names
from infra.data_stack import DataStack
from infra.findings import acknowledge
from infra.functions import FunctionKit, FunctionSize, log_group, python_function
from infra.permissions import READ_OBJECT, WRITE_OBJECT, Grants
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
        landing = python_function(self, "landing", kit, size=FunctionSize(memory_mb=256, timeout_s=10))
        self.functions: list[Function] = [landing]
        self.http_api = gateway.HttpApi(
            self,
            "Http",
            api_name=f"{names.SERVICE}-{kit.settings.stage}",
            create_default_stage=False,
            cors_preflight=_cors(kit.settings),
            default_integration=HttpLambdaIntegration("Landing", landing),
        )
        acknowledge(
            self,
            {"AwsSolutions-APIG4": "each dialect checks the credentials that its vendor asks for, in its handler"},
        )
        self._stage = self._default_stage()
        self.domain_target = self._custom_domain()

    @property
    def base_url(self) -> str:
        """The public address: as set, else the custom domain's, else the gateway's own."""
        settings = self._kit.settings
        if settings.public_base_url:
            return settings.public_base_url
        return f"https://{settings.domain_name}" if settings.domain_name else self.http_api.api_endpoint

    def add_dialects(self, data: DataStack, variables: Variables) -> None:
        """One Lambda per dialect, each with its own role and concurrency."""
        for dialect, prefix in names.DIALECTS.items():
            function = self._dialect_function(dialect, data, variables)
            self.functions.append(function)
            self.http_api.add_routes(
                path=f"{prefix}/{{proxy+}}",
                methods=[gateway.HttpMethod.ANY],
                integration=HttpLambdaIntegration(dialect.title(), function),
            )

    def _dialect_function(self, dialect: str, data: DataStack, variables: Variables) -> Function:
        wanted = (names.ENV_TABLE, names.ENV_AUDIO_BUCKET, names.ENV_RESULTS_BUCKET, names.ENV_ROOT_KEYS_SECRET)
        function = python_function(
            self,
            "api",
            self._kit,
            construct_id=f"Api{dialect.title()}",
            environment={**variables.pick(*wanted), names.ENV_DIALECT: dialect},
            size=FunctionSize(memory_mb=1024, reserved_concurrency=self._kit.settings.reserved_concurrency),
        )
        grants = Grants.of(function).table(data.table).secret(data.root_keys)
        grants.objects(data.audio, names.AUDIO_PREFIX, WRITE_OBJECT)
        grants.objects(data.results, names.RESULTS_PREFIX, READ_OBJECT).missing_objects(data.results)
        return function

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


def _cors(settings: StageSettings) -> gateway.CorsPreflightOptions | None:
    if not settings.cors_origins:
        return None
    return gateway.CorsPreflightOptions(
        allow_origins=list(settings.cors_origins),
        allow_methods=[gateway.CorsHttpMethod.ANY],
        allow_headers=list(names.CORS_REQUEST_HEADERS),
        expose_headers=list(names.CORS_RESPONSE_HEADERS),
    )
