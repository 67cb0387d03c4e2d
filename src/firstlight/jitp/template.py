"""
The provisioning template that turns a first connect into a thing: readable, and as AWS wants it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from firstlight.errors import UsageError

PREFIX = "AWS::IoT::Certificate::"
COMMON_NAME = PREFIX + "CommonName"
SERIAL_NUMBER = PREFIX + "SerialNumber"
CERTIFICATE_ID = PREFIX + "Id"
# All that JITP can fill: no SAN, no locality, no issuer.
PARAMETERS = (
    PREFIX + "Country",
    PREFIX + "Organization",
    PREFIX + "OrganizationalUnit",
    PREFIX + "DistinguishedNameQualifier",
    PREFIX + "StateName",
    COMMON_NAME,
    SERIAL_NUMBER,
    CERTIFICATE_ID,
)
MAX_BODY = 10_240
MAX_GROUPS = 10
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTES_WITHOUT_TYPE = 3
# The device policy of the JITP stack; not the ingest stack's, since a region may have one stack without the other.
POLICY_NAME = "FirstlightJitpDevice"
# In an attribute a parameter that a certificate may lack; AWS provisions nothing when a parameter has no value.
ABSENT = "unknown"
DEFAULT_ATTRIBUTES: Mapping[str, str] = {"certificateId": CERTIFICATE_ID, "serialNumber": SERIAL_NUMBER}


def build(
    *,
    policy_name: str,
    thing_name_parameter: str = COMMON_NAME,
    thing_type: str = "",
    thing_groups: Sequence[str] = (),
    billing_group: str = "",
    attributes: Mapping[str, str] = DEFAULT_ATTRIBUTES,
) -> dict[str, Any]:
    """
    Return the JITP template body as a JSON object.

    A value of *attributes* that is one of `PARAMETERS` is taken from the certificate, any other as it
    is.  The policy, the thing type and the groups must exist before the first device comes: JITP
    creates none of them.

    Names are not checked here, since in a stack they may be tokens yet to be resolved; firstlight.jitp.lint
    checks them.

    Raises:
        UsageError: JITP cannot fill a parameter, or there are more groups or attributes than a thing may have.
    """
    _require_fillable(thing_name_parameter, attributes)
    _require_room(thing_type, thing_groups, attributes)
    thing: dict[str, Any] = {"ThingName": _ref(thing_name_parameter)}
    if attributes:
        thing["AttributePayload"] = {
            name: _ref(value) if value in PARAMETERS else value for name, value in attributes.items()
        }
    thing |= {"ThingTypeName": thing_type} if thing_type else {}
    thing |= {"ThingGroups": list(thing_groups)} if thing_groups else {}
    thing |= {"BillingGroup": billing_group} if billing_group else {}
    return {
        "Parameters": _parameters(thing_name_parameter, attributes),
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": thing,
                # what AWS does without these is nowhere documented
                "OverrideSettings": {
                    "AttributePayload": "MERGE",
                    "ThingTypeName": "REPLACE",
                    "ThingGroups": "DO_NOTHING",
                },
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateId": _ref(CERTIFICATE_ID), "Status": "ACTIVE"},
                # it is PENDING_ACTIVATION when the template runs, and must not stay so
                "OverrideSettings": {"Status": "REPLACE"},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": policy_name}},
        },
    }


def to_aws(body: Mapping[str, Any]) -> str:
    """
    Return *body* as AWS stores it: compact JSON, the `templateBody` of CreateProvisioningTemplate.

    Raises:
        UsageError: it is longer than the 10,240 characters AWS takes.
    """
    text = json.dumps(body, separators=(",", ":"))
    if len(text) > MAX_BODY:
        raise UsageError(
            f"The template body has {len(text):,} characters; AWS takes {MAX_BODY:,}.",
            hint="Name a policy instead of writing its document here, and drop attributes.",
        )
    return text


def for_registration_config(body: Mapping[str, Any], role_arn: str) -> str:
    """
    Return the doubly escaped JSON of `aws iot register-ca-certificate --registration-config`.

    The body is a JSON text inside a JSON text; escaped by hand it goes wrong.

    Raises:
        UsageError: as `to_aws`.
    """
    return json.dumps({"templateBody": to_aws(body), "roleArn": role_arn})


def _ref(parameter: str) -> dict[str, str]:
    return {"Ref": parameter}


def _parameters(thing_name_parameter: str, attributes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    # The name has no default: with one, every device without that field would be the same thing.
    required = {thing_name_parameter, CERTIFICATE_ID}
    used = required | {value for value in attributes.values() if value in PARAMETERS}
    return {
        name: {"Type": "String"} if name in required else {"Type": "String", "Default": ABSENT}
        for name in PARAMETERS
        if name in used
    }


def _require_fillable(thing_name_parameter: str, attributes: Mapping[str, str]) -> None:
    asked = [thing_name_parameter, *(value for value in attributes.values() if value.startswith(PREFIX))]
    for name in asked:
        if name not in PARAMETERS:
            raise UsageError(f"JITP fills no parameter {name!r}.", hint=f"It fills: {', '.join(PARAMETERS)}.")


def _require_room(thing_type: str, thing_groups: Sequence[str], attributes: Mapping[str, str]) -> None:
    if len(thing_groups) > MAX_GROUPS:
        raise UsageError(f"A thing is in {MAX_GROUPS} groups at most; {len(thing_groups)} were given.")
    most = MAX_ATTRIBUTES if thing_type else MAX_ATTRIBUTES_WITHOUT_TYPE
    if len(attributes) > most:
        raise UsageError(
            f"A thing with{'' if thing_type else 'out'} a thing type has {most} attributes at most; "
            f"{len(attributes)} were given.",
            hint="" if thing_type else f"With a thing type it may have {MAX_ATTRIBUTES}.",
        )
