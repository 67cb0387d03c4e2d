"""
How a device can prove itself to an IoT Hub with the certificate it has, and why not otherwise.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from firstlight.identity import DeviceIdentity

# Microsoft's "Understand the identity registry": `+` and `#` are no longer supported.
_DEVICE_ID = re.compile(r"[A-Za-z0-9.%_*?!(),:=@$'-]{1,128}")
# DPS, X.509 attestation: the length is the common name's.
_REGISTRATION_ID = re.compile(r"[a-z0-9._:-]{0,63}[a-z0-9-]", re.IGNORECASE)
_SHOWN = 70


class Means(StrEnum):
    """
    What the hub compares: the thumbprint it was told, or the chain and the common name.
    """

    THUMBPRINT = "thumbprint"
    CA = "ca"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """
    What one certificate can do.  A thumbprint always works; the sentences say why something else
    does not, and are empty when it does.

    The hub must besides have the issuing CA certificate, verified, and DPS an enrollment; that is
    not the certificate's to say.
    """

    means: Means
    why_not_by_ca: str = ""
    why_not_by_dps: str = ""


def is_device_id(name: str) -> bool:
    """
    Return whether IoT Hub takes *name* as the id of a device.
    """
    # "." and ".." are legal and cannot be asked about: every client takes them out of a URL's path.
    return _DEVICE_ID.fullmatch(name) is not None and name not in {".", ".."}


def authentication(identity: DeviceIdentity, preferred: Means = Means.THUMBPRINT) -> Authentication:
    """
    Return how *identity* can authenticate: as *preferred* if it can, else by thumbprint.
    """
    return Authentication(
        means=means_of(identity, preferred),
        why_not_by_ca=_ca_problem(identity),
        why_not_by_dps=_dps_problem(identity.common_name),
    )


def means_of(identity: DeviceIdentity, preferred: Means) -> Means:
    """
    Return what the hub is to compare: *preferred* if the certificate allows it, else the thumbprint.
    """
    return Means.CA if preferred is Means.CA and not _ca_problem(identity) else Means.THUMBPRINT


def _ca_problem(identity: DeviceIdentity) -> str:
    common_name = identity.common_name
    if not common_name:
        return "The certificate has no common name, which must be the device id."
    if not is_device_id(common_name):
        return f"The common name {_shown(common_name)} holds characters that no device id may, or too many."
    if common_name != identity.name:
        return f"The common name {_shown(common_name)} is not the device id {_shown(identity.name)}, case included."
    return ""


def _dps_problem(common_name: str | None) -> str:
    if not common_name:
        return "The certificate has no common name, which must be the registration id."
    if not _REGISTRATION_ID.fullmatch(common_name):
        return (
            f"The common name {_shown(common_name)} cannot be a registration id: up to 64 letters, digits and . _ : -, "
            "the last a letter, a digit or a hyphen."
        )
    return ""


def _shown(text: str) -> str:
    return repr(text[:_SHOWN])
