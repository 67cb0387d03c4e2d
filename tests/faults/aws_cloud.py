"""
AWS IoT in this process: the benchmarks' stub behind the registry's own transport, and what is true of it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from benchmarks.stub_operations import Handler, Request, operation
from benchmarks.stub_registry import Refused, Registry, Thing, certificate_arn, certificate_id
from firstlight.backlog import Message
from firstlight.endpoint import admission_from
from firstlight.identity import DeviceIdentity
from firstlight.queues.sqs_environment import queue_from
from firstlight.registries.aws_announcements import KEY, TABLE
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_environment import registry_from
from firstlight.registries.aws_http import AwsHttp
from firstlight.registries.aws_operations import Call
from firstlight.registries.sigv4 import Credentials
from firstlight.settings import Settings
from lambdas import invocation, worker
from tests.factory import at_noon
from tests.faults import sqs_cloud, weather
from tests.faults.at_least_once import Delivery, Queue
from tests.faults.cloud import CREDENTIALS, Service
from tests.faults.process import current
from tests.faults.wire import Wire

POLICY = "FirstlightDevice"
_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_ENDPOINT_URL": "https://aws.invalid",
}
_ANNOUNCE = "BatchWriteItem"
_OF_WHAT_WAS_MADE = frozenset({"AttachThingPrincipal", "AttachPolicy", "DescribeCertificate", "DescribeThing"})
_CLAIM = "certificateId"
# Of a certificate id, 64 hex digits, in a journal.
_ID, _SHOWN = 64, 8
_ERRORS = {
    weather.THROTTLED: (400, "ThrottlingException"),
    weather.FAILED: (500, "InternalFailureException"),
    weather.UNAVAILABLE: (503, "ServiceUnavailableException"),
    weather.DONE_THEN_500: (500, "InternalFailureException"),
    weather.PARTIAL: (500, "InternalError"),
    weather.EXPIRED: (403, "ExpiredTokenException"),
    weather.UNSEEN: (404, "ResourceNotFoundException"),
}
_NOT_SQS = frozenset({weather.UNSEEN})
_NOT_IOT = frozenset({weather.UNSEEN, weather.PARTIAL, weather.PARTIAL_LOST, weather.PARTIAL_TOLD})
_UNCONNECTED = frozenset({weather.LOST, weather.UNREACHABLE})


@dataclass
class AwsCloud:
    """
    One account's registry.  `broken` fills with what must never be, the moment it is.
    """

    wire: Wire
    queue: Queue = field(default_factory=lambda: Queue(0))
    registry: Registry = field(default_factory=lambda: Registry(policies={POLICY}))
    # What an operator switched off: certificate id -> status.
    off: dict[str, str] = field(default_factory=dict)
    # What an operator or another kit had made before.
    found: set[str] = field(default_factory=set)
    made: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    # Certificates that are awaited, as the table of announcements has them.
    announced: set[str] = field(default_factory=set)
    batch = 10
    # What AWS said so often that it had to be believed.
    excused = ("credentials of this endpoint have expired",)

    @property
    def settings(self) -> Settings:
        """
        In some runs devices are announced before they are registered.
        """
        table = TABLE if self.wire.weather.seed % 4 == 1 else ""
        return Settings(basic_credentials=CREDENTIALS, queue_url=sqs_cloud.URL, announcements_table=table)

    @contextmanager
    def wired(self) -> Iterator[None]:
        """
        Let every call of the adapters end here, and the function find its process's service.
        """

        async def send(this: AwsHttp, call: Call, credentials: Credentials, *, until: float) -> Answer:
            return await self.send(call, until=until)

        def service() -> tuple[Any, Any, Any]:
            found: Service = current().service
            return found.registry, admission_from(self.settings), found.queue

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AwsHttp, "send", send)
            patch.setattr(worker, "service", service)
            patch.setattr(invocation, "now", at_noon)
            # It prints, which is a Lambda's way.
            patch.setattr(invocation, "log", lambda _: None)
            yield

    def new_service(self, *, is_worker: bool) -> Service:
        """
        See `Cloud`.
        """
        return Service(
            registry_from(self.settings, _ENVIRONMENT, eager=is_worker), queue_from(self.settings, _ENVIRONMENT)
        )

    def source(self, service: Service) -> Any:
        """
        See `Cloud`.
        """
        return service.queue

    async def invoke(self, deliveries: list[Delivery], *, seconds: float) -> None:
        """
        See `Cloud`: an event source mapping that reports batch item failures.
        """
        messages = [Message.of(delivery.receipt, delivery.body) for delivery in deliveries]
        # The handler would run this on a loop of its own, in which time is real.
        worked = await worker._work(messages, seconds - worker._MARGIN, "request")  # noqa: SLF001 -- as said
        again = {message.handle for message in worked.again}
        for delivery in deliveries:
            if delivery.receipt not in again:
                self.queue.delete(delivery.receipt)

    async def send(self, call: Call, *, until: float) -> Answer:
        """
        Stand in for `AwsHttp.send`.
        """
        await sqs_cloud.listened(call, self.queue, until=until)
        # What the registry may not have seen yet is only what was made a moment ago.
        cannot = _NOT_SQS if call.operation in (*weather.OF_QUEUE, _ANNOUNCE) else _NOT_IOT
        if call.operation in _OF_WHAT_WAS_MADE:
            cannot -= {weather.UNSEEN}
        answer = await self.wire.carry(
            call.operation,
            lambda fault: self._answer(call, fault),
            until=until,
            cannot=cannot,
            about=lambda: _about(call),
        )
        return Answer.timed_out(call.operation) if answer is None else answer

    def _answer(self, call: Call, fault: str) -> Answer:
        done = self._done(call, fault) if not fault or fault in weather.DONE else None
        if fault in _UNCONNECTED:
            return Answer.unreachable(call.operation, stale=fault == weather.LOST)
        status, code, document = done or (*_ERRORS[fault], {})
        if fault in _ERRORS:
            (status, code), document = _ERRORS[fault], {"message": "Injected."}
        return Answer.of(call.operation, status, code or None, json.dumps(document).encode())

    def _done(self, call: Call, fault: str) -> tuple[int, str, Mapping[str, Any]]:
        if call.operation in weather.OF_QUEUE:
            return 200, "", sqs_cloud.done(call, self.queue, fault, self.wire.weather)
        if call.operation == _ANNOUNCE:
            return 200, "", self._announced(json.loads(call.body)["RequestItems"], fault)
        segments = [unquote(part) for part in call.path.strip("/").split("/")]
        body = json.loads(call.body) if call.body else {}
        request = Request(segments, dict(parse_qsl(call.query)), call.headers, body)
        try:
            name, handle = operation(call.method, segments)
            if not self.wire.weather.admits(name):
                return 400, "ThrottlingException", {"message": "Rate exceeded"}
            return 200, "", self._watched(name, handle, request)
        except Refused as e:
            return e.status, e.code, e.document

    def _watched(self, name: str, handle: Handler, request: Request) -> Mapping[str, Any]:
        known = len(self.registry.things) + len(self.registry.certificates)
        answer = handle(self.registry, request)
        if len(self.registry.things) + len(self.registry.certificates) > known:
            self.made[str(answer.get("certificateId") or answer.get("thingName"))] += 1
        if name == "AttachPolicy":
            arn = str(request.body.get("target"))
            if arn not in self.found and not any(arn in thing.principals for thing in self.registry.things.values()):
                self.broken.append(f"{_id(arn)} could connect before it had a thing")
        return answer

    def _announced(self, tables: Mapping[str, Any], fault: str) -> dict[str, Any]:
        ((table, requests),) = tables.items()
        part = self.wire.weather.part(len(requests)) if fault in sqs_cloud.IN_PART else len(requests)
        for request in requests[:part]:
            if put := request.get("PutRequest"):
                self.announced.add(put["Item"][KEY]["S"])
            else:
                self.announced.discard(request["DeleteRequest"]["Key"][KEY]["S"])
        return {"UnprocessedItems": {table: requests[part:]} if part < len(requests) else {}}

    def complete(self, device: DeviceIdentity) -> bool:
        """
        Whether the device can connect now.
        """
        arn, thing = certificate_arn(device.fingerprint), self.registry.things.get(device.name)
        return (
            thing is not None
            and arn in thing.principals
            and self.registry.certificates.get(device.fingerprint) == "ACTIVE"
            and POLICY in self.registry.attached.get(arn, ())
        )

    def is_anothers(self, device: DeviceIdentity) -> bool:
        """
        Whether the device's name is claimed by, or attached to, another certificate.
        """
        thing = self.registry.things.get(device.name)
        if thing is None:
            return False
        if claim := thing.attributes.get(_CLAIM):
            return claim != device.fingerprint
        # Two certificates that the reference attached to one thing: the first to be pushed has it.
        return bool(thing.principals) and certificate_arn(device.fingerprint) not in thing.principals

    def switch_off(self, device: DeviceIdentity, status: str) -> bool:
        """
        Do as an operator: set the certificate's status, if it is there; return whether it was.
        """
        if device.fingerprint not in self.registry.certificates:
            return False
        self.registry.certificates[device.fingerprint] = self.off[device.fingerprint] = status
        return True

    def leave(self, device: DeviceIdentity, parts: str) -> None:
        """
        See `Cloud.leave`: t(hing), c(ertificate), a(ttached to it), p(olicy).
        """
        arn = certificate_arn(device.fingerprint)
        self.found.add(arn)
        if "t" in parts:
            self.registry.things[device.name] = Thing({"serialNumber": device.serial})
        if "c" in parts:
            self.registry.certificates[device.fingerprint] = "ACTIVE"
        if "a" in parts:
            self.registry.things[device.name].principals.add(arn)
        if "p" in parts:
            self.registry.attached[arn].add(POLICY)

    def half_made(self, devices: list[DeviceIdentity]) -> list[str]:
        """
        Say what of *devices*, all that were ever pushed, is not as it should be when all is over.
        """
        wrong = list(self.broken)
        audit = self.registry.audit()
        if audit["certificates_on_several"]:
            wrong.append(f"{audit['certificates_on_several']} certificates are attached to several things")
        for device in devices:
            status = self.registry.certificates.get(device.fingerprint)
            left_by_others = certificate_arn(device.fingerprint) in self.found and self.is_anothers(device)
            if status == "ACTIVE" and not self.complete(device) and not left_by_others:
                wrong.append(f"{_id(device.fingerprint)} is ACTIVE and half made")
            if self.complete(device) and device.fingerprint in self.announced:
                wrong.append(f"{_id(device.fingerprint)} is in, and still announced")
            if status != self.off.get(device.fingerprint, status):
                wrong.append(f"{_id(device.fingerprint)} was switched off and is {status}")
        for name, thing in self.registry.things.items():
            owner = thing.attributes.get(_CLAIM, "")
            if not thing.principals and owner not in self.off:
                wrong.append(f"the thing {name} has no certificate")
            able = {p for p in thing.principals if self.registry.certificates.get(_id(p)) == "ACTIVE"}
            if len(able) > 1 and not able <= self.found:
                wrong.append(f"the thing {name} belongs to {len(able)} certificates")
        return wrong + [f"{what[:20]} was made {n} times" for what, n in self.made.items() if n > 1]


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _about(call: Call) -> str:
    """
    Return what *call* names, short.
    """
    if call.operation in weather.OF_QUEUE:
        return f"{len(json.loads(call.body).get('Entries', ()))} messages"
    if call.operation == _ANNOUNCE:
        return " ".join(sorted(json.loads(call.body)["RequestItems"]))
    if call.operation == "RegisterCertificateWithoutCA":
        return certificate_id(json.loads(call.body)["certificatePem"])[:_SHOWN]
    principal = call.headers.get("x-amzn-principal") or (call.body and json.loads(call.body).get("target")) or ""
    named = "".join(call.path.split("/")[2:3])
    return f"{named[: _SHOWN if len(named) == _ID else None]} {_id(principal)[:_SHOWN]}"
