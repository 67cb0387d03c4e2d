"""
Topic rules of the laptop AWS hear what AWS IoT itself publishes about certificates.
"""

import asyncio
import io
import json
import secrets
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstlight.local.addresses import Addresses
from tests.factory import Factory
from tests.local.front_doors import front_door, soon
from tests.local.jitp_site import JitpSite
from tests.mqtt_device import Identity

_CODE = """
import json, os
def handler(event, context):
    print(json.dumps(event))
    if os.environ.get("FAILS"):
        raise RuntimeError("As it shall.")
"""


class Listener:
    """
    A function that logs what it is given, and a topic rule that may invoke it.
    """

    def __init__(self, aws: Addresses, topic_filter: str, *, fails: bool = False) -> None:
        self._aws = aws
        self.name = f"listener_{secrets.token_hex(4)}"
        self._lambda, self._iot, self._logs = aws.client("lambda"), aws.client("iot"), aws.client("logs")
        function = self._lambda.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role=_role(aws, self.name),
            Handler="code.handler",
            Code={"ZipFile": _zipped()},
            Environment={"Variables": {"FAILS": "yes"} if fails else {}},
        )
        payload = {
            "sql": f"SELECT * FROM '{topic_filter}'",
            "actions": [{"lambda": {"functionArn": function["FunctionArn"]}}],
        }
        self._iot.create_topic_rule(ruleName=self.name, topicRulePayload=payload)

    def permit(self, rule: str) -> None:
        self._lambda.add_permission(
            FunctionName=self.name,
            StatementId=rule,
            Action="lambda:InvokeFunction",
            Principal="iot.amazonaws.com",
            SourceArn=f"arn:aws:iot:{self._aws.region}:{self._aws.account}:rule/{rule}",
            SourceAccount=self._aws.account,
        )

    def disable(self) -> None:
        self._iot.disable_topic_rule(ruleName=self.name)

    def heard(self) -> list[dict[str, Any]]:
        try:
            found = self._logs.filter_log_events(logGroupName=f"/aws/lambda/{self.name}")["events"]
        except self._logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(e["message"]) for e in found if e["message"].startswith("{")]


def _role(aws: Addresses, name: str) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return str(role["Role"]["Arn"])


def _zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("code.py", _CODE)
    return content.getvalue()


@pytest.fixture
def maker() -> Factory:
    return Factory("Maker CA", now=datetime.now(UTC))


def test_a_rule_hears_each_connect_of_a_certificate_that_waits(
    bare_aws: Addresses, maker: Factory, tmp_path: Path
) -> None:
    """
    A CA without a template (JITR): registered, PENDING_ACTIVATION, closed, and an event; the same at every repeat.

    Of three more rules one may not invoke its function, one is disabled, and one's function fails: that is tried again.
    """

    async def test() -> None:
        site = JitpSite(bare_aws, maker).just_in_time_registration()
        topic = f"$aws/events/certificates/registered/{site.ca_id}"
        listening, disabled, forbidden = (Listener(bare_aws, topic) for _ in range(3))
        failing = Listener(bare_aws, topic, fails=True)
        listening.permit(listening.name)
        failing.permit(failing.name)
        disabled.permit(disabled.name)
        disabled.disable()
        # another rule's permission is none for this one
        forbidden.permit(listening.name)
        identity = Identity.written(tmp_path / "devices", *maker.device("dev-1"))
        async with front_door(bare_aws, tmp_path / "door") as door:
            for _ in range(2):
                assert "PENDING_ACTIVATION" in (await door.refused(identity)).why
            assert await soon(lambda: len(listening.heard()) == 2)
            assert await soon(lambda: len(failing.heard()) > 2)
        certificate_id = identity.certificate.fingerprint
        assert "PENDING_ACTIVATION" == site.status(certificate_id)
        first, second = sorted(listening.heard(), key=lambda event: event["timestamp"])
        assert {
            "certificateId": certificate_id,
            "caCertificateId": site.ca_id,
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": bare_aws.account,
            "certificateRegistrationTimestamp": None,
            "timestamp": first["timestamp"],
        } == first
        assert second["certificateRegistrationTimestamp"]
        assert [] == disabled.heard() + forbidden.heard()

    asyncio.run(test())
