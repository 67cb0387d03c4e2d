"""
The queue of unfinished devices, on whichever cloud: what a push puts in, and what a worker takes out.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from firstlight.backlog import Source
from firstlight.errors import UsageError
from firstlight.ingest.clouds import Cloud
from firstlight.overflow import Overflow
from firstlight.settings import Settings


@asynccontextmanager
async def open_overflow(cloud: Cloud, settings: Settings, *, region: str) -> AsyncIterator[Overflow | None]:
    """
    Yield the queue that *settings* name, None if they name none, and close it afterwards.

    Raises:
        RegistryError: there are no AWS credentials.
        SettingsError: the queue's URL is none.
    """
    if not settings.queue_url or cloud is Cloud.MEMORY:
        yield None
        return
    async with _opened(cloud, settings, region) as (overflow, _):
        yield overflow


@asynccontextmanager
async def open_source(cloud: Cloud, settings: Settings, *, region: str) -> AsyncIterator[Source]:
    """
    Yield what takes messages out of the queue that *settings* name, and close it afterwards.

    Raises:
        UsageError: a rehearsal has no queue.
        RegistryError: there are no AWS credentials.
        SettingsError: there is no queue, or its URL is none.
    """
    if cloud is Cloud.MEMORY:
        raise UsageError("A rehearsal has no queue.", hint="Name aws or azure.")
    async with _opened(cloud, settings, region) as (_, source):
        yield source


@asynccontextmanager
async def _opened(cloud: Cloud, settings: Settings, region: str) -> AsyncIterator[tuple[Overflow, Source]]:
    # deferred: nobody needs the SDKs of another cloud
    if cloud is Cloud.AWS:
        from firstlight import boto  # noqa: PLC0415
        from firstlight.queues import sqs_environment  # noqa: PLC0415

        sqs = sqs_environment.queue_from(settings, os.environ, region=region, credentials=boto.frozen_credentials())
        try:
            yield sqs, sqs
        finally:
            await sqs.close()
        return
    from firstlight.queues import azure_environment  # noqa: PLC0415
    from firstlight.queues.azure_backlog import StorageBacklog  # noqa: PLC0415

    storage = azure_environment.queue_from(settings, os.environ)
    try:
        yield storage, StorageBacklog(storage)
    finally:
        await storage.close()
