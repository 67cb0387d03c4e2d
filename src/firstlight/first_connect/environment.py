"""
What a function that hears first connects is made of, as its environment describes it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from firstlight.errors import SettingsError
from firstlight.first_connect.allow_list import AllowList
from firstlight.first_connect.settings import FirstConnectSettings
from firstlight.first_connect.source import Source
from firstlight.first_connect.stuck import StuckDevices
from firstlight.registries.aws_announcements import Announcements
from firstlight.registries.aws_calls import AwsCalls, Patience
from firstlight.registries.aws_credentials import CredentialCache, environment_credentials
from firstlight.registries.aws_dynamodb import dynamodb_from
from firstlight.registries.aws_http import AwsHttp, endpoint_of


def allow_list_from(env: Mapping[str, str], *, now: Callable[[], datetime]) -> AllowList:
    """
    Return the allow-list that *env* describes.

    Raises:
        SettingsError: something is missing in it.
    """
    settings = FirstConnectSettings.from_env(env, "announcements_table", "template_name")
    dynamodb, _ = dynamodb_from(env)
    calls = _iot(env)
    return AllowList(
        Announcements(dynamodb, settings.announcements_table),
        calls,
        Source(calls, settings.template_name),
        reserved_prefix=settings.reserved_prefix,
        now=now,
    )


def stuck_devices_from(env: Mapping[str, str]) -> StuckDevices:
    """
    Return the counter that *env* describes.

    Raises:
        SettingsError: something is missing in it.
    """
    settings = FirstConnectSettings.from_env(env, "connects_table", "stuck_after")
    dynamodb, _ = dynamodb_from(env)
    return StuckDevices(dynamodb, _iot(env), settings.connects_table, int(settings.stuck_after))


def _iot(env: Mapping[str, str]) -> AwsCalls:
    region = env.get("AWS_REGION", "")
    if not region:
        raise SettingsError("AWS_REGION is not set.")
    url = env.get("AWS_ENDPOINT_URL_IOT") or env.get("AWS_ENDPOINT_URL") or endpoint_of("iot", region)
    http = AwsHttp(endpoint_url=url, region=region, service="iot")
    return AwsCalls(http, CredentialCache(environment_credentials(env)), Patience())
