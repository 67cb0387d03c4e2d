"""
What AWS IoT knows of a device: its thing, its certificates, and what is attached to them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from firstlight.registries.aws_attributes import CERTIFICATE_ID

# The most that AWS IoT answers at once.
PAGE = {"PageSize": 250}
CERTIFICATE = ":cert/"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Thing:
    """
    A thing and what is attached to it: fingerprints of certificates, and ARNs of whatever else it may be.

    `claimed` is the fingerprint of the certificate that it was made for, "" when it does not say, or when that
    certificate is on other things now and not on this one.
    """

    name: str
    arn: str
    attributes: Mapping[str, str]
    kind: str
    billing_group: str
    attached: tuple[str, ...]
    others: tuple[str, ...]
    claimed: str = ""

    @property
    def certificates(self) -> tuple[str, ...]:
        """
        Every certificate that may be this device's: those attached, and the one it was made for.

        That one comes first when it is not attached: retiring a device broke off there.
        """
        claimed = () if self.claimed in ("", *self.attached) else (self.claimed,)
        return (*claimed, *self.attached)

    def certificate_arn(self, fingerprint: str) -> str:
        """
        Return the ARN of a certificate in this thing's account and region.
        """
        return certificate_arn(self.arn, fingerprint)


def certificate_arn(thing_arn: str, fingerprint: str) -> str:
    """
    Return the ARN of a certificate in the account and region of a thing's ARN.
    """
    return f"{thing_arn.partition(':thing/')[0]}{CERTIFICATE}{fingerprint}"


def claim(attributes: Mapping[str, str]) -> str:
    """
    Return the fingerprint of the certificate that a thing with *attributes* was made for, "" if it does not say.

    An operator's own attribute of the same name that is no fingerprint says nothing.
    """
    said = attributes.get(CERTIFICATE_ID, "")
    return said if _FINGERPRINT.fullmatch(said) else ""


class AwsReading:
    """
    Asks *iot*, a client of firstlight.boto.  Every call may raise what botocore raises.
    """

    def __init__(self, iot: Any) -> None:
        self._iot = iot

    def thing(self, name: str) -> Thing | None:
        """
        Return the thing called *name* with its principals, None if there is none.
        """
        described = self._found(self._iot.describe_thing, thingName=name)
        if described is None:
            return None
        principals = self._all("list_thing_principals", "principals", thingName=name)
        attached = tuple(p.rpartition(CERTIFICATE)[2] for p in principals if CERTIFICATE in p)
        attributes = described.get("attributes") or {}
        return Thing(
            name=name,
            arn=described["thingArn"],
            attributes=attributes,
            kind=described.get("thingTypeName") or "",
            billing_group=described.get("billingGroupName") or "",
            attached=attached,
            others=tuple(p for p in principals if CERTIFICATE not in p),
            claimed=self._claimed(described["thingArn"], claim(attributes), attached),
        )

    def _claimed(self, thing_arn: str, said: str, attached: tuple[str, ...]) -> str:
        if not said or said in attached:
            return said
        # attached nowhere, retiring broke off there; attached elsewhere, it is another device's by now
        elsewhere = self._all("list_principal_things", "things", principal=certificate_arn(thing_arn, said))
        return "" if elsewhere else said

    def certificate(self, fingerprint: str) -> dict[str, Any] | None:
        """
        Return AWS's `certificateDescription`, None if it is not registered.
        """
        found = self._found(self._iot.describe_certificate, certificateId=fingerprint)
        return None if found is None else found["certificateDescription"]

    def things_of(self, fingerprint: str, arn: str) -> tuple[str, ...]:
        """
        Return the things that a certificate is attached to or, if there is none, that were made for it.
        """
        attached = self._all("list_principal_things", "things", principal=arn)
        if attached:
            return tuple(attached)
        query = {"attributeName": CERTIFICATE_ID, "attributeValue": fingerprint}
        return tuple(thing["thingName"] for thing in self._all("list_things", "things", **query))

    def policies_of(self, arn: str) -> tuple[str, ...]:
        """
        Return the names of the policies attached to the certificate *arn*.
        """
        found = self._all("list_attached_policies", "policies", target=arn)
        return tuple(policy["policyName"] for policy in found)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """
        Return the names of the thing groups that the thing is in.
        """
        found = self._all("list_thing_groups_for_thing", "thingGroups", thingName=name)
        return tuple(group["groupName"] for group in found)

    def endpoint(self) -> str:
        """
        Return the host that devices of the account connect to.
        """
        return str(self._iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"])

    def _found(self, call: Callable[..., Any], **arguments: Any) -> Any:
        try:
            return call(**arguments)
        except self._iot.exceptions.ResourceNotFoundException:
            return None

    def _all(self, operation: str, key: str, **arguments: Any) -> list[Any]:
        pages = self._iot.get_paginator(operation).paginate(**arguments, PaginationConfig=PAGE)
        try:
            return [found for page in pages for found in page.get(key, ())]
        except self._iot.exceptions.ResourceNotFoundException:
            # it went since it was found
            return []
