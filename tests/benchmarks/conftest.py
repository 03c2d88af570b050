"""The synthesised template, as tests/infra makes it; one synthesis for both."""

from tests.infra.conftest import aws

__all__ = ["aws"]
