"""
What the laptop's AWS adds to ministack, and what it tells the rest of the world.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from firstlight.boto import Credentials
from firstlight.local.addresses import Addresses
from firstlight.local.device_endpoint import Message, Receive, Send, with_device_endpoint
from firstlight.local.iam_batches import with_batches
from firstlight.local.iam_targets import with_targets

SIGNED = [(b"authorization", b"AWS4-HMAC-SHA256 Credential=test/20261120/eu-west-1/iot/aws4_request")]
CERTIFICATE = "arn:aws:iot:eu-west-1:123456789012:cert/ab"


def ask(status: int, body: bytes, **scope: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    """
    Return what comes out of the wrapper around an application that answers *body* in two parts.
    """
    sent: list[Message] = []

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [length]})
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    described = {"type": "http", "method": "GET", "path": "/endpoint", "headers": SIGNED, **scope}
    asyncio.run(with_device_endpoint(app, "localhost")(described, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(m.get("body", b"") for m in sent[1:])


def test_the_data_endpoint_becomes_the_front_doors() -> None:
    """
    And the length of the answer is right again.
    """
    status, headers, body = ask(200, b'{"endpointAddress": "ab-ats.iot.eu-west-1.localhost:4566"}')

    assert (200, {"endpointAddress": "localhost"}) == (status, json.loads(body))
    assert len(body) == int(headers[b"content-length"])


@pytest.mark.parametrize(
    ("status", "scope"),
    [
        (403, {}),
        (200, {"headers": [(b"authorization", b"Credential=test/20261120/eu-west-1/s3/aws4_request")]}),
        (200, {"headers": []}),
        (200, {"path": "/endpoint/other"}),
        (200, {"method": "POST"}),
    ],
)
def test_every_other_answer_passes_untouched(status: int, scope: dict[str, Any]) -> None:
    """
    A refusal, another service's path, another method.
    """
    body = b'{"endpointAddress": "ab-ats.iot.eu-west-1.localhost:4566"}'

    assert (status, {b"content-length": b"58"}, body) == ask(status, body, **scope)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/target-policies/FirstlightDevice", json.dumps({"target": CERTIFICATE}).encode(), [CERTIFICATE]),
        ("/target-policies/FirstlightDevice", b"{}", ["*"]),
        ("/target-policies/FirstlightDevice", b"no JSON", ["*"]),
        ("/target-policies/FirstlightDevice", b'{"target": 5}', ["*"]),
        ("/things/x", b"{}", ["what ministack knows"]),
    ],
)
def test_attaching_a_policy_is_decided_on_its_target(path: str, body: bytes, expected: list[str]) -> None:
    """
    So a role that names certificates is enough, as on AWS; a request without a target is on no resource.
    """
    resources = with_targets(lambda *_: ["what ministack knows"])

    assert expected == resources("PUT", path, body, "eu-west-1", "123456789012")


@pytest.mark.parametrize(
    ("service", "asked", "expected"),
    [
        ("sqs", "sqs:SendMessageBatch", "sqs:SendMessage"),
        ("sqs", "sqs:ReceiveMessage", "sqs:ReceiveMessage"),
        ("ecr", "ecr:BatchGetImage", "ecr:BatchGetImage"),
        ("sns", "sns:PublishBatch", "sns:PublishBatch"),
        ("sqs", None, None),
    ],
)
def test_a_batch_of_sqs_is_allowed_by_the_action_of_its_entries(
    service: str, asked: str | None, expected: str | None
) -> None:
    """
    As on AWS, which knows no other.
    """
    assert expected == with_batches(lambda *_: asked)(service, "POST", "/", {}, b"", {})


def test_addresses_survive_the_state_file() -> None:
    """
    What `status` reads is what `up` wrote.
    """
    addresses = Addresses(
        endpoint_url="http://127.0.0.1:4566",
        region="eu-west-1",
        account="123456789012",
        credentials=Credentials("test", "test"),
        mqtt_port=8883,
        ca_file=Path("/state/ca.pem"),
        outputs={"FirstlightIngest-eu-west-1": {"GatewayId": "ab12", "Stage": "v1"}},
    )

    assert addresses == Addresses.from_json(json.loads(json.dumps(addresses.to_json())))
    assert "http://127.0.0.1:4566/restapis/ab12/v1/_user_request_" == addresses.ingest_url
