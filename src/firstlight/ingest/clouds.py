"""
The registry that a self-hosted ingest provisions in.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

from firstlight.errors import UsageError
from firstlight.provision import Registry
from firstlight.registries.memory import MemoryRegistry
from firstlight.settings import Settings


class Cloud(StrEnum):
    """
    `memory` is for rehearsals: it says SUCCESS, and forgets.
    """

    AWS = "aws"
    MEMORY = "memory"


@asynccontextmanager
async def open_registry(cloud: Cloud, settings: Settings, *, region: str) -> AsyncIterator[Registry]:
    """
    Yield the registry of *cloud* and close it afterwards.

    Raises:
        UsageError: AWS needs a region.
        RegistryError: there are no AWS credentials.
    """
    if cloud is Cloud.MEMORY:
        yield MemoryRegistry()
        return
    if not region:
        raise UsageError("AWS needs a region.", hint="Give --region, or set AWS_REGION.")
    # deferred: rehearsals need neither
    from firstlight import boto  # noqa: PLC0415
    from firstlight.registries.aws_environment import registry_from  # noqa: PLC0415

    registry = registry_from(settings, os.environ, region=region, credentials=boto.frozen_credentials())
    try:
        yield registry
    finally:
        await registry.close()
