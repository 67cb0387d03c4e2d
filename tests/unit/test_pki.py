import ipaddress
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, UsageError
from firstlight.trusted_issuers import TrustedIssuers
from tests.factory import NOW, Factory


def _constraints(certificate: Certificate) -> tuple[bool, bool, int | None]:
    extension = certificate.x509.extensions.get_extension_for_class(x509.BasicConstraints)
    return extension.critical, extension.value.ca, extension.value.path_length


def _usages(certificate: Certificate) -> tuple[bool, set[str]]:
    extension = certificate.x509.extensions.get_extension_for_class(x509.KeyUsage)
    names = ("digital_signature", "key_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
    return extension.critical, {name for name in names if getattr(extension.value, name)}


def _key_id(certificate: Certificate) -> bytes:
    return certificate.x509.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _authority(certificate: Certificate) -> bytes | None:
    return certificate.x509.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier


def _sentence(path: Path, password: bytes | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        pki.load_key(path, password=password)
    return str(caught.value)


def test_a_root_may_sign_certificates_and_one_layer_of_cas() -> None:
    """
    AWS IoT refuses a CA without basicConstraints CA:TRUE; a device's TLS stack one without keyCertSign.
    """
    root = pki.create_ca("Root", key=pki.new_key(), now=NOW)

    assert (True, True, 1) == _constraints(root)
    assert (True, {"key_cert_sign", "crl_sign"}) == _usages(root)
    assert _key_id(root) == _authority(root)
    assert root.x509.subject == root.x509.issuer


def test_an_intermediate_signs_devices_only(factory: Factory) -> None:
    """
    The path length shrinks towards the devices, and at 0 no further CA is signed.
    """
    key = pki.new_key("ec-p384")
    intermediate = pki.create_ca("Intermediate", key=key, issuer=(factory.ca, factory.key), now=NOW)

    assert (True, True, 0) == _constraints(intermediate)
    assert _key_id(factory.ca) == _authority(intermediate)
    TrustedIssuers([factory.ca]).require(intermediate)
    with pytest.raises(CertificateError, match="may not sign another CA"):
        pki.create_ca("Below", key=pki.new_key(), issuer=(intermediate, key), now=NOW)


def test_a_device_certificate_is_a_leaf_for_tls_clients(factory: Factory) -> None:
    """
    X.509 v3 with the usages of a TLS client; an RSA key may also be encrypted to.
    """
    for kind, usages in (("ec-p256", {"digital_signature"}), ("rsa-2048", {"digital_signature", "key_encipherment"})):
        device = pki.issue_device(
            ca=factory.ca, ca_key=factory.key, key_or_public_key=pki.new_key(kind), common_name="dev-1", now=NOW
        )
        purposes = device.x509.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

        assert x509.Version.v3 is device.x509.version
        assert (True, False, None) == _constraints(device)
        assert (True, usages) == _usages(device)
        assert [ExtendedKeyUsageOID.CLIENT_AUTH] == list(purposes)
        assert _key_id(factory.ca) == _authority(device)
        device.require_device_leaf(NOW)
        TrustedIssuers([factory.ca]).require(device)


def test_a_device_keeps_its_key_to_itself(factory: Factory) -> None:
    """
    A public key is enough to issue a certificate.
    """
    key = pki.new_key()
    device = pki.issue_device(
        ca=factory.ca, ca_key=factory.key, key_or_public_key=key.public_key(), common_name="dev-1", now=NOW
    )

    assert key.public_key() == device.x509.public_key()


def test_the_shape_of_factory_certificates(factory: Factory) -> None:
    """
    Security chips come with the CN "" and a serial number of 31 bits.
    """
    for serial in ("15fc8ea1", "0455aecb"):
        device = factory.leaf('""', int(serial, 16))

        assert ('""', serial) == (device.common_name, device.serial)
    assert all(0 < pki.random_factory_serial() < 2**31 for _ in range(100))


def test_a_certificate_may_have_no_common_name(factory: Factory) -> None:
    """
    Such devices exist, and are named by serial.
    """
    assert factory.leaf(None).common_name is None


def test_fields_that_fit_no_certificate_are_refused(factory: Factory) -> None:
    """
    X.520 bounds a common name, RFC 5280 a serial number.
    """
    for name in ("", "x" * 65, "x" * 200, "ü" * 33):
        with pytest.raises(UsageError, match=f"this one has {len(name.encode())}"):
            factory.leaf(name)
    with pytest.raises(UsageError, match="is text"):
        factory.leaf("\udcff")
    for serial in (-1, 2**159):
        with pytest.raises(UsageError, match="at most 20 bytes"):
            factory.leaf("dev-1", serial)
    assert 64 == len(factory.leaf("x" * 64).common_name or "")


def test_nothing_outlives_its_ca(factory: Factory) -> None:
    """
    A chain is valid only as long as its shortest link; an expired CA issues nothing.
    """
    key, end = pki.new_key(), factory.ca.x509.not_valid_after_utc
    device = pki.issue_device(
        ca=factory.ca, ca_key=factory.key, key_or_public_key=key, common_name="d", days=36500, now=NOW
    )

    assert end == device.x509.not_valid_after_utc
    with pytest.raises(CertificateError, match="The CA certificate expired"):
        pki.issue_device(
            ca=factory.ca,
            ca_key=factory.key,
            key_or_public_key=key,
            common_name="d",
            now=end + timedelta(days=1),
        )


def test_only_a_ca_with_its_own_key_issues(factory: Factory) -> None:
    """
    A certificate signed by the wrong key would be refused everywhere, later and without a reason.
    """
    leaf, key = factory.device()
    for ca, ca_key, reason in ((leaf, key, "is not a CA certificate"), (factory.ca, key, "is not the key of")):
        with pytest.raises(CertificateError, match=reason):
            pki.issue_device(ca=ca, ca_key=ca_key, key_or_public_key=key, common_name="d", now=NOW)


def test_the_verification_certificate_carries_the_registration_code(factory: Factory) -> None:
    """
    AWS IoT reads the code from the common name: 64 hex digits, the most that fit.
    """
    code = "0f" * 32
    proof, key = pki.verification_certificate(code, ca=factory.ca, ca_key=factory.key, now=NOW)

    assert code == proof.common_name
    assert key.public_key() == proof.x509.public_key()
    TrustedIssuers([factory.ca]).require(proof)


def test_a_server_is_who_its_names_say(factory: Factory) -> None:
    """
    A strict verifier, not ours, accepts CA and server for a host name and for an address.
    """
    server, _ = pki.server_certificate(["localhost", "127.0.0.1"], ca=factory.ca, ca_key=factory.key, now=NOW)
    verify = PolicyBuilder().store(Store([factory.ca.x509])).time(NOW)

    for name in (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))):
        assert 2 == len(verify.build_server_verifier(name).verify(server.x509, []))


