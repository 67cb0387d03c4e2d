"""
The stub cloud of the benchmarks as a world: over HTTP, in any weather.
"""

from contextlib import AsyncExitStack
from typing import Any

from benchmarks.stub_cloud import StubCloud, serving
from benchmarks.stub_limits import Limits
from benchmarks.stub_registry import Registry as StubRegistry
from benchmarks.stub_registry import Thing, certificate_arn
from firstlight.identity import DeviceIdentity
from firstlight.registries.aws_extras import NO_EXTRAS, Extras
from firstlight.registries.aws_iot import AwsIotRegistry, Keys, Patience
from tests.contract.worlds import POLICY

# Quicker than in earnest, but for an answer: a machine that stands still for a moment costs no call.
HASTY = Patience(attempt=20.0, base=0.005, longest=0.1)


class StubWorld:
    """
    A stub cloud of its own.
    """

    policy = POLICY

    def __init__(self, stack: AsyncExitStack, stub: StubCloud, url: str) -> None:
        self._stack = stack
        self.stub = stub
        self.url = url
        self.registry = self.another_process()

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "StubWorld":
        stub = StubCloud(StubRegistry(policies={POLICY}))
        return cls(stack, stub, await stack.enter_async_context(serving(stub)))

    def another_process(
        self,
        policy: str = "",
        patience: Patience = HASTY,
        max_in_flight: int = 256,
        device_endpoint: str = "",
        extras: Extras = NO_EXTRAS,
    ) -> AwsIotRegistry:
        registry = AwsIotRegistry(
            region="us-east-1",
            policy_name=policy or POLICY,
            credentials=lambda: Keys("test", "test"),
            endpoint_url=self.url,
            patience=patience,
            max_in_flight=max_in_flight,
            device_endpoint=device_endpoint,
            extras=extras,
        )
        self._stack.push_async_callback(registry.close)
        return registry

    def weather(self, **limits: Any) -> None:
        """
        Set latency, quotas and faults; what is not named is fine.
        """
        self.stub.limits = Limits(**limits)

    def can_connect(self, device: DeviceIdentity) -> bool:
        thing = self.stub.registry.things.get(device.name)
        arn = certificate_arn(device.fingerprint)
        attached = thing is not None and arn in thing.principals
        return attached and self.status(device) == "ACTIVE" and POLICY in self.stub.registry.attached.get(arn, ())

    def set_status(self, device: DeviceIdentity, status: str) -> None:
        self.stub.registry.certificates[device.fingerprint] = status

    def make_thing(self, name: str, attributes: dict[str, str]) -> None:
        self.stub.registry.things[name] = Thing(attributes)

    def edit_thing(self, name: str, attributes: dict[str, str]) -> None:
        thing = self.stub.registry.things[name]
        thing.attributes = thing.attributes | attributes
        thing.version += 1

    def attributes(self, name: str) -> dict[str, str] | None:
        thing = self.stub.registry.things.get(name)
        return None if thing is None else thing.attributes

    def principals(self, name: str) -> set[str]:
        thing = self.stub.registry.things.get(name)
        return {p.rpartition("/")[2] for p in thing.principals} if thing else set()

    def make_type(self, name: str) -> None:
        self.stub.registry.types.add(name)

    def make_group(self, name: str) -> None:
        self.stub.registry.groups.setdefault(name, set())

    def thing_type(self, name: str) -> str | None:
        return self.stub.registry.things[name].type_name

    def groups(self, name: str) -> set[str]:
        return {group for group, members in self.stub.registry.groups.items() if name in members}

    def make_certificate(self, device: DeviceIdentity, status: str = "ACTIVE") -> None:
        self.stub.registry.certificates[device.fingerprint] = status

    def status(self, device: DeviceIdentity) -> str | None:
        return self.stub.registry.certificates.get(device.fingerprint)

    def attach(self, name: str, device: DeviceIdentity) -> None:
        self.stub.registry.things[name].principals.add(certificate_arn(device.fingerprint))

    def attach_policy(self, device: DeviceIdentity) -> None:
        self.stub.registry.attached[certificate_arn(device.fingerprint)].add(POLICY)
