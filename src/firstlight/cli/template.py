"""
`firstlight template`: the JITP template to read and to hand to AWS; certificates checked against it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from firstlight import boto, ca_registration
from firstlight.certificates import Certificate
from firstlight.cli import output
from firstlight.cli.ca_files import load_certificate, read
from firstlight.cli.facts import printable
from firstlight.errors import UsageError
from firstlight.jitp import meaning, names, template
from firstlight.jitp.lint import Finding, Severity, check_device, check_template, has_errors, parse

_FILE = click.Path(path_type=Path)
# as the shell has them: CommonName for AWS::IoT::Certificate::CommonName
_FIELDS = [name.removeprefix(template.PREFIX) for name in template.PARAMETERS]


class _Checked(NamedTuple):
    """
    One certificate file and what was found; `thing` is what JITP would make of it, if anything.
    """

    file: Path
    findings: Sequence[Finding]
    thing: meaning.Resources | None


@click.group("template")
def command() -> None:
    """
    Show the JITP template; check a certificate against it.
    """


@command.command()
@click.option(
    "--policy-name", default=template.POLICY_NAME, show_default=True, help="IoT policy of every device; it must exist."
)
@click.option(
    "--thing-name", "field", type=click.Choice(_FIELDS), default="CommonName", show_default=True, help="Names things."
)
@click.option("--thing-type", default="", help="Thing type; it must exist.")
@click.option("--thing-group", "groups", multiple=True, help="Thing group, any number of times; it must exist.")
@click.option("--billing-group", default="", help="Billing group; it must exist.")
@click.option("--escaped", is_flag=True, help="As AWS wants it: a JSON text inside JSON.")
@click.option("--role-arn", default="", help="With --escaped: the role, for `--registration-config` of the AWS CLI.")
def show(
    *,
    policy_name: str,
    field: str,
    thing_type: str,
    groups: tuple[str, ...],
    billing_group: str,
    escaped: bool,
    role_arn: str,
) -> None:
    """
    Print the JITP template.

    --escaped prints it as one JSON string, the value of "templateBody"; with --role-arn as the whole
    object that `aws iot register-ca-certificate --registration-config` takes.
    """
    if role_arn and not escaped:
        raise UsageError("--role-arn goes with --escaped.")
    body = template.build(
        policy_name=policy_name,
        thing_name_parameter=template.PREFIX + field,
        thing_type=thing_type,
        thing_groups=groups,
        billing_group=billing_group,
    )
    for finding in check_template(body):
        if finding.severity is Severity.ERROR:
            raise UsageError(f"{finding.where}: {finding.sentence}", hint=finding.remedy)
        click.echo(f"firstlight: {finding.where}: {finding.sentence}", err=True)
    if escaped:
        text = template.to_aws(body)
        click.echo(template.for_registration_config(body, role_arn) if role_arn else json.dumps(text))
    else:
        output.print_json(body)


@command.command()
@click.option("--cert", "files", multiple=True, type=_FILE, help="A device's certificate, any number of times.")
@click.option("--ca", "ca_file", type=_FILE, help="The CA certificate to be registered.")
@click.option("--template", "source", default="", metavar="FILE|NAME", help="A file, or a template's name in AWS.")
@click.option(
    "--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], default="", show_envvar=True, help="Of a template's name."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lint(*, files: tuple[Path, ...], ca_file: Path | None, source: str, region: str, as_json: bool) -> None:
    """
    Say whether JITP would make a thing of the device, and every reason why not.

    Without --template it is the one that `firstlight template show` prints.  Exit status: 0 it would,
    1 it would not, 2 something could not be read.
    """
    body, findings = _template(source, region)
    findings += check_template(body)
    ca = None if ca_file is None else load_certificate(ca_file)
    now = datetime.now(UTC)
    broken = has_errors(findings)
    loaded = [(file, load_certificate(file)) for file in files]
    checked = [_check(file, certificate, body, ca, now, broken=broken) for file, certificate in loaded]
    if as_json:
        output.print_json(_as_json(findings, checked))
    else:
        _print(findings, checked)
    if broken or any(has_errors(one.findings) for one in checked):
        raise SystemExit(1)


def _template(source: str, region: str) -> tuple[Mapping[str, Any], list[Finding]]:
    if not source:
        return template.build(policy_name=template.POLICY_NAME), []
    path = Path(source)
    if path.exists():
        return parse(read(path).decode("utf-8-sig", "replace")), []
    if not names.is_template_name(source):
        raise UsageError(f"{source!r} is neither a file nor the name of a template.")
    if not region:
        raise UsageError(f"There is no file {source}; to ask AWS for a template of that name, give --region.")
    named = ca_registration.describe_template(boto.client("iot", region=region), source)
    problems = [Finding(Severity.ERROR, "template", named.problem, named.remedy)] if named.problem else []
    return parse(named.body), problems


def _check(
    file: Path,
    certificate: Certificate,
    body: Mapping[str, Any],
    ca: Certificate | None,
    now: datetime,
    *,
    broken: bool,
) -> _Checked:
    findings = check_device(body, certificate, ca=ca, now=now)
    if broken or has_errors(findings):
        return _Checked(file, findings, None)
    return _Checked(file, findings, meaning.resolve(body, meaning.parameters(certificate)))


def _as_json(findings: Sequence[Finding], checked: Sequence[_Checked]) -> dict[str, Any]:
    return {
        "template": [_row(f) for f in findings],
        "certificates": [
            {
                "file": str(one.file),
                "thing_name": one.thing.thing_name if one.thing else None,
                "findings": [_row(f) for f in one.findings],
            }
            for one in checked
        ],
    }


def _row(finding: Finding) -> dict[str, str]:
    return {name: str(getattr(finding, name)) for name in ("severity", "where", "sentence", "remedy")}


def _print(findings: Sequence[Finding], checked: Sequence[_Checked]) -> None:
    rows = [("the template", f) for f in findings] + [(one.file.name, f) for one in checked for f in one.findings]
    if rows:
        table = [(f.severity, file, f.where, printable(f"{f.sentence} {f.remedy}")) for file, f in rows]
        output.print_table(("", "in", "where", "found"), table)
    for one in checked:
        if one.thing:
            policies = ", ".join(one.thing.policy_names) or "no named policy"
            click.echo(
                f"{one.file}: would become the thing {one.thing.thing_name} with {policies}; "
                "its MQTT client id must be the same."
            )
    if not rows and not checked:
        click.echo("The template is well-formed; give --cert to check a device against it.")
