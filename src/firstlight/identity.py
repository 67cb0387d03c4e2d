"""
A certificate to the identity of one device.
"""

from dataclasses import dataclass
from enum import StrEnum

from firstlight.certificates import Certificate
from firstlight.errors import IdentityError


class Naming(StrEnum):
    """
    Which fact of the certificate names the device.
    """

    SERIAL = "serial"
    COMMON_NAME = "common-name"
    FINGERPRINT = "fingerprint"


# Names and values that a device is given besides its name; they come from a manifest's extra columns.
Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class NamingRule:
    """
    How a region names devices.  The name is also the MQTT client id.
    """

    naming: Naming = Naming.SERIAL
    prefix: str = ""

    def name(self, certificate: Certificate) -> str:
        """
        Return the device's name.

        Raises:
            IdentityError: the certificate lacks the fact the rule wants.
        """
        match self.naming:
            case Naming.SERIAL:
                return self.prefix + certificate.serial
            case Naming.FINGERPRINT:
                return self.prefix + certificate.fingerprint
            case Naming.COMMON_NAME:
                if not certificate.common_name:
                    raise IdentityError(
                        "Certificate has no common name, and this region names devices by it.",
                        hint="Name devices by serial or fingerprint here.",
                    )
                return self.prefix + certificate.common_name


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """
    Who a device is, as its cloud will know it.

    `fingerprint` is 64 lower-case hex digits; `pem` is the leaf alone.  `attributes` become attributes of the
    thing on AWS and tags on Azure.
    """

    name: str
    serial: str
    fingerprint: str
    pem: str
    common_name: str | None = None
    attributes: Attributes = ()

    @classmethod
    def from_certificate(
        cls, certificate: Certificate, rule: NamingRule, attributes: Attributes = ()
    ) -> "DeviceIdentity":
        """
        Raises:
            IdentityError: the rule finds no name in *certificate*.
        """
        return cls(
            name=rule.name(certificate),
            serial=certificate.serial,
            fingerprint=certificate.fingerprint,
            pem=certificate.pem,
            common_name=certificate.common_name,
            attributes=attributes,
        )
