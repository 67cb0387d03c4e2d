"""
What a JITP template makes of a certificate, and each way in which it makes nothing of it.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import JitpError
from firstlight.jitp import meaning, template
from tests.factory import NOW, Factory

ID = "AWS::IoT::Certificate::Id"
NAME = "AWS::IoT::Certificate::CommonName"


def described(**attributes: str) -> Certificate:
    """
    Return a certificate whose subject has *attributes*, by their names in x509.NameOID.
    """
    key = pki.new_key()
    subject = x509.Name([x509.NameAttribute(getattr(x509.NameOID, k), v) for k, v in attributes.items()])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(0x15FC8EA1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]
    )
    return certificates.load(built.public_bytes(Encoding.DER))


def body(**changes: Any) -> dict[str, Any]:
    """
    Return a whole template; *changes* replace thing, certificate, policy (None: leave it out) or parameters.
    """
    resources = {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": NAME}}},
        "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": ID}}},
        "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "Device"}},
    }
    parameters = changes.pop("parameters", {NAME: {"Type": "String"}, ID: {"Type": "String"}})
    resources |= changes
    return {"Parameters": parameters, "Resources": {k: v for k, v in resources.items() if v is not None}}


def thing(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": NAME}, **properties}}


GIVEN = {NAME: "device-1", ID: "ab" * 32}


def test_parameters_of_a_certificate() -> None:
    """
    All eight that JITP fills, the serial in decimal and the id the certificate's own.
    """
    leaf = described(
        COUNTRY_NAME="DE",
        ORGANIZATION_NAME="Maker",
        ORGANIZATIONAL_UNIT_NAME="Lamps",
        DN_QUALIFIER="q",
        STATE_OR_PROVINCE_NAME="BY",
        COMMON_NAME="device-1",
    )

    assert {
        "AWS::IoT::Certificate::Country": "DE",
        "AWS::IoT::Certificate::Organization": "Maker",
        "AWS::IoT::Certificate::OrganizationalUnit": "Lamps",
        "AWS::IoT::Certificate::DistinguishedNameQualifier": "q",
        "AWS::IoT::Certificate::StateName": "BY",
        "AWS::IoT::Certificate::CommonName": "device-1",
        "AWS::IoT::Certificate::SerialNumber": "368873121",
        "AWS::IoT::Certificate::Id": leaf.fingerprint,
    } == meaning.parameters(leaf)
    assert set(meaning.parameters(leaf)) == set(template.PARAMETERS)


def test_what_the_subject_lacks_is_no_parameter() -> None:
    """
    Serial and id are always there, and nothing is made up.
    """
    leaf = described(ORGANIZATION_NAME="Maker")

    assert {"Organization", "SerialNumber", "Id"} == {
        name.removeprefix(template.PREFIX) for name in meaning.parameters(leaf)
    }


def test_the_kits_own_template(factory: Factory) -> None:
    """
    What firstlight deploys, resolved for a device.
    """
    leaf = factory.leaf("device-1", serial=7)
    kit = template.build(
        policy_name="FirstlightDevice", thing_type="Lamp", thing_groups=["north", "lamps"], billing_group="maker"
    )
    resources = meaning.resolve(template.to_aws(kit), meaning.parameters(leaf))

    assert (
        meaning.Resources(
            thing_name="device-1",
            attributes={"certificateId": leaf.fingerprint, "serialNumber": "7"},
            thing_type="Lamp",
            thing_groups=("north", "lamps"),
            billing_group="maker",
            status="ACTIVE",
            policy_names=("FirstlightDevice",),
            overrides={
                "AttributePayload": "MERGE",
                "ThingTypeName": "REPLACE",
                "ThingGroups": "DO_NOTHING",
                "Status": "REPLACE",
            },
        )
        == resources
    )


def test_defaults_fill_what_the_certificate_lacks() -> None:
    """
    A Default is used only when the certificate has nothing.
    """
    organization = "AWS::IoT::Certificate::Organization"
    given = body(
        parameters={NAME: {"Type": "String", "Default": "nobody"}, organization: {"Default": "maker"}, ID: {}},
        thing=thing(AttributePayload={"maker": {"Ref": organization}}),
    )
    resources = meaning.resolve(given, GIVEN)

    assert ("device-1", {"maker": "maker"}) == (resources.thing_name, dict(resources.attributes))


def test_text_and_object_mean_the_same() -> None:
    """
    A template is what AWS stores, or what a person reads.
    """
    assert meaning.resolve(body(), GIVEN) == meaning.resolve(json.dumps(body()), GIVEN)


def test_several_policies() -> None:
    """
    Named ones, and documents as escaped strings.
    """
    document = json.dumps({"Statement": []})
    given = body(
        second={"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}},
        third={"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "More"}},
    )
    resources = meaning.resolve(given, GIVEN)

    assert (("Device", "More"), (document,)) == (resources.policy_names, resources.policy_documents)


def test_a_template_without_a_thing() -> None:
    """
    Certificate and policy alone are a template too.
    """
    assert "" == meaning.resolve(body(thing=None), GIVEN).thing_name


def certificate(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": ID}, **properties}}


def policy(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IoT::Policy", "Properties": properties}


REFUSED: list[tuple[Any, str]] = [
    ("{", "is not JSON"),
    ("[]", "is not a JSON object"),
    ({"Resources": []}, "Resources is not an object"),
    ({"Parameters": [], "Resources": {}}, "Parameters is not an object"),
    (body(certificate=None), "has no AWS::IoT::Certificate"),
    (body(other=thing()), "more than one AWS::IoT::Thing"),
    (body(other={"Type": "AWS::IoT::Rule", "Properties": {}}), "is of type 'AWS::IoT::Rule'"),
    (body(other={"Type": "AWS::IoT::Policy"}), "has no Properties"),
    (body(thing=thing(Colour="red")), "has the property Colour"),
    (body(parameters={NAME: {}, ID: {}, template.PREFIX + "Country": {}}), "has no Country in its subject"),
    (body(parameters={NAME: {}, ID: {}, "SerialNumber": {"Type": "String"}}), "cannot fill the template's parameter"),
    (body(parameters={ID: {}}), f"refers to {NAME!r} at thing.ThingName"),
    (body(thing=thing(ThingName={"Fn::Join": ["", ["x"]]})), "uses Fn::Join at thing.ThingName"),
    (body(thing=thing(AttributePayload={"a": {"Fn::Sub": "x"}})), "uses Fn::Sub at thing.AttributePayload.a"),
    (body(thing=thing(ThingName="two words")), "'two words' as ThingName"),
    (body(thing=thing(ThingName="x" * 129)), "as ThingName"),
    (body(thing=thing(ThingTypeName="")), "'' as ThingTypeName"),
    (body(thing=thing(ThingGroups="north")), "ThingGroups is not a list"),
    (body(thing=thing(ThingGroups=["g"] * 11)), "ThingGroups is not a list of at most 10"),
    (body(thing=thing(ThingGroups=["a b"])), "'a b' as a thing group"),
    (body(thing=thing(BillingGroup="a b")), "'a b' as BillingGroup"),
    (body(thing=thing(AttributePayload={"attributes": {"a": "b"}})), "not a flat object"),
    (body(thing=thing(AttributePayload={"a": "with space"})), "'with space' as the attribute a"),
    (body(thing=thing(AttributePayload={"a b": "c"})), "'a b' as the name of an attribute"),
    (body(thing=thing(AttributePayload=dict.fromkeys("abcd", "x"))), "4 attributes; it may have 3"),
    (body(certificate=certificate(CertificateId="cd" * 32)), "is not the device's own certificate"),
    (body(certificate=certificate(Status="REVOKED")), "Status is 'REVOKED'"),
    (body(policy=policy()), "exactly one of PolicyName and PolicyDocument"),
    (body(policy=policy(PolicyName="a", PolicyDocument="{}")), "exactly one of PolicyName and PolicyDocument"),
    (body(policy=policy(PolicyName="a b")), "'a b' as PolicyName"),
    (body(policy=policy(PolicyDocument={"Statement": []})), "not a JSON object in a string"),
    (body(policy=policy(PolicyDocument="[]")), "not a JSON object in a string"),
    (body(thing=thing() | {"OverrideSettings": {"ThingTypeName": "MERGE"}}), "overrides ThingTypeName with 'MERGE'"),
    (body(thing=thing() | {"OverrideSettings": {"THING_GROUPS": "FAIL"}}), "overrides THING_GROUPS"),
    (body(policy=policy(PolicyName="a") | {"OverrideSettings": {"Status": "FAIL"}}), "overrides Status"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_jitp_does_not_take(given: Any, sentence: str) -> None:
    """
    One clear sentence each, naming what is wrong.
    """
    with pytest.raises(JitpError) as refused:
        meaning.resolve(given, GIVEN)

    assert sentence in refused.value.message


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_a_template_nested_without_end(depth: int) -> None:
    """
    No depth of brackets ends in a traceback.
    """
    with pytest.raises(JitpError):
        meaning.resolve('{"Resources":' + "[" * depth, GIVEN)


def test_status_is_spelt_in_any_case() -> None:
    """
    The guide's own examples write Active.
    """
    assert "INACTIVE" == meaning.resolve(body(certificate=certificate(Status="Inactive")), GIVEN).status
