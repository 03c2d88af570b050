"""Networks of the stacks that have machines: one of their own, or one that the operator named."""

from collections.abc import Sequence

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.functions import log_group
from infra.settings import StageSettings

PUBLIC_SUBNETS = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)


def network(
    scope: Construct,
    settings: StageSettings,
    *,
    vpc_id: str | None,
    subnet_ids: Sequence[str],
    addresses_at_launch: bool = False,
) -> ec2.IVpc:
    """The named subnets of a VPC; without them a VPC in two zones, with public subnets and no NAT.

    There machines reach AWS by addresses of their own, which a service asks for or (`addresses_at_launch`) the subnet
    gives; what may reach them is up to their security groups.
    """
    if vpc_id is None:
        return _own(scope, settings, addresses_at_launch)
    return ec2.Vpc.from_vpc_attributes(
        scope,
        "Vpc",
        vpc_id=vpc_id,
        # CDK wants a zone for each; their names appear nowhere in the template.
        availability_zones=[f"zone-{number}" for number, _ in enumerate(subnet_ids)],
        public_subnet_ids=list(subnet_ids),
    )


def only_tls_out(scope: Construct, construct_id: str, vpc: ec2.IVpc, description: str) -> ec2.SecurityGroup:
    """A security group that lets nothing in, and nothing out but TLS; AWS's own name servers need no rule."""
    group = ec2.SecurityGroup(scope, construct_id, vpc=vpc, allow_all_outbound=False, description=description)
    group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS endpoints")
    return group


def _own(scope: Construct, settings: StageSettings, addresses_at_launch: bool) -> ec2.IVpc:
    public = ec2.SubnetConfiguration(
        name="Public",
        subnet_type=ec2.SubnetType.PUBLIC,
        cidr_mask=24,
        map_public_ip_on_launch=addresses_at_launch,
    )
    vpc = ec2.Vpc(scope, "Vpc", max_azs=2, nat_gateways=0, subnet_configuration=[public])
    # Both are free, and keep recordings off the internet gateway.
    vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
    vpc.add_gateway_endpoint("Table", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
    logs = log_group(scope, "RefusedConnections", settings)
    vpc.add_flow_log(
        "Refused",
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(logs),
        traffic_type=ec2.FlowLogTrafficType.REJECT,
    )
    return vpc
