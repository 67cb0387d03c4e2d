"""
A laptop AWS with a front door, for situations in which a device does not connect, and the doctor that names the cause.
"""

import asyncio
import json
import secrets
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from botocore import xform_name

from firstlight import boto, pki
from firstlight.boto import Credentials
from firstlight.doctor.aws import Attempt, diagnose
from firstlight.doctor.aws_gathering import AwsClients
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis
from firstlight.local.addresses import Addresses
from firstlight.local.control_plane import ROOT, ControlPlane
from firstlight.registries import aws_announcements
from tests.factory import Factory
from tests.local.front_doors import Door, front_door
from tests.local.jitp_site import JitpSite, device_policy
from tests.mqtt_device import Identity

REGION, ELSEWHERE = "eu-west-1", "us-east-1"


class Remembered(Addresses):
    """
    Addresses that make each client once: making one takes longer than all that a situation asks of it.
    """

    def client(self, service: str, *, credentials: Credentials | None = None) -> Any:
        return _client(self.endpoint_url, self.region, service, credentials or self.credentials)


@cache
def _client(endpoint_url: str, region: str, service: str, credentials: Credentials) -> Any:
    return boto.client(service, region=region, endpoint_url=endpoint_url, credentials=credentials)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """
    What a situation leaves: the device's files, and what differs from what it should do.
    """

    identity: Identity
    name: str = ""
    endpoint: str = "localhost"
    server_name: str | None = "localhost"
    region: str = REGION
    port: int = 0


