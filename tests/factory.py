"""
A device maker for tests: its CA, and devices in any shape.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.provision import Candidate

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at_noon() -> datetime:
    return NOW


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """
    Return the RSA key of this length: one for all tests, as they take long to make.
    """
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass
class Factory:
    """
    One CA and the devices it signs.
    """

    name: str = "Test Device CA"
    now: datetime = NOW
    key: pki.PrivateKey = field(default_factory=pki.new_key)
    ca: Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.ca = pki.create_ca(self.name, key=self.key, now=self.now)

    def device(self, common_name: str | None = '""', serial: int | None = None) -> tuple[Certificate, pki.PrivateKey]:
        """
        Issue a device in factory shape: CN of two quotes, 31-bit serial.
        """
        key = pki.new_key()
        certificate = pki.issue_device(
            ca=self.ca,
            ca_key=self.key,
            key_or_public_key=key,
            common_name=common_name,
            serial=serial or pki.random_factory_serial(),
            now=self.now,
        )
        return certificate, key

    def leaf(self, common_name: str | None = '""', serial: int | None = None) -> Certificate:
        return self.device(common_name, serial)[0]

    def candidates(self, count: int) -> list[Candidate]:
        return [Candidate(f"r{i}", self.leaf(serial=i + 1).pem.encode()) for i in range(count)]

    def odd(
        self,
        *,
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
        days: tuple[int, int] = (-1, 3650),
        change: Callable[[bytes], bytes] = bytes,
    ) -> bytes:
        """
        Return the DER of a certificate no decent CA would issue; *change* edits its bytes.
        """
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "odd")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.ca.x509.subject)
            .public_key((key or pki.new_key()).public_key())
            .serial_number(5)
            .not_valid_before(self.now + timedelta(days=days[0]))
            .not_valid_after(self.now + timedelta(days=days[1]))
            .sign(self.key, hashes.SHA256())
        )
        return change(certificate.public_bytes(Encoding.DER))
