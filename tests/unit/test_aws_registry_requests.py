"""
The requests of the AWS registry are the ones botocore would send for the same operations.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict

from firstlight.registries import aws_operations
from firstlight.registries.aws_operations import Call

ARN = "arn:aws:iot:eu-west-1:123456789012:cert/" + "ab" * 32
THING = "Infineon:a_b-0455aecb"
POLICY = "a+b=c,d.e@f-g"
ATTRIBUTES = {"serialNumber": "0455aecb", "certificateId": "ab" * 32}

Invoke = Callable[[Any], Any]
_CALLS: list[tuple[Call, Invoke]] = [
    (aws_operations.describe_endpoint(), lambda iot: iot.describe_endpoint(endpointType="iot:Data-ATS")),
    (aws_operations.get_policy(POLICY), lambda iot: iot.get_policy(policyName=POLICY)),
    (
        aws_operations.create_thing(THING, ATTRIBUTES),
        lambda iot: iot.create_thing(thingName=THING, attributePayload={"attributes": ATTRIBUTES}),
    ),
    (
        aws_operations.register_certificate("PEM\n"),
        lambda iot: iot.register_certificate_without_ca(certificatePem="PEM\n", status="ACTIVE"),
    ),
    (
        aws_operations.attach_principal(THING, ARN),
        lambda iot: iot.attach_thing_principal(thingName=THING, principal=ARN),
    ),
    (aws_operations.attach_policy(POLICY, ARN), lambda iot: iot.attach_policy(policyName=POLICY, target=ARN)),
    (
        aws_operations.describe_certificate("ab" * 32),
        lambda iot: iot.describe_certificate(certificateId="ab" * 32),
    ),
    (aws_operations.describe_thing(THING), lambda iot: iot.describe_thing(thingName=THING)),
    (aws_operations.list_principals(THING), lambda iot: iot.list_thing_principals(thingName=THING)),
    (
        aws_operations.list_principals(THING, "a b/c=="),
        lambda iot: iot.list_thing_principals(thingName=THING, nextToken="a b/c=="),
    ),
    (aws_operations.list_principal_things(ARN), lambda iot: iot.list_principal_things(principal=ARN)),
    (
        aws_operations.list_principal_things(ARN, "a b/c=="),
        lambda iot: iot.list_principal_things(principal=ARN, nextToken="a b/c=="),
    ),
    (aws_operations.list_attached_policies(ARN), lambda iot: iot.list_attached_policies(target=ARN)),
    (
        aws_operations.list_attached_policies(ARN, "a b/c=="),
        lambda iot: iot.list_attached_policies(target=ARN, marker="a b/c=="),
    ),
    (
        aws_operations.merge_thing(THING, ATTRIBUTES, version=7),
        lambda iot: iot.update_thing(
            thingName=THING, attributePayload={"attributes": ATTRIBUTES, "merge": True}, expectedVersion=7
        ),
    ),
    (
        aws_operations.merge_thing(THING, {}, version=1, thing_type="a:b"),
        lambda iot: iot.update_thing(
            thingName=THING,
            attributePayload={"attributes": {}, "merge": True},
            expectedVersion=1,
            thingTypeName="a:b",
        ),
    ),
    (
        aws_operations.create_thing(THING, ATTRIBUTES, thing_type="a:b", billing_group="c:d"),
        lambda iot: iot.create_thing(
            thingName=THING,
            attributePayload={"attributes": ATTRIBUTES},
            thingTypeName="a:b",
            billingGroupName="c:d",
        ),
    ),
    (aws_operations.describe_thing_type("a:b"), lambda iot: iot.describe_thing_type(thingTypeName="a:b")),
    (aws_operations.describe_thing_group("a:b"), lambda iot: iot.describe_thing_group(thingGroupName="a:b")),
    (aws_operations.describe_billing_group("a:b"), lambda iot: iot.describe_billing_group(billingGroupName="a:b")),
    (
        aws_operations.add_to_group(THING, "a:b"),
        lambda iot: iot.add_thing_to_thing_group(thingGroupName="a:b", thingName=THING),
    ),
    (
        aws_operations.add_to_billing_group(THING, "a:b"),
        lambda iot: iot.add_thing_to_billing_group(billingGroupName="a:b", thingName=THING),
    ),
    (aws_operations.list_groups(THING), lambda iot: iot.list_thing_groups_for_thing(thingName=THING)),
    (
        aws_operations.list_groups(THING, "a b/c=="),
        lambda iot: iot.list_thing_groups_for_thing(thingName=THING, nextToken="a b/c=="),
    ),
]


@pytest.fixture(scope="module")
def iot() -> Any:
    # one for all: reading AWS IoT's model takes longer than everything else here
    return boto3.client("iot", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")


def _sent_by_boto3(iot: Any, invoke: Invoke) -> tuple[str, Any]:
    """
    Return the operation's name and the request that boto3 would have sent.
    """
    sent: list[tuple[str, AWSPreparedRequest]] = []

    def answer(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        sent.append((event_name.rpartition(".")[2], request))

        class _Raw:
            def stream(self) -> list[bytes]:
                return [b"{}"]

        headers: Any = HeadersDict()
        return AWSResponse(request.url, 200, headers, _Raw())

    iot.meta.events.register("before-send.iot", answer)
    try:
        invoke(iot)
    finally:
        iot.meta.events.unregister("before-send.iot", answer)
    ((name, request),) = sent
    return name, request


@pytest.mark.parametrize(("call", "invoke"), _CALLS, ids=[c.operation for c, _ in _CALLS])
def test_a_request_is_the_one_botocore_would_send(iot: Any, call: Call, invoke: Invoke) -> None:
    """
    Method, path and query byte for byte; the body as JSON; the headers that the operation has.
    """
    name, expected = _sent_by_boto3(iot, invoke)
    url = urlsplit(expected.url)

    assert name == call.operation
    assert (expected.method, url.path, url.query) == (call.method, call.path, call.query)
    assert json.loads(expected.body or b"null") == json.loads(call.body or b"null")
    principal = expected.headers.get("x-amzn-principal")
    assert (principal.decode() if principal else None) == call.headers.get("x-amzn-principal")


def test_every_operation_names_its_action() -> None:
    """
    What a role must allow is read off the operations.
    """
    assert {c.operation for c, _ in _CALLS} == set(aws_operations.Operation)
    assert "iot:CreateThing" == aws_operations.Operation.CREATE_THING.action
