"""
Certificates with the extensions AWS IoT, Azure and RFC 5280 ask for.
"""

import ipaddress
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, UsageError
from firstlight.pki.keys import PrivateKey, PublicKey, new_key, signature_hash

# A device whose clock is a little late must not meet a certificate from its future.
_BACKDATED = timedelta(minutes=5)
_ROOT_PATH_LENGTH = 1
_MAX_NAME = 64  # X.520: ub-common-name, ub-organization-name; the library counts bytes


def create_ca(
    common_name: str,
    *,
    key: PrivateKey,
    days: int = 3650,
    issuer: tuple[Certificate, PrivateKey] | None = None,
    now: datetime,
) -> Certificate:
    """
    Return the certificate of a CA: a root, or an intermediate if *issuer* signs it.

    A root may sign one layer of intermediates (pathlen 1), an intermediate one fewer than its issuer.

    Raises:
        CertificateError: *issuer* may not sign a CA, or its key is another's.
    """
    usage = _usage(key_cert_sign=True, crl_sign=True)
    path_length = _ROOT_PATH_LENGTH if issuer is None else _path_length_below(issuer[0])
    builder = (
        _builder(_subject(common_name), key.public_key(), x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
    )
    if issuer is None:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            builder.issuer_name(_subject(common_name))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
            .not_valid_before(_start(now))
            .not_valid_after(_start(now) + timedelta(days=days))
        )
        return _signed(builder, key)
    return _issued(builder, issuer, days, now)


def issue_device(
    *,
    ca: Certificate,
    ca_key: PrivateKey,
    key_or_public_key: PrivateKey | PublicKey,
    common_name: str | None,
    serial: int | None = None,
    days: int = 730,
    organization: str = "",
    now: datetime,
) -> Certificate:
    """
    Return a device certificate: X.509 v3, for TLS clients, never outliving its CA.

    *serial* is positive and of at most 20 bytes, by default random; *common_name* None leaves it out.

    Raises:
        CertificateError: the CA may not issue it.
        UsageError: a field does not fit a certificate.
    """
    public = key_or_public_key if isinstance(key_or_public_key, PublicKey) else key_or_public_key.public_key()
    number = x509.random_serial_number() if serial is None else _checked_serial(serial)
    builder = (
        _builder(_subject(common_name, organization), public, number)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_leaf_usage(public), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return _issued(builder, (ca, ca_key), days, now)


def verification_certificate(
    code: str, *, ca: Certificate, ca_key: PrivateKey, days: int = 1, now: datetime
) -> tuple[Certificate, PrivateKey]:
    """
    Return a certificate whose CN is the registration *code*, which proves to AWS IoT that we hold the CA's key.

    GetRegistrationCode gives the code; RegisterCACertificate takes the certificate.  Its key is of no further use.
    """
    key = new_key()
    certificate = issue_device(ca=ca, ca_key=ca_key, key_or_public_key=key, common_name=code, days=days, now=now)
    return certificate, key


def server_certificate(
    names: Sequence[str], *, ca: Certificate, ca_key: PrivateKey, days: int = 365, now: datetime
) -> tuple[Certificate, PrivateKey]:
    """
    Return a TLS server's certificate for *names* (host names and IP addresses, the first also its CN), and its key.
    """
    key = new_key()
    builder = (
        _builder(_subject(names[0]), key.public_key(), x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_leaf_usage(key.public_key()), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
    )
    return _issued(builder, (ca, ca_key), days, now), key


def random_factory_serial() -> int:
    """
    Return a serial number as factories of security chips give it: positive, of 31 bits.
    """
    return secrets.randbelow(2**31 - 1) + 1


def _builder(subject: x509.Name, public: PublicKey, serial: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(serial)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _issued(
    builder: x509.CertificateBuilder, issuer: tuple[Certificate, PrivateKey], days: int, now: datetime
) -> Certificate:
    ca, ca_key = issuer
    if not ca.is_ca:
        raise CertificateError(f"{ca.x509.subject.rfc4514_string()} is not a CA certificate and cannot issue others.")
    if ca.x509.public_key() != ca_key.public_key():
        raise CertificateError(f"The key given is not the key of {ca.x509.subject.rfc4514_string()}.")
    start, ca_end = _start(now), ca.x509.not_valid_after_utc
    if ca_end <= start:
        raise CertificateError(f"The CA certificate expired {ca_end:%Y-%m-%dT%H:%M:%SZ}; it cannot issue others.")
    builder = (
        builder.issuer_name(ca.x509.subject)
        .add_extension(_authority(ca), critical=False)
        .not_valid_before(start)
        .not_valid_after(min(start + timedelta(days=days), ca_end))
    )
    return _signed(builder, ca_key)


def _signed(builder: x509.CertificateBuilder, key: PrivateKey) -> Certificate:
    certificate = builder.sign(key, signature_hash(key))
    return Certificate(certificate, certificate.public_bytes(Encoding.DER))


def _authority(ca: Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        own = ca.x509.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.x509.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _path_length_below(ca: Certificate) -> int:
    above = ca.x509.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length if ca.is_ca else None
    if above == 0:
        raise CertificateError(
            f"{ca.x509.subject.rfc4514_string()} may not sign another CA (its pathlen is 0).",
            hint="Sign the intermediate with its root.",
        )
    return 0 if above is None else above - 1


def _subject(common_name: str | None, organization: str = "") -> x509.Name:
    attributes = [_attribute(NameOID.ORGANIZATION_NAME, organization, "An organization")] if organization else []
    if common_name is not None:
        attributes.append(_attribute(NameOID.COMMON_NAME, common_name, "A common name"))
    return x509.Name(attributes)


def _attribute(oid: x509.ObjectIdentifier, text: str, what: str) -> x509.NameAttribute[str]:
    try:
        length = len(text.encode())
    except UnicodeEncodeError as e:
        raise UsageError(f"{what} is text; {text!r} is not.") from e
    if not 1 <= length <= _MAX_NAME:
        raise UsageError(f"{what} has 1 to {_MAX_NAME} bytes (X.520); this one has {length}.")
    return x509.NameAttribute(oid, text)


def _checked_serial(serial: int) -> int:
    # RFC 5280 4.1.2.2: positive, and at most 20 bytes with its sign bit
    if not 0 < serial < 2**159:
        raise UsageError("A serial number is positive and of at most 20 bytes (RFC 5280).")
    return serial


def _leaf_usage(public: PublicKey) -> x509.KeyUsage:
    # RSA key exchange of TLS 1.2 encrypts to the key; EC keys only ever sign
    return _usage(digital_signature=True, key_encipherment=isinstance(public, rsa.RSAPublicKey))


def _usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _start(now: datetime) -> datetime:
    return now.replace(microsecond=0) - _BACKDATED
