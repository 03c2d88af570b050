"""A container on Fargate, as the door and the fetcher of videos are one: on ARM, without any of the kernel's
privileges, and with nothing that it may write to but scratch space.
"""

from typing import Any

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.aws_ecr_assets import Platform
from aws_cdk.aws_logs import ILogGroup
from constructs import Construct

from infra.bundling import ROOT
from infra.findings import acknowledge

_CPU, _MEMORY_MIB = 1024, 2048
_SCRATCH = "/scratch"
_FOLDERS = ("door", "fetch_video", "transcribe_worker")  # of `functions`: each becomes an image


def cluster(scope: Construct, vpc: ec2.IVpc) -> ecs.Cluster:
    """Where a stack's containers run."""
    return ecs.Cluster(scope, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENABLED)


def task_of(scope: Construct) -> ecs.FargateTaskDefinition:
    """A stack's task, still without its container."""
    task = ecs.FargateTaskDefinition(
        scope,
        "Task",
        cpu=_CPU,
        memory_limit_mib=_MEMORY_MIB,
        runtime_platform=ecs.RuntimePlatform(
            cpu_architecture=ecs.CpuArchitecture.ARM64, operating_system_family=ecs.OperatingSystemFamily.LINUX
        ),
        volumes=[ecs.Volume(name="scratch")],
    )
    execution = task.obtain_execution_role()
    acknowledge(execution, {"AwsSolutions-IAM5[Resource::*]": "ECR gives its log-in token on the resource * only"})
    return task


def add_container(
    scope: Construct,
    task: ecs.FargateTaskDefinition,
    name: str,
    *,
    folder: str,
    logs: ILogGroup,
    log_prefix: str,
    **options: Any,
) -> ecs.ContainerDefinition:
    """The container of a stack's task, from `functions/<folder>/Dockerfile`; `options` as CDK has them."""
    linux = ecs.LinuxParameters(scope, "Linux", init_process_enabled=True)
    linux.drop_capabilities(ecs.Capability.ALL)
    image = ecs.ContainerImage.from_asset(
        str(ROOT),
        file=f"functions/{folder}/Dockerfile",
        platform=Platform.LINUX_ARM64,
        exclude=[f"functions/{other}" for other in _FOLDERS if other != folder],
    )
    container = task.add_container(
        name,
        image=image,
        logging=ecs.LogDriver.aws_logs(stream_prefix=log_prefix, log_group=logs),
        readonly_root_filesystem=True,
        linux_parameters=linux,
        **options,
    )
    container.add_mount_points(ecs.MountPoint(container_path=_SCRATCH, source_volume="scratch", read_only=False))
    return container
