"""
`firstlight ca` and `firstlight template lint` against the laptop's AWS.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstlight import certificates, pki
from firstlight.jitp import template
from firstlight.local.addresses import Addresses
from firstlight.local.control_plane import ROOT, ControlPlane
from tests.command_line import Firstlight, Ran, runner

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/FirstlightJitp"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """
    An AWS of its own with three provisioning templates: one to use, one disabled, one of the wrong type.
    """
    with ControlPlane(tmp_path_factory.mktemp("ca-cli"), region=REGION) as running:
        found = Addresses(endpoint_url=running.endpoint_url, region=REGION, account=running.account, credentials=ROOT)
        iot = found.client("iot")
        body = template.to_aws(template.build(policy_name="FirstlightDevice"))
        for name, kind, enabled in (
            ("FirstlightJitp", "JITP", True),
            ("Disabled", "JITP", False),
            ("Fleet", "FLEET_PROVISIONING", True),
        ):
            iot.create_provisioning_template(
                templateName=name, type=kind, enabled=enabled, templateBody=body, provisioningRoleArn=ROLE
            )
        yield found


@pytest.fixture
def firstlight(aws: Addresses, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    for name, value in aws.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return runner(monkeypatch, capsys)


@pytest.fixture
def ca(firstlight: Firstlight, tmp_path: Path) -> Path:
    """
    A new CA's certificate, its key beside it.
    """
    assert 0 == firstlight("ca", "create", f"CA of {tmp_path.name}", "--out", tmp_path / "pki").code
    return tmp_path / "pki" / "ca.pem"


def _held(aws: Addresses, ca: Path) -> dict[str, Any]:
    fingerprint = certificates.load(ca.read_bytes()).fingerprint
    answer: dict[str, Any] = aws.client("iot").describe_ca_certificate(certificateId=fingerprint)
    return answer


def _shown(ran: Ran) -> dict[str, Any]:
    assert 0 == ran.code, ran.said
    shown: dict[str, Any] = ran.json
    return shown


def test_a_ca_is_registered_without_its_key(firstlight: Firstlight, aws: Addresses, ca: Path) -> None:
    """
    SNI_ONLY, active, auto-registering, with the named template: what JITP needs and no more.
    """
    (ca.parent / "ca.key").unlink()
    shown = _shown(firstlight("ca", "register", ca, "--json"))
    held = _held(aws, ca)

    assert (True, "SNI_ONLY", "on", "template FirstlightJitp") == (
        shown["new"],
        shown["mode"],
        shown["auto_registration"],
        shown["provisioning"],
    )
    description = held["certificateDescription"]
    assert ("SNI_ONLY", "ACTIVE", "ENABLE") == tuple(
        description[name] for name in ("certificateMode", "status", "autoRegistrationStatus")
    )
    assert {"templateName": "FirstlightJitp"} == held["registrationConfig"]


def test_mode_default_proves_possession(firstlight: Firstlight, aws: Addresses, ca: Path) -> None:
    """
    By a certificate with the registration code, signed with the CA's key; another key does not do.
    """
    wrong = ca.parent / "wrong.key"
    pki.write_key(wrong, pki.new_key())
    register = ("ca", "register", ca, "--mode", "default", "--json")
    refused = firstlight(*register, "--key", wrong)
    shown = _shown(firstlight(*register, "--key", ca.parent / "ca.key"))

    assert (2, "") == (refused.code, refused.out)
    assert "not the key of this CA" in refused.said
    assert (True, "DEFAULT") == (shown["new"], shown["mode"])
    assert "DEFAULT" == _held(aws, ca)["certificateDescription"]["certificateMode"]


def test_a_registered_ca_is_described_not_an_error(firstlight: Firstlight, aws: Addresses, ca: Path) -> None:
    """
    Again and again, in either mode, with a key and without.
    """
    first = _shown(firstlight("ca", "register", ca, "--json"))
    second = firstlight("ca", "register", ca, "--json")

    assert {**first, "new": False} == _shown(second)
    assert "registered already; nothing was changed" in second.said
    assert [] == second.json["differences"]


def test_what_differs_from_what_was_asked_is_said(firstlight: Firstlight, aws: Addresses, ca: Path) -> None:
    """
    Mode, status, auto-registration, template; each with the remedy, and none of them changed.
    """
    firstlight("ca", "register", ca, "--template", "")
    ca_id = _held(aws, ca)["certificateDescription"]["certificateId"]
    aws.client("iot").update_ca_certificate(
        certificateId=ca_id, newStatus="INACTIVE", newAutoRegistrationStatus="DISABLE"
    )
    again = firstlight("ca", "register", ca, "--mode", "default", "--key", ca.parent / "ca.key", "--json")

    assert "INACTIVE" == _shown(again)["status"]
    for said in (
        "Its mode is SNI_ONLY, not DEFAULT",
        f"update-ca-certificate --certificate-id {ca_id} --new-status ACTIVE",
        "Auto-registration is off",
        "It runs no template, not template FirstlightJitp",
    ):
        assert said in again.said
        assert any(said in difference for difference in again.json["differences"])


def test_a_template_that_would_provision_nothing_is_refused(firstlight: Firstlight, aws: Addresses, ca: Path) -> None:
    """
    Missing, disabled, of the other type: AWS takes some of them, and every device then stays out.
    """
    for name, reason in (
        ("Missing", "There is no provisioning template Missing in eu-west-1"),
        ("Disabled", "The template Disabled is disabled"),
        ("Fleet", "is of type FLEET_PROVISIONING"),
    ):
        ran = firstlight("ca", "register", ca, "--template", name)

        assert (1, "") == (ran.code, ran.out)
        assert reason in ran.said
    assert "is not registered in eu-west-1" in firstlight("ca", "describe", ca).said


def test_a_template_can_be_stored_with_the_ca(firstlight: Firstlight, aws: Addresses, ca: Path) -> None:
    """
    As AWS's own older samples do: a body and a role.
    """
    body = template.build(policy_name="FirstlightDevice")
    file = ca.parent / "template.json"
    file.write_text(json.dumps(body, indent=2))
    shown = _shown(firstlight("ca", "register", ca, "--template-file", file, "--role-arn", ROLE, "--json"))
    config = _held(aws, ca)["registrationConfig"]

    assert "an inline template" == shown["provisioning"]
    assert (ROLE, body) == (config["roleArn"], json.loads(config["templateBody"]))


def test_a_ca_is_found_by_certificate_and_by_id(firstlight: Firstlight, ca: Path) -> None:
    """
    The id is the SHA-256 of the certificate, so that the file is enough.
    """
    registered = _shown(firstlight("ca", "register", ca, "--json"))
    by_file = _shown(firstlight("ca", "describe", ca, "--json"))
    by_id = _shown(firstlight("ca", "describe", registered["id"].upper(), "--json"))

    assert by_file == by_id
    assert registered["id"] == by_file["id"]
    assert f"CN=CA of {ca.parent.parent.name}" == by_file["subject"]
    assert datetime.now(UTC).isoformat()[:10] == by_file["registered"][:10]
    lines = firstlight("ca", "describe", ca).out.splitlines()
    assert ["id", registered["id"]] == lines[1].split()


def test_an_unknown_ca_is_a_no(firstlight: Firstlight, tmp_path: Path) -> None:
    """
    Exit 1 where it is not registered, 2 where nothing could be meant.
    """
    unknown = firstlight("ca", "describe", "0" * 64)
    nothing = firstlight("ca", "describe", tmp_path / "nothing")

    assert (1, 2) == (unknown.code, nothing.code)
    assert "is not registered in eu-west-1" in unknown.said
    assert "No such file" in nothing.said


def test_all_cas_are_listed(firstlight: Firstlight, ca: Path) -> None:
    """
    With what tells them apart, in lines and as JSON.
    """
    registered = _shown(firstlight("ca", "register", ca, "--json"))
    found = [one for one in firstlight("ca", "list", "--json").json if one["id"] == registered["id"]]

    assert [{name: registered[name] for name in found[0]}] == found
    shown = firstlight("ca", "list").out
    assert registered["id"] in shown
    assert registered["subject"] in shown


def test_an_empty_region_has_no_cas(firstlight: Firstlight) -> None:
    """
    Which is an answer, not an error.
    """
    ran = firstlight("ca", "list", "--region", "ap-southeast-2")

    assert (0, "") == (ran.code, ran.out)
    assert "no CA certificate is registered in ap-southeast-2" in ran.said
    assert [] == firstlight("ca", "list", "--region", "ap-southeast-2", "--json").json


def test_a_certificate_is_checked_against_the_deployed_template(firstlight: Firstlight, ca: Path) -> None:
    """
    By its name in AWS; a disabled one is an error whatever the certificate.
    """
    firstlight("device", "issue", "dev-1", "--ca", ca, "--out", ca.parent)
    lint = ("template", "lint", "--ca", ca, "--cert", ca.parent / "dev-1.pem", "--json", "--template")
    good, disabled, missing = (firstlight(*lint, name) for name in ("FirstlightJitp", "Disabled", "Missing"))

    assert (0, 1, 1) == (good.code, disabled.code, missing.code)
    assert "dev-1" == good.json["certificates"][0]["thing_name"]
    assert "The template Disabled is disabled." == disabled.json["template"][0]["sentence"]
    assert "There is no provisioning template Missing" in missing.said


def test_refusals_of_aws_are_one_sentence(firstlight: Firstlight, ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Credentials that nobody knows, for instance.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")
    for arguments in (("register", ca), ("describe", ca), ("list",)):
        ran = firstlight("ca", *arguments)

        assert (1, "") == (ran.code, ran.out)
        assert 1 == len(ran.said.splitlines())
        assert "AWS does not know the credentials" in ran.said
