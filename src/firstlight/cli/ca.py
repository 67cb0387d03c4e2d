"""
`firstlight ca`: create a CA, register it with AWS IoT, see what is registered, retire it.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from firstlight import boto, ca_registration, pki
from firstlight.ca_registration import Mode, Provisioning, RegisteredCa
from firstlight.cli import ca_retire, output
from firstlight.cli.ca_files import load_ca, load_certificate, read, read_password, warn_of_exposure
from firstlight.cli.facts import print_facts
from firstlight.errors import CertificateError, UsageError
from firstlight.jitp import ca as ca_checks
from firstlight.jitp import template
from firstlight.jitp.lint import Severity, check_template, parse
from firstlight.regions import AwsRegion

_FILE = click.Path(path_type=Path)
_TEMPLATE = AwsRegion(name="").template_name
_ID = re.compile(r"[0-9a-f]{64}")
_region = click.option(
    "--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], required=True, show_envvar=True, help="AWS region."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_password = click.option("--password-file", type=_FILE, help="First line: the password of the key.")


@click.group("ca")
def command() -> None:
    """
    Create, register, describe, list and retire CA certificates.
    """


command.add_command(ca_retire.command)


@command.command()
@click.argument("name")
@click.option("--out", "folder", required=True, type=_FILE, help="Folder for ca.key and ca.pem, one CA a folder.")
@click.option("--issuer", type=_FILE, help="Folder or prefix of the CA that signs this one; self-signed without.")
@click.option("--issuer-password-file", type=_FILE, help="First line: the password of the issuer's key.")
@click.option(
    "--kind", type=click.Choice([k.value for k in pki.KeyKind]), default=pki.KeyKind.EC_P256.value, show_default=True
)
@click.option("--days", type=click.IntRange(1, 36500), default=3650, show_default=True)
@_password
@_json
def create(
    *,
    name: str,
    folder: Path,
    issuer: Path | None,
    issuer_password_file: Path | None,
    kind: str,
    days: int,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """
    Create a CA whose common name is NAME: ca.key (mode 0600) and ca.pem.

    Nothing is overwritten.  With --password-file the key is encrypted.
    """
    password = read_password(password_file)
    signer = None if issuer is None else load_ca(issuer, issuer_password_file)
    key = pki.new_key(kind)
    certificate = pki.create_ca(name, key=key, days=days, issuer=signer, now=datetime.now(UTC))
    key_path, path = pki.private_folder(folder) / "ca.key", folder / "ca.pem"
    pki.require_absent(key_path, path)
    pki.write_key(key_path, key, password=password)
    pki.write_certificate(path, certificate)
    facts = {
        "subject": certificate.x509.subject.rfc4514_string(),
        "id": certificate.fingerprint,
        "not_after": _time(certificate.x509.not_valid_after_utc),
        "key": str(key_path),
        "certificate": str(path),
    }
    print_facts(facts, as_json=as_json)


@command.command()
@click.argument("ca", type=_FILE)
@click.option("--mode", type=click.Choice([m.value for m in Mode]), default=Mode.SNI_ONLY.value, show_default=True)
@click.option("--key", "key_path", type=_FILE, help="The CA's key; mode default only.")
@_password
@click.option(
    "--template",
    "template_name",
    metavar="NAME",
    show_default=_TEMPLATE,
    help="Provisioning template of devices; an empty one registers without.",
)
@click.option("--template-file", type=_FILE, help="Template body to store with the CA, instead of a named one.")
@click.option("--role-arn", default="", help="Role that an inline template runs under.")
@_region
@_json
def register(
    *,
    ca: Path,
    mode: str,
    key_path: Path | None,
    password_file: Path | None,
    template_name: str | None,
    template_file: Path | None,
    role_arn: str,
    region: str,
    as_json: bool,
) -> None:
    """
    Register the certificate CA for just-in-time provisioning.

    Mode sni-only needs no key; mode default proves that you hold it, and ties the CA to this account in
    this region.  A CA that is registered already is described, with what differs from what you asked.
    """
    now = datetime.now(UTC)
    load_certificate(ca)
    try:
        certificate = ca_checks.load(read(ca), now)
    except CertificateError as e:
        raise CertificateError(f"{ca}: {e.message}", hint=e.hint) from e
    provisioning = _provisioning(template_name, template_file, role_arn)
    key = None
    if key_path is not None:
        key = pki.load_key(key_path, password=read_password(password_file))
        warn_of_exposure(key_path)
    iot = boto.client("iot", region=region)
    done = ca_registration.register(iot, certificate, mode=Mode(mode), key=key, provisioning=provisioning, now=now)
    if not done.new:
        click.echo("firstlight: this CA is registered already; nothing was changed.", err=True)
    for difference in done.differences:
        click.echo(f"firstlight: {difference}", err=True)
    extra = {"new": done.new, "differences": list(done.differences)} if as_json else {}
    print_facts({**_facts(done.ca), **extra}, as_json=as_json)


@command.command()
@click.argument("ca")
@_region
@_json
def describe(ca: str, region: str, as_json: bool) -> None:
    """
    Describe a registered CA: CA is its certificate, or its id of 64 hex digits.
    """
    ca_id = ca.lower() if _ID.fullmatch(ca.lower()) else load_certificate(Path(ca)).fingerprint
    print_facts(_facts(ca_registration.describe(boto.client("iot", region=region), ca_id)), as_json=as_json)


@command.command("list")
@_region
@_json
def list_(region: str, as_json: bool) -> None:
    """
    List the registered CAs of the region.
    """
    found = [_facts(ca) for ca in ca_registration.list_registered(boto.client("iot", region=region))]
    if as_json:
        output.print_json(found)
        return
    if not found:
        click.echo(f"firstlight: no CA certificate is registered in {region}.", err=True)
    for number, facts in enumerate(found):
        if number:
            click.echo()
        print_facts(facts, as_json=False)


def _provisioning(name: str | None, file: Path | None, role_arn: str) -> Provisioning:
    if file is None:
        if role_arn:
            raise UsageError("--role-arn belongs to --template-file; a named template has its own role.")
        return Provisioning(template_name=_TEMPLATE if name is None else name)
    if name is not None:
        raise UsageError("--template and --template-file exclude each other.")
    if not role_arn:
        raise UsageError("--template-file needs --role-arn, the role the template runs under.")
    body = parse(read(file).decode("utf-8-sig", "replace"))
    for finding in check_template(body):
        if finding.severity is Severity.ERROR:
            raise UsageError(f"{file}: {finding.where}: {finding.sentence}", hint=finding.remedy)
    return Provisioning(template_body=template.to_aws(body), role_arn=role_arn)


def _facts(ca: RegisteredCa) -> dict[str, object]:
    return {
        "subject": ca.subject,
        "id": ca.id,
        "arn": ca.arn,
        "status": ca.status,
        "mode": ca.mode,
        "auto_registration": "on" if ca.auto_registration else "off",
        "provisioning": str(ca.provisioning),
        "not_after": _time(ca.not_after),
        "registered": "" if ca.registered is None else _time(ca.registered.astimezone(UTC)),
    }


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
