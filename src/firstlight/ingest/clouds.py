"""
The registry that a self-hosted ingest provisions in.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Protocol

from firstlight.errors import UsageError
from firstlight.inspection import Inspector
from firstlight.provision import Registry
from firstlight.registries.aws_extras import NO_EXTRAS, Extras
from firstlight.registries.memory import MemoryRegistry
from firstlight.settings import Settings


class Cloud(StrEnum):
    """
    `memory` is for rehearsals: it says SUCCESS, and forgets.
    """

    AWS = "aws"
    AZURE = "azure"
    MEMORY = "memory"


class InspectedRegistry(Registry, Inspector, Protocol):
    """
    A registry that also says what a device is.
    """


@asynccontextmanager
async def open_registry(
    cloud: Cloud, settings: Settings, *, region: str, extras: Extras = NO_EXTRAS, eager: bool = False
) -> AsyncIterator[InspectedRegistry]:
    """
    Yield the registry of *cloud* and close it afterwards; *extras* are what AWS gives each thing besides its name,
    *eager* is for whoever has more devices than AWS's quotas let through at once.

    Raises:
        UsageError: AWS needs a region.
        RegistryError: there are no AWS credentials.
        SettingsError: Azure needs a hub.
    """
    # deferred: nobody needs the SDKs of another cloud, a rehearsal none
    match cloud:
        case Cloud.MEMORY:
            yield MemoryRegistry()
            return
        case Cloud.AWS:
            if not region:
                raise UsageError("AWS needs a region.", hint="Give --region, or set AWS_REGION.")
            from firstlight import boto  # noqa: PLC0415
            from firstlight.registries import aws_environment  # noqa: PLC0415

            credentials = boto.frozen_credentials()
            aws = aws_environment.registry_from(
                settings, os.environ, region=region, credentials=credentials, extras=extras, eager=eager
            )
            close = aws.close
            registry: InspectedRegistry = aws
        case Cloud.AZURE:
            from firstlight.registries import azure_environment  # noqa: PLC0415

            azure = azure_environment.registry_from(settings, os.environ)
            close = azure.close
            registry = azure
    try:
        yield registry
    finally:
        await close()
