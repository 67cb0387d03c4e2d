"""
Which device connects to which IoT Hub or device provisioning service, as whom.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import UsageError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.registries.azure_authentication import authentication, is_device_id
from firstlight.verify.files import read_cas, read_certificate, read_device

PORT = 8883  # the device SDK has no other
PROVISIONING_HOST = "global.azure-devices-provisioning.net"

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})")


@dataclass(frozen=True, slots=True)
class Papers:
    """
    What a device shows: its certificate in PEM, with the chain or without, and the key of it.
    """

    cert_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def chain(self) -> list[Certificate]:
        return certificates.load_all(self.cert_pem)

    @property
    def leaf_alone(self) -> "Papers":
        """
        The same without the chain.
        """
        return Papers(self.chain[0].pem.encode("ascii"), self.key_pem)

    def forge(self, common_name: str, now: datetime) -> "Papers":
        """
        Return papers as a stranger can make them: other keys, the issuer's and the device's names.
        """
        ca_key, key = pki.new_key(), pki.new_key()
        issuer = self.chain[0].x509.issuer.rfc4514_string()
        ca = pki.create_ca(issuer[:64] or "CA", key=ca_key, now=now)
        leaf = pki.issue_device(ca=ca, ca_key=ca_key, key_or_public_key=key, common_name=common_name[:64], now=now)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Papers((leaf.pem + ca.pem).encode("ascii"), key_pem)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureTarget:
    """
    One device and where it connects: through a DPS if there is an `id_scope`, else to the host `hub`.

    `name` is the registration id or the device id.  `ca_pem`: who may have signed the servers'
    certificates, None for the system's store.  `proxy` is the host and port of an HTTP proxy.
    """

    papers: Papers
    name: str
    id_scope: str = ""
    hub: str = ""
    provisioning_host: str = PROVISIONING_HOST
    ca_pem: bytes | None = None
    proxy: tuple[str, int] | None = None

    @property
    def host(self) -> str:
        """
        Where it knocks first.
        """
        return self.provisioning_host if self.id_scope else self.hub


def read(
    *,
    cert: Path,
    key: Path,
    name: str,
    id_scope: str = "",
    hub: str = "",
    provisioning_host: str = PROVISIONING_HOST,
    ca_file: Path | None = None,
    proxy: str = "",
    now: datetime,
    anyway: bool = False,
) -> AzureTarget:
    """
    Return the target of these files; *name* comes from `name_of` or from a person.

    With *anyway* a name that cannot be let in, and a certificate no cloud would take at *now* (aware),
    pass: to see them refused.

    Raises:
        UsageError: something is missing, unusable, or does not belong together.
    """
    if bool(id_scope) == bool(hub):
        raise UsageError(
            "Give either --id-scope or --hub.",
            hint="--id-scope registers through the device provisioning service; --hub connects at once.",
        )
    _require_host("--hub", hub or "localhost")
    _require_host("--provisioning-host", provisioning_host)
    papers = Papers(*read_device(cert, key, now=now, anyway=anyway))
    if id_scope and not anyway:
        _require_provisionable(papers.chain[0])
        _require_same(name, papers.chain[0])
    if not is_device_id(name):
        raise UsageError(
            f"{name!r} cannot be the id of a device.",
            hint="Letters, digits and - . % _ * ? ! ( ) , : = @ $ ', at most 128.",
        )
    return AzureTarget(
        papers=papers,
        name=name,
        id_scope=id_scope,
        hub=hub,
        provisioning_host=provisioning_host,
        ca_pem=None if ca_file is None else read_cas(ca_file),
        proxy=read_proxy(proxy) if proxy else None,
    )


def name_of(cert: Path, *, through_dps: bool) -> tuple[str, str]:
    """
    Return the id the certificate in *cert* asks for, and in words where it comes from.

    DPS takes the common name and nothing else.  A hub knows a device whose common name is no device id
    by its thumbprint only, under the name a push gives it: the serial number.

    Raises:
        UsageError: *cert* cannot be read, or DPS can never let it in.
    """
    certificate = read_certificate(cert)
    common_name = certificate.common_name or ""
    if through_dps:
        _require_provisionable(certificate)
        return common_name, "the certificate's common name"
    if is_device_id(common_name):
        return common_name, "the certificate's common name"
    why = f"its common name {common_name!r} cannot be a device id" if common_name else "it has no common name"
    return NamingRule().name(certificate), f"the certificate's serial number; {why}, so only its thumbprint lets it in"


def _require_provisionable(certificate: Certificate) -> None:
    why_not = authentication(DeviceIdentity.from_certificate(certificate, NamingRule())).why_not_by_dps
    if why_not:
        raise UsageError(
            f"DPS can never let this device in. {why_not}",
            hint="Push the certificate instead, so that its thumbprint lets it in, and give --hub.",
        )


def _require_same(registration_id: str, certificate: Certificate) -> None:
    common_name = certificate.common_name or ""
    if registration_id.lower() != common_name.lower():
        raise UsageError(
            f"The registration id {registration_id!r} is not the certificate's common name {common_name!r}: "
            "DPS refuses the device.",
            hint="Leave out --registration-id; --anyway tries it nonetheless, to see it refused.",
        )


def _require_host(option: str, host: str) -> None:
    if not _HOST.fullmatch(host):
        raise UsageError(
            f"{option} is a host name alone, not {host!r}.", hint="Leave out the scheme, the port and the path."
        )


def read_proxy(url: str) -> tuple[str, int]:
    """
    Return host and port of the HTTP proxy at *url*.

    Raises:
        UsageError: it is not a proxy's URL.
    """
    host, colon, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    if not colon or not port.isdecimal() or not _HOST.fullmatch(host) or not 0 < int(port) < 2**16:
        raise UsageError(f"--proxy {url!r} is not an HTTP proxy's URL.", hint="Write http://HOST:PORT.")
    return host, int(port)
