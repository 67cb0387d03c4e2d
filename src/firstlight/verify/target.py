"""
Which device connects where, as whom.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from firstlight import certificates
from firstlight.errors import IdentityError, UsageError
from firstlight.identity import Naming, NamingRule
from firstlight.jitp.names import is_thing_name
from firstlight.settings import Settings
from firstlight.verify.files import read_cas, read_certificate, read_device

ALPN_PORT = 443
MQTT_ALPN = "x-amzn-mqtt-ca"

_HOST = re.compile(
    r"(?=.{1,253}\Z)([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*\.?"
)
_AMAZON = re.compile(r"\.amazonaws\.com(\.cn)?\Z")
# Data endpoints: -ats.iot. everywhere, .ats.iot. in China, and the FIPS ones.
_ATS = re.compile(r"[-.]ats\.iot\.|\Adata\.iot-fips\.")
_ASK = "Ask for it: aws iot describe-endpoint --endpoint-type iot:Data-ATS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    One device and the endpoint it connects to.

    PEM texts: `cert_pem` the device's certificate, with its chain or without; `key_pem` its key, not
    encrypted; `ca_pem` who may have signed the server's certificate, None for the system's store.
    `client_id` is the thing's name.  `alpn` None means: on port 443 only.
    """

    endpoint: str
    cert_pem: bytes
    key_pem: bytes = field(repr=False)
    client_id: str
    port: int = 8883
    ca_pem: bytes | None = None
    alpn: bool | None = None

    @property
    def protocols(self) -> list[str]:
        """
        What to offer in ALPN; AWS IoT needs it on 443 to tell MQTT from HTTPS.
        """
        wanted = self.port == ALPN_PORT if self.alpn is None else self.alpn
        return [MQTT_ALPN] if wanted else []

    @property
    def fingerprint(self) -> str:
        """
        The certificate's id.
        """
        return certificates.load(self.cert_pem).fingerprint


def read(
    *,
    endpoint: str,
    cert: Path,
    key: Path,
    client_id: str,
    port: int = 8883,
    ca_file: Path | None = None,
    now: datetime,
    anyway: bool = False,
) -> Target:
    """
    Return the target of these files; *client_id* comes from `client_id_of` or from a person.

    With *anyway* an endpoint that looks like the wrong one of AWS, and a certificate no cloud would
    take at *now* (aware), pass: to see them refused.

    Raises:
        UsageError: something is missing, unusable, or does not belong together.
    """
    require_host(endpoint, anyway=anyway)
    if not is_thing_name(client_id):
        raise UsageError(
            f"The client id {client_id!r} cannot be a thing's name, and AWS IoT policies compare the two.",
            hint="Letters, digits, ':', '_' and '-', at most 128.",
        )
    cert_pem, key_pem = read_device(cert, key, now=now, anyway=anyway)
    return Target(
        endpoint=endpoint.rstrip("."),
        port=port,
        cert_pem=cert_pem,
        key_pem=key_pem,
        client_id=client_id,
        ca_pem=None if ca_file is None else read_cas(ca_file),
    )


def client_id_of(cert: Path, *, naming: Naming | None = None, prefix: str = "") -> tuple[str, str]:
    """
    Return the client id the certificate in *cert* asks for, and in words where it comes from.

    Without *naming*: the common name if a thing may be called that, else the name a push gives.

    Raises:
        UsageError: *cert* cannot be read, or *naming* finds no name in it.
    """
    certificate = read_certificate(cert)
    common_name = certificate.common_name or ""
    if naming is None and not prefix and is_thing_name(common_name):
        return common_name, "the certificate's common name"
    rule = Settings(naming=naming or Naming.SERIAL, thing_prefix=prefix).rule
    try:
        return rule.name(certificate), _words(rule)
    except IdentityError as e:
        raise UsageError(f"{cert}: {e.message}", hint="Choose another --naming, or give --client-id.") from e


def require_host(endpoint: str, *, anyway: bool = False) -> None:
    """
    Return only if *endpoint* is a host name, and no other endpoint of AWS than the one for devices.

    Raises:
        UsageError: it is not; the hint says what to write.
    """
    if "://" in endpoint or "/" in endpoint:
        raise UsageError(
            f"--endpoint is a host name alone, not {endpoint!r}.", hint="Leave out the scheme and the path."
        )
    host, colon, port = endpoint.partition(":")
    if colon and port.isdecimal():
        raise UsageError(f"--endpoint is a host name alone, not {endpoint!r}.", hint=f"Write {host} --port {port}.")
    if _is_address(endpoint):
        raise UsageError(
            f"--endpoint is the address {endpoint}; devices need a name, which TLS tells the server (SNI).",
            hint="On a laptop the name is localhost.",
        )
    if not _HOST.fullmatch(endpoint):
        raise UsageError(f"--endpoint {endpoint!r} is not a host name.", hint=_ASK)
    if _AMAZON.search(endpoint.rstrip(".")) and not _ATS.search(endpoint) and not anyway:
        raise UsageError(
            f"{endpoint} is not the endpoint for devices: that one has -ats in its name.",
            hint=f"{_ASK}; --anyway tries this one.",
        )


def _words(rule: NamingRule) -> str:
    fact = {Naming.SERIAL: "serial number", Naming.COMMON_NAME: "common name", Naming.FINGERPRINT: "fingerprint"}
    return f"the certificate's {fact[rule.naming]}" + (f", after {rule.prefix!r}" if rule.prefix else "")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
