"""
The operations of AWS IoT's control plane that registering a device and asking about it take, as requests.

Shapes: botocore's service model `iot/2015-05-28`.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from firstlight.registries.sigv4 import encoded_path, encoded_query


class ServiceOperation(Protocol):
    """
    An operation of one of AWS's services; its text is the operation's name in the API.
    """

    @property
    def service(self) -> str:
        """
        The service as people call it.
        """

    @property
    def action(self) -> str:
        """
        The IAM action that allows it.
        """


class Operation(StrEnum):
    """
    What firstlight calls, and so what its role must be allowed to do; no more.

    FOR_EXTRAS are those that only a registry with Extras calls.
    """

    DESCRIBE_ENDPOINT = "DescribeEndpoint"
    GET_POLICY = "GetPolicy"
    CREATE_THING = "CreateThing"
    REGISTER_CERTIFICATE = "RegisterCertificateWithoutCA"
    ATTACH_PRINCIPAL = "AttachThingPrincipal"
    ATTACH_POLICY = "AttachPolicy"
    # The rest is only called for what already exists.
    DESCRIBE_CERTIFICATE = "DescribeCertificate"
    DESCRIBE_THING = "DescribeThing"
    LIST_PRINCIPALS = "ListThingPrincipals"
    UPDATE_THING = "UpdateThing"
    # And these are only called to say what a device is now.
    LIST_ATTACHED_POLICIES = "ListAttachedPolicies"
    LIST_PRINCIPAL_THINGS = "ListPrincipalThings"
    # And these only where things are given a type or groups.
    DESCRIBE_THING_TYPE = "DescribeThingType"
    DESCRIBE_THING_GROUP = "DescribeThingGroup"
    DESCRIBE_BILLING_GROUP = "DescribeBillingGroup"
    ADD_TO_GROUP = "AddThingToThingGroup"
    ADD_TO_BILLING_GROUP = "AddThingToBillingGroup"
    LIST_GROUPS = "ListThingGroupsForThing"

    @property
    def service(self) -> str:
        return "AWS IoT"

    @property
    def action(self) -> str:
        return f"iot:{self}"


FOR_EXTRAS = frozenset(
    {
        Operation.DESCRIBE_THING_TYPE,
        Operation.DESCRIBE_THING_GROUP,
        Operation.DESCRIBE_BILLING_GROUP,
        Operation.ADD_TO_GROUP,
        Operation.ADD_TO_BILLING_GROUP,
        Operation.LIST_GROUPS,
    }
)


class Call(NamedTuple):
    """
    One request; path and query are percent-encoded, header names lower-case.
    """

    operation: ServiceOperation
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = {}
    body: bytes = b""


_JSON = {"content-type": "application/json"}


def describe_endpoint() -> Call:
    # iot:Data, without ATS, is retired.
    return Call(Operation.DESCRIBE_ENDPOINT, "GET", "/endpoint", encoded_query([("endpointType", "iot:Data-ATS")]))


def get_policy(name: str) -> Call:
    return Call(Operation.GET_POLICY, "GET", encoded_path("policies", name))


def create_thing(name: str, attributes: Mapping[str, str], *, thing_type: str = "", billing_group: str = "") -> Call:
    body: dict[str, object] = {"attributePayload": {"attributes": attributes}}
    if thing_type:
        body["thingTypeName"] = thing_type
    if billing_group:
        body["billingGroupName"] = billing_group
    return Call(Operation.CREATE_THING, "POST", encoded_path("things", name), headers=_JSON, body=_encode(body))


def register_certificate(pem: str) -> Call:
    body = {"certificatePem": pem, "status": "ACTIVE"}
    return Call(
        Operation.REGISTER_CERTIFICATE, "POST", "/certificate/register-no-ca", headers=_JSON, body=_encode(body)
    )


def attach_principal(thing: str, certificate_arn: str) -> Call:
    headers = {"x-amzn-principal": certificate_arn}
    return Call(Operation.ATTACH_PRINCIPAL, "PUT", encoded_path("things", thing, "principals"), headers=headers)


def attach_policy(name: str, certificate_arn: str) -> Call:
    path = encoded_path("target-policies", name)
    return Call(Operation.ATTACH_POLICY, "PUT", path, headers=_JSON, body=_encode({"target": certificate_arn}))


def describe_certificate(certificate_id: str) -> Call:
    return Call(Operation.DESCRIBE_CERTIFICATE, "GET", encoded_path("certificates", certificate_id))


def describe_thing(name: str) -> Call:
    return Call(Operation.DESCRIBE_THING, "GET", encoded_path("things", name))


def list_principals(thing: str, next_token: str = "") -> Call:
    query = encoded_query([("nextToken", next_token)] if next_token else [])
    return Call(Operation.LIST_PRINCIPALS, "GET", encoded_path("things", thing, "principals"), query)


def list_principal_things(certificate_arn: str, next_token: str = "") -> Call:
    query = encoded_query([("nextToken", next_token)] if next_token else [])
    headers = {"x-amzn-principal": certificate_arn}
    return Call(Operation.LIST_PRINCIPAL_THINGS, "GET", "/principals/things", query, headers)


def list_attached_policies(certificate_arn: str, marker: str = "") -> Call:
    """
    Ask for the policies of the certificate itself, not for those of the groups its thing is in.
    """
    query = encoded_query([("marker", marker)] if marker else [])
    path = encoded_path("attached-policies", certificate_arn)
    # botocore sends the media type with a body only, and this operation's input has none.
    return Call(Operation.LIST_ATTACHED_POLICIES, "POST", path, query)


def merge_thing(thing: str, attributes: Mapping[str, str], *, version: int, thing_type: str = "") -> Call:
    """
    Add *attributes* and a type to *thing* if it is still at *version*.
    """
    body: dict[str, object] = {
        "attributePayload": {"attributes": attributes, "merge": True},
        "expectedVersion": version,
    }
    if thing_type:
        body["thingTypeName"] = thing_type
    return Call(Operation.UPDATE_THING, "PATCH", encoded_path("things", thing), headers=_JSON, body=_encode(body))


def describe_thing_type(name: str) -> Call:
    return Call(Operation.DESCRIBE_THING_TYPE, "GET", encoded_path("thing-types", name))


def describe_thing_group(name: str) -> Call:
    return Call(Operation.DESCRIBE_THING_GROUP, "GET", encoded_path("thing-groups", name))


def describe_billing_group(name: str) -> Call:
    return Call(Operation.DESCRIBE_BILLING_GROUP, "GET", encoded_path("billing-groups", name))


def add_to_group(thing: str, group: str) -> Call:
    path, body = "/thing-groups/addThingToThingGroup", {"thingGroupName": group, "thingName": thing}
    return Call(Operation.ADD_TO_GROUP, "PUT", path, headers=_JSON, body=_encode(body))


def add_to_billing_group(thing: str, group: str) -> Call:
    path, body = "/billing-groups/addThingToBillingGroup", {"billingGroupName": group, "thingName": thing}
    return Call(Operation.ADD_TO_BILLING_GROUP, "PUT", path, headers=_JSON, body=_encode(body))


def list_groups(thing: str, next_token: str = "") -> Call:
    query = encoded_query([("nextToken", next_token)] if next_token else [])
    return Call(Operation.LIST_GROUPS, "GET", encoded_path("things", thing, "thing-groups"), query)


def _encode(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