def test_a_key_signs_with_a_hash_of_its_strength(factory: Factory) -> None:
    """
    P-384 with SHA-384; both are among what AWS IoT takes.
    """
    for kind, name in (("ec-p256", "sha256"), ("ec-p384", "sha384")):
        algorithm = pki.create_ca("CA", key=pki.new_key(kind), now=NOW).x509.signature_hash_algorithm
        assert algorithm is not None
        assert name == algorithm.name
    with pytest.raises(UsageError, match="One of: ec-p256, ec-p384, rsa-2048, rsa-4096"):
        pki.new_key("ed25519")


def test_the_public_half_verifies_what_the_key_signs() -> None:
    """
    The same PEM, asked of the private key or of the public one.
    """
    key = pki.new_key()
    pem = pki.public_pem(key)

    assert pem == pki.public_pem(key.public_key())
    assert key.public_key() == load_pem_public_key(pem)


def test_a_key_on_disk_is_its_owners_alone(tmp_path: Path) -> None:
    """
    Mode 0600 from its first moment, whatever the umask; the folder 0700.
    """
    folder = pki.private_folder(tmp_path / "a" / "pki")
    before = os.umask(0)
    try:
        pki.write_key(folder / "ca.key", pki.new_key())
    finally:
        os.umask(before)

    assert 0o600 == stat.S_IMODE((folder / "ca.key").stat().st_mode)
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert not pki.exposure(folder / "ca.key")
    (folder / "ca.key").chmod(0o640)
    assert "mode 0640" in pki.exposure(folder / "ca.key")


