"""
`firstlight azure`: deploy to a region; its CA certificates and enrollment groups.
"""

from datetime import UTC, datetime
from pathlib import Path

import click

from firstlight import pki
from firstlight.azure_clients import Azure
from firstlight.cli import azure_ca, azure_enrollment_group, azure_place, output
from firstlight.cli.ca_files import load_certificate, read_password, warn_of_exposure
from firstlight.cli.facts import print_facts
from firstlight.deploy import azure_apply, azure_bundle, azure_plan
from firstlight.deploy.azure_plan import Plan
from firstlight.deploy.bundle import CHECKOUT
from firstlight.errors import FirstlightError, UsageError
from firstlight.regions import AzureRegion

TEMPLATE = CHECKOUT / "azure" / "infra" / "azuredeploy.json"


@click.group("azure")
def command() -> None:
    """
    Deploy to Azure; upload CA certificates; create, list and disable enrollment groups.
    """


command.add_command(azure_ca.command)
command.add_command(azure_enrollment_group.command)


@command.command()
@click.option("--what-if", is_flag=True, help="Print the plan and what Azure says would change; change nothing.")
@click.option(
    "--ca-key",
    "ca_keys",
    type=azure_place.FILE,
    multiple=True,
    help="Key of one of the region's CA certificates, to prove possession of it; may be given again.",
)
@click.option("--password-file", type=azure_place.FILE, help="First line: the password of those keys.")
@azure_place.options
def deploy(
    *,
    what_if: bool,
    ca_keys: tuple[Path, ...],
    password_file: Path | None,
    region: str,
    regions_file: Path,
    subscription: str,
    as_json: bool,
) -> None:
    """
    Deploy to a region: the template, the function's code, the CA certificates, an enrollment group for each.

    What is there already is left, so it may be done again, and goes on where it broke off.
    """
    found, subscription = azure_place.find(region, regions_file, subscription)
    cas = [load_certificate(path) for path in found.ca_certificates]
    keys = {}
    for path in ca_keys:
        key = pki.load_key(path, password=read_password(password_file))
        fitting = [ca.fingerprint for ca in cas if ca.x509.public_key() == key.public_key()]
        if not fitting:
            raise UsageError(f"{path} is not the key of a CA certificate of {region}.")
        warn_of_exposure(path)
        keys[fitting[0]] = key
    plan = azure_plan.plan_for(found, subscription=subscription, template=_template(), cas=cas, proven=frozenset(keys))
    if what_if:
        _show(plan, as_json=as_json)
        return
    outputs = azure_apply.apply(
        plan,
        Azure(subscription),
        bundle=_bundle(found) if plan.publishes else None,
        keys=keys,
        now=datetime.now(UTC),
        tell=lambda line: click.echo(f"firstlight: {line}", err=True),
    )
    print_facts(outputs, as_json=as_json)


def _show(plan: Plan, *, as_json: bool) -> None:
    """
    Print the plan, whether or not Azure can be asked.
    """
    changes: list[tuple[str, str]] | None = None
    try:
        changes = azure_apply.what_if(plan, Azure(plan.subscription))
    except FirstlightError as e:
        problem: FirstlightError | None = e
    else:
        problem = None
    if as_json:
        told = None if changes is None else [{"change": kind, "resource": where} for kind, where in changes]
        output.print_json({"plan": plan.facts(), "changes": told})
    else:
        output.print_table(["do", "what", "how"], plan.steps(), title=f"Plan for {plan.region}")
        if changes is not None:
            rows = [(kind, where.rpartition("/providers/")[2]) for kind, where in changes]
            output.print_table(["change", "resource"], rows, title="What Azure says would change")
    if problem is not None:
        raise problem


def _template() -> bytes:
    try:
        return TEMPLATE.read_bytes()
    except OSError as e:
        raise UsageError(f"{TEMPLATE} cannot be read: {e.strerror}.", hint="Deploy from a checkout.") from e


def _bundle(region: AzureRegion) -> Path:
    azure_bundle.vendor(azure_bundle.Platform.FUNCTION)
    out = CHECKOUT / "build" / f"function-{region.name}"
    return azure_bundle.assemble(
        azure_bundle.Platform.FUNCTION, out=out, trusted_issuers=region.trusted_issuers, signers=region.manifest_signers
    )
