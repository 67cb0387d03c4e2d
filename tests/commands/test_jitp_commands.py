import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from firstlight import certificates, pki
from firstlight.jitp import meaning, template
from firstlight.trusted_issuers import TrustedIssuers
from tests.command_line import Firstlight, runner
from tests.factory import Factory


@pytest.fixture
def firstlight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none-of-ours")  # or botocore asks the network for some
    return runner(monkeypatch, capsys)


@pytest.fixture
def pki_folder(firstlight: Firstlight, tmp_path: Path) -> Path:
    assert 0 == firstlight("ca", "create", "Acme Device CA", "--out", tmp_path / "pki").code
    return tmp_path / "pki"


def _unusable(folder: Path) -> dict[str, Path]:
    """
    What a hurried operator gives instead of a certificate.
    """
    key = pki.new_key()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    pki.write_key(folder / "device.key", key)
    (folder / "device.csr").write_bytes(request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "garbage").write_bytes(b"\x30\x82\xff\x00nonsense")
    (folder / "empty").touch()
    names = ("device.key", "device.csr", "garbage", "empty", "missing")
    return {"folder": folder, **{name: folder / name for name in names}}


def test_a_ca_and_its_devices(firstlight: Firstlight, pki_folder: Path, tmp_path: Path) -> None:
    """
    A root, an intermediate, a device: keys for their owner alone, a chain that holds.
    """
    below = firstlight("ca", "create", "Line 7", "--issuer", pki_folder, "--kind", "ec-p384", "--out", tmp_path / "l7")
    done = firstlight("device", "issue", "dev-1", "--ca", tmp_path / "l7", "--out", tmp_path / "out", "--json")

    assert (0, 0) == (below.code, done.code)
    root = certificates.load((pki_folder / "ca.pem").read_bytes())
    device, line = certificates.load_all(Path(done.json["chain"]).read_bytes())
    assert ("dev-1", device.fingerprint) == (device.common_name, done.json["certificate_id"])
    assert device.der == certificates.load(Path(done.json["certificate"]).read_bytes()).der
    TrustedIssuers([line]).require(device)
    TrustedIssuers([root]).require(line)
    for key in (pki_folder / "ca.key", tmp_path / "out" / "dev-1.key"):
        assert 0o600 == stat.S_IMODE(key.stat().st_mode)
        assert "PRIVATE KEY" not in done.out + below.out
    pki.load_pair(tmp_path / "out" / "dev-1.pem", tmp_path / "out" / "dev-1.key")


def test_the_ca_is_a_folder_a_prefix_or_its_certificate(firstlight: Firstlight, pki_folder: Path) -> None:
    """
    Whichever is at hand; what is not there is named.
    """
    for number, place in enumerate((pki_folder, pki_folder / "ca", pki_folder / "ca.pem")):
        assert 0 == firstlight("device", "issue", f"dev-{number}", "--ca", place, "--out", pki_folder).code
    for place in (pki_folder / "acme", pki_folder.parent, pki_folder / "gone" / "ca.pem"):
        done = firstlight("device", "issue", "dev-9", "--ca", place, "--out", pki_folder)
        assert (2, "") == (done.code, done.out)
        assert "There is no" in done.said


def test_the_shape_of_a_factory(firstlight: Firstlight, pki_folder: Path) -> None:
    """
    The names a push then gives are Infineon_15fc8ea1 and Infineon_0455aecb: the serial's own spelling.
    """
    for serial in ("15fc8ea1", "0455aecb", "0x0455AECB"):
        arguments = ("--ca", pki_folder, "--out", pki_folder, "--factory-shape", "--serial", serial, "--json")
        done = firstlight("device", "issue", f"reel-{serial}", *arguments)

        assert ('""', serial.lower().removeprefix("0x")) == (done.json["common_name"], done.json["serial"])
    drawn = firstlight("device", "issue", "any", "--ca", pki_folder, "--out", pki_folder, "--factory-shape", "--json")
    assert 0 < int(drawn.json["serial"], 16) < 2**31


