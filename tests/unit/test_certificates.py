import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from hypothesis import given
from hypothesis import strategies as st

from firstlight import certificates, pki, raw_extensions
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.trusted_issuers import TrustedIssuers
from tests.factory import NOW, Factory, rsa_key


def test_pem_and_der_are_the_same_certificate(factory: Factory) -> None:
    """
    A certificate is known by its DER, however it is written.
    """
    leaf = factory.leaf()

    for form in (
        leaf.pem.encode(),
        leaf.pem.replace("\n", "\r\n").encode(),
        b"a comment\n" + leaf.pem.encode(),
        leaf.der,
    ):
        assert leaf.fingerprint == certificates.load(form).fingerprint

    assert hashlib.sha256(leaf.der).hexdigest() == leaf.fingerprint


def test_a20_the_leaf_of_a_chain_is_its_first_block(factory: Factory) -> None:
    """
    Reading the last block of a chain would make one thing of all the devices of a CA.
    """
    leaf = factory.leaf()

    loaded = certificates.load((leaf.pem + factory.ca.pem).encode())

    assert leaf.fingerprint == loaded.fingerprint
    assert leaf.pem == loaded.pem


@pytest.mark.parametrize(
    ("number", "spelling"),
    [
        (0x15FC8EA1, "15fc8ea1"),
        (0x455AECB, "0455aecb"),  # the leading zero nibble of the DER byte stays
        (0xF0000000, "00f0000000"),  # a high bit brings its 00
        (0x80, "0080"),
        (1, "01"),
        (2**158 + 1, f"{2**158 + 1:040x}"),
    ],
)
def test_serials_are_spelled_as_the_der_content_bytes(factory: Factory, number: int, spelling: str) -> None:
    """
    Devices compute the same spelling in firmware, so it must be exact.
    """
    assert spelling == factory.leaf(serial=number).serial


def test_the_serial_spelling_is_what_stands_in_the_der(factory: Factory) -> None:
    """
    Checked against the bytes themselves, not against another calculation.
    """
    leaf = factory.leaf(serial=0xF0000000)

    assert bytes.fromhex("0205" + leaf.serial) in leaf.der


def _minus(der: bytes) -> bytes:
    return der.replace(b"\x02\x01\x05", b"\x02\x01\x85", 1)


def _zero(der: bytes) -> bytes:
    return der.replace(b"\x02\x01\x05", b"\x02\x01\x00", 1)


def test_unusable_leaves_are_refused_with_their_reason(factory: Factory) -> None:
    """
    Every row of the bad-input list ends in one sentence that names the fault.
    """
    weak = rsa_key(1024)
    k1 = ec.generate_private_key(ec.SECP256K1())
    faults = {
        "it is not positive": [factory.odd(change=_minus), factory.odd(change=_zero)],
        "RSA-1024": [factory.odd(key=weak)],
        "secp256k1": [factory.odd(key=k1)],
        "neither RSA nor elliptic-curve": [factory.odd(key=ed25519.Ed25519PrivateKey.generate())],  # type: ignore[arg-type]
        "not valid before": [factory.odd(days=(1, 10))],
        "expired": [factory.odd(days=(-10, -1))],
        "is a CA certificate": [factory.ca.der],
    }
    for reason, ders in faults.items():
        for der in ders:
            with pytest.raises(CertificateError, match=reason):
                certificates.load(der).require_device_leaf(NOW)


def test_a_good_leaf_passes_until_its_last_second(factory: Factory) -> None:
    """
    Validity is inclusive at both ends (RFC 5280, 4.1.2.5).
    """
    leaf = factory.leaf()

    leaf.require_device_leaf(leaf.x509.not_valid_before_utc)
    leaf.require_device_leaf(leaf.x509.not_valid_after_utc)
    with pytest.raises(CertificateError, match="expired"):
        leaf.require_device_leaf(leaf.x509.not_valid_after_utc + timedelta(seconds=1))


