"""
The registry of the personality, asked of AWS IoT and IAM with boto3.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from firstlight import certificates
from firstlight.boto import Credentials, client, refusals
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.local.aws_iot.recall import Recall
from firstlight.local.aws_iot.registry import (
    ACTIVE,
    PENDING,
    Issuer,
    RegisteredCertificate,
    RegisteredThing,
    Template,
)
from firstlight.policies import iam_role
from firstlight.policies.iam_role import Role
from firstlight.policies.place import Place

_T = TypeVar("_T")


class BotoRegistry:
    """
    *recall* remembers what is not about one device: CAs, templates, roles, policies, types and groups.

    Safe to use from up to ten threads at once, as many as its client `iot` keeps connections.
    """

    def __init__(self, place: Place, *, endpoint_url: str, credentials: Credentials, recall: Recall) -> None:
        self._place = place
        self.iot = client("iot", region=place.region, endpoint_url=endpoint_url, credentials=credentials)
        self._iam = client("iam", region=place.region, endpoint_url=endpoint_url, credentials=credentials)
        self._recall = recall

    def close(self) -> None:
        """
        Close the connections.
        """
        self.iot.close()
        self._iam.close()

    def certificate(self, certificate_id: str) -> RegisteredCertificate | None:
        answer = self._found("Looking the certificate up", self.iot.describe_certificate, certificateId=certificate_id)
        if answer is None:
            return None
        found = answer["certificateDescription"]
        created = found.get("creationDate")
        return RegisteredCertificate(
            id=found["certificateId"],
            arn=found["certificateArn"],
            status=found["status"],
            created_ms=int(created.timestamp() * 1000) if created else 0,
        )

    def statuses(self) -> Mapping[str, str]:
        with refusals("Listing the certificates"):
            pages = self.iot.get_paginator("list_certificates").paginate()
            return {c["certificateId"]: c["status"] for page in pages for c in page["certificates"]}

    def issuers(self) -> tuple[Issuer, ...]:
        return self._recall("issuers", "", self._issuers)

    def template(self, name: str) -> Template | None:
        return self._recall("template", name, lambda: self._template(name))

    def role(self, arn: str) -> Role | None:
        if f"::{self._place.account}:role/" not in arn:
            return None

        def ask() -> Role | None:
            with refusals(f"Reading the role {arn.rpartition('/')[2]}"):
                return iam_role.read(self._iam, arn)

        return self._recall("role", arn, ask)

    def policies_of(self, certificate_arn: str) -> tuple[str, ...]:
        with refusals("Looking up the certificate's policies"):
            pages = self.iot.get_paginator("list_attached_policies").paginate(target=certificate_arn)
            return tuple(policy["policyName"] for page in pages for policy in page["policies"])

    def targets_of(self, policy_name: str) -> frozenset[str]:
        with refusals(f"Looking up who has the policy {policy_name}"):
            pages = self.iot.get_paginator("list_targets_for_policy").paginate(policyName=policy_name)
            return frozenset(target for page in pages for target in page["targets"])

    def policy(self, name: str) -> str | None:
        def ask() -> str | None:
            answer = self._found(f"Reading the policy {name}", self.iot.get_policy, policyName=name)
            return None if answer is None else str(answer["policyDocument"])

        return self._recall("policy", name, ask)

    def things_of(self, certificate_arn: str) -> tuple[str, ...]:
        with refusals("Looking up the certificate's things"):
            pages = self.iot.get_paginator("list_principal_things").paginate(principal=certificate_arn)
            return tuple(name for page in pages for name in page["things"])

    def thing(self, name: str) -> RegisteredThing | None:
        answer = self._found(f"Looking up the thing {name}", self.iot.describe_thing, thingName=name)
        if answer is None:
            return None
        return RegisteredThing(
            name=name, attributes=answer.get("attributes") or {}, type_name=answer.get("thingTypeName") or ""
        )

    def groups_of(self, thing_name: str) -> tuple[str, ...]:
        with refusals(f"Looking up the groups of {thing_name}"):
            pages = self.iot.get_paginator("list_thing_groups_for_thing").paginate(thingName=thing_name)
            return tuple(group["groupName"] for page in pages for group in page["thingGroups"])

    def has_thing_type(self, name: str) -> bool:
        ask = self.iot.describe_thing_type
        doing = f"Looking up the thing type {name}"
        return self._recall("thing type", name, lambda: self._found(doing, ask, thingTypeName=name) is not None)

    def has_thing_group(self, name: str) -> bool:
        ask = self.iot.describe_thing_group
        doing = f"Looking up the thing group {name}"
        return self._recall("thing group", name, lambda: self._found(doing, ask, thingGroupName=name) is not None)

    def has_billing_group(self, name: str) -> bool | None:
        with refusals(f"Looking up the billing group {name}"):
            try:
                self.iot.describe_billing_group(billingGroupName=name)
            except self.iot.exceptions.ResourceNotFoundException:
                return False
            except self.iot.exceptions.InvalidRequestException:
                # the laptop AWS answers so on paths it does not know
                return None
        return True

    def register_pending(self, certificate: Certificate, issuer: Issuer) -> bool:
        with refusals("Registering the certificate"):
            try:
                self.iot.register_certificate(
                    certificatePem=certificate.pem, caCertificatePem=issuer.certificate.pem, status="INACTIVE"
                )
            except self.iot.exceptions.ResourceAlreadyExistsException:
                return False
            # the API gives this status to nobody; AWS IoT gives it to certificates it registers by itself
            self.iot.update_certificate(certificateId=certificate.fingerprint, newStatus=PENDING)
        return True

    def create_thing(self, thing: RegisteredThing) -> None:
        with refusals(f"Creating the thing {thing.name}"):
            self.iot.create_thing(thingName=thing.name, **_thing_fields(thing))

    def update_thing(self, thing: RegisteredThing) -> None:
        with refusals(f"Changing the thing {thing.name}"):
            self.iot.update_thing(thingName=thing.name, **_thing_fields(thing))

    def join_group(self, thing_name: str, group: str) -> None:
        with refusals(f"Putting {thing_name} into the group {group}"):
            self.iot.add_thing_to_thing_group(thingGroupName=group, thingName=thing_name)

    def leave_group(self, thing_name: str, group: str) -> None:
        with refusals(f"Taking {thing_name} out of the group {group}"):
            self.iot.remove_thing_from_thing_group(thingGroupName=group, thingName=thing_name)

    def join_billing_group(self, thing_name: str, group: str) -> None:
        with refusals(f"Putting {thing_name} into the billing group {group}"):
            self.iot.add_thing_to_billing_group(billingGroupName=group, thingName=thing_name)

    def create_policy(self, name: str, document: str) -> None:
        with refusals(f"Creating the policy {name}"):
            try:
                self.iot.create_policy(policyName=name, policyDocument=document)
            except self.iot.exceptions.ResourceAlreadyExistsException:
                # named by its content, so another device's is the same
                return

    def attach_policy(self, name: str, certificate_arn: str) -> None:
        with refusals(f"Attaching the policy {name}"):
            self.iot.attach_policy(policyName=name, target=certificate_arn)

    def attach_certificate(self, thing_name: str, certificate_arn: str) -> None:
        with refusals(f"Attaching the certificate to {thing_name}"):
            self.iot.attach_thing_principal(thingName=thing_name, principal=certificate_arn)

    def set_status(self, certificate_id: str, status: str) -> None:
        with refusals(f"Making the certificate {status}"):
            self.iot.update_certificate(certificateId=certificate_id, newStatus=status)

    def _found(self, doing: str, call: Callable[..., _T], **arguments: Any) -> _T | None:
        with refusals(doing):
            try:
                return call(**arguments)
            except self.iot.exceptions.ResourceNotFoundException:
                return None

    def _template(self, name: str) -> Template | None:
        answer: Any = self._found(
            f"Reading the provisioning template {name}", self.iot.describe_provisioning_template, templateName=name
        )
        if answer is None:
            return None
        return Template(
            name=name,
            arn=answer["templateArn"],
            body=answer["templateBody"],
            role_arn=answer["provisioningRoleArn"],
            kind=answer.get("type", "FLEET_PROVISIONING"),
            enabled=bool(answer.get("enabled")),
        )

    def _issuers(self) -> tuple[Issuer, ...]:
        with refusals("Looking up the registered CAs"):
            pages = self.iot.get_paginator("list_ca_certificates").paginate()
            active = [c["certificateId"] for page in pages for c in page["certificates"] if c["status"] == ACTIVE]
            answers = [self.iot.describe_ca_certificate(certificateId=ca) for ca in active]
        return tuple(issuer for answer in answers if (issuer := _issuer(answer)) is not None)


def _issuer(answer: Mapping[str, Any]) -> Issuer | None:
    found, config = answer["certificateDescription"], answer.get("registrationConfig") or {}
    try:
        certificate = certificates.load(found["certificatePem"].encode("ascii"))
    except CertificateError:
        # what cannot be read has signed nothing that can be verified
        return None
    return Issuer(
        id=found["certificateId"],
        arn=found["certificateArn"],
        certificate=certificate,
        auto_registers=found.get("autoRegistrationStatus") == "ENABLE",
        template_name=config.get("templateName", ""),
        template_body=config.get("templateBody", ""),
        role_arn=config.get("roleArn", ""),
    )


def _thing_fields(thing: RegisteredThing) -> dict[str, Any]:
    fields: dict[str, Any] = {"attributePayload": {"attributes": dict(thing.attributes)}}
    return fields | ({"thingTypeName": thing.type_name} if thing.type_name else {})
