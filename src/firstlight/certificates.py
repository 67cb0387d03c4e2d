"""
Bytes to one device certificate, or exactly why not.
"""

import base64
import hashlib
import re
import ssl
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from firstlight import raw_extensions
from firstlight.errors import CertificateError

# Non-positive serial numbers are refused below with a sentence of our own; the library's
# advance notice of the same refusal would only be noise in a handler's log.
warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")
# Subjects beyond X.520's bounds (a CN of 100 characters, a country of three) are read as they are.
warnings.filterwarnings("ignore", message="Attribute's length must be")

_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_CERTIFICATE_LABELS = {b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"}
_REQUEST_LABELS = {b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"}
_DER_SEQUENCE = 0x30

# What AWS IoT and Azure accept for client certificates.
_MIN_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
# What the library raises for parts it cannot read, when they are asked for; not all of it is a ValueError.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True)
class Certificate:
    """
    One X.509 certificate and the few facts the rest of firstlight asks of it.
    """

    x509: x509.Certificate
    der: bytes

    @cached_property
    def fingerprint(self) -> str:
        """
        SHA-256 of the DER, 64 lower-case hex digits.  AWS IoT calls it the certificate id.
        """
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def serial(self) -> str:
        """
        Lower-case hex of the content bytes of the DER INTEGER.

        A leading zero nibble stays and a set high bit brings its `00`, because devices compute
        the same spelling in firmware; `format(n, "x")` would give another name.
        """
        number = self.x509.serial_number
        # A negative one names no device, and is read all the same by whoever only looks.
        return number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True).hex()

    @cached_property
    def common_name(self) -> str | None:
        """
        The first CN of the subject, if there is one.
        """
        names = self.x509.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else None

    @property
    def pem(self) -> str:
        """
        PEM text of the leaf alone, with LF line ends.
        """
        return ssl.DER_cert_to_PEM_cert(self.der)

    @property
    def is_ca(self) -> bool:
        """
        Whether basicConstraints says that it may sign certificates.
        """
        try:
            return self.x509.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            # of unreadable extensions only a device's were let pass
            return False

    @property
    def may_sign(self) -> bool:
        """
        Whether keyUsage, if it says anything, lets it sign certificates.
        """
        try:
            return self.x509.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
        except x509.ExtensionNotFound:
            return True
        except ValueError:
            return False

    def is_issued_by(self, issuer: "Certificate") -> bool:
        """
        Whether *issuer*'s key signed it, under *issuer*'s name; whether *issuer* may is not asked.
        """
        if issuer.x509.subject.public_bytes() != self.x509.issuer.public_bytes():
            return False
        try:
            self.x509.verify_directly_issued_by(issuer.x509)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def require_device_leaf(self, now: datetime) -> None:
        """
        Return only if a device may use this certificate at *now* (aware).

        Raises:
            CertificateError: it is a CA, out of its validity, or its key or serial is unusable.
        """
        if self.x509.serial_number <= 0:
            raise CertificateError(
                "Certificate serial cannot be decoded or is incorrect: it is not positive.",
                hint="RFC 5280 wants a positive serial; issue the certificate again.",
            )
        not_before, not_after = self.x509.not_valid_before_utc, self.x509.not_valid_after_utc
        if now < not_before:
            raise CertificateError(
                f"Certificate notBefore or notAfter is out of range: not valid before {not_before:%Y-%m-%dT%H:%M:%SZ}."
            )
        if now > not_after:
            raise CertificateError(
                f"Certificate notBefore or notAfter is out of range: expired {not_after:%Y-%m-%dT%H:%M:%SZ}."
            )
        if self.is_ca:
            raise CertificateError(
                "Certificate is a CA certificate, not a device's.",
                hint="In a chain the device's own certificate comes first.",
            )
        self._require_strong_key()
        self._require_strong_signature()

    def _require_strong_key(self) -> None:
        try:
            key = self.x509.public_key()
        except (ValueError, UnsupportedAlgorithm) as e:
            raise CertificateError("Certificate key cannot be read or is of an unknown kind.") from e
        match key:
            case rsa.RSAPublicKey() if key.key_size < _MIN_RSA_BITS:
                raise CertificateError(
                    f"Certificate key is RSA-{key.key_size}; at least RSA-{_MIN_RSA_BITS} is needed."
                )
            case rsa.RSAPublicKey():
                pass
            case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
                pass
            case ec.EllipticCurvePublicKey():
                raise CertificateError(
                    f"Certificate key is on curve {key.curve.name}; P-256, P-384 or P-521 is needed."
                )
            case _:
                raise CertificateError("Certificate key is neither RSA nor elliptic-curve.")

    def _require_strong_signature(self) -> None:
        try:
            algorithm = self.x509.signature_hash_algorithm
        except UnsupportedAlgorithm as e:
            raise CertificateError("Certificate is signed with an unknown algorithm.") from e
        if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
            raise CertificateError(f"Certificate is signed with {algorithm.name}; SHA-256 or better is needed.")


def load(data: bytes) -> Certificate:
    """
    Return the certificate in *data*: PEM, a PEM chain (its first block is the leaf) or DER.

    Raises:
        CertificateError: *data* holds no certificate, or something else comes first.
    """
    block = _PEM_BLOCK.search(data)
    if block is None:
        return _from_der(data)
    label = block[1]
    if label in _CERTIFICATE_LABELS:
        return _from_pem(data, block)
    if label in _REQUEST_LABELS:
        raise _request_instead_of_certificate()
    if label.endswith(b"PRIVATE KEY"):
        raise CertificateError(
            "Cannot decode certificate: a private key was sent instead.",
            hint="Treat that key as leaked.",
        )
    raise CertificateError(f"Cannot decode certificate: it begins with a {label.decode('ascii')} block.")


def load_all(data: bytes) -> list[Certificate]:
    """
    Return every CERTIFICATE block of a PEM text, in order, or the one DER certificate.

    Raises:
        CertificateError: there is none, or one cannot be read.
    """
    blocks = [b for b in _PEM_BLOCK.finditer(data) if b[1] in _CERTIFICATE_LABELS]
    return [_from_pem(data, b) for b in blocks] if blocks else [load(data)]


def _from_pem(data: bytes, block: re.Match[bytes]) -> Certificate:
    end = data.find(b"-----END " + block[1] + b"-----", block.end())
    if end < 0:
        raise CertificateError("Cannot decode certificate: the PEM text has no END line.")
    try:
        der = base64.b64decode(b"".join(data[block.end() : end].split()), validate=True)
    except ValueError as e:
        raise CertificateError("Cannot decode certificate: the PEM text is not base64.") from e
    return _from_der(der)


def _from_der(der: bytes) -> Certificate:
    if not der or der[0] != _DER_SEQUENCE:
        raise CertificateError("Cannot decode certificate: it is neither PEM nor DER.")
    try:
        certificate = x509.load_der_x509_certificate(der)
        _read(certificate)
    except _UNREADABLE as e:
        if _is_request(der):
            raise _request_instead_of_certificate() from e
        if "serial" in str(e):
            raise CertificateError("Certificate serial cannot be decoded or is incorrect.") from e
        raise CertificateError("Cannot decode certificate: the DER is malformed or cut short.") from e
    return Certificate(certificate, der)


def _read(certificate: x509.Certificate) -> None:
    """
    Read what the library reads late, so that what is malformed is found here and not wherever it is first used.
    """
    _ = certificate.version, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    _ = certificate.subject, certificate.issuer
    try:
        _ = certificate.extensions
    except ValueError:
        if raw_extensions.says_ca(certificate.tbs_certificate_bytes):
            raise


def _is_request(der: bytes) -> bool:
    try:
        x509.load_der_x509_csr(der)
    except ValueError:
        return False
    return True


def _request_instead_of_certificate() -> CertificateError:
    return CertificateError(
        "Cannot decode certificate: this is a certificate signing request.",
        hint="Send the certificate that was issued for it.",
    )
