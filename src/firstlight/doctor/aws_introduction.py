"""
Read what a first connect runs into: the CA, its template and role, and everything the template names.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.doctor.aws_asking import ask, found, listed
from firstlight.doctor.aws_case import AwsCase, Ca, Introduction, Template
from firstlight.doctor.facts import Fact
from firstlight.errors import CertificateError, JitpError
from firstlight.jitp import meaning
from firstlight.jitp.meaning import Resources
from firstlight.policies import iam_role
from firstlight.policies.iam_role import Role
from firstlight.registries import aws_announcements

REGISTERED = "$aws/events/certificates/registered/"
# how our stacks describe their rules
_OURS = "firstlight: "


def read_cas(iot: Any) -> tuple[Ca, ...]:
    """
    Return every CA certificate of the region, whatever its status: one call a page and one a CA.
    """
    ids = [one["certificateId"] for one in listed(iot, "list_ca_certificates", "certificates")]
    answers = [iot.describe_ca_certificate(certificateId=ca_id) for ca_id in ids]
    return tuple(ca for answer in answers if (ca := _ca(answer)) is not None)


def signer(certificate: Certificate, cas: tuple[Ca, ...]) -> Ca | None:
    """
    Return the one of *cas* whose key signed *certificate*; one that is ACTIVE and registers by itself comes first.
    """
    signers = [ca for ca in cas if certificate.is_issued_by(ca.certificate)]
    return min(signers, key=lambda ca: (ca.status != "ACTIVE", not ca.auto_registers), default=None)


def introduction(iot: Any, iam: Any, dynamodb: Any, case: AwsCase) -> Introduction | None:
    """
    Return what a first connect runs into, or None when no registered CA signed the certificate.
    """
    ca = signer(case.device.certificate, case.cas.value)
    if ca is None:
        return None
    named = bool(ca.template_name or ca.template_body)
    template = ask(f"the template {ca.template_name}", lambda: _template(iot, ca)) if named else Fact(None)
    off = template.known is not None and not template.known.enabled
    announced = ask("the announcements", lambda: _announced(dynamodb, case)) if off or not named else Fact(None)
    # A CA from before the region had its allow-list names the template still: no call of AWS IoT takes it away,
    # so the stack has disabled it.
    if not named or (off and announced.known is not None):
        listeners = ask("the topic rules", lambda: _listeners(iot))
        return Introduction(
            ca=replace(ca, template_name="", template_body=""), announced=announced, listeners=listeners
        )
    resources = _resources(template.known, case.device.certificate)
    return Introduction(
        ca=ca,
        template=template,
        role=_role(iam, template.known),
        there=_there(iot, resources) if resources else {},
    )


def _ca(answer: Mapping[str, Any]) -> Ca | None:
    shown, config = answer["certificateDescription"], answer.get("registrationConfig") or {}
    try:
        certificate = certificates.load(shown["certificatePem"].encode("ascii"))
    except CertificateError:
        # what cannot be read has signed nothing that can be verified
        return None
    return Ca(
        id=shown["certificateId"],
        arn=shown["certificateArn"],
        certificate=certificate,
        status=shown["status"],
        auto_registers=shown.get("autoRegistrationStatus") == "ENABLE",
        mode=shown.get("certificateMode", ""),
        template_name=config.get("templateName", ""),
        template_body=config.get("templateBody", ""),
        role_arn=config.get("roleArn", ""),
    )


def _template(iot: Any, ca: Ca) -> Template | None:
    if not ca.template_name:
        return Template(name="", arn=ca.arn, body=ca.template_body, role_arn=ca.role_arn) if ca.template_body else None
    answer = found(iot, "describe_provisioning_template", templateName=ca.template_name)
    if answer is None:
        return None
    return Template(
        name=ca.template_name,
        arn=answer["templateArn"],
        body=answer["templateBody"],
        role_arn=answer["provisioningRoleArn"],
        # AWS leaves both out for what they were before there were types
        kind=answer.get("type", "FLEET_PROVISIONING"),
        enabled=bool(answer.get("enabled")),
    )


def _resources(template: Template | None, certificate: Certificate) -> Resources | None:
    try:
        return meaning.resolve(template.body, meaning.parameters(certificate)) if template else None
    except JitpError:
        return None


def _role(iam: Any, template: Template | None) -> Fact[Role | None]:
    if template is None:
        return Fact(None)
    name = template.role_arn.rpartition("/")[2]
    return ask(f"the provisioning role {name}", lambda: iam_role.read(iam, template.role_arn))


def _there(iot: Any, resources: Resources) -> dict[tuple[str, str], Fact[bool]]:
    named = [("thing type", resources.thing_type), ("billing group", resources.billing_group)]
    named += [("thing group", group) for group in resources.thing_groups]
    return {(kind, name): _exists(iot, kind, name) for kind, name in named if name}


def _exists(iot: Any, kind: str, name: str) -> Fact[bool]:
    operation, argument = {
        "thing type": ("describe_thing_type", "thingTypeName"),
        "thing group": ("describe_thing_group", "thingGroupName"),
        "billing group": ("describe_billing_group", "billingGroupName"),
    }[kind]
    return ask(f"the {kind} {name}", lambda: found(iot, operation, **{argument: name}) is not None)


def _announced(dynamodb: Any, case: AwsCase) -> bool | None:
    key = {aws_announcements.KEY: {"S": case.device.certificate.fingerprint}}
    answer = found(dynamodb, "get_item", TableName=aws_announcements.TABLE, Key=key, ConsistentRead=True)
    if answer is None:
        return None
    item = answer.get("Item")
    expires = float((item or {}).get(aws_announcements.EXPIRES, {}).get("N", "inf"))
    return bool(item) and expires > case.device.now.timestamp()


def _listeners(iot: Any) -> tuple[str, ...]:
    names = [rule["ruleName"] for rule in listed(iot, "list_topic_rules", "rules") if not rule.get("ruleDisabled")]
    rules = {name: iot.get_topic_rule(ruleName=name)["rule"] for name in names}
    return tuple(
        name
        for name, rule in rules.items()
        # ours count devices, or keep to the announcements
        if REGISTERED in rule["sql"] and not str(rule.get("description", "")).startswith(_OURS)
    )