def test_nothing_is_overwritten(firstlight: Firstlight, pki_folder: Path) -> None:
    """
    Not one file of the three, and not when only the last is there.
    """
    key = (pki_folder / "ca.key").read_bytes()
    again = firstlight("ca", "create", "Another", "--out", pki_folder)
    (pki_folder / "dev-1-chain.pem").touch()
    device = firstlight("device", "issue", "dev-1", "--ca", pki_folder, "--out", pki_folder)

    assert (2, 2) == (again.code, device.code)
    assert "ca.key exists already" in again.said
    assert "dev-1-chain.pem exists already" in device.said
    assert key == (pki_folder / "ca.key").read_bytes()
    assert not (pki_folder / "dev-1.key").exists()


@pytest.mark.parametrize(
    ("reason", "arguments"),
    [
        ("is not a thing name", ["a b"]),
        ("is not a thing name", ["a.b"]),
        ("is not a thing name", ["two\nlines"]),
        ("is not a thing name", [""]),
        ("is not a thing name", ["x" * 129]),
        ("1 to 64 bytes (X.520); this one has 100", ["x" * 100]),
        ("1 to 64 bytes (X.520); this one has 200", ["a", "--common-name", "x" * 200]),
        ("is not a file name", ["../a", "--common-name", "x"]),
        ("is not a file name", [".a", "--factory-shape"]),
        ("exclude each other", ["a", "--factory-shape", "--common-name", "x"]),
        ("not a serial number", ["a", "--serial", "15fc8eag"]),
        ("not a serial number", ["a", "--serial", "-5"]),
        ("positive and of at most 20 bytes", ["a", "--serial", "0"]),
        ("at most 20 bytes", ["a", "--serial", "f" * 40]),
        ("Invalid value for '--days'", ["a", "--days", "0"]),
        ("Invalid value for '--kind'", ["a", "--kind", "rsa-1024"]),
    ],
)
def test_a_device_asked_for_wrongly(
    firstlight: Firstlight, pki_folder: Path, tmp_path: Path, reason: str, arguments: list[str]
) -> None:
    """
    Exit 2, one sentence, no file.
    """
    done = firstlight("device", "issue", *arguments, "--ca", pki_folder, "--out", tmp_path / "out")

    assert (2, "") == (done.code, done.out)
    assert reason in done.said
    assert not (tmp_path / "out").exists()


def test_another_common_name_may_be_any(firstlight: Firstlight, pki_folder: Path) -> None:
    """
    To rehearse what lint and JITP then say of it.
    """
    issue = ("device", "issue", "odd", "--common-name", "two\nlines", "--ca", pki_folder, "--out", pki_folder)
    done = firstlight(*issue)
    checked = firstlight("template", "lint", "--cert", pki_folder / "odd.pem", "--json")

    assert (0, 1) == (done.code, checked.code)
    assert "two\\nlines" in done.out
    assert "which AWS IoT does not take" in checked.json["certificates"][0]["findings"][0]["sentence"]


def test_a_ca_key_under_a_password(firstlight: Firstlight, tmp_path: Path) -> None:
    """
    Read from a file, never from the command line; wrong, missing and empty are told apart.
    """
    for name, text in (("right", "open sesame\nignored"), ("wrong", "nope"), ("empty", "\n")):
        (tmp_path / name).write_text(text)
    created = firstlight("ca", "create", "CA", "--out", tmp_path / "pki", "--password-file", tmp_path / "right")
    assert 0 == created.code
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "pki" / "ca.key").read_bytes()
    issue = ("device", "issue", "dev-1", "--ca", tmp_path / "pki", "--out", tmp_path)
    for arguments, reason in (
        ([], "is encrypted. Give its password"),
        (["--password-file", tmp_path / "wrong"], "is wrong"),
        (["--password-file", tmp_path / "empty"], "is empty; it is the password"),
        (["--password-file", tmp_path / "none"], "No such file"),
    ):
        done = firstlight(*issue, *arguments)
        assert 2 == done.code
        assert reason in done.said
    assert 0 == firstlight(*issue, "--password-file", tmp_path / "right").code


def test_an_open_key_is_a_warning(firstlight: Firstlight, pki_folder: Path) -> None:
    """
    The device is issued; stderr says what to do.
    """
    (pki_folder / "ca.key").chmod(0o644)
    done = firstlight("device", "issue", "dev-1", "--ca", pki_folder, "--out", pki_folder)

    assert 0 == done.code
    assert "mode 0644): chmod 600 it" in done.said


