"""
What AWS IoT is told about devices that nobody announced.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki
from firstlight.errors import RegionsError
from firstlight.jitp import template as jitp_template
from firstlight.outputs import JitpOutput
from firstlight.regions import AwsRegion, FirstConnect
from tests.factory import Factory
from tests.synth.conftest import Synthesize, Synthesized
from tests.synth.templates import only, resources


@pytest.fixture(scope="session")
def jitp(just_in_time: dict[str, Any]) -> dict[str, Any]:
    return just_in_time


def test_the_outputs_name_what_was_made(jitp: dict[str, Any]) -> None:
    """
    Template, policy and role, for the command line and for people.
    """
    assert set(JitpOutput) == set(jitp["Outputs"])
    assert "Plant7" == jitp["Outputs"]["TemplateName"]["Value"]
    assert "FirstlightJitpDevice" == jitp["Outputs"]["PolicyName"]["Value"]


def test_the_template_is_for_jitp_and_enabled(jitp: dict[str, Any]) -> None:
    """
    A template of another type, or one that is not enabled, provisions nothing and says nothing.
    """
    properties = only(jitp, "AWS::IoT::ProvisioningTemplate")["Properties"]

    assert ("JITP", True, "Plant7") == tuple(properties[k] for k in ("TemplateType", "Enabled", "TemplateName"))
    assert jitp_template.build(
        policy_name="FirstlightJitpDevice",
        thing_type="sensor",
        thing_groups=("plant-7", "unclaimed"),
        billing_group="cost-centre-7",
    ) == json.loads(properties["TemplateBody"])


def test_everything_the_template_names_is_made_before_it(jitp: dict[str, Any]) -> None:
    """
    JITP creates no type, group or policy; one that is missing leaves the device PENDING_ACTIVATION.
    """
    kinds = ("Policy", "ThingType", "ThingGroup", "BillingGroup")
    named = {name for kind in kinds for name in resources(jitp, f"AWS::IoT::{kind}")}

    assert named == set(only(jitp, "AWS::IoT::ProvisioningTemplate")["DependsOn"])
    assert 5 == len(named)


def test_every_ca_is_registered_without_its_key(jitp: dict[str, Any], full_region: AwsRegion) -> None:
    """
    SNI_ONLY, active, with the named template, and after it.
    """
    (template_id,) = resources(jitp, "AWS::IoT::ProvisioningTemplate")
    registered = resources(jitp, "AWS::IoT::CACertificate")

    assert [
        {
            "AutoRegistrationStatus": "ENABLE",
            "CACertificatePem": path.read_text(),
            "CertificateMode": "SNI_ONLY",
            "RegistrationConfig": {"TemplateName": "Plant7"},
            "Status": "ACTIVE",
        }
        for path in full_region.ca_certificates
    ] == [ca["Properties"] for ca in registered.values()]
    assert [[template_id]] * 2 == [ca["DependsOn"] for ca in registered.values()]


def test_a_ca_keeps_its_name_whatever_its_file_is_called(
    full_region: AwsRegion, synthesize: Synthesize, jitp: dict[str, Any]
) -> None:
    """
    Reordering files replaces no registered CA, which AWS would refuse: the new one is the old one.
    """
    turned = replace(
        full_region,
        ca_certificates=full_region.ca_certificates[::-1],
        ingest=False,
        first_connect=FirstConnect.TEMPLATE,
    )

    assert resources(jitp, "AWS::IoT::CACertificate") == resources(
        synthesize((turned,)).of("Jitp"), "AWS::IoT::CACertificate"
    )


def test_without_names_there_is_only_what_it_takes(committed: Synthesized) -> None:
    """
    No CA, type or group in regions.toml: a template, its role and its policy; and what counts stuck devices.
    """
    kinds = sorted(r["Type"] for r in committed.templates["FirstlightJitp-eu-west-1"]["Resources"].values())
    counting = {
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::IoT::TopicRule",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
    }

    assert sorted(["AWS::IAM::Role", "AWS::IoT::Policy", "AWS::IoT::ProvisioningTemplate", *counting]) == [
        kind for kind in kinds if "CloudWatch" not in kind
    ]


def test_the_alarm_hears_devices_that_failed(committed: Synthesized) -> None:
    """
    ProvisionThing.ClientError is all AWS itself says about a device that stays PENDING_ACTIVATION.
    """
    alarms = resources(committed.templates["FirstlightJitp-eu-west-1"], "AWS::CloudWatch::Alarm").values()

    assert {
        ("AWS/IoT", "ProvisionThing.ClientError"),
        ("AWS/IoT", "ProvisionThing.ServerError"),
        ("firstlight", "Stuck"),
        ("AWS/Lambda", "Errors"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    } == {(a["Properties"]["Namespace"], a["Properties"]["MetricName"]) for a in alarms}


def test_a_ca_that_aws_would_refuse_is_refused_first(
    full_region: AwsRegion, synthesize: Synthesize, factory: Factory, tmp_path: Path
) -> None:
    """
    One sentence names the file and the reason.
    """
    leaf = tmp_path / "leaf.pem"
    pki.write_certificate(leaf, factory.leaf())

    with pytest.raises(RegionsError, match=r"leaf\.pem: The certificate is not a CA's"):
        synthesize((replace(full_region, ca_certificates=(leaf,)),))


def test_a_ca_named_twice_is_refused(
    full_region: AwsRegion, synthesize: Synthesize, factory: Factory, tmp_path: Path
) -> None:
    """
    AWS would refuse the second one, halfway through the deployment.
    """
    again = tmp_path / "again.pem"
    pki.write_certificate(again, factory.ca)

    with pytest.raises(RegionsError, match=r"again\.pem: eu-central-1 names this CA certificate twice"):
        synthesize((replace(full_region, ca_certificates=(*full_region.ca_certificates, again)),))
