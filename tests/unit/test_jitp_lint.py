import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import JitpError, UsageError
from firstlight.jitp import meaning, template
from firstlight.jitp.lint import Finding, Severity, check_device, check_template, has_errors, parse
from tests.factory import NOW, Factory

_BODY = template.build(policy_name="FirstlightDevice", thing_type="lamp", thing_groups=["a"], billing_group="b")
_ID = {"Ref": template.CERTIFICATE_ID}


def _changed(*path: str, to: Any) -> dict[str, Any]:
    body = copy.deepcopy(_BODY)
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return body


def _without(*path: str) -> dict[str, Any]:
    body = _changed(*path, to=None)
    place = body
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return body


def _thing(*path: str, to: Any) -> dict[str, Any]:
    return _changed("Resources", "thing", "Properties", *path, to=to)


def _policy(*path: str, to: Any) -> dict[str, Any]:
    return _changed("Resources", "policy", "Properties", *path, to=to)


def _said(findings: list[Finding], severity: Severity = Severity.ERROR) -> str:
    return "\n".join(f"{f.where}: {f.sentence} {f.remedy}" for f in findings if f.severity is severity)


def _issued(factory: Factory, *attributes: x509.NameAttribute[str], extensions: tuple[Any, ...] = ()) -> Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(factory.ca.x509.subject)
        .public_key(pki.new_key().public_key())
        .serial_number(5)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return certificates.load(builder.sign(factory.key, hashes.SHA256()).public_bytes(Encoding.DER))


def _long_name(text: str) -> x509.NameAttribute[str]:
    # X.520 allows 64 characters; certificates beyond that exist, and the library warns of making one
    return x509.NameAttribute(NameOID.COMMON_NAME, text, _validate=False)


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("There are no Resources", _without("Resources")),
        ("There are no Resources", _changed("Resources", to=[])),
        ("Parameters is not an object", _changed("Parameters", to=[])),
        ("declared as", _changed("Parameters", template.COMMON_NAME, to="String")),
        ("Default of a parameter is a string", _changed("Parameters", template.SERIAL_NUMBER, "Default", to=1)),
        ("JITP does not fill 'Email', and it has no Default", _changed("Parameters", "Email", to={"Type": "String"})),
        ("'Email', which Parameters does not", _thing("ThingName", to={"Ref": "Email"})),
        ("There are 0 certificates", _without("Resources", "certificate")),
        ("There are 2 things", _changed("Resources", "second", to=_BODY["Resources"]["thing"])),
        ("Its Type is 'AWS::IoT::Role'", _changed("Resources", "role", to={"Type": "AWS::IoT::Role"})),
        ("Its Type is None", _changed("Resources", "role", to="x")),
        ("Properties are not an object", _thing(to=[])),
        ("takes no property 'Name'", _thing("Name", to="x")),
        ("has no ThingName", _without("Resources", "thing", "Properties", "ThingName")),
        ("every device would be the same thing", _thing("ThingName", to="x")),
        ("Fn::Join is documented for fleet provisioning only", _thing("ThingName", to={"Fn::Join": ["", ["p", _ID]]})),
        ("neither a string nor a Ref", _thing("ThingName", to={"a": "b"})),
        ("'a b' is not a name AWS IoT takes", _thing("ThingTypeName", to="a b")),
        ("ThingGroups is not a list", _thing("ThingGroups", to="g")),
        ("10 groups at most; these are 11", _thing("ThingGroups", to=["g"] * 11)),
        ("stand here", _thing("AttributePayload", to={"attributes": {"a": "b"}})),
        ("AttributePayload is not an object", _thing("AttributePayload", to=[])),
        ("The attribute maker may not be 'Acme Corp'", _thing("AttributePayload", "maker", to="Acme Corp")),
        ("No attribute may be called 'a b'", _thing("AttributePayload", "a b", to="x")),
        ("neither a string nor a Ref", _thing("AttributePayload", "n", to=1)),
        (
            "has 3 attributes at most; these are 4",
            _thing(to={"ThingName": _ID, "AttributePayload": dict.fromkeys("abcd", "x")}),
        ),
        (
            "no override setting 'ATTRIBUTE_PAYLOAD'",
            _changed("Resources", "thing", "OverrideSettings", to={"ATTRIBUTE_PAYLOAD": "MERGE"}),
        ),
        ("ThingTypeName is 'MERGE'", _changed("Resources", "thing", "OverrideSettings", "ThingTypeName", to="MERGE")),
        ("OverrideSettings is not an object", _changed("Resources", "thing", "OverrideSettings", to="MERGE")),
        ("in no other way", _changed("Resources", "certificate", "Properties", "CertificateId", to="0" * 64)),
        ("in no other way", _changed("Resources", "certificate", "Properties", to={"CertificatePem": _ID})),
        ("It is 'ON'", _changed("Resources", "certificate", "Properties", "Status", to="ON")),
        ("one of the two; AWS refuses", _policy(to={})),
        ("one of the two; AWS refuses", _policy("PolicyDocument", to="{}")),
        ("is not the name of a policy", _policy("PolicyName", to="a b")),
        ("is not a string", _policy(to={"PolicyDocument": {"Version": "2012-10-17"}})),
        ("is not a JSON object", _policy(to={"PolicyDocument": "{\\"})),
        ("2,048 characters at most", _policy(to={"PolicyDocument": json.dumps({"x": "y" * 2048})})),
        ("AWS takes 10,240", _policy(to={"PolicyDocument": json.dumps({"x": "y" * 10240})})),
    ],
)
def test_a_template_that_provisions_nothing_is_refused(reason: str, body: dict[str, Any]) -> None:
    """
    Each fault has its sentence, and none of them ends in a traceback.
    """
    assert reason in _said(check_template(body))
    check_device(body, Factory().leaf("dev-1"), now=NOW)


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("named by a hash", _policy(to={"PolicyDocument": "{}"})),
        ("There is no thing", _without("Resources", "thing")),
        ("There is no policy", _without("Resources", "policy")),
        ("fleet provisioning only", _changed("DeviceConfiguration", to={})),
        ("no section 'Outputs'", _changed("Outputs", to={})),
        ("declared and not used", _changed("Parameters", template.PREFIX + "Country", to={"Type": "String"})),
        ("every device gets its Default", _changed("Parameters", "Site", to={"Type": "String", "Default": "WA"})),
        ("Status is not set", _without("Resources", "certificate", "OverrideSettings")),
        ("until somebody activates", _changed("Resources", "certificate", "Properties", "Status", to="INACTIVE")),
        ("would all be that one thing", _changed("Parameters", template.COMMON_NAME, "Default", to="x")),
        ("laptop cloud does not", _thing("PackageVersions", to={})),
        (
            "would share one thing",
            template.build(policy_name="P", thing_name_parameter=template.PREFIX + "Organization"),
        ),
    ],
)
def test_a_template_to_think_about_is_a_warning(reason: str, body: dict[str, Any]) -> None:
    """
    It may do what is meant; lint does not fail for it.
    """
    findings = check_template(body)

    assert reason in _said(findings, Severity.WARNING)
    assert not has_errors(findings)


