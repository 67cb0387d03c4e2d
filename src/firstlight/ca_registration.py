"""
CA certificates in AWS IoT: register one for just-in-time provisioning, describe it, list them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from firstlight import boto, certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, RegistryError, UsageError
from firstlight.jitp.ca import require_registrable


class Mode(StrEnum):
    """
    How a CA is registered; AWS never changes it afterwards.
    """

    SNI_ONLY = "sni-only"
    DEFAULT = "default"

    @property
    def aws(self) -> str:
        """
        AWS's spelling: `certificateMode`.
        """
        return self.name


@dataclass(frozen=True, slots=True)
class Provisioning:
    """
    What a first connect runs: a named template, or (inline) a template body and the role it runs under.
    """

    template_name: str = ""
    template_body: str = ""
    role_arn: str = ""

    def to_aws(self) -> dict[str, str]:
        """
        AWS's `registrationConfig`; empty when devices are not provisioned.
        """
        if self.template_name:
            return {"templateName": self.template_name}
        return {"templateBody": self.template_body, "roleArn": self.role_arn} if self.template_body else {}

    @classmethod
    def from_aws(cls, config: Mapping[str, str]) -> "Provisioning":
        """
        Read AWS's `registrationConfig`.
        """
        return cls(config.get("templateName", ""), config.get("templateBody", ""), config.get("roleArn", ""))

    def __str__(self) -> str:
        if self.template_name:
            return f"template {self.template_name}"
        return "an inline template" if self.template_body else "no template"


@dataclass(frozen=True, slots=True)
class RegisteredCa:
    """
    A CA certificate as AWS IoT holds it.  `id` is 64 hex digits; `mode` and `status` are AWS's words.
    """

    id: str
    arn: str
    subject: str
    status: str
    mode: str
    auto_registration: bool
    provisioning: Provisioning
    not_after: datetime
    registered: datetime | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """
    What came of registering a CA: `new` or known before, and then each difference from what was asked.
    """

    ca: RegisteredCa
    new: bool
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedTemplate:
    """
    A provisioning template of AWS IoT; `problem` is the sentence why JITP does not run it, or empty.
    """

    name: str
    body: str
    problem: str = ""
    remedy: str = ""


def register(
    iot: Any,
    certificate: Certificate,
    *,
    mode: Mode = Mode.SNI_ONLY,
    key: pki.PrivateKey | None = None,
    provisioning: Provisioning = Provisioning(),
    now: datetime,
) -> Registration:
    """
    Register *certificate*, active and with auto-registration, through *iot* (a client of firstlight.boto).

    Mode DEFAULT proves possession of the CA's *key* with a certificate on the account's registration code;
    SNI_ONLY needs no key.  A CA that is registered already is described and left as it is.

    Raises:
        CertificateError: AWS would refuse the certificate.
        UsageError: mode DEFAULT without the CA's own key, or SNI_ONLY with one.
        RegistryError: AWS refused, or there is no such template.
    """
    require_registrable(certificate, now)
    _require_fitting_key(certificate, mode, key)
    if provisioning.template_name:
        _require_jitp_template(iot, provisioning.template_name)
    request: dict[str, Any] = {
        "caCertificate": certificate.pem,
        "certificateMode": mode.aws,
        "setAsActive": True,
        "allowAutoRegistration": True,
    }
    if config := provisioning.to_aws():
        request["registrationConfig"] = config
    if key is not None:
        request["verificationCertificate"] = _proof(iot, certificate, key, now).pem
    new, ca_id = _register(iot, request, certificate)
    ca = describe(iot, ca_id)
    return Registration(ca, new, () if new else _differences(ca, mode, provisioning))


def describe(iot: Any, ca_id: str) -> RegisteredCa:
    """
    Return the CA certificate with the id *ca_id* (64 hex digits).

    Raises:
        RegistryError: it is not registered in this account and region, or AWS refused.
    """
    with boto.refusals(f"Describing the CA certificate {ca_id}"):
        try:
            answer = iot.describe_ca_certificate(certificateId=ca_id)
        except iot.exceptions.ResourceNotFoundException as e:
            raise RegistryError(
                f"The CA certificate {ca_id} is not registered in {iot.meta.region_name}.",
                hint="Register it with firstlight ca register, or ask another region.",
            ) from e
    description = answer["certificateDescription"]
    subject, not_after = _facts(description["certificatePem"])
    return RegisteredCa(
        id=description["certificateId"],
        arn=description["certificateArn"],
        subject=subject,
        status=description["status"],
        mode=description.get("certificateMode", Mode.DEFAULT.aws),
        auto_registration=description.get("autoRegistrationStatus") == "ENABLE",
        provisioning=Provisioning.from_aws(answer.get("registrationConfig") or {}),
        not_after=not_after,
        registered=description.get("creationDate"),
    )


def list_registered(iot: Any) -> list[RegisteredCa]:
    """
    Return every CA certificate of the account in the client's region, in AWS's order.

    One call a page and one a CA.

    Raises:
        RegistryError: AWS refused.
    """
    with boto.refusals("Listing the CA certificates"):
        pages = iot.get_paginator("list_ca_certificates").paginate()
        ids = [found["certificateId"] for page in pages for found in page["certificates"]]
    return [describe(iot, ca_id) for ca_id in ids]


def describe_template(iot: Any, name: str) -> NamedTemplate:
    """
    Return the provisioning template called *name*, in its default version.

    Raises:
        RegistryError: there is none in this account and region, or AWS refused.
    """
    with boto.refusals(f"Looking for the template {name}"):
        try:
            answer = iot.describe_provisioning_template(templateName=name)
        except iot.exceptions.ResourceNotFoundException as e:
            raise RegistryError(
                f"There is no provisioning template {name} in {iot.meta.region_name}.",
                hint="Deploy the JITP stack there first, or name another template.",
            ) from e
    problem = remedy = ""
    kind = answer.get("type", "FLEET_PROVISIONING")
    if kind != "JITP":
        problem = f"The template {name} is of type {kind}; a CA takes one of type JITP."
        remedy = "The type of a template never changes: create another with type JITP."
    elif not answer.get("enabled"):
        problem = f"The template {name} is disabled."
        remedy = f"aws iot update-provisioning-template --template-name {name} --enabled"
    return NamedTemplate(name, answer["templateBody"], problem, remedy)


def _require_fitting_key(certificate: Certificate, mode: Mode, key: pki.PrivateKey | None) -> None:
    if mode is Mode.DEFAULT and key is None:
        raise UsageError(
            "Mode default needs the key of the CA, to prove that you hold it.",
            hint="Give it, or use mode sni-only, which needs none.",
        )
    if mode is Mode.SNI_ONLY and key is not None:
        raise UsageError("Mode sni-only takes no key.", hint="Leave the key where it is safe, or ask for mode default.")
    if key is not None and key.public_key() != certificate.x509.public_key():
        raise UsageError("The key given is not the key of this CA certificate.")


def _require_jitp_template(iot: Any, name: str) -> None:
    template = describe_template(iot, name)
    if template.problem:
        raise RegistryError(f"{template.problem} No device would be provisioned.", hint=template.remedy)


def _proof(iot: Any, certificate: Certificate, key: pki.PrivateKey, now: datetime) -> Certificate:
    with boto.refusals("Asking for the registration code"):
        code = iot.get_registration_code()["registrationCode"]
    proof, _ = pki.verification_certificate(code, ca=certificate, ca_key=key, now=now)
    return proof


def _register(iot: Any, request: Mapping[str, Any], certificate: Certificate) -> tuple[bool, str]:
    doing = f"Registering the CA certificate of {certificate.x509.subject.rfc4514_string()}"
    with boto.refusals(doing):
        try:
            return True, iot.register_ca_certificate(**request)["certificateId"]
        except iot.exceptions.ResourceAlreadyExistsException as e:
            return False, e.response.get("resourceId") or certificate.fingerprint


def _differences(ca: RegisteredCa, mode: Mode, provisioning: Provisioning) -> tuple[str, ...]:
    update = f"aws iot update-ca-certificate --certificate-id {ca.id}"
    found = []
    if ca.mode != mode.aws:
        found.append(f"Its mode is {ca.mode}, not {mode.aws}; to change it, delete and register the CA again.")
    if ca.status != "ACTIVE":
        found.append(f"It is {ca.status}: {update} --new-status ACTIVE")
    if not ca.auto_registration:
        found.append(f"Auto-registration is off: {update} --new-auto-registration-status ENABLE")
    if ca.provisioning != provisioning:
        found.append(f"It runs {ca.provisioning}, not {provisioning}: {update} --registration-config …")
    return tuple(found)


def _facts(pem: str) -> tuple[str, datetime]:
    try:
        certificate = certificates.load(pem.encode())
    except CertificateError as e:
        raise RegistryError("AWS IoT answered a CA certificate that cannot be read.") from e
    return certificate.x509.subject.rfc4514_string(), certificate.x509.not_valid_after_utc
