"""
`firstlight device`: keys and certificates for test devices.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from firstlight import pki
from firstlight.cli.ca_files import load_ca
from firstlight.cli.facts import print_facts
from firstlight.errors import UsageError
from firstlight.jitp import names

_FACTORY_COMMON_NAME = '""'
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_HEX = re.compile(r"(0x)?([0-9a-fA-F]{1,40})")


@click.group("device")
def command() -> None:
    """
    Issue keys and certificates for test devices.
    """


@command.command()
@click.argument("name")
@click.option("--ca", "ca_place", required=True, type=click.Path(path_type=Path), help="Folder or prefix of the CA.")
@click.option(
    "--out", "folder", default=".", show_default=True, type=click.Path(path_type=Path), help="Where the files go."
)
@click.option(
    "--kind", type=click.Choice([k.value for k in pki.KeyKind]), default=pki.KeyKind.EC_P256.value, show_default=True
)
@click.option("--serial", default="", metavar="HEX", help="Serial number; random if not given.")
@click.option("--days", type=click.IntRange(1, 36500), default=730, show_default=True, help="Never outlives its CA.")
@click.option("--common-name", default="", metavar="CN", help="Another common name than NAME.")
@click.option("--factory-shape", is_flag=True, help='As security chips come: CN "" (two quotes), a 31-bit serial.')
@click.option("--password-file", type=click.Path(path_type=Path), help="First line: the password of the CA's key.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def issue(
    *,
    name: str,
    ca_place: Path,
    folder: Path,
    kind: str,
    serial: str,
    days: int,
    common_name: str,
    factory_shape: bool,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """
    Issue a device certificate: NAME.key (mode 0600), NAME.pem and NAME-chain.pem (it and its CA).

    NAME becomes the common name, and by the JITP template the thing's name; the device's MQTT client id
    must be the same.  Nothing is overwritten.
    """
    if common_name and factory_shape:
        raise UsageError("--common-name and --factory-shape exclude each other.")
    _require_name(name, names_thing=not (common_name or factory_shape))
    number = _serial(serial, factory_shape=factory_shape)
    ca, ca_key = load_ca(ca_place, password_file)
    key = pki.new_key(kind)
    certificate = pki.issue_device(
        ca=ca,
        ca_key=ca_key,
        key_or_public_key=key,
        common_name=_FACTORY_COMMON_NAME if factory_shape else common_name or name,
        serial=number,
        days=days,
        now=datetime.now(UTC),
    )
    paths = {part: pki.private_folder(folder) / f"{name}{part}" for part in (".key", ".pem", "-chain.pem")}
    pki.require_absent(*paths.values())
    pki.write_key(paths[".key"], key)
    pki.write_certificate(paths[".pem"], certificate)
    pki.write_certificate(paths["-chain.pem"], certificate, ca)
    facts = {
        "common_name": certificate.common_name,
        "serial": certificate.serial,
        "certificate_id": certificate.fingerprint,
        "not_after": f"{certificate.x509.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "key": str(paths[".key"]),
        "certificate": str(paths[".pem"]),
        "chain": str(paths["-chain.pem"]),
    }
    print_facts(facts, as_json=as_json)


def _require_name(name: str, *, names_thing: bool) -> None:
    if names_thing and not names.is_thing_name(name):
        raise UsageError(
            f"{name!r} is not a thing name: 1 to 128 of letters, digits, _ : and -.",
            hint="For another common name use --common-name or --factory-shape.",
        )
    if not _FILE_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a file name: letters, digits, . _ : and -, first a letter or digit.")


def _serial(text: str, *, factory_shape: bool) -> int | None:
    if not text:
        return pki.random_factory_serial() if factory_shape else None
    found = _HEX.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is not a serial number: up to 40 hex digits.")
    return int(found[2], 16)
