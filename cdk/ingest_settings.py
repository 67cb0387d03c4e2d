"""
A region's row of regions.toml to what its functions are told.
"""

from dataclasses import replace

from firstlight.deploy import bundle, manifest_bundle, public_key
from firstlight.identity import NamingRule
from firstlight.regions import AwsRegion, FirstConnect
from firstlight.registries import quotas
from firstlight.registries.aws_announcements import TABLE
from firstlight.settings import Settings


def of(region: AwsRegion, *, account: str, queue_url: str) -> Settings:
    """
    Return the settings of *region*'s ingest function; *account*, its AWS account, and *queue_url* may be tokens.

    Raises:
        RegionsError: the token key file holds no public key.
        SettingsError: a quota is of no operation that firstlight calls.
    """
    given = ",".join(region.quotas)
    # The function would refuse it too, but at its first push.
    quotas.parse(given)
    return Settings(
        # The console sends the account id as the token's audience.
        audience=region.audience or account,
        token_key=public_key.read(region.token_key_file),
        token_key_url=region.token_key_url,
        naming=region.naming,
        thing_prefix=region.thing_prefix,
        topic=region.topic,
        device_endpoint=region.device_endpoint,
        queue_url=queue_url,
        quotas=given,
        # beside the handler, which runs in the folder of its code
        trusted_issuers_file=bundle.TRUSTED_ISSUERS if region.trusted_issuers else "",
        announcements_table=TABLE if region.first_connect is FirstConnect.ALLOW_LIST else "",
    )


def of_worker(settings: Settings) -> Settings:
    """
    Return what the worker is told of its ingest function's *settings*: nobody calls it, so not who may.
    """
    return replace(settings, audience="", token_key="", token_key_url="", topic=Settings().topic)


def of_uploads(region: AwsRegion, settings: Settings) -> Settings:
    """
    Return what the function that reads *region*'s uploaded manifests is told of its ingest function's *settings*.
    """
    return replace(
        of_worker(settings),
        manifest_signers_file=manifest_bundle.SIGNERS if region.manifest_signers else "",
        manifest_attributes=",".join(region.manifest_attributes),
    )


def rule(region: AwsRegion) -> NamingRule:
    """
    Return how *region* names pushed devices.
    """
    return Settings(naming=region.naming, thing_prefix=region.thing_prefix).rule