@dataclass
class Bench:
    """
    The laptop's AWS; every situation has a maker, a CA, a template, a policy and a role of its own.
    """

    aws: Addresses
    door: Door
    loop: asyncio.AbstractEventLoop
    folder: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _makers: int = 0

    def __post_init__(self) -> None:
        self.iot = self.aws.client("iot")

    def maker(self) -> Factory:
        self._makers += 1
        return Factory(f"Maker CA {self._makers}", now=self.now)

    def site(self, **how: Any) -> JitpSite:
        """
        Return a site of its own, deployed as *how* says.
        """
        return JitpSite(self.aws, self.maker()).deploy(**how)

    def forget_cas(self) -> None:
        """
        Delete every registered CA: each device that connects, and each diagnosis, reads them all.
        """
        for region in (REGION, ELSEWHERE):
            iot = self.iot_of(region)
            for ca in iot.list_ca_certificates()["certificates"]:
                iot.update_ca_certificate(certificateId=ca["certificateId"], newStatus="INACTIVE")
                iot.delete_ca_certificate(certificateId=ca["certificateId"])

    def device(self, maker: Factory, name: str | None = "", *, chain: bool = False) -> Identity:
        """
        Issue a device; its common name is *name*, or its own.
        """
        certificate, key = maker.device(f"sensor-{maker.name.rpartition(' ')[2]}" if name == "" else name)
        return Identity.written(self.folder, certificate, key, *([maker.ca] if chain else []))

    def aged(self, maker: Factory, days: tuple[int, int]) -> Identity:
        """
        Issue a device whose certificate is valid between two days from now.
        """
        key = pki.new_key()
        issued = pki.issue_device(
            ca=maker.ca,
            ca_key=maker.key,
            key_or_public_key=key,
            common_name=f"aged-{maker.name.rpartition(' ')[2]}",
            days=days[1] - days[0],
            now=maker.now + timedelta(days=days[0]),
        )
        return Identity.written(self.folder, issued, key)

    def registered(self, *policies: dict[str, Any], name: str = "", attach: bool = True) -> Identity:
        """
        Register a device as a push does: certificate, thing, attachment, policies.
        """
        maker = self.maker()
        identity = self.device(maker, name)
        arn = self.register(identity)
        self.iot.create_thing(thingName=identity.name)
        if attach:
            self.iot.attach_thing_principal(thingName=identity.name, principal=arn)
        for number, document in enumerate(policies):
            policy = f"Policy-{identity.name}-{number}"
            self.iot.create_policy(policyName=policy, policyDocument=json.dumps(document))
            self.iot.attach_policy(policyName=policy, target=arn)
        return identity

    def register(self, identity: Identity) -> str:
        """
        Register the certificate alone, ACTIVE; return its ARN.
        """
        answer = self.iot.register_certificate_without_ca(certificatePem=identity.certificate.pem, status="ACTIVE")
        return str(answer["certificateArn"])

    @staticmethod
    def _statement(actions: tuple[str, ...]) -> str:
        statement = {"Effect": "Allow", "Action": [f"iot:{action}" for action in actions], "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def user(self, *actions: str) -> Callable[[str], Any]:
        """
        Make a user who may do these *actions* of AWS IoT; return what makes their clients.
        """
        iam, name = self.aws.client("iam"), f"user-{secrets.token_hex(4)}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="Read", PolicyDocument=self._statement(actions))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        return lambda service: self.aws.client(service, credentials=credentials)

    def iot_of(self, region: str) -> Any:
        return _in(self.aws, region)

    @property
    def environment(self) -> dict[str, str]:
        """
        The variables that lead a command here.
        """
        return {name: value for name, value in self.aws.environment.items() if value is not None}

    @contextmanager
    def overheard(self) -> Iterator[set[str]]:
        """
        Within, the calls of this bench's clients are in the set, by their name in the API.
        """
        called: set[str] = set()

        def hear(model: Any, **_: Any) -> None:
            called.add(model.name)

        clients = [self.aws.client(service) for service in ("iot", "iam", "sts", "dynamodb")]
        clients.append(_in(self.aws, ELSEWHERE))
        for client in clients:
            client.meta.events.register("before-call", hear)
        try:
            yield called
        finally:
            for client in clients:
                client.meta.events.unregister("before-call", hear)

    @contextmanager
    def announcements(self) -> Iterator[Callable[[str, int], object]]:
        """
        The region has an allow-list; yield what announces a certificate until a second of the epoch.
        """
        table, key = aws_announcements.TABLE, aws_announcements.KEY
        dynamodb = self.aws.client("dynamodb")
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        try:
            yield lambda fingerprint, until: dynamodb.put_item(
                TableName=table,
                Item={key: {"S": fingerprint}, aws_announcements.EXPIRES: {"N": str(until)}},
            )
        finally:
            dynamodb.delete_table(TableName=table)

    def obey(self, line: str) -> None:
        """
        Do what `aws` would do at *line*, by the service's own model.
        """
        program, service, operation, *words = shlex.split(line)
        assert "aws" == program
        client, method = self.aws.client(service), operation.replace("-", "_")
        api = client.meta.method_to_api_mapping[method]
        members = client.meta.service_model.operation_model(api).input_shape.members
        known = {xform_name(name, "-"): (name, shape.type_name) for name, shape in members.items()}
        given: dict[str, Any] = {}
        while words:
            option = words.pop(0).removeprefix("--")
            if option == "region":
                assert REGION == words.pop(0)
                continue
            name, kind = known[option]
            if kind == "boolean":
                given[name] = True
            elif kind == "structure":
                given[name] = dict(pair.split("=", 1) for pair in words.pop(0).split(","))
            else:
                given[name] = words.pop(0)
        getattr(client, method)(**given)

    @property
    def policy(self) -> dict[str, Any]:
        return device_policy(self.aws)

    def refused(self, shown: Shown) -> str:
        """
        Let the device connect once, be refused, and return the front door's reason.
        """
        knock = self.door.refused(shown.identity, shown.name or shown.identity.name, server_name=shown.server_name)
        return asyncio.run_coroutine_threadsafe(knock, self.loop).result(20).why

    def clients(self, shown: Shown, aws: Callable[..., Any] | None = None) -> AwsClients:
        client = aws or self.aws.client
        elsewhere = self.aws.client("iot") if shown.region != REGION else _in(self.aws, ELSEWHERE)
        here = client if shown.region == REGION else lambda service: _in(self.aws, shown.region, service)
        return AwsClients(
            iot=here("iot"),
            iam=client("iam"),
            sts=client("sts"),
            dynamodb=here("dynamodb"),
            elsewhere={REGION if shown.region != REGION else ELSEWHERE: elsewhere},
        )

    def diagnose(
        self, shown: Shown, *, connect: bool = False, timeout: float = 10.0, client: Callable[..., Any] | None = None
    ) -> Diagnosis:
        pem = shown.identity.certificate_file.read_bytes()
        return diagnose(
            self.clients(shown, client),
            Device.shown(pem, name=shown.name, file=str(shown.identity.certificate_file), now=datetime.now(UTC)),
            endpoint=shown.endpoint,
            port=shown.port or self.door.port,
            ca_pem=self.door.ca_file.read_bytes(),
            attempt=Attempt(cert_pem=pem, key_pem=shown.identity.key_file.read_bytes(), timeout=timeout)
            if connect
            else None,
        )


def _in(aws: Addresses, region: str, service: str = "iot") -> Any:
    return _client(aws.endpoint_url, region, service, ROOT)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """
    Run a laptop AWS in *folder*, its front door on a loop of its own, until the context ends.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="front-door")
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    try:
        with ControlPlane(folder / "aws", region=REGION) as plane:
            aws = Remembered(endpoint_url=plane.endpoint_url, region=REGION, account=plane.account, credentials=ROOT)
            context = front_door(aws, folder / "door")
            door = run(context.__aenter__())
            try:
                yield Bench(aws, door, loop, folder / "devices")
            finally:
                run(context.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
