"""
Policy variables of a connection: what they stand for, from its certificate, its CONNECT and its thing.

Source: AWS IoT developer guide, "X.509 Certificate policy variables", "Thing policy variables" and
"Basic policy variables".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from firstlight.certificates import Certificate

_MAX_VALUES = 5
_NAMES = {
    "Country": NameOID.COUNTRY_NAME,
    "Organization": NameOID.ORGANIZATION_NAME,
    "OrganizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "State": NameOID.STATE_OR_PROVINCE_NAME,
    "CommonName": NameOID.COMMON_NAME,
    "SerialNumber": NameOID.SERIAL_NUMBER,
    "DistinguishedNameQualifier": NameOID.DN_QUALIFIER,
    "Title": NameOID.TITLE,
    "Surname": NameOID.SURNAME,
    "GivenName": NameOID.GIVEN_NAME,
    "Initials": NameOID.INITIALS,
    "Pseudonym": NameOID.PSEUDONYM,
    "GenerationQualifier": NameOID.GENERATION_QUALIFIER,
}
_ALTERNATIVES: Mapping[str, type[x509.GeneralName]] = {
    "RFC822Name": x509.RFC822Name,
    "DNSName": x509.DNSName,
    "UniformResourceIdentifier": x509.UniformResourceIdentifier,
    "IPAddress": x509.IPAddress,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """
    The thing a connection is: its client id is the thing's name, and its certificate is attached to it.
    """

    name: str
    type_name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def of_certificate(certificate: Certificate) -> dict[str, str | tuple[str, ...]]:
    """
    Return the variables iot:CertificateId and iot:Certificate.…; what the certificate lacks is not there.
    """
    found: dict[str, str | tuple[str, ...]] = {
        "iot:CertificateId": certificate.fingerprint,
        "iot:Certificate.SerialNumber": str(certificate.x509.serial_number),
    }
    for side, name in (("Subject", certificate.x509.subject), ("Issuer", certificate.x509.issuer)):
        for attribute, oid in _NAMES.items():
            values = [str(a.value) for a in name.get_attributes_for_oid(oid)]
            found.update(_listed(f"iot:Certificate.{side}.{attribute}", values))
    for side, extension_oid in (
        ("Subject", ExtensionOID.SUBJECT_ALTERNATIVE_NAME),
        ("Issuer", ExtensionOID.ISSUER_ALTERNATIVE_NAME),
    ):
        for attribute, values in _alternatives(certificate, extension_oid):
            found.update(_listed(f"iot:Certificate.{side}.AlternativeName.{attribute}", values))
    return found


def of_connection(
    client_id: str, address: str, thing: Thing | None, *, persistent: bool, has_will: bool
) -> dict[str, str | tuple[str, ...]]:
    """
    Return the variables of one connection.  Without *thing* only iot:Connection.Thing.IsAttached is there, "false".
    """
    found: dict[str, str | tuple[str, ...]] = {
        "iot:ClientId": client_id,
        "aws:SourceIp": address,
        "iot:Connection.Thing.IsAttached": "true" if thing else "false",
    }
    asked = ("PersistentConnect",) * persistent + ("LastWill",) * has_will
    if asked:
        found["iot:ConnectAttributes"] = asked
    if thing is None:
        return found
    found["iot:Connection.Thing.ThingName"] = thing.name
    if thing.type_name:
        found["iot:Connection.Thing.ThingTypeName"] = thing.type_name
    return found | {f"iot:Connection.Thing.Attributes[{name}]": value for name, value in thing.attributes.items()}


def _listed(name: str, values: list[str]) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    kept = [value for value in values if value][:_MAX_VALUES]
    if not kept:
        return
    yield name, kept[0]
    yield f"{name}.List", tuple(kept)
    # "Country.1 is replaced by the second country name"
    for position, value in enumerate(kept):
        yield f"{name}.{position}", value


def _alternatives(certificate: Certificate, oid: x509.ObjectIdentifier) -> Iterator[tuple[str, list[str]]]:
    try:
        names = certificate.x509.extensions.get_extension_for_oid(oid).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        # extensions that cannot be read are as good as none
        return
    if isinstance(names, x509.SubjectAlternativeName | x509.IssuerAlternativeName):
        for attribute, kind in _ALTERNATIVES.items():
            yield attribute, [str(name.value) for name in names if isinstance(name, kind)]
