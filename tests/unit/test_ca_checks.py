from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.jitp import ca
from tests.factory import NOW, Factory, rsa_key

_ANY = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
_EXPLICIT_V3 = bytes.fromhex("a003020102")


def _odd_ca(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None,
    *,
    constraints: bool = True,
    usage: x509.KeyUsage | None = None,
    algorithm: hashes.SHA224 | hashes.SHA256 | None = hashes.SHA256(),  # noqa: B008 -- stateless
) -> Certificate:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_ANY)
        .issuer_name(_ANY)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if usage:
        builder = builder.add_extension(usage, critical=True)
    return certificates.load(builder.sign(key, algorithm).public_bytes(Encoding.DER))


def _as_version_1(der: bytes) -> Certificate:
    """
    Cut the version out of a certificate without extensions; its lengths take two bytes each.
    """
    outer, inner = int.from_bytes(der[2:4], "big"), int.from_bytes(der[6:8], "big")
    assert der[8:].startswith(_EXPLICIT_V3)
    cut = len(_EXPLICIT_V3)
    lengths = [b"\x30\x82" + (n - cut).to_bytes(2, "big") for n in (outer, inner)]
    return certificates.load(b"".join(lengths) + der[8 + cut :])


def _refusal(certificate: Certificate) -> str:
    with pytest.raises(CertificateError) as caught:
        ca.require_registrable(certificate, NOW)
    return str(caught.value)


def test_the_cas_we_create_are_registrable(factory: Factory) -> None:
    """
    Roots and intermediates alike.
    """
    intermediate = pki.create_ca("I", key=pki.new_key("ec-p384"), issuer=(factory.ca, factory.key), now=NOW)
    for certificate in (factory.ca, intermediate, _odd_ca()):
        ca.require_registrable(certificate, NOW)
        assert certificate.der == ca.load(certificate.pem.encode(), NOW).der
        assert certificate.der == ca.load(certificate.der, NOW).der


def test_what_is_not_a_ca_is_refused(factory: Factory) -> None:
    """
    The defaults of openssl make such certificates, and AWS's own answer does not say what is wrong.
    """
    assert "basicConstraints CA:FALSE" in _refusal(factory.leaf())
    assert "no basicConstraints" in _refusal(_odd_ca(constraints=False))
    version_1 = _as_version_1(_odd_ca(rsa_key(2048), constraints=False).der)
    assert x509.Version.v1 is version_1.x509.version
    assert "X.509 version 1" in _refusal(version_1)


def test_a_ca_that_may_not_sign_is_refused() -> None:
    """
    keyUsage, when it is there, must hold keyCertSign.
    """
    for may_sign in (True, False):
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=may_sign,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = _odd_ca(usage=usage)
        if may_sign:
            ca.require_registrable(certificate, NOW)
        else:
            assert "lacks keyCertSign" in _refusal(certificate)


def test_keys_and_signatures_aws_does_not_take() -> None:
    """
    Short RSA, foreign curves, Ed25519, SHA-224.
    """
    assert "RSA-1024" in _refusal(_odd_ca(rsa_key(1024)))
    assert "on curve secp256k1" in _refusal(_odd_ca(ec.generate_private_key(ec.SECP256K1())))
    assert "neither RSA nor" in _refusal(_odd_ca(ed25519.Ed25519PrivateKey.generate(), algorithm=None))
    assert "ecdsa-with-SHA224" in _refusal(_odd_ca(algorithm=hashes.SHA224()))


def test_a_ca_out_of_its_time_is_refused(factory: Factory) -> None:
    """
    With the date that matters.
    """
    start, end = factory.ca.x509.not_valid_before_utc, factory.ca.x509.not_valid_after_utc
    for now, reason in ((start - timedelta(days=1), "not valid before 2026-"), (end + timedelta(days=1), "expired 20")):
        with pytest.raises(CertificateError, match=reason):
            ca.require_registrable(factory.ca, now)


def test_one_certificate_is_registered_not_a_chain(factory: Factory) -> None:
    """
    The signing CA itself; AWS IoT would take the first of a file and leave the rest unsaid.
    """
    with pytest.raises(CertificateError, match="There are 2 certificates here"):
        ca.load((factory.leaf().pem + factory.ca.pem).encode(), NOW)
    for data in (b"", b"hello", b"-----BEGIN CERTIFICATE-----\n"):
        with pytest.raises(CertificateError, match="Cannot decode certificate"):
            ca.load(data, NOW)
