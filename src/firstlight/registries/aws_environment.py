"""
The AWS registry that a process's environment describes.
"""

from collections.abc import Callable, Mapping

from firstlight.errors import SettingsError
from firstlight.registries import quotas
from firstlight.registries.announcing import AnnouncingRegistry
from firstlight.registries.aws_announcements import Announcements
from firstlight.registries.aws_credentials import environment_credentials
from firstlight.registries.aws_dynamodb import dynamodb_from
from firstlight.registries.aws_extras import NO_EXTRAS, Extras
from firstlight.registries.aws_iot import AwsIotRegistry
from firstlight.registries.quotas import Pacing
from firstlight.registries.sigv4 import Credentials
from firstlight.settings import Settings


def registry_from(
    settings: Settings,
    env: Mapping[str, str],
    *,
    region: str = "",
    credentials: Callable[[], Credentials] | None = None,
    extras: Extras = NO_EXTRAS,
    eager: bool = False,
) -> AwsIotRegistry | AnnouncingRegistry:
    """
    Return the registry of *region* (default AWS_REGION), signing with *credentials* (default those of *env*).

    *extras* are what each thing is given besides its name.  *eager* is for whoever has more devices than the
    account's quotas let through at once: calls are paced from the first on (see `quotas.Pacing`).
    AWS_ENDPOINT_URL_IOT, or else AWS_ENDPOINT_URL, is where AWS IoT is looked for, as in AWS's own SDKs.  With
    an announcements table devices are announced before they are registered.

    Raises:
        SettingsError: the environment holds no region or no credentials, and none were given; or the
            settings' quotas are of no operation, or no numbers.
    """
    region = region or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise SettingsError("AWS_REGION is not set.", hint="Set it, or name a region.")
    credentials = credentials or environment_credentials(env)
    registry = AwsIotRegistry(
        region=region,
        policy_name=settings.policy_name,
        credentials=credentials,
        endpoint_url=env.get("AWS_ENDPOINT_URL_IOT") or env.get("AWS_ENDPOINT_URL") or None,
        device_endpoint=settings.device_endpoint,
        extras=extras,
        pacing=Pacing(eager=eager, quotas=quotas.parse(settings.quotas)),
    )
    if not settings.announcements_table:
        return registry
    dynamodb, connections = dynamodb_from(env, region=region, credentials=credentials)
    return AnnouncingRegistry(registry, Announcements(dynamodb, settings.announcements_table), connections)
