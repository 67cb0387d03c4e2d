"""
`firstlight azure`: the same verbs as on the AWS side, a plan first, one sentence for each mistake.
"""

from pathlib import Path

import pytest

from firstlight import pki
from firstlight.cli import azure as azure_command
from firstlight.cli import azure_place
from tests.azure_inside import AzureInside
from tests.command_line import Firstlight, runner
from tests.factory import Factory

_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> AzureInside:
    found = AzureInside()
    for module in (azure_command, azure_place):
        monkeypatch.setattr(module, "Azure", lambda _: found.azure)
    return found


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factory: Factory, inside: AzureInside) -> Path:
    """
    A folder with a regions.toml, a CA and its key; what is published is one file.
    """
    pki.write_certificate(tmp_path / "ca.pem", factory.ca)
    pki.write_key(tmp_path / "ca.key", factory.key)
    (tmp_path / "regions.toml").write_text(
        '[defaults]\ntoken_key_url = "https://cloudid.example/key.pem"\n'
        '[azure.westeurope]\nca_certificates = ["ca.pem"]\n[azure.northeurope]\n'
    )
    monkeypatch.setenv("FIRSTLIGHT_REGIONS_FILE", str(tmp_path / "regions.toml"))
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", _SUBSCRIPTION)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "host.json").write_text("{}")
    monkeypatch.setattr(azure_command, "_bundle", lambda _: bundle)
    return tmp_path


@pytest.fixture
def firstlight(site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    return runner(monkeypatch, capsys)


def test_what_if_changes_nothing(firstlight: Firstlight, inside: AzureInside) -> None:
    """
    The plan and Azure's own prediction, as a table and as JSON.
    """
    table = firstlight("azure", "deploy", "--region", "westeurope", "--what-if")
    told = firstlight("azure", "deploy", "--region", "westeurope", "--what-if", "--json").json

    assert 0 == table.code
    assert "Plan for westeurope" in table.out
    assert "on your word" in " ".join(table.out.split())
    assert "westeurope" == told["plan"]["region"]
    assert [False] == [u["proof_of_possession"] for u in told["plan"]["ca_uploads"]]
    assert ["Create"] == [c["change"] for c in told["changes"]]
    assert {} == inside.world.hubs
    assert [] == [line for line in inside.seen if line.startswith("PUT")]


def test_the_plan_is_shown_even_if_azure_cannot_be_asked(firstlight: Firstlight, inside: AzureInside) -> None:
    """
    It needs nothing of Azure; that Azure refused is still told, and is exit status 1.
    """
    inside.token_lifetime = -10
    ran = firstlight("azure", "deploy", "--region", "westeurope", "--what-if", "--json")

    assert (1, None, "firstlight-westeurope") == (ran.code, ran.json["changes"], ran.json["plan"]["deployment"])
    assert "the Entra ID token in use has expired" in ran.said


def test_deploying_prints_the_outputs(firstlight: Firstlight, site: Path) -> None:
    """
    With the CA's key, possession is proven; each step is told on stderr.
    """
    ran = firstlight("azure", "deploy", "--region", "westeurope", "--ca-key", site / "ca.key", "--json")

    assert 0 == ran.code, ran.said
    assert ["interopURL", "subscriptionId"] == list(ran.json)[:2]
    assert 2 == ran.said.count("verified by proof of possession")
    assert "is published" in ran.said


def test_cas_are_uploaded_and_listed(firstlight: Firstlight, site: Path) -> None:
    """
    To the hub and the provisioning service; a second time they are there already.
    """
    firstlight("azure", "deploy", "--region", "westeurope")
    other = Factory("Other CA")
    pki.write_certificate(site / "other.pem", other.ca)
    pki.write_key(site / "other.key", other.key)
    upload = ("azure", "ca", "upload", site / "other.pem", "--region", "westeurope", "--json")

    first = firstlight(*upload, "--key", site / "other.key").json
    again = firstlight(*upload).json
    listed = firstlight("azure", "ca", "list", "--region", "westeurope", "--json").json

    assert {"verified by proof of possession"} == {row["state"] for row in first}
    assert {"already verified"} == {row["state"] for row in again}
    assert 4 == len(listed)
    assert {"verified"} == {row["state"] for row in listed}


def test_enrollment_groups_are_created_listed_and_disabled(firstlight: Firstlight) -> None:
    """
    What was there already, or was disabled already, is told and is no mistake.
    """
    firstlight("azure", "deploy", "--region", "westeurope")
    where = ("--region", "westeurope", "--json")
    (known,) = firstlight("azure", "enrollment-group", "list", *where).json
    ca = known["name"]

    made = firstlight("azure", "enrollment-group", "create", "line-7", "--ca", ca, *where)
    again = firstlight("azure", "enrollment-group", "create", "line-7", "--ca", ca, *where)
    disabled = [firstlight("azure", "enrollment-group", "disable", "line-7", *where) for _ in range(2)]

    assert (True, False) == (made.json["new"], again.json["new"])
    assert "there already" in again.said
    assert [0, 0] == [ran.code for ran in disabled]
    assert "disabled already" in disabled[1].said
    listed = firstlight("azure", "enrollment-group", "list", *where).json
    assert {("line-7", "disabled"), (ca, "enabled")} == {(g["name"], g["status"]) for g in listed}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("deploy", "--region", "nowhere"), 2, "No region is called 'nowhere'. There are: westeurope, northeurope."),
        (("deploy", "--region", "westeurope", "--subscription", ""), 2, "There is no subscription."),
        (("deploy", "--region", "westeurope", "--regions-file", "none.toml"), 2, "none.toml cannot be read"),
        (("deploy", "--region", "northeurope", "--ca-key", "{site}/ca.key"), 2, "is not the key of a CA certificate"),
        (("ca", "list", "--region", "northeurope"), 1, "There is no deployment firstlight-northeurope"),
        (("ca", "upload", "{site}/leaf.pem", "--region", "westeurope"), 2, "is not a CA certificate"),
        (("enrollment-group", "create", "x", "--region", "westeurope"), 2, "Give one of --ca and --intermediate."),
    ],
)
def test_each_mistake_is_one_sentence(
    *, firstlight: Firstlight, site: Path, factory: Factory, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """
    Exit status 2 for what was asked wrongly, 1 for what Azure answers.
    """
    pki.write_certificate(site / "leaf.pem", factory.leaf())
    ran = firstlight("azure", *(a.format(site=site) for a in arguments))

    assert (code, 1) == (ran.code, len(ran.said.strip().splitlines())), ran.said
    assert sentence in ran.said


def test_a_pinned_subscription_is_the_one(firstlight: Firstlight, site: Path) -> None:
    """
    Another in the environment is a mistake, not a deployment to the wrong place.
    """
    pinned = "00000000-0000-0000-0000-000000000009"
    (site / "regions.toml").write_text(
        f'[azure.westeurope]\ntoken_key_url = "https://cloudid.example/key.pem"\nsubscription = "{pinned}"\n'
    )

    ran = firstlight("azure", "deploy", "--region", "westeurope")

    assert 2 == ran.code
    assert f"westeurope belongs to the subscription {pinned}, not to {_SUBSCRIPTION}." in ran.said
