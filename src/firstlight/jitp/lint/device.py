"""
The template and one certificate: would JITP make a thing of this device?
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.jitp import meaning, names
from firstlight.jitp.algorithms import TAKEN_IN_WORDS, refused_signature
from firstlight.jitp.ca import require_registrable
from firstlight.jitp.lint.findings import Finding, error, warning
from firstlight.jitp.resources import POLICY, THING
from firstlight.jitp.template import COMMON_NAME, PARAMETERS, PREFIX
from firstlight.trusted_issuers import TrustedIssuers

_CERTIFICATE = "certificate"
# what factories of security chips write where a name is wanted: two quotes
_FACTORY_COMMON_NAME = '""'
_NAME_REMEDY = "Letters, digits, _ : and -, 128 at most; the certificate must be issued so."
_VALUE_REMEDY = "No spaces; letters, digits and _.,@/:#=[]- are taken. Drop the attribute, or issue it otherwise."


class _Place(NamedTuple):
    """
    A property of the template whose value comes from the certificate.
    """

    where: str
    parameter: str
    takes: Callable[[str], bool]
    remedy: str


def check_device(
    body: Mapping[str, Any], certificate: Certificate, *, ca: Certificate | None = None, now: datetime
) -> list[Finding]:
    """
    Return why the template *body* would not provision the device of *certificate* at *now* (aware).

    With *ca*, also whether that CA, once registered, makes JITP run for it.
    """
    declared = body.get("Parameters")
    declared = declared if isinstance(declared, dict) else {}
    found = meaning.parameters(certificate)
    values = {name: d["Default"] for name, d in declared.items() if isinstance(d, dict) and "Default" in d} | found
    return [
        *_check_certificate(certificate, now),
        *([] if ca is None else _check_issuer(certificate, ca, now)),
        *_check_missing(declared, found),
        *(finding for place in _places(body.get("Resources")) for finding in _check_value(place, values)),
    ]


def _check_certificate(certificate: Certificate, now: datetime) -> Iterator[Finding]:
    try:
        certificate.require_device_leaf(now)
        usage = certificate.x509.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except CertificateError as e:
        yield error(_CERTIFICATE, e.message, e.hint)
    except (x509.ExtensionNotFound, ValueError):
        pass  # what is not there, or cannot be read, forbids nothing
    else:
        if not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
            yield warning(_CERTIFICATE, "Its extended key usage lacks clientAuth, which TLS servers may insist on.")
    if signature := refused_signature(certificate):
        yield error(_CERTIFICATE, f"It is signed with {signature}, which AWS IoT does not take.", TAKEN_IN_WORDS)


def _check_issuer(certificate: Certificate, ca: Certificate, now: datetime) -> Iterator[Finding]:
    try:
        require_registrable(ca, now)
    except CertificateError as e:
        yield error("CA", e.message, e.hint)
    try:
        TrustedIssuers([ca]).require(certificate)
    except CertificateError:
        yield error(
            _CERTIFICATE,
            "It is not signed by this CA, so that JITP does not run for it.",
            "Register the CA that signs the devices' certificates itself, not one above it.",
        )


def _check_missing(declared: Mapping[str, Any], found: Mapping[str, str]) -> Iterator[Finding]:
    for name, spec in declared.items():
        has_default = isinstance(spec, dict) and "Default" in spec
        if name in PARAMETERS and name not in found and not has_default:
            field = name.removeprefix(PREFIX)
            yield error(
                _CERTIFICATE,
                f"Its subject has no {field}, which the template declares without a Default: nothing is provisioned.",
                f"Issue certificates with {field}, or give the parameter a Default.",
            )


def _places(resources: Any) -> Iterator[_Place]:
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        if not isinstance(properties, dict):
            continue
        where = f"Resources.{name}"
        if resource.get("Type") == THING:
            yield from _places_of_thing(where, properties)
        elif resource.get("Type") == POLICY:
            yield from _place(f"{where}.PolicyName", properties.get("PolicyName"), names.is_policy_name, "")


def _places_of_thing(where: str, properties: Mapping[str, Any]) -> Iterator[_Place]:
    for name in ("ThingName", "ThingTypeName", "BillingGroup"):
        yield from _place(f"{where}.{name}", properties.get(name), names.is_thing_name, _NAME_REMEDY)
    groups = properties.get("ThingGroups")
    for group in groups if isinstance(groups, list) else ():
        yield from _place(f"{where}.ThingGroups", group, names.is_thing_name, _NAME_REMEDY)
    attributes = properties.get("AttributePayload")
    for name, value in attributes.items() if isinstance(attributes, dict) else ():
        yield from _place(f"{where}.AttributePayload.{name}", value, names.is_attribute_value, _VALUE_REMEDY)


def _place(where: str, value: Any, takes: Callable[[str], bool], remedy: str) -> Iterator[_Place]:
    if isinstance(value, dict) and isinstance(value.get("Ref"), str):
        yield _Place(where, value["Ref"], takes, remedy)


def _check_value(place: _Place, values: Mapping[str, Any]) -> Iterator[Finding]:
    value = values.get(place.parameter)
    if not isinstance(value, str) or place.takes(value):
        return
    if value == _FACTORY_COMMON_NAME and place.parameter == COMMON_NAME:
        yield error(
            place.where,
            'The common name is "" (two quotes), as factories of security chips leave it; no thing can be named by it.',
            "Push these certificates: there devices are named by their serial (firstlight push).",
        )
        return
    shown = value if len(value) <= names.MAX_NAME else f"{value[: names.MAX_NAME]}…"
    sentence = f"It would be {shown!r} ({len(value)} characters), which AWS IoT does not take."
    yield error(place.where, sentence, place.remedy)