def test_nothing_is_overwritten(tmp_path: Path, factory: Factory) -> None:
    """
    A lost key cannot be had again; not even through a link that somebody put there.
    """
    file, link = tmp_path / "ca.key", tmp_path / "link.key"
    file.write_bytes(b"precious")
    link.symlink_to(tmp_path / "nowhere")
    for path in (file, link):
        with pytest.raises(UsageError, match="exists already"):
            pki.write_key(path, factory.key)
        with pytest.raises(UsageError, match="exists already"):
            pki.write_certificate(path, factory.ca)
        with pytest.raises(UsageError, match="exists already"):
            pki.require_absent(path)

    assert b"precious" == file.read_bytes()
    assert not (tmp_path / "nowhere").exists()


def test_folders_that_cannot_be_are_refused(tmp_path: Path, factory: Factory) -> None:
    """
    A file in the way, a missing folder: one sentence.
    """
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot create the folder"):
        pki.private_folder(tmp_path / "file")
    with pytest.raises(UsageError, match="Cannot write"):
        pki.write_certificate(tmp_path / "missing" / "ca.pem", factory.ca)


def test_a_chain_is_written_leaf_first(tmp_path: Path, factory: Factory) -> None:
    """
    As TLS sends it and as AWS IoT reads it.
    """
    leaf = factory.leaf()
    pki.write_certificate(tmp_path / "chain.pem", leaf, factory.ca)

    assert [leaf.der, factory.ca.der] == [c.der for c in certificates.load_all((tmp_path / "chain.pem").read_bytes())]


def test_a_pair_comes_back_as_it_was_written(tmp_path: Path, factory: Factory) -> None:
    """
    With a password too.
    """
    pki.write_certificate(tmp_path / "ca.pem", factory.ca)
    for password in (None, b"open sesame"):
        key_path = tmp_path / f"{password is None}.key"
        pki.write_key(key_path, factory.key, password=password)
        certificate, key = pki.load_pair(tmp_path / "ca.pem", key_path, password=password)

        assert (factory.ca.der, factory.key.public_key()) == (certificate.der, key.public_key())
        assert (password is None) == (b"BEGIN PRIVATE KEY" in key_path.read_bytes())


def test_what_is_no_key_gets_one_sentence(tmp_path: Path, factory: Factory) -> None:
    """
    Each says what was given, and none shows it.
    """
    locked, certificate, garbage, request = (tmp_path / n for n in ("locked", "certificate", "garbage", "request"))
    pki.write_key(locked, factory.key, password=b"right")
    pki.write_certificate(certificate, factory.ca)
    garbage.write_bytes(b"\x00\xff nonsense")
    signing_request = x509.CertificateSigningRequestBuilder().subject_name(factory.ca.x509.subject)
    request.write_bytes(signing_request.sign(factory.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    other = tmp_path / "other"
    other.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    plain = tmp_path / "plain"
    pki.write_key(plain, factory.key)

    assert "is encrypted" in _sentence(locked)
    assert "is wrong" in _sentence(locked, b"wrong")
    assert "is not encrypted" in _sentence(plain, b"any")
    assert "It is a certificate." in _sentence(certificate)
    assert "It is a certificate signing request." in _sentence(request)
    assert "holds no private key" in _sentence(garbage)
    assert "neither RSA nor" in _sentence(other)
    assert "No such file" in _sentence(tmp_path / "missing")
    assert "Is a directory" in _sentence(tmp_path)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, factory: Factory) -> None:
    """
    Mixed up files are found before anything is signed.
    """
    pki.write_certificate(tmp_path / "ca.pem", factory.ca)
    pki.write_key(tmp_path / "ca.key", pki.new_key())
    with pytest.raises(UsageError, match="does not belong to"):
        pki.load_pair(tmp_path / "ca.pem", tmp_path / "ca.key")
    with pytest.raises(UsageError, match=r"ca.key: .*Give a certificate"):
        pki.load_pair(tmp_path / "ca.key", tmp_path / "ca.key")
