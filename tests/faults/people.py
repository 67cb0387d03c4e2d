"""
The devices that all runs choose from: always the same certificates, some with a name that is another's too.
"""

import base64
from datetime import timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.identity import DeviceIdentity, NamingRule
from tests.factory import NOW

# The n-th device's serial number: nine have a name of their own, six share theirs with one other, three with two.
_SERIALS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 11, 12, 12, 13, 13, 13)
COUNT = len(_SERIALS)
RIVALS = tuple(i for i, serial in enumerate(_SERIALS) if _SERIALS.count(serial) > 1)


@cache
def devices(rule: NamingRule) -> tuple[DeviceIdentity, ...]:
    """
    Return them, named by *rule*.
    """
    return tuple(DeviceIdentity.from_certificate(_leaf(number), rule) for number in range(COUNT))


@cache
def encoded(device: DeviceIdentity) -> str:
    """
    Return what a push carries of *device*: base64 of its PEM.
    """
    return base64.b64encode(device.pem.encode()).decode()


@cache
def _leaf(number: int) -> Certificate:
    # Ed25519 signs the same bytes in the same way each time, so that fingerprints outlive the process.
    issuer = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Faults CA")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, '""')])
    issued = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(name)
        .public_key(ec.derive_private_key(1000 + number, ec.SECP256R1()).public_key())
        .serial_number(0x0455AEC0 + _SERIALS[number])
        .not_valid_before(NOW - timedelta(days=3650))
        .not_valid_after(NOW + timedelta(days=3650))
        .sign(issuer, None)
    )
    return certificates.load(issued.public_bytes(Encoding.DER))
