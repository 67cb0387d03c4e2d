"""
What the functions of one process share: the hub's pace, its connections, the queue.
"""

import os
from functools import cache

from firstlight import telemetry
from firstlight.queues.azure_backlog import StorageBacklog
from firstlight.queues.azure_environment import queue_from
from firstlight.queues.azure_storage import StorageQueue
from firstlight.registries.azure_environment import registry_from
from firstlight.registries.azure_iot import AzureIotRegistry
from firstlight.settings import Settings


@cache
def settings() -> Settings:
    # The HTTP trigger asks for what only it needs.
    return Settings.from_env(os.environ, answers=False)


@cache
def registry() -> AzureIotRegistry:
    return registry_from(settings(), os.environ)


@cache
def queue() -> StorageQueue | None:
    return queue_from(settings(), os.environ) if settings().queue_url else None


@cache
def backlog() -> StorageBacklog:
    return StorageBacklog(queue() or queue_from(settings(), os.environ))


def source() -> telemetry.Source:
    where = {name: os.environ.get(name, "") for name in ("REGION_NAME", "WEBSITE_SITE_NAME")}
    return telemetry.Source(region=where["REGION_NAME"], function=where["WEBSITE_SITE_NAME"], embedded=False)