def test_a_ca_asked_for_wrongly(firstlight: Firstlight, pki_folder: Path, tmp_path: Path) -> None:
    """
    Two sentences are one too many.
    """
    firstlight("ca", "create", "I", "--issuer", pki_folder, "--out", tmp_path / "i")
    for code, reason, arguments in (
        (2, "this one has 200", ["x" * 200, "--out", tmp_path / "a"]),
        (2, "There is no", ["CA", "--out", tmp_path / "a", "--issuer", tmp_path / "none"]),
        (1, "may not sign another CA", ["CA", "--out", tmp_path / "a", "--issuer", tmp_path / "i"]),
        (2, "Cannot create the folder", ["CA", "--out", pki_folder / "ca.pem"]),
    ):
        done = firstlight("ca", "create", *arguments)
        assert (code, "") == (done.code, done.out)
        assert reason in done.said
    assert not (tmp_path / "a").exists()


def test_a_ca_aws_would_refuse_never_gets_there(firstlight: Firstlight, pki_folder: Path, tmp_path: Path) -> None:
    """
    Unusable files exit 2, refused certificates 1, each with its reason; a unit test could not reach AWS anyway.
    """
    firstlight("device", "issue", "dev-1", "--ca", pki_folder, "--out", tmp_path)
    register = ("ca", "register", "--region", "eu-west-1")
    for path in _unusable(tmp_path).values():
        done = firstlight(*register, path)
        assert (2, "") == (done.code, done.out)
        assert str(path) in done.said
    for name, reason in (("dev-1.pem", "basicConstraints CA:FALSE"), ("dev-1-chain.pem", "There are 2 certificates")):
        done = firstlight(*register, tmp_path / name)
        assert (1, "") == (done.code, done.out)
        assert reason in done.said


def test_options_that_do_not_go_together(firstlight: Firstlight, pki_folder: Path, tmp_path: Path) -> None:
    """
    Found before AWS is asked.
    """
    (tmp_path / "t.json").write_text(json.dumps(template.build(policy_name="P")))
    (tmp_path / "bad.json").write_text('{"Resources": {}}')
    register = ("ca", "register", pki_folder / "ca.pem")
    region = ("--region", "eu-west-1")
    inline = ("--template-file", tmp_path / "t.json")
    for reason, arguments in (
        ("Missing option '--region'", register),
        ("Mode default needs the key", (*register, *region, "--mode", "default", "--template", "")),
        ("Mode sni-only takes no key", (*register, *region, "--key", pki_folder / "ca.key", "--template", "")),
        ("No such file", (*register, *region, "--mode", "default", "--key", tmp_path / "none")),
        ("Is a directory", (*register, *region, "--mode", "default", "--key", tmp_path)),
        ("holds no private key", (*register, *region, "--mode", "default", "--key", pki_folder / "ca.pem")),
        ("--template-file needs --role-arn", (*register, *region, *inline)),
        ("exclude each other", (*register, *region, *inline, "--template", "T")),
        ("a named template has its own role", (*register, *region, "--role-arn", "arn:aws:iam::1:role/x")),
        ("There are no Resources", (*register, *region, "--template-file", tmp_path / "bad.json", "--role-arn", "a")),
        ("--role-arn goes with --escaped", ("template", "show", "--role-arn", "a")),
        ("is not a name AWS IoT takes", ("template", "show", "--thing-type", "a b")),
        ("at most; 11 were given", ("template", "show", *("--thing-group", "g") * 11)),
        ("neither a file nor the name", ("template", "lint", "--template", "no such.json")),
        ("give --region", ("template", "lint", "--template", "FirstlightJitp")),
    ):
        done = firstlight(*arguments)
        assert reason in done.said
        assert (2, "") == (done.code, done.out)


def test_the_template_is_shown_to_read_and_to_hand_over(firstlight: Firstlight) -> None:
    """
    All three spellings are one template.
    """
    options = ("template", "show", "--thing-type", "lamp", "--thing-group", "a", "--thing-name", "SerialNumber")
    role = "arn:aws:iam::123456789012:role/FirstlightJitp"
    plain, once, twice = (
        firstlight(*options, *more) for more in ((), ("--escaped",), ("--escaped", "--role-arn", role))
    )

    assert "lamp" == plain.json["Resources"]["thing"]["Properties"]["ThingTypeName"]
    assert plain.json == json.loads(once.json)
    assert {"templateBody": once.json, "roleArn": role} == twice.json
    unsure = firstlight("template", "show", "--thing-name", "Organization")
    assert 0 == unsure.code
    assert "would share one thing" in unsure.said


