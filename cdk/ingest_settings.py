"""
A region's row of regions.toml to what its ingest function is told.
"""

from firstlight.deploy import bundle, public_key
from firstlight.identity import NamingRule
from firstlight.regions import AwsRegion
from firstlight.settings import Settings


def of(region: AwsRegion, *, account: str) -> Settings:
    """
    Return the settings of *region*'s ingest function; *account*, its AWS account, may be a token.

    Raises:
        RegionsError: the token key file holds no public key.
    """
    return Settings(
        # The console sends the account id as the token's audience.
        audience=region.audience or account,
        token_key=public_key.read(region.token_key_file),
        token_key_url=region.token_key_url,
        naming=region.naming,
        thing_prefix=region.thing_prefix,
        topic=region.topic,
        device_endpoint=region.device_endpoint,
        # beside the handler, which runs in the folder of its code
        trusted_issuers_file=bundle.TRUSTED_ISSUERS if region.trusted_issuers else "",
    )


def rule(region: AwsRegion) -> NamingRule:
    """
    Return how *region* names pushed devices.
    """
    return Settings(naming=region.naming, thing_prefix=region.thing_prefix).rule
