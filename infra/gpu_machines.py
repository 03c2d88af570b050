"""The machines of the GPU pool: what they are, what is on their disks, what they may do, and in which order they come.

AWS Batch starts them for the jobs that wait, and takes them away some minutes after the last one has ended (up to ten;
nobody can tell it to be quicker), so those minutes are paid for each time the pool goes down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import CfnResource, Duration
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk.aws_ecr import IRepository
from aws_cdk.aws_iam import Role, ServicePrincipal
from constructs import Construct

from infra.findings import acknowledge
from infra.network import PUBLIC_SUBNETS, network, only_tls_out
from infra.permissions import Grants
from infra.settings import GPU_VCPUS, StageSettings

# 30 as the image of the machine wants it, up to 14 for ours, packed and unpacked, 32 for the recordings in hand (16 of
# 2 GiB at most), and some to spare: with its throughput a disk costs 2 % of its machine, 4 % of a spot machine.
DISK_GIB = 80
_DISK_MIB_PER_S = 250  # twice what a gp3 volume has by itself: a new machine first unpacks the worker's image
STOP_S = 110  # between SIGTERM and SIGKILL; a spot machine has 120 from its notice on
# The agent's own file; AWS Batch adds the cluster to it. Without ECS_ENABLE_SPOT_INSTANCE_DRAINING a machine whose
# end is announced would get another worker to run.
_AGENT = {
    "ECS_ENABLE_SPOT_INSTANCE_DRAINING": "true",
    "ECS_CONTAINER_STOP_TIMEOUT": f"{STOP_S}s",
    "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE": "true",
    "ECS_DISABLE_PRIVILEGED": "true",
    "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached",  # an image's tag is its content's hash
    "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION": "10m",  # the scratch volume of a worker that is gone goes with it
}

_ON_CLUSTERS = (
    "ecs:RegisterContainerInstance",
    "ecs:DeregisterContainerInstance",
    "ecs:SubmitAttachmentStateChanges",
    "ecs:SubmitContainerStateChange",
    "ecs:SubmitTaskStateChange",
)
_ON_INSTANCES = (
    "ecs:Poll",
    "ecs:StartTelemetrySession",
    "ecs:UpdateContainerInstancesState",
    "ecs:ListTagsForResource",
)


@dataclass(frozen=True, slots=True)
class _Offer:
    """One way to get machines."""

    name: str
    types: Sequence[str]
    spot: bool


class GpuMachines(Construct):
    """Compute environments in the order in which they are asked; the network, template and role that they share."""

    def __init__(self, scope: Construct, *, settings: StageSettings, image: IRepository) -> None:
        super().__init__(scope, "Machines")
        self._settings = settings
        self._vpc = network(
            self,
            settings,
            vpc_id=settings.gpu_vpc_id,
            subnet_ids=settings.gpu_subnet_ids,
            addresses_at_launch=True,
        )
        self._group = only_tls_out(self, "Group", self._vpc, "GPU workers")
        self._role = self._instance_role(image)
        self._template = self._launch_template()
        self.environments = [self._environment(offer) for offer in _offers(settings)]

    def _launch_template(self) -> ec2.LaunchTemplate:
        disk = ec2.BlockDeviceVolume.ebs(
            DISK_GIB,
            encrypted=True,
            volume_type=ec2.EbsDeviceVolumeType.GP3,
            throughput=_DISK_MIB_PER_S,
            delete_on_termination=True,
        )
        return ec2.LaunchTemplate(
            self,
            "Template",
            block_devices=[ec2.BlockDevice(device_name="/dev/xvda", volume=disk)],
            require_imdsv2=True,
            # Two, because a container is one hop further away, and the worker asks for the spot notice itself: the
            # agent stops no task that is not a service's.
            http_put_response_hop_limit=2,
            user_data=_user_data(),
        )

    def _environment(self, offer: _Offer) -> batch.ManagedEc2EcsComputeEnvironment:
        strategy = batch.AllocationStrategy
        environment = batch.ManagedEc2EcsComputeEnvironment(
            self,
            offer.name,
            vpc=self._vpc,
            vpc_subnets=PUBLIC_SUBNETS,
            security_groups=[self._group],
            instance_role=self._role,
            launch_template=self._template,
            instance_types=[ec2.InstanceType(name) for name in offer.types],
            use_optimal_instance_classes=False,
            images=[batch.EcsMachineImage(image_type=batch.EcsMachineImageType.ECS_AL2023_NVIDIA)],
            spot=offer.spot,
            allocation_strategy=strategy.SPOT_PRICE_CAPACITY_OPTIMIZED if offer.spot else strategy.BEST_FIT_PROGRESSIVE,
            minv_cpus=0,
            maxv_cpus=_most_vcpus(offer.types, self._settings.gpu_max_workers),
            # An update starts new machines, of the newest image, and lets the workers on the old ones end.
            replace_compute_environment=False,
            update_to_latest_image_version=True,
            terminate_on_update=False,
            update_timeout=Duration.minutes(60),
        )
        resource = environment.node.default_child
        assert isinstance(resource, CfnResource)  # noqa: S101  # tells mypy what CDK's untyped child is
        # CDK names no version; AWS Batch would then stay with the first one for ever.
        resource.add_property_override("ComputeResources.LaunchTemplate.Version", self._template.latest_version_number)
        return environment

    def _instance_role(self, image: IRepository) -> Role:
        """What the ECS agent asks for, and the worker's image; less than AWS's own policy for container instances."""
        role = Role(self, "Role", assumed_by=ServicePrincipal("ec2.amazonaws.com"))
        grants = Grants(role).allow(["ecs:DiscoverPollEndpoint"], "*")
        image.grant_pull(role)
        only = "the agent's endpoint and ECR's log-in token have nothing narrower"
        acknowledge(role, {"AwsSolutions-IAM5[Resource::*]": only})
        unknown = "AWS Batch makes the cluster and its machines, under names that nobody knows before"
        grants.own(_ON_CLUSTERS, "ecs", "cluster/*", reason=unknown)
        grants.own(_ON_INSTANCES, "ecs", "container-instance/*", reason=unknown)
        when_it_comes = {"StringEquals": {"ecs:CreateAction": "RegisterContainerInstance"}}
        grants.own(["ecs:TagResource"], "ecs", "container-instance/*", reason=unknown, conditions=when_it_comes)
        return role


def _offers(settings: StageSettings) -> list[_Offer]:
    """In the order in which the queue asks them, three at most, as a queue allows.

    AWS Batch ranks the types of one environment by itself: spot machines by price and by how likely they stay, those
    on demand by their price for a vCPU, so that the slowest GPU would always win. Hence the first type alone before
    the others on demand; spot machines are found best among all.
    """
    types = settings.gpu_instance_types
    on_demand = [_Offer("OnDemand", types[:1], spot=False), _Offer("OnDemandOthers", types[1:], spot=False)]
    spot = [_Offer("Spot", types, spot=True)] if settings.gpu_spot else []
    return [offer for offer in (*spot, *on_demand) if offer.types]


def _most_vcpus(types: Sequence[str], workers: int) -> int:
    """Room for so many machines of the largest type: how many there are is up to who asks for workers."""
    return workers * max(GPU_VCPUS[name.split(".")[1]] for name in types)


def _user_data() -> ec2.MultipartUserData:
    """In parts, because AWS Batch adds one of its own."""
    shell = ec2.UserData.for_linux()
    shell.add_commands(*(f"echo {name}={value} >> /etc/ecs/ecs.config" for name, value in _AGENT.items()))
    parts = ec2.MultipartUserData()
    parts.add_part(ec2.MultipartBody.from_user_data(shell))
    return parts