def test_lint_says_what_would_become_of_a_device(firstlight: Firstlight, pki_folder: Path) -> None:
    """
    Exit 0 and the thing's name, or exit 1 and every reason; several certificates at once.
    """
    issue = ("device", "issue", "--ca", pki_folder, "--out", pki_folder)
    firstlight(*issue, "dev-1")
    firstlight(*issue, "chip", "--factory-shape")
    pki.write_certificate(pki_folder / "foreign.pem", Factory(now=datetime.now(UTC)).leaf("dev-2"))
    lint = ("template", "lint", "--ca", pki_folder / "ca.pem")
    good = firstlight(*lint, "--cert", pki_folder / "dev-1-chain.pem")
    both = ("--cert", pki_folder / "dev-1.pem", "--cert", pki_folder / "chip.pem", "--json")
    foreign = firstlight(*lint, "--cert", pki_folder / "foreign.pem", "--json")
    mixed = firstlight(*lint, *both)

    assert (0, 1, 1) == (good.code, mixed.code, foreign.code)
    assert "would become the thing dev-1 with FirstlightJitpDevice" in good.out
    assert ["dev-1", None] == [c["thing_name"] for c in mixed.json["certificates"]]
    assert "factories of security chips" in mixed.json["certificates"][1]["findings"][0]["sentence"]
    assert "not signed by this CA" in foreign.json["certificates"][0]["findings"][0]["sentence"]
    assert "factories" in firstlight(*lint, *both[:-1]).out


def test_lint_reads_a_template_from_a_file(firstlight: Firstlight, pki_folder: Path, tmp_path: Path) -> None:
    """
    The body, or what `--registration-config` takes; a bad one is reported with each certificate's own findings.
    """
    firstlight("device", "issue", "dev-1", "--ca", pki_folder, "--out", tmp_path)
    body = template.build(policy_name="P", thing_name_parameter=template.CERTIFICATE_ID)
    config = template.for_registration_config(body, "arn:aws:iam::123456789012:role/x")
    (tmp_path / "t.json").write_text(config, "utf-8-sig")  # with the mark that some editors leave
    body["Resources"]["policy"]["Properties"] = {}
    (tmp_path / "bad.json").write_text(json.dumps(body))
    lint = ("template", "lint", "--cert", tmp_path / "dev-1.pem", "--json", "--template")
    good, bad = firstlight(*lint, tmp_path / "t.json"), firstlight(*lint, tmp_path / "bad.json")

    device = certificates.load((tmp_path / "dev-1.pem").read_bytes())
    assert (0, 1) == (good.code, bad.code)
    assert device.fingerprint == good.json["certificates"][0]["thing_name"]
    assert "AWS refuses the template" in bad.json["template"][0]["sentence"]
    assert bad.json["certificates"][0]["thing_name"] is None
    assert meaning.parameters(device)[template.CERTIFICATE_ID] == device.fingerprint


def test_lint_without_a_certificate_checks_the_template(firstlight: Firstlight) -> None:
    """
    Ours is well-formed.
    """
    done = firstlight("template", "lint")

    assert (0, "") == (done.code, done.said)
    assert "well-formed" in done.out


def test_lint_of_what_is_no_certificate(firstlight: Firstlight, tmp_path: Path, pki_folder: Path) -> None:
    """
    Exit 2 and the file's name, as a certificate, as a CA and as a template.
    """
    for path in _unusable(tmp_path).values():
        for option in ("--cert", "--ca", "--template"):
            done = firstlight("template", "lint", option, path)
            missing_name = option == "--template" and path.name == "missing"
            assert 2 == done.code
            assert "" == done.out
            assert missing_name or path.name in done.said or "The template is not JSON" in done.said
    describe = firstlight("ca", "describe", pki_folder / "ca.key", "--region", "eu-west-1")
    assert (2, "") == (describe.code, describe.out)
