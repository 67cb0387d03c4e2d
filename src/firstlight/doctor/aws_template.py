"""
Of a newcomer: does the template run, and does it make something of this certificate?
"""

import json

from firstlight.doctor.aws_case import AwsCase, Template
from firstlight.doctor.causes import Fine, Found
from firstlight.errors import JitpError, UsageError
from firstlight.jitp import meaning
from firstlight.jitp.lint import Finding, Severity, check_device, check_template, parse

# Of the lint's findings those that are causes of their own.
_MISSING = "which the template declares without a Default"
_TOO_LONG = "characters at most, white space aside"


def missing(case: AwsCase) -> Found | None:
    if case.introduction is None or not (name := case.introduction.ca.template_name):
        return None
    if case.introduction.template.value is not None:
        return None
    return Found(
        f"The CA runs the provisioning template {name}, which does not exist in {case.region}.",
        (f"npx aws-cdk@2 deploy FirstlightJitp-{case.region}",),
        "Or let the CA run another: aws iot update-ca-certificate --registration-config templateName=NAME.",
    )


def of_another_type(case: AwsCase) -> Found | None:
    template = _template(case)
    if template is None or template.kind == "JITP":
        return None
    return Found(
        f"The provisioning template {template.name} is of type {template.kind}, and a CA runs one of type JITP.",
        (f"npx aws-cdk@2 deploy FirstlightJitp-{case.region}",),
        "The type of a template never changes: make another of type JITP, and let the CA run that one.",
    )


def disabled(case: AwsCase) -> Found | Fine | None:
    template = _template(case)
    if template is None:
        return None
    if template.enabled:
        return Fine(f"The CA runs {_called(template)}.")
    return Found(
        f"The provisioning template {template.name} is disabled.",
        (f"aws iot update-provisioning-template --template-name {template.name} --enabled {case.at}",),
    )


def invalid(case: AwsCase) -> Found | None:
    """
    The template cannot be run for any certificate.
    """
    template = _template(case)
    if template is None:
        return None
    try:
        found = _errors(check_template(parse(template.body)))
    except UsageError as e:
        return Found(e.message, advice=e.hint)
    errors = [finding for finding in found if _TOO_LONG not in finding.sentence]
    if not errors:
        return None
    return Found(
        f"In {_called(template)}, {errors[0].where}: {errors[0].sentence}", _mend(case, template), errors[0].remedy
    )


def without_value(case: AwsCase) -> Found | None:
    """
    The template wants something of the subject that this certificate lacks.
    """
    lacking = [found for found in _of_device(case) if _MISSING in found.sentence]
    return _as_found(case, lacking[0]) if lacking else None


def name_or_value_illegal(case: AwsCase) -> Found | None:
    """
    The thing's name, or an attribute, would be one that AWS IoT does not take.
    """
    others = [found for found in _of_device(case) if _MISSING not in found.sentence]
    return _as_found(case, others[0]) if others else None


def not_understood(case: AwsCase) -> Found | None:
    """
    What the checks above let pass and AWS IoT would refuse all the same.
    """
    template = _template(case)
    if template is None or invalid(case) or _of_device(case):
        return None
    try:
        meaning.resolve(template.body, meaning.parameters(case.device.certificate))
    except JitpError as e:
        return Found(e.message, _mend(case, template), e.hint)
    return None


def leaves_inactive(case: AwsCase) -> Found | None:
    resources = case.resources
    template = _template(case)
    if resources is None or template is None or resources.status == "ACTIVE":
        return None
    return Found(
        f"{_called(template, first=True)} leaves the certificate {resources.status}.",
        (f"firstlight devices enable --cert {case.device.file} {case.at}",),
        "Or set Status to ACTIVE in the template.",
    )


def _template(case: AwsCase) -> Template | None:
    return case.introduction.template.value if case.introduction else None


def _of_device(case: AwsCase) -> list[Finding]:
    template = _template(case)
    if template is None or invalid(case):
        return []
    certificate = case.device.certificate
    # its dates are another cause's business
    within = min(max(case.device.now, certificate.x509.not_valid_before_utc), certificate.x509.not_valid_after_utc)
    found = check_device(json.loads(template.body), certificate, now=within)
    return [
        finding for finding in _errors(found) if finding.where.startswith("Resources") or _MISSING in finding.sentence
    ]


def _errors(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.severity is Severity.ERROR]


def _as_found(case: AwsCase, finding: Finding) -> Found:
    template = _template(case)
    assert template is not None  # noqa: S101 -- without one nothing was found
    return Found(f"In {_called(template)}, {finding.where}: {finding.sentence}", _mend(case, template), finding.remedy)


def _called(template: Template, *, first: bool = False) -> str:
    words = f"the provisioning template {template.name}" if template.name else "the CA's inline template"
    return words[:1].upper() + words[1:] if first else words


def _mend(case: AwsCase, template: Template) -> tuple[str, ...]:
    if template.name:
        body = "--set-as-default --template-body file://template.json"
        return (
            f"firstlight template lint --cert {case.device.file} --template {template.name} {case.at}",
            f"aws iot create-provisioning-template-version --template-name {template.name} {body} {case.at}",
        )
    ca = case.introduction.ca.id if case.introduction else ""
    return (f"aws iot update-ca-certificate --certificate-id {ca} --registration-config file://config.json {case.at}",)
