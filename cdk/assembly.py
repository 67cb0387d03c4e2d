"""
Every region of regions.toml to its stacks.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from aws_cdk import App, DefaultStackSynthesizer, Environment
from aws_cdk import aws_lambda as lambda_

from cdk.ingest_stack import IngestStack
from cdk.jitp_stack import JitpStack
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, RegionsError
from firstlight.jitp import ca
from firstlight.regions import AwsRegion

# The folder of the functions' code, given the files of the issuers it trusts.
Bundle = Callable[[Sequence[Path]], Path]


def app(outdir: Path) -> App:
    """
    Return an app without stacks that synthesizes to the folder *outdir*.
    """
    return App(outdir=str(outdir), analytics_reporting=False)


def add_stacks(
    scope: App,
    regions: Iterable[AwsRegion],
    *,
    bundle: Bundle,
    manifest_bundle: Callable[[AwsRegion], Path],
    now: datetime,
) -> None:
    """
    Add the stacks of *regions* to *scope*; *manifest_bundle* is asked for a region with `manifest_uploads` only.

    Raises:
        RegionsError: a file that a region names cannot be used, such as a CA that AWS IoT would refuse at *now*.
        DeploymentError: there is no bundle.
    """
    for region in regions:
        # Without an account the stacks go to whichever the credentials of the deployment are for.
        environment = Environment(account=region.account or None, region=region.name)
        if region.ingest:
            IngestStack(
                scope,
                f"FirstlightIngest-{region.name}",
                region=region,
                code=lambda_.Code.from_asset(str(bundle(region.trusted_issuers))),
                manifest_code=lambda_.Code.from_asset(str(manifest_bundle(region)))
                if region.manifest_uploads
                else None,
                env=environment,
                synthesizer=_synthesizer(),
            )
        if region.jitp:
            JitpStack(
                scope,
                f"FirstlightJitp-{region.name}",
                region=region,
                code=lambda_.Code.from_asset(str(bundle(region.trusted_issuers))),
                ca_certificates=_ca_certificates(region, now),
                now=now,
                env=environment,
                synthesizer=_synthesizer(),
            )


def _synthesizer() -> DefaultStackSynthesizer:
    # One for each stack: they collect assets, and a shared one sends every region's to all regions.
    # Nothing of the bootstrap stack's version matters here, and asking for it needs an SSM parameter.
    return DefaultStackSynthesizer(generate_bootstrap_version_rule=False)


def _ca_certificates(region: AwsRegion, now: datetime) -> list[Certificate]:
    found: dict[str, Certificate] = {}
    for path in region.ca_certificates:
        try:
            certificate = ca.load(path.read_bytes(), now)
        except CertificateError as e:
            raise RegionsError(f"{path}: {e.message}", hint=e.hint) from e
        if certificate.fingerprint in found:
            raise RegionsError(f"{path}: {region.name} names this CA certificate twice.")
        found[certificate.fingerprint] = certificate
    return list(found.values())
