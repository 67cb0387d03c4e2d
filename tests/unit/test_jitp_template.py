import json
from typing import Any

import pytest

from firstlight.errors import UsageError
from firstlight.jitp import meaning, template
from firstlight.jitp.lint import check_template
from tests.factory import Factory

_ROLE = "arn:aws:iam::123456789012:role/FirstlightJitp"


def _thing(body: dict[str, Any]) -> Any:
    return body["Resources"]["thing"]["Properties"]


def test_the_template_makes_a_thing_of_a_certificate(factory: Factory) -> None:
    """
    Named by its common name, with a named policy, active.
    """
    leaf = factory.leaf("dev-1", 0x15FC8EA1)
    body = template.build(policy_name="FirstlightDevice")

    made = meaning.resolve(body, meaning.parameters(leaf))

    assert ("dev-1", ("FirstlightDevice",), "ACTIVE") == (made.thing_name, made.policy_names, made.status)
    assert {"certificateId": leaf.fingerprint, "serialNumber": str(0x15FC8EA1)} == dict(made.attributes)


def test_type_groups_and_attributes_are_asked_for_when_given(factory: Factory) -> None:
    """
    A property that is not asked for is not there: AWS takes no empty names.
    """
    plain = _thing(template.build(policy_name="P", attributes={}))
    full = template.build(
        policy_name="P",
        thing_name_parameter=template.SERIAL_NUMBER,
        thing_type="lamp",
        thing_groups=["a", "b"],
        billing_group="bill",
        attributes={"maker": "acme", "country": template.PREFIX + "Country"},
    )
    made = meaning.resolve(full, meaning.parameters(factory.leaf("dev-1", 5)))

    assert {"ThingName": {"Ref": template.COMMON_NAME}} == plain
    assert ("5", "lamp", ("a", "b"), "bill") == (
        made.thing_name,
        made.thing_type,
        made.thing_groups,
        made.billing_group,
    )
    assert {"maker": "acme", "country": "unknown"} == dict(made.attributes)


def test_only_what_every_certificate_has_is_required() -> None:
    """
    AWS provisions nothing when a declared parameter has neither a value nor a Default; a thing's name has none.
    """
    declared = template.build(policy_name="P")["Parameters"]

    assert {template.COMMON_NAME, template.CERTIFICATE_ID} == {n for n, d in declared.items() if "Default" not in d}


def test_the_template_has_no_findings_of_its_own() -> None:
    """
    What we print and deploy passes our own check, override settings included.
    """
    for thing_type in ("", "lamp"):
        assert [] == check_template(template.build(policy_name="FirstlightDevice", thing_type=thing_type))


def test_what_jitp_cannot_do_is_refused_when_building() -> None:
    """
    Parameters it does not fill, and more than a thing may have.
    """
    faults: list[tuple[str, dict[str, Any]]] = [
        ("JITP fills no parameter 'Email'", {"thing_name_parameter": "Email"}),
        (
            "JITP fills no parameter 'AWS::IoT::Certificate::Locality'",
            {"attributes": {"l": template.PREFIX + "Locality"}},
        ),
        ("10 groups at most; 11 were given", {"thing_groups": list("abcdefghijk")}),
        ("without a thing type has 3 attributes at most; 4", {"attributes": dict.fromkeys("abcd", "x")}),
        ("with a thing type has 50", {"thing_type": "t", "attributes": {f"a{n}": "x" for n in range(51)}}),
    ]
    for reason, arguments in faults:
        with pytest.raises(UsageError, match=reason):
            template.build(policy_name="P", **arguments)


def test_aws_gets_compact_json_within_its_limit() -> None:
    """
    The limit of 10,240 characters counts every one of them.
    """
    body = template.build(policy_name="P")
    text = template.to_aws(body)

    assert body == json.loads(text)
    assert " " not in text
    fitting = body | {"x": ""}
    fitting["x"] = "x" * (template.MAX_BODY - len(template.to_aws(fitting)))
    assert template.MAX_BODY == len(template.to_aws(fitting))
    with pytest.raises(UsageError, match=r"has 10,241 characters; AWS takes 10,240"):
        template.to_aws(fitting | {"x": fitting["x"] + "x"})


def test_a_registration_config_is_a_json_text_in_a_json_text() -> None:
    """
    Unpacked twice, the template is there again.
    """
    body = template.build(policy_name="P")
    config = json.loads(template.for_registration_config(body, _ROLE))

    assert {"templateBody", "roleArn"} == config.keys()
    assert _ROLE == config["roleArn"]
    assert body == json.loads(config["templateBody"])
