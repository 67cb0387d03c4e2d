"""
`firstlight azure ca`: CA certificates of a region's hub and provisioning service.
"""

from datetime import UTC, datetime
from pathlib import Path

import click

from firstlight import pki
from firstlight.azure_clients import Azure
from firstlight.cli import azure_place, output
from firstlight.cli.ca_files import load_certificate, read_password, warn_of_exposure
from firstlight.deploy import azure_ca, azure_plan
from firstlight.deploy.azure_ca import Place
from firstlight.errors import UsageError
from firstlight.outputs import AzureOutput


@click.group("ca")
def command() -> None:
    """
    Upload and list CA certificates.
    """


@command.command()
@click.argument("ca", type=azure_place.FILE)
@click.option("--key", "key_path", type=azure_place.FILE, help="The CA's key, to prove that you hold it.")
@click.option("--password-file", type=azure_place.FILE, help="First line: the password of the key.")
@azure_place.options
def upload(
    *,
    ca: Path,
    key_path: Path | None,
    password_file: Path | None,
    region: str,
    regions_file: Path,
    subscription: str,
    as_json: bool,
) -> None:
    """
    Upload the certificate CA to the region's hub and provisioning service, verified.

    With --key by proof of possession, without on your word.  An upload that broke off goes on; what is verified
    already is left as it is.
    """
    certificate = load_certificate(ca)
    if not certificate.is_ca:
        raise UsageError(f"{ca} is not a CA certificate.", hint="Devices' own certificates are not uploaded.")
    key = None
    if key_path is not None:
        key = pki.load_key(key_path, password=read_password(password_file))
        warn_of_exposure(key_path)
    name, now = azure_plan.name_of(certificate), datetime.now(UTC)
    rows = []
    for place in _places(region, regions_file, subscription):
        done = azure_ca.upload(place, name, certificate, key=key, now=now)
        rows.append({"name": name, "place": place.name, "state": str(done)})
    _print(rows, as_json=as_json)


@command.command("list")
@azure_place.options
def list_(*, region: str, regions_file: Path, subscription: str, as_json: bool) -> None:
    """
    List the CA certificates of the region's hub and provisioning service.
    """
    rows = [
        {
            "name": ca.name,
            "place": ca.place,
            "state": "verified" if ca.verified else "unverified",
            "subject": ca.subject,
            "expires": "" if ca.expiry is None else f"{ca.expiry.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        for place in _places(region, regions_file, subscription)
        for ca in azure_ca.stored(place)
    ]
    _print(rows, as_json=as_json)


def _places(region: str, regions_file: Path, subscription: str) -> list[Place]:
    found, subscription = azure_place.find(region, regions_file, subscription)
    azure, outputs = azure_place.deployed(found, subscription)
    return _of(azure, found.resource_group, outputs)


def _of(azure: Azure, group: str, outputs: dict[str, str]) -> list[Place]:
    places = [azure_ca.hub(azure, group, outputs[AzureOutput.HUB_NAME])]
    if outputs[AzureOutput.DPS_NAME]:
        places.append(azure_ca.dps(azure, group, outputs[AzureOutput.DPS_NAME]))
    return places


def _print(rows: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        output.print_json(rows)
    elif rows:
        output.print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        click.echo("firstlight: there is no CA certificate.", err=True)
