"""
AWS IoT and IAM in memory, as far as the front door's personality asks them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from firstlight.certificates import Certificate
from firstlight.errors import RegistryError
from firstlight.jitp import template
from firstlight.local.aws_iot.registry import (
    Issuer,
    RegisteredCertificate,
    RegisteredThing,
    Template,
)
from firstlight.policies.iam_role import Role
from firstlight.policies.place import Place

PLACE = Place("123456789012", "eu-west-1")
ROLE = "arn:aws:iam::123456789012:role/Provisioning"
TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "iot.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "ArnLike": {"aws:SourceArn": "arn:aws:iot:eu-west-1:123456789012:*"},
        },
    }
}
EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}


def device_policy(*echo: str) -> str:
    """
    Each thing on `dt/<its name>/…`, and everybody on the topics *echo*.
    """
    thing, arn = "${iot:Connection.Thing.ThingName}", PLACE.iot("")
    topics = [f"{arn}topic/{topic}" for topic in (f"dt/{thing}/*", *echo)]
    filters = [f"{arn}topicfilter/{topic}" for topic in (f"dt/{thing}/*", *echo)]
    return json.dumps(
        {
            "Statement": [
                {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{arn}client/{thing}"},
                {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": topics},
                {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": filters},
            ]
        }
    )


@dataclass
class MemoryAwsIot:
    """
    A `Registry`.  `calls` are the names of what was changed, in order; a call named in `refused` fails.
    """

    known: dict[str, RegisteredCertificate] = field(default_factory=dict)
    cas: list[Issuer] = field(default_factory=list)
    templates: dict[str, Template] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    attached: dict[str, set[str]] = field(default_factory=dict)
    things: dict[str, RegisteredThing] = field(default_factory=dict)
    principals: dict[str, set[str]] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    billing_groups: set[str] | None = None
    calls: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    @classmethod
    def with_jitp(cls, ca: Certificate, body: Mapping[str, Any] | None = None, *, policy: str = "") -> "MemoryAwsIot":
        """
        All that JITP needs: a CA that registers by itself, a template and its role, the policy "Device".
        """
        aws = cls(policies={"Device": policy or device_policy()})
        text = template.to_aws(body or template.build(policy_name="Device"))
        arn = PLACE.iot("provisioningtemplate/Jitp")
        aws.templates["Jitp"] = Template(name="Jitp", arn=arn, body=text, role_arn=ROLE, kind="JITP", enabled=True)
        aws.roles[ROLE] = Role(arn=ROLE, trust=json.dumps(TRUST), policies={"Provision": json.dumps(EVERYTHING)})
        aws.cas.append(issuer_of(ca, template_name="Jitp"))
        return aws

    def add(self, certificate: Certificate, status: str = "ACTIVE", *policies: str, thing: str = "") -> None:
        """
        A device as a push leaves it.
        """
        arn = PLACE.iot(f"cert/{certificate.fingerprint}")
        self.known[certificate.fingerprint] = RegisteredCertificate(
            id=certificate.fingerprint, arn=arn, status=status, created_ms=1
        )
        self.attached[arn] = set(policies)
        if thing:
            self.things.setdefault(thing, RegisteredThing(name=thing))
            self.principals.setdefault(arn, set()).add(thing)

    def certificate(self, certificate_id: str) -> RegisteredCertificate | None:
        return self.known.get(certificate_id)

    def statuses(self) -> Mapping[str, str]:
        return {c.id: c.status for c in self.known.values()}

    def issuers(self) -> tuple[Issuer, ...]:
        return tuple(self.cas)

    def template(self, name: str) -> Template | None:
        return self.templates.get(name)

    def role(self, arn: str) -> Role | None:
        return self.roles.get(arn)

    def policies_of(self, certificate_arn: str) -> tuple[str, ...]:
        return tuple(sorted(self.attached.get(certificate_arn, ())))

    def targets_of(self, policy_name: str) -> frozenset[str]:
        return frozenset(arn for arn, names in self.attached.items() if policy_name in names)

    def policy(self, name: str) -> str | None:
        return self.policies.get(name)

    def things_of(self, certificate_arn: str) -> tuple[str, ...]:
        return tuple(self.principals.get(certificate_arn, ()))

    def thing(self, name: str) -> RegisteredThing | None:
        return self.things.get(name)

    def groups_of(self, thing_name: str) -> tuple[str, ...]:
        return tuple(sorted(name for name, members in self.groups.items() if thing_name in members))

    def has_thing_type(self, name: str) -> bool:
        return name in self.types

    def has_thing_group(self, name: str) -> bool:
        return name in self.groups

    def has_billing_group(self, name: str) -> bool | None:
        return None if self.billing_groups is None else name in self.billing_groups

    def register_pending(self, certificate: Certificate, issuer: Issuer) -> bool:
        self._called("register_pending")
        if certificate.fingerprint in self.known:
            return False
        self.add(certificate, "PENDING_ACTIVATION")
        return True

    def create_thing(self, thing: RegisteredThing) -> None:
        self._called("create_thing")
        self.things[thing.name] = thing

    def update_thing(self, thing: RegisteredThing) -> None:
        self._called("update_thing")
        self.things[thing.name] = thing

    def join_group(self, thing_name: str, group: str) -> None:
        self._called("join_group")
        self.groups[group].add(thing_name)

    def leave_group(self, thing_name: str, group: str) -> None:
        self._called("leave_group")
        self.groups[group].discard(thing_name)

    def join_billing_group(self, thing_name: str, group: str) -> None:
        self._called("join_billing_group")

    def create_policy(self, name: str, document: str) -> None:
        self._called("create_policy")
        self.policies[name] = document

    def attach_policy(self, name: str, certificate_arn: str) -> None:
        self._called("attach_policy")
        self.attached[certificate_arn].add(name)

    def attach_certificate(self, thing_name: str, certificate_arn: str) -> None:
        self._called("attach_certificate")
        self.principals.setdefault(certificate_arn, set()).add(thing_name)

    def set_status(self, certificate_id: str, status: str) -> None:
        self._called("set_status")
        self.known[certificate_id] = replace(self.known[certificate_id], status=status)

    def _called(self, name: str) -> None:
        if name in self.refused:
            raise RegistryError(f"{name} failed: it is throttled.")
        self.calls.append(name)


def issuer_of(ca: Certificate, *, auto_registers: bool = True, template_name: str = "") -> Issuer:
    return Issuer(
        id=ca.fingerprint,
        arn=PLACE.iot(f"cacert/{ca.fingerprint}"),
        certificate=ca,
        auto_registers=auto_registers,
        template_name=template_name,
    )
