"""
What can be wrong with the files and names a person gives, said before anything connects.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from firstlight import pki
from firstlight.certificates import Certificate, load
from firstlight.errors import UsageError
from firstlight.identity import Naming
from firstlight.verify import target
from firstlight.verify.target import Target, client_id_of, require_host
from tests.factory import NOW, Factory

HOST = "abc123-ats.iot.eu-west-1.amazonaws.com"


@pytest.fixture
def files(tmp_path: Path, factory: Factory) -> Path:
    """
    A folder with device.pem, device.key, its CA as ca.pem, and another device's other.key.
    """
    certificate, key = factory.device("bench-1", serial=0x0455AECB)
    pki.write_certificate(tmp_path / "device.pem", certificate)
    pki.write_key(tmp_path / "device.key", key)
    pki.write_certificate(tmp_path / "ca.pem", factory.ca)
    pki.write_key(tmp_path / "other.key", pki.new_key())
    return tmp_path


def read(files: Path, **changes: object) -> Target:
    given = {"endpoint": HOST, "cert": files / "device.pem", "key": files / "device.key", "client_id": "bench-1"}
    return target.read(**{**given, "now": NOW, **changes})  # type: ignore[arg-type]


def complaint(files: Path, **changes: object) -> str:
    with pytest.raises(UsageError) as refused:
        read(files, **changes)
    return str(refused.value)


def test_good_files_make_a_target(files: Path) -> None:
    made = read(files, ca_file=files / "ca.pem")

    assert (HOST, 8883, "bench-1") == (made.endpoint, made.port, made.client_id)
    assert load((files / "device.pem").read_bytes()).fingerprint == made.fingerprint
    assert (files / "ca.pem").read_bytes() == made.ca_pem


def test_a_key_never_shows(files: Path) -> None:
    assert "PRIVATE" not in repr(read(files))


def test_a_chain_stays_a_chain_without_the_prose_around_it(files: Path, factory: Factory) -> None:
    """
    AWS IoT wants the CA too when two CAs share a subject; the SDK trips over what openssl -text adds.
    """
    leaf = (files / "device.pem").read_text()
    (files / "chain.pem").write_text(f"Certificate:\n    Data:\n{leaf}\nsubject=CN=ca\n{factory.ca.pem}")

    assert (leaf + factory.ca.pem).encode() == read(files, cert=files / "chain.pem").cert_pem


def test_der_files_are_read_too(files: Path) -> None:
    (files / "device.der").write_bytes(load((files / "device.pem").read_bytes()).der)

    assert (files / "device.pem").read_bytes() == read(files, cert=files / "device.der").cert_pem


def test_alpn_is_for_port_443(files: Path) -> None:
    """
    There AWS IoT needs it to tell MQTT from HTTPS.
    """
    assert ["x-amzn-mqtt-ca"] == read(files, port=443).protocols
    assert [] == read(files, port=8883).protocols


@pytest.mark.parametrize("name", ["cert", "key", "ca_file"])
def test_a_missing_file_is_named(files: Path, name: str) -> None:
    assert "absent.pem: No such file" in complaint(files, **{name: files / "absent.pem"})


def test_another_devices_key_is_refused(files: Path) -> None:
    assert "other.key does not belong to the certificate" in complaint(files, key=files / "other.key")


def test_an_encrypted_key_comes_with_its_remedy(files: Path) -> None:
    sealed = pki.new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (files / "sealed.key").write_bytes(sealed)

    assert "sealed.key is encrypted. Decrypt a copy of it: openssl pkey -in" in complaint(
        files, key=files / "sealed.key"
    )


def test_a_ca_file_in_der_comes_with_its_remedy(files: Path, factory: Factory) -> None:
    (files / "ca.der").write_bytes(factory.ca.der)

    assert "holds no certificate in PEM. If it is DER: openssl x509 -inform der" in complaint(
        files, ca_file=files / "ca.der"
    )


def test_a_damaged_ca_file_is_refused(files: Path) -> None:
    (files / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    assert "ca.pem: Cannot decode certificate" in complaint(files, ca_file=files / "ca.pem")


@pytest.mark.parametrize("days", [-1, 4000], ids=["before its time", "expired"])
def test_a_certificate_out_of_date_is_refused_before_connecting(files: Path, days: int) -> None:
    said = complaint(files, now=NOW + timedelta(days=days))

    assert "Certificate notBefore or notAfter is out of range" in said
    assert "--anyway connects with it nonetheless, to see it refused. Is this machine's clock right?" in said


def test_anyway_means_anyway(files: Path) -> None:
    """
    Whoever wants to see a cloud refuse an expired device may.
    """
    assert "bench-1" == read(files, now=NOW + timedelta(days=4000), anyway=True).client_id


def test_a_ca_is_no_device(files: Path, factory: Factory) -> None:
    pki.write_key(files / "ca.key", factory.key)

    assert "is a CA certificate, not a device's" in complaint(files, cert=files / "ca.pem", key=files / "ca.key")


@pytest.mark.parametrize(
    ("endpoint", "remedy"),
    [
        ("mqtts://" + HOST, "Leave out the scheme"),
        (f"https://{HOST}:8883/", "Leave out the scheme"),
        (HOST + ":8883", f"Write {HOST} --port 8883."),
        ("127.0.0.1", "On a laptop the name is localhost."),
        ("::1", "On a laptop the name is localhost."),
        ("", "describe-endpoint"),
        ("two words", "describe-endpoint"),
        ("host..name", "describe-endpoint"),
        ("abc123.iot.eu-west-1.amazonaws.com", "--endpoint-type iot:Data-ATS"),
        ("abc123.credentials.iot.eu-west-1.amazonaws.com", "--endpoint-type iot:Data-ATS"),
        ("iot.eu-west-1.amazonaws.com.", "--endpoint-type iot:Data-ATS"),
    ],
)
def test_an_endpoint_that_cannot_work_comes_with_its_remedy(endpoint: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        require_host(endpoint)

    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        HOST,
        HOST + ".",
        "localhost",
        "devices.example.net",
        "abc123.ats.iot.cn-north-1.amazonaws.com.cn",
        "data.iot-fips.us-gov-west-1.amazonaws.com",
    ],
)
def test_an_endpoint_for_devices_passes(endpoint: str) -> None:
    require_host(endpoint)


def test_the_legacy_endpoint_can_be_tried_anyway() -> None:
    require_host("abc123.iot.eu-west-1.amazonaws.com", anyway=True)


@pytest.mark.parametrize("name", ["", "with space", "wild/+", "#", "a" * 129])
def test_a_client_id_that_is_no_thing_name_is_refused(files: Path, name: str) -> None:
    assert "cannot be a thing's name" in complaint(files, client_id=name)


class TestClientId:
    """
    Without one given, the certificate says it.
    """

    def test_a_common_name_that_can_name_a_thing(self, files: Path) -> None:
        assert ("bench-1", "the certificate's common name") == client_id_of(files / "device.pem")

    @pytest.mark.parametrize("common_name", ['""', None, "Bench One", "bench.local"])
    def test_else_the_name_a_push_gives(self, tmp_path: Path, factory: Factory, common_name: str | None) -> None:
        """
        A factory certificate's CN is two quotes: no thing can be called that.
        """
        certificate = factory.leaf(common_name, serial=0x0455AECB)
        assert ("Infineon_0455aecb", "the certificate's serial number, after 'Infineon_'") == client_id_of(
            written(tmp_path, certificate)
        )

    def test_a_naming_rule_wins(self, files: Path) -> None:
        assert "Infineon_0455aecb" == client_id_of(files / "device.pem", naming=Naming.SERIAL)[0]
        assert "acme-0455aecb" == client_id_of(files / "device.pem", prefix="acme-")[0]
        assert "0455aecb" == client_id_of(files / "device.pem", prefix="-")[0]
        assert 64 == len(client_id_of(files / "device.pem", naming=Naming.FINGERPRINT)[0])

    def test_a_rule_that_finds_nothing_says_so(self, tmp_path: Path, factory: Factory) -> None:
        with pytest.raises(UsageError, match=r"no common name.*--client-id"):
            client_id_of(written(tmp_path, factory.leaf(None)), naming=Naming.COMMON_NAME)

    def test_a_file_that_is_no_certificate(self, files: Path) -> None:
        with pytest.raises(UsageError, match="a private key was sent instead"):
            client_id_of(files / "device.key")


def written(folder: Path, certificate: Certificate) -> Path:
    path = folder / "device.pem"
    pki.write_certificate(path, certificate)
    return path
