"""
AWS IoT and DynamoDB in memory, as far as a first connect meets them: what carries the calls of the functions.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from firstlight.certificates import Certificate
from firstlight.first_connect.allow_list import AllowList, Verdict
from firstlight.first_connect.event import PENDING, Registered
from firstlight.first_connect.source import Source
from firstlight.jitp import template
from firstlight.registries.aws_announcements import Announcement, Announcements
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import AwsCalls, Patience
from firstlight.registries.aws_credentials import CredentialCache, Keys
from firstlight.registries.aws_dynamodb import DynamoDb
from firstlight.registries.aws_operations import Call
from firstlight.registries.sigv4 import Credentials
from tests.factory import at_noon

HASTY = Patience(attempt=1.0, base=0.001, longest=0.002)
TEMPLATE = "FirstlightJitp"
TABLE = "Announcements"
_ARN = "arn:aws:iot:eu-west-1:123456789012"


@dataclass
class Thing:
    attributes: dict[str, str]
    thing_type: str = ""
    groups: list[str] = field(default_factory=list)
    principals: set[str] = field(default_factory=set)
    version: int = 1


@dataclass
class World:
    """
    A `Transport`.  `calls` are the names of the operations, in order; `before` is told each one before it is done,
    and may answer in its place.
    """

    body: str = field(default_factory=lambda: template.to_aws(template.build(policy_name="Device")))
    cas: dict[str, dict[str, Any]] = field(default_factory=dict)
    certificates: dict[str, dict[str, str]] = field(default_factory=dict)
    things: dict[str, Thing] = field(default_factory=dict)
    policies: dict[str, set[str]] = field(default_factory=lambda: {"Device": set()})
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    before: Callable[[Call], Answer | None] = lambda _: None

    def registers(self, ca: Certificate, **config: str) -> None:
        """
        Have *ca*, active, with auto-registration, and *config* as its registration config.
        """
        self.cas[ca.fingerprint] = {
            "certificateDescription": {
                "status": "ACTIVE",
                "autoRegistrationStatus": "ENABLE",
                "certificatePem": ca.pem,
            },
            **({"registrationConfig": config} if config else {}),
        }

    def connects(self, leaf: Certificate, ca: Certificate, *, status: str = PENDING) -> Registered:
        """
        Register *leaf* as AWS IoT does when it first connects; return the event.
        """
        self.certificates[leaf.fingerprint] = {
            "certificateArn": f"{_ARN}:cert/{leaf.fingerprint}",
            "status": status,
            "caCertificateId": ca.fingerprint,
            "certificatePem": leaf.pem,
        }
        return Registered(leaf.fingerprint, ca.fingerprint, 1_800_000_000_000)

    def dynamodb(self) -> DynamoDb:
        return DynamoDb(AwsCalls(self, _credentials(), HASTY))

    def iot(self) -> AwsCalls:
        return AwsCalls(self, _credentials(), HASTY)

    def announcements(self) -> Announcements:
        return Announcements(self.dynamodb(), TABLE, pause=0.001)

    def allow_list(self, *, reserved_prefix: str = "Infineon_") -> AllowList:
        calls = self.iot()
        return AllowList(
            self.announcements(), calls, Source(calls, TEMPLATE), reserved_prefix=reserved_prefix, now=at_noon
        )

    async def announced(self, leaf: Certificate, **more: Any) -> None:
        announcement = Announcement(fingerprint=leaf.fingerprint, **more)
        assert {leaf.fingerprint: None} == await self.announcements().announce([announcement], deadline=_far())

    async def admits(self, event: Registered, **how: Any) -> Verdict:
        return await self.allow_list(**how).admit(event, deadline=_far())

    def status(self, leaf: Certificate) -> str:
        return self.certificates[leaf.fingerprint]["status"]

    async def send(self, call: Call, credentials: Credentials, *, until: float) -> Answer:
        self.calls.append(str(call.operation))
        if (instead := self.before(call)) is not None:
            return instead
        document, code = self._do(call)
        return Answer(call.operation, 400 if code else 200, code, json.dumps(document).encode())

    def _do(self, call: Call) -> tuple[dict[str, Any], str]:
        do = getattr(self, "_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", call.operation).lower())
        body = json.loads(call.body) if call.body else {}
        answer = do(call, body, [unquote(part) for part in call.path.split("/")[1:]])
        return (answer, "") if isinstance(answer, dict) else ({}, answer)

    def _get_item(self, call: Call, body: Any, path: list[str]) -> Any:
        # An announcement of a moment ago counts.
        assert body["ConsistentRead"]
        found = self.items.get(body["Key"]["certificateId"]["S"])
        return {"Item": found} if found else {}

    def _delete_item(self, call: Call, body: Any, path: list[str]) -> Any:
        self.items.pop(body["Key"]["certificateId"]["S"], None)
        return {}

    def _batch_write_item(self, call: Call, body: Any, path: list[str]) -> Any:
        (requests,) = body["RequestItems"].values()
        keys = [
            (r.get("PutRequest", {}).get("Item") or r["DeleteRequest"]["Key"])["certificateId"]["S"] for r in requests
        ]
        if len(requests) > 25 or len(set(keys)) < len(keys):
            return "ValidationException"
        for key, request in zip(keys, requests, strict=True):
            self.items.pop(key, None)
            if "PutRequest" in request:
                self.items[key] = request["PutRequest"]["Item"]
        return {}

    def _update_item(self, call: Call, body: Any, path: list[str]) -> Any:
        """
        The two requests of firstlight.first_connect.stuck; what DynamoDB makes of them is tested on the laptop.
        """
        key, values = body["Key"]["certificateId"]["S"], body["ExpressionAttributeValues"]
        item, now = self.items.get(key), int(values[":now"]["N"])
        over = item is not None and int(item["expires"]["N"]) <= now
        if ":limit" in values:
            if item is not None and (over or len(item["seen"]["NS"]) >= int(values[":limit"]["N"])):
                return "ConditionalCheckFailedException"
            item = self.items.setdefault(key, {"expires": values[":end"], "seen": {"NS": []}})
            item["seen"]["NS"] = sorted({*item["seen"]["NS"], *values[":one"]["NS"]})
            return {"Attributes": item}
        if not over:
            return "ConditionalCheckFailedException"
        self.items[key] = {"expires": values[":end"], "seen": values[":one"]}
        return {"Attributes": self.items[key]}

    def _describe_provisioning_template(self, call: Call, body: Any, path: list[str]) -> Any:
        return {"templateBody": self.body} if path[1] == TEMPLATE else _MISSING

    def _describe_cacertificate(self, call: Call, body: Any, path: list[str]) -> Any:
        return self.cas.get(path[1], _MISSING)

    def _describe_certificate(self, call: Call, body: Any, path: list[str]) -> Any:
        found = self.certificates.get(path[1])
        return {"certificateDescription": dict(found)} if found else _MISSING

    def _update_certificate(self, call: Call, body: Any, path: list[str]) -> Any:
        (self.certificates[path[1]]["status"],) = parse_qs(call.query)["newStatus"]
        return {}

    def _create_thing(self, call: Call, body: Any, path: list[str]) -> Any:
        attributes, kind = body["attributePayload"]["attributes"], body.get("thingTypeName", "")
        thing = self.things.setdefault(path[1], Thing(attributes, kind))
        return {} if (thing.attributes, thing.thing_type) == (attributes, kind) else "ResourceAlreadyExistsException"

    def _describe_thing(self, call: Call, body: Any, path: list[str]) -> Any:
        thing = self.things.get(path[1])
        if thing is None:
            return _MISSING
        return {"attributes": thing.attributes, "thingTypeName": thing.thing_type, "version": thing.version}

    def _list_thing_principals(self, call: Call, body: Any, path: list[str]) -> Any:
        return {"principals": sorted(self.things[path[1]].principals)}

    def _update_thing(self, call: Call, body: Any, path: list[str]) -> Any:
        thing = self.things[path[1]]
        if body["expectedVersion"] != thing.version:
            return "VersionConflictException"
        assert not body["attributePayload"].get("merge")
        thing.attributes, thing.version = body["attributePayload"]["attributes"], thing.version + 1
        thing.thing_type = body.get("thingTypeName", thing.thing_type)
        return {}

    def _add_thing_to_thing_group(self, call: Call, body: Any, path: list[str]) -> Any:
        self.things[body["thingName"]].groups.append(body["thingGroupName"])
        return {}

    def _add_thing_to_billing_group(self, call: Call, body: Any, path: list[str]) -> Any:
        self.things[body["thingName"]].groups.append(body["billingGroupName"])
        return {}

    def _attach_policy(self, call: Call, body: Any, path: list[str]) -> Any:
        if path[1] not in self.policies:
            return _MISSING
        self.policies[path[1]].add(body["target"])
        return {}

    def _attach_thing_principal(self, call: Call, body: Any, path: list[str]) -> Any:
        self.things[path[1]].principals.add(call.headers["x-amzn-principal"])
        return {}


def _credentials() -> CredentialCache:
    return CredentialCache(lambda: Keys("test", "test"))


def _far() -> float:
    return asyncio.get_running_loop().time() + 20


_MISSING = "ResourceNotFoundException"
