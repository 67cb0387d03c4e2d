"""
What a JITP template makes of one device certificate: its parameters, and the resources they give.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from firstlight.certificates import Certificate
from firstlight.errors import JitpError
from firstlight.jitp import template
from firstlight.jitp.references import Values
from firstlight.jitp.resources import (
    CERTIFICATE,
    POLICY,
    PROPERTIES,
    THING,
    Resources,
    read_certificate,
    read_overrides,
    read_policy,
    read_thing,
)

__all__ = ["Resources", "parameters", "resolve"]

_SUBJECT = {
    "Country": NameOID.COUNTRY_NAME,
    "Organization": NameOID.ORGANIZATION_NAME,
    "OrganizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "DistinguishedNameQualifier": NameOID.DN_QUALIFIER,
    "StateName": NameOID.STATE_OR_PROVINCE_NAME,
    "CommonName": NameOID.COMMON_NAME,
}


def parameters(certificate: Certificate) -> dict[str, str]:
    """
    Return the template parameters AWS IoT takes from *certificate*; what its subject lacks is not in it.

    SerialNumber is the X.509 serial in decimal, Id the certificate id.  Source: the AWS IoT developer guide,
    just-in-time provisioning.
    """
    found = {name: _first(certificate.x509.subject, oid) for name, oid in _SUBJECT.items()}
    found["SerialNumber"] = str(certificate.x509.serial_number)
    found["Id"] = certificate.fingerprint
    return {template.PREFIX + name: value for name, value in found.items() if value}


def resolve(body: Mapping[str, Any] | str, parameters: Mapping[str, str]) -> Resources:
    """
    Return what *body*, a template as an object or as JSON text, asks for with *parameters*.

    Raises:
        JitpError: a parameter has no value, or the template or a value is not what AWS IoT takes.
    """
    try:
        return _resolved(_document(body), parameters)
    except RecursionError as e:
        raise JitpError("The template is nested too deeply.") from e


def _resolved(document: Mapping[str, Any], parameters: Mapping[str, str]) -> Resources:
    values = Values(_section(document, "Parameters"), parameters)
    found: dict[str, Any] = {}
    overrides: dict[str, str] = {}
    policies: list[tuple[str, str]] = []
    seen: set[str] = set()
    for logical_name, resource in _section(document, "Resources").items():
        kind = _kind(logical_name, resource)
        if kind in seen and kind != POLICY:
            raise JitpError(f"The template has more than one {kind}; JITP takes one.")
        seen.add(kind)
        given = _properties(logical_name, kind, resource, values)
        overrides |= read_overrides(logical_name, kind, resource)
        if kind == THING:
            found |= read_thing(given)
        elif kind == CERTIFICATE:
            found |= read_certificate(given, parameters.get(template.CERTIFICATE_ID))
        else:
            policies.append(read_policy(given))
    if CERTIFICATE not in seen:
        raise JitpError(
            f"The template has no {CERTIFICATE}.",
            hint='Add one whose CertificateId is {"Ref": "AWS::IoT::Certificate::Id"}.',
        )
    return Resources(
        **found,
        policy_names=tuple(name for name, _ in policies if name),
        policy_documents=tuple(document for _, document in policies if document),
        overrides=MappingProxyType(overrides),
    )


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    attributes = name.get_attributes_for_oid(oid)
    value = attributes[0].value if attributes else ""
    return value if isinstance(value, str) else value.hex()


def _document(body: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if not isinstance(body, str):
        return body
    try:
        document = json.loads(body)
    except ValueError as e:
        raise JitpError(f"The template is not JSON: {e}.") from e
    if not isinstance(document, dict):
        raise JitpError("The template is not a JSON object.")
    return document


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, Mapping):
        raise JitpError(f"The template's {name} is not an object.")
    return section


def _kind(logical_name: str, resource: Any) -> str:
    kind = resource.get("Type") if isinstance(resource, Mapping) else None
    if not isinstance(kind, str) or kind not in PROPERTIES:
        raise JitpError(
            f"The template's resource {logical_name!r} is of type {kind!r}.",
            hint=f"JITP knows {', '.join(PROPERTIES)}.",
        )
    return kind


def _properties(logical_name: str, kind: str, resource: Mapping[str, Any], values: Values) -> dict[str, Any]:
    given = resource.get("Properties")
    if not isinstance(given, Mapping):
        raise JitpError(f"The template's resource {logical_name!r} has no Properties.")
    if unknown := sorted(set(given) - PROPERTIES[kind]):
        raise JitpError(
            f"The template's resource {logical_name!r} has the property {unknown[0]}, which JITP does not take.",
            hint=f"For {kind} it takes {', '.join(sorted(PROPERTIES[kind]))}.",
        )
    return {name: values.resolve(value, f"{logical_name}.{name}") for name, value in given.items()}
