"""
What was read of Azure about one device, once; every cause judges by it and nothing else.
"""

import shlex
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

from firstlight.certificates import Certificate
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Connection
from firstlight.doctor.facts import Fact
from firstlight.errors import SessionError
from firstlight.verify.azure_target import PROVISIONING_HOST

BY_THUMBPRINT, BY_CA = "selfSigned", "certificateAuthority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    What the device was told to connect to; empty is "what is deployed".
    """

    id_scope: str = ""
    hub: str = ""
    provisioning_host: str = PROVISIONING_HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """
    A CA certificate of a hub or a DPS.  `certificate` is None where the cloud shows its name only.
    """

    name: str
    subject: str
    verified: bool
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """
    An individual enrollment, or an enrollment group: by an uploaded CA (`ca_name`), or by a certificate of its own.

    `thumbprint` is that certificate's SHA-256, 64 lower-case hex digits; `hub` the only one it may assign, if any.
    """

    name: str
    enabled: bool
    ca_name: str = ""
    thumbprint: str = ""
    subject: str = ""
    issuer: str = ""
    hub: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """
    A device as the hub's registry has it.  `thumbprints` are 40 or 64 lower-case hex digits.
    """

    id: str
    kind: str
    thumbprints: frozenset[str] = frozenset()
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dps:
    """
    The region's device provisioning service; `hubs` are the host names of those linked to it.
    """

    name: str
    host: str
    id_scope: str
    hubs: Fact[tuple[str, ...]] = Fact(())
    cas: Fact[tuple[Uploaded, ...]] = Fact(())
    groups: Fact[tuple[Enrollment, ...]] = Fact(())
    enrollment: Fact[Enrollment | None] = Fact(None)
    # the host name of the hub it assigned the device to before
    assigned: Fact[str] = Fact("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """
    The region's IoT Hub; `other_case` is an id that differs from the device's in case only.
    """

    host: str
    cas: Fact[tuple[Uploaded, ...]] = Fact(())
    identity: Fact[Identity | None] = Fact(None)
    other_case: Fact[str] = Fact("")

    @property
    def name(self) -> str:
        return self.host.partition(".")[0]


@dataclass(frozen=True, kw_only=True)
class AzureCase:
    """
    One device and one region.  `dps` is None when the region has none; `group` is the resource group.

    `through_dps` is whether the device registers first, as `told`, or as it would by default.
    """

    device: Device
    region: str
    group: str
    told: Told
    through_dps: bool
    name: str
    dps: Fact[Dps | None]
    hub: Fact[Hub]
    unreachable: SessionError | None = None
    connection: Connection | None = None

    @property
    def host(self) -> str:
        """
        Where the device knocks first.
        """
        if self.through_dps:
            return self.told.provisioning_host
        return self.told.hub or (self.hub.known.host if self.hub.known else "")

    @property
    def at(self) -> str:
        """
        The options that lead a command of ours here.
        """
        return f"--region {self.region}"

    @property
    def in_dps(self) -> str:
        """
        The options that lead a command of Azure's to the DPS.
        """
        return f"--dps-name {self.dps.known.name if self.dps.known else 'DPS'} --resource-group {self.group}"

    @property
    def in_hub(self) -> str:
        """
        The options that lead a command of Azure's to the device in the hub.
        """
        identity = self.hub.value.identity.known
        return f"--hub-name {self.hub.value.name} --device-id {shlex.quote(identity.id if identity else self.name)}"


def thumbprints(certificate: Certificate) -> frozenset[str]:
    """
    Return the two thumbprints by which a hub may know *certificate*: SHA-256, or SHA-1 as many registered it.
    """
    return frozenset({certificate.fingerprint, certificate.x509.fingerprint(hashes.SHA1()).hex()})  # noqa: S303 -- as above