def test_a_good_certificate_has_no_findings(factory: Factory) -> None:
    """
    Neither alone nor with its CA.
    """
    assert [] == check_device(_BODY, factory.leaf("dev-1"), now=NOW)
    assert [] == check_device(_BODY, factory.leaf("dev-1"), ca=factory.ca, now=NOW)


def test_the_empty_name_of_factories_is_explained(factory: Factory) -> None:
    """
    Two quotes for a name: such devices are pushed, not provisioned just in time, unless something else names them.
    """
    leaf = factory.leaf('""')
    by_serial = template.build(policy_name="P", thing_name_parameter=template.SERIAL_NUMBER)

    said = _said(check_device(_BODY, leaf, now=NOW))
    assert "factories of security chips" in said
    assert "firstlight push" in said
    assert [] == check_device(by_serial, leaf, now=NOW)


def test_names_aws_does_not_take(factory: Factory) -> None:
    """
    Spaces, dots, line ends, more than 128 characters.
    """
    for name in ("a b", "a.b", "two\nlines", "x" * 129, "x" * 200, "naïve"):
        said = _said(check_device(_BODY, _issued(factory, _long_name(name)), now=NOW))
        assert f"({len(name)} characters), which AWS IoT does not take" in said
        assert "\nlines" not in said
    assert [] == check_device(_BODY, _issued(factory, _long_name("x" * 128)), now=NOW)


def test_a_field_the_subject_lacks_is_named(factory: Factory) -> None:
    """
    All of them at once, not one a try.
    """
    country, name = template.PREFIX + "Country", template.PREFIX + "StateName"
    body = template.build(policy_name="P", attributes={"c": country, "s": name})
    for parameter in body["Parameters"].values():
        parameter.pop("Default", None)

    said = _said(check_device(body, factory.leaf(None), now=NOW))

    assert all(f"Its subject has no {field}," in said for field in ("Country", "StateName", "CommonName"))