def test_what_is_no_certificate_is_named(factory: Factory) -> None:
    """
    Sending the wrong file is told apart from sending a broken one.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    request = CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    leaf = factory.leaf()
    faults = {
        "signing request": [request.public_bytes(Encoding.PEM), request.public_bytes(Encoding.DER)],
        "private key was sent": [private, private + leaf.pem.encode()],
        "neither PEM nor DER": [b"", b"hello", b"\xff\xfe"],
        "no END line": [leaf.pem[:-30].encode()],
        "not base64": [b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"],
        "malformed or cut short": [leaf.der[:-7], b"\x30\x00"],
        "X509 CRL": [b"-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n"],
    }
    for reason, inputs in faults.items():
        for data in inputs:
            with pytest.raises(CertificateError, match=reason) as caught:
                certificates.load(data)
            assert caught.value.message.startswith("Cannot decode certificate")


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=280))
def test_no_bytes_escape_as_another_error(noise: bytes, cut: int) -> None:
    """
    Whatever is sent, the answer is a certificate or a CertificateError.
    """
    for data in (noise, b"\x30" + noise, _SOME.der[:cut] + noise, _pem(noise)):
        try:
            certificates.load(data).require_device_leaf(NOW)
        except CertificateError:
            continue


def _pem(noise: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(noise) + b"\n-----END CERTIFICATE-----\n"


_SOME: Certificate = Factory().leaf()


def test_a6_only_devices_of_trusted_issuers_pass(factory: Factory) -> None:
    """
    A name is not enough: a CA that only calls itself like the trusted one signs in vain.
    """
    impostor = Factory()
    trusted = TrustedIssuers([factory.ca, pki.create_ca("Another CA", key=pki.new_key(), now=NOW)])

    trusted.require(factory.leaf())

    for stranger in (impostor.leaf(), Factory(name="Stranger").leaf()):
        with pytest.raises(CertificateError, match="issuer is not trusted"):
            trusted.require(stranger)


def test_a_device_is_nobodys_issuer(factory: Factory) -> None:
    """
    A leaf among the trusted issuers is a slip that would trust nothing, or worse, too much.
    """
    with pytest.raises(CertificateError, match="is not a CA certificate"):
        TrustedIssuers([factory.leaf()])


def test_two_issuers_of_one_name_are_both_tried(factory: Factory) -> None:
    """
    A maker that renewed its CA under the old name has devices of both.
    """
    renewed = Factory()
    trusted = TrustedIssuers([renewed.ca, factory.ca])

    trusted.require(factory.leaf())
    trusted.require(renewed.leaf())


def _swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda der: der.replace(old, new, 1)


@pytest.mark.parametrize(
    "change",
    [
        _swap(b"\x0c\x03odd", b"\x14\x03o\xe9d"),  # TeletexString in Latin-1
        _swap(b"\x0c\x03odd", b"\x03\x03\x00dd"),  # a BIT STRING for a name
        _swap(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04"),  # X.509 version 5
    ],
)
def test_a17_what_the_library_reads_late_is_found_at_once(factory: Factory, change: Callable[[bytes], bytes]) -> None:
    """
    Names, versions and extensions that cannot be read are this certificate's fault, found where it is loaded.
    """
    with pytest.raises(CertificateError, match="malformed"):
        certificates.load(factory.odd(change=change))


def test_a_weak_signature_is_refused() -> None:
    """
    SHA-1 and MD5: refused here, before a name is claimed for a certificate that no cloud registers.
    """
    rsa_signed = Factory(key=rsa_key(2048))
    with_rsa = bytes.fromhex("2a864886f70d0101")  # the last byte tells the hash: 11 is SHA-256

    for last, name in ((5, "sha1"), (4, "md5")):
        der = rsa_signed.odd().replace(with_rsa + b"\x0b", with_rsa + bytes([last]))
        with pytest.raises(CertificateError, match=name):
            certificates.load(der).require_device_leaf(NOW)


def _oddly_named(factory: Factory, *, ca: bool) -> bytes:
    """
    Return a certificate whose subjectAltName holds an underscore in a PrintableString, as Microchip's do.
    """
    alternative = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.SERIAL_NUMBER, "eui48-0000")]))
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "odd")]))
        .issuer_name(factory.ca.x509.subject)
        .public_key(factory.key.public_key())
        .serial_number(5)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(factory.key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.DER).replace(b"eui48-0000", b"eui48_0000")


def test_extensions_that_no_library_reads_do_not_stop_a_device(factory: Factory) -> None:
    """
    Microchip's certificates are such, and the clouds take them; a CA's must be readable.
    """
    leaf = certificates.load(_oddly_named(factory, ca=False))
    leaf.require_device_leaf(NOW)

    assert (False, False) == (leaf.is_ca, leaf.may_sign)
    with pytest.raises(CertificateError, match="malformed"):
        certificates.load(_oddly_named(factory, ca=True))


@given(st.binary(max_size=60))
def test_raw_extensions_are_never_guessed(data: bytes) -> None:
    """
    What is no DER is said, in one kind of error.
    """
    try:
        said = raw_extensions.says_ca(data)
    except ValueError:
        return
    assert not said
