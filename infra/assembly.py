"""Puts the stacks of one stage together."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import App, Environment, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from callscribe import names
from infra.app_stack import AppStack
from infra.data_stack import DataStack
from infra.door_stack import DoorStack
from infra.gpu_stack import STAGE_TAG, GpuStack
from infra.settings import from_context
from infra.video_stack import VideoStack


def build_app(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> App:
    """The app of one stage, not yet synthesised; `context` adds to what the CDK command line gave.

    Raises BadSetting.
    """
    app = App(context=dict(context or {}), outdir=outdir)
    settings = from_context(app.node.get_all_context())
    prefix = f"{names.STACK_PREFIX}-{settings.stage}"
    environment = Environment(region=settings.region) if settings.region else None
    data = DataStack(app, f"{prefix}-Data", settings=settings, env=environment)
    running = AppStack(app, f"{prefix}-App", settings=settings, data=data, env=environment)
    if settings.door:
        DoorStack(app, f"{prefix}-Door", settings=settings, data=data, app=running, env=environment)
    if settings.gpu:
        GpuStack(app, f"{prefix}-Gpu", settings=settings, data=data, app=running, env=environment)
    if settings.video and not settings.is_local:  # there it is a process beside the cloud
        VideoStack(app, f"{prefix}-Video", settings=settings, app=running, env=environment)
    Tags.of(app).add(STAGE_TAG, settings.stage)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app
