"""
The laptop's AWS as a world; its operator uses boto3.
"""

from contextlib import AsyncExitStack

from firstlight.identity import DeviceIdentity
from firstlight.local.addresses import Addresses
from firstlight.registries.aws_extras import NO_EXTRAS, Extras
from firstlight.registries.aws_iot import AwsIotRegistry
from tests.contract.worlds import POLICY


class LaptopWorld:
    """
    The laptop's AWS, which other tests use too.
    """

    policy = POLICY

    def __init__(self, stack: AsyncExitStack, aws: Addresses) -> None:
        self._stack = stack
        self._aws = aws
        self._iot = aws.client("iot")
        self._arn = f"arn:aws:iot:{aws.region}:{aws.account}:cert/"
        self.registry = self.another_process()

    def another_process(self, policy: str = "", *, extras: Extras = NO_EXTRAS) -> AwsIotRegistry:
        registry = AwsIotRegistry(
            region=self._aws.region,
            policy_name=policy or POLICY,
            credentials=lambda: self._aws.credentials,
            endpoint_url=self._aws.endpoint_url,
            extras=extras,
        )
        self._stack.push_async_callback(registry.close)
        return registry

    def can_connect(self, device: DeviceIdentity) -> bool:
        if self.status(device) != "ACTIVE" or device.fingerprint not in self.principals(device.name):
            return False
        attached = self._iot.list_attached_policies(target=self._arn + device.fingerprint)["policies"]
        return POLICY in {p["policyName"] for p in attached}

    def set_status(self, device: DeviceIdentity, status: str) -> None:
        self._iot.update_certificate(certificateId=device.fingerprint, newStatus=status)

    def make_thing(self, name: str, attributes: dict[str, str]) -> None:
        self._iot.create_thing(thingName=name, attributePayload={"attributes": attributes})

    def edit_thing(self, name: str, attributes: dict[str, str]) -> None:
        self._iot.update_thing(thingName=name, attributePayload={"attributes": attributes, "merge": True})

    def attributes(self, name: str) -> dict[str, str] | None:
        try:
            return dict(self._iot.describe_thing(thingName=name)["attributes"])
        except self._iot.exceptions.ResourceNotFoundException:
            return None

    def principals(self, name: str) -> set[str]:
        try:
            listed = self._iot.list_thing_principals(thingName=name)["principals"]
        except self._iot.exceptions.ResourceNotFoundException:
            return set()
        return {str(p).rpartition("/")[2] for p in listed}

    def make_type(self, name: str) -> None:
        self._iot.create_thing_type(thingTypeName=name)

    def make_group(self, name: str) -> None:
        self._iot.create_thing_group(thingGroupName=name)

    def thing_type(self, name: str) -> str | None:
        found = self._iot.describe_thing(thingName=name).get("thingTypeName")
        return None if found is None else str(found)

    def groups(self, name: str) -> set[str]:
        listed = self._iot.list_thing_groups_for_thing(thingName=name)["thingGroups"]
        return {str(group["groupName"]) for group in listed}

    def make_certificate(self, device: DeviceIdentity, status: str = "ACTIVE") -> None:
        self._iot.register_certificate_without_ca(certificatePem=device.pem, status=status)

    def status(self, device: DeviceIdentity) -> str | None:
        try:
            described = self._iot.describe_certificate(certificateId=device.fingerprint)
        except self._iot.exceptions.ResourceNotFoundException:
            return None
        return str(described["certificateDescription"]["status"])

    def attach(self, name: str, device: DeviceIdentity) -> None:
        self._iot.attach_thing_principal(thingName=name, principal=self._arn + device.fingerprint)

    def attach_policy(self, device: DeviceIdentity) -> None:
        self._iot.attach_policy(policyName=POLICY, target=self._arn + device.fingerprint)
