"""
The SQS queue that a process's environment describes.
"""

from collections.abc import Callable, Mapping

from firstlight.errors import SettingsError
from firstlight.queues.sqs import SqsQueue
from firstlight.registries.aws_credentials import environment_credentials
from firstlight.registries.sigv4 import Credentials
from firstlight.settings import Settings


def queue_from(
    settings: Settings,
    env: Mapping[str, str],
    *,
    region: str = "",
    credentials: Callable[[], Credentials] | None = None,
) -> SqsQueue:
    """
    Return the queue of FIRSTLIGHT_QUEUE_URL, signing with *credentials* (default those of *env*).

    AWS_ENDPOINT_URL_SQS, or else AWS_ENDPOINT_URL, is where SQS is looked for, as in AWS's own SDKs.

    Raises:
        SettingsError: there is none, its URL is none, or the environment holds no credentials and none were given.
    """
    if not settings.queue_url:
        raise SettingsError("FIRSTLIGHT_QUEUE_URL is not set.", hint="It is the URL of the queue to use.")
    return SqsQueue(
        settings.queue_url,
        region=region or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION", ""),
        credentials=credentials or environment_credentials(env),
        endpoint_url=env.get("AWS_ENDPOINT_URL_SQS") or env.get("AWS_ENDPOINT_URL") or None,
    )
