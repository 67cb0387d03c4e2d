"""
The device that is asked about: what it shows, and under which name it connects.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime

from firstlight import certificates
from firstlight.certificates import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """
    `chain` is what the device sends behind its certificate.

    `name` is its MQTT client id: a thing's name, a device id or a registration id; empty means that of the cloud.
    """

    certificate: Certificate
    chain: tuple[Certificate, ...] = ()
    name: str = ""
    now: datetime
    # where its certificate and its key are, as commands name them
    file: str = "device.pem"
    key_file: str = "device.key"

    @classmethod
    def shown(
        cls, pem: bytes, *, name: str = "", file: str = "device.pem", key_file: str = "device.key", now: datetime
    ) -> "Device":
        """
        Read *pem*: the certificate, PEM or DER, and in PEM its chain.  *file* and *key_file* are where both are.

        Raises:
            CertificateError: there is none, or one cannot be read.
        """
        leaf, *chain = certificates.load_all(pem)
        return cls(
            certificate=leaf,
            chain=tuple(chain),
            name=name,
            file=shlex.quote(file),
            key_file=shlex.quote(key_file),
            now=now,
        )

    @property
    def subject(self) -> str:
        return self.certificate.x509.subject.rfc4514_string() or "without a subject"

    @property
    def issuer(self) -> str:
        return self.certificate.x509.issuer.rfc4514_string()