def test_an_attribute_takes_no_spaces(factory: Factory) -> None:
    """
    An organization usually has one; the whole provisioning would fail for it.
    """
    body = template.build(policy_name="P", attributes={"maker": template.PREFIX + "Organization"})
    acme = _issued(
        factory,
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme Corp"),
        x509.NameAttribute(NameOID.COMMON_NAME, "d"),
    )

    findings = check_device(body, acme, now=NOW)

    assert ["Resources.thing.AttributePayload.maker"] == [f.where for f in findings]
    assert "'Acme Corp' (9 characters)" in _said(findings)


def test_a_default_is_checked_as_a_value(factory: Factory) -> None:
    """
    It is used when the certificate has nothing, and must then be a name too.
    """
    body = _changed("Parameters", template.COMMON_NAME, "Default", to="no name")

    assert "'no name'" in _said(check_device(body, factory.leaf(None), now=NOW))


def test_a_certificate_no_device_can_use(factory: Factory) -> None:
    """
    Expired, a CA, signed with a hash AWS does not take.
    """
    expired = check_device(_BODY, factory.leaf("d"), now=NOW + timedelta(days=4000))
    assert "out of range: expired" in _said(expired)
    assert "is a CA certificate" in _said(check_device(_BODY, factory.ca, now=NOW))
    builder = x509.CertificateBuilder(
        factory.ca.x509.subject, factory.ca.x509.subject, factory.key.public_key(), 5, NOW, NOW + timedelta(days=1)
    )
    weak = builder.sign(factory.key, hashes.SHA224())
    said = _said(check_device(_BODY, certificates.load(weak.public_bytes(Encoding.DER)), now=NOW))
    assert "SHA224, which AWS IoT does not take" in said


def test_usages_that_are_no_clients_are_a_warning(factory: Factory) -> None:
    """
    AWS documents no such check; other TLS servers make one.
    """
    name = x509.NameAttribute(NameOID.COMMON_NAME, "d")
    server, client = ([oid] for oid in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH))

    (found,) = check_device(_BODY, _issued(factory, name, extensions=(x509.ExtendedKeyUsage(server),)), now=NOW)
    assert Severity.WARNING is found.severity
    assert [] == check_device(_BODY, _issued(factory, name, extensions=(x509.ExtendedKeyUsage(client),)), now=NOW)


def test_the_ca_must_be_the_one_that_signs(factory: Factory) -> None:
    """
    A root above it does not make JITP run, and what AWS would not register does not either.
    """
    key = pki.new_key()
    intermediate = pki.create_ca("I", key=key, issuer=(factory.ca, factory.key), now=NOW)
    device = pki.issue_device(ca=intermediate, ca_key=key, key_or_public_key=key, common_name="d", now=NOW)

    assert [] == check_device(_BODY, device, ca=intermediate, now=NOW)
    assert "not signed by this CA" in _said(check_device(_BODY, device, ca=factory.ca, now=NOW))
    assert "CA: The certificate is not a CA's" in _said(check_device(_BODY, device, ca=device, now=NOW))


def test_a_template_is_found_in_what_carries_it() -> None:
    """
    The body itself, or the object that the AWS CLI takes or prints.
    """
    assert _BODY == parse(json.dumps(_BODY, indent=2))
    assert _BODY == parse(template.for_registration_config(_BODY, "arn:aws:iam::123456789012:role/x"))
    for text in ("", "{", "[]", '"x"', "1", '{"templateBody": "{"}', "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900):
        with pytest.raises(UsageError, match="The template is"):
            parse(text)


_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *("", "x", "a b", 1, None, [], ["x"], {}, "ACTIVE", "MERGE", "FAIL", "{}"),
        *({"Ref": "x"}, {"Ref": template.CERTIFICATE_ID, "x": 1}, {"Ref": template.COMMON_NAME}, _ID, {"Ref": []}),
        *({"Fn::Sub": "x"}, {"Type": "String"}, {"Type": []}),
    ]
)


def _paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = [p for key, item in value.items() for p in _paths(item, (*path, key))] if isinstance(value, dict) else []
    return [path, *below] if path else below


@given(st.lists(st.tuples(st.sampled_from(_paths(_BODY)), _VALUES), min_size=1, max_size=3))
def test_what_lint_lets_pass_is_provisioned(changes: list[tuple[tuple[str, ...], Any]]) -> None:
    """
    Whatever is done to a template: without an error here, the template's own meaning has none either.
    """
    body: Any = copy.deepcopy(_BODY)
    for path, value in changes:
        place = body
        for key in path[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[path[-1]] = copy.deepcopy(value)
    findings = [*check_template(body), *check_device(body, _LEAF, now=NOW)]
    try:
        meaning.resolve(body, meaning.parameters(_LEAF))
    except JitpError:
        assert has_errors(findings)


_LEAF = Factory().leaf("dev-1")
