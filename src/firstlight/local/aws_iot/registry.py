"""
What the AWS personality needs of the laptop AWS: the calls of AWS IoT and IAM it makes, and their answers.

Every call may block; none runs on the event loop.  What does not exist is None, what goes wrong is raised.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from firstlight.certificates import Certificate
from firstlight.policies.iam_role import Role

ACTIVE, PENDING = "ACTIVE", "PENDING_ACTIVATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCertificate:
    """
    DescribeCertificate.  `status` is ACTIVE, INACTIVE, REVOKED, PENDING_ACTIVATION or PENDING_TRANSFER.
    """

    id: str
    arn: str
    status: str
    created_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """
    DescribeCACertificate.  Either `template_name`, or `template_body` with `role_arn`, or none of them (JITR).
    """

    id: str
    arn: str
    certificate: Certificate
    auto_registers: bool
    template_name: str = ""
    template_body: str = ""
    role_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """
    DescribeProvisioningTemplate.
    """

    name: str
    arn: str
    body: str
    role_arn: str
    kind: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredThing:
    """
    DescribeThing.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    type_name: str = ""


class Registry(Protocol):
    """
    AWS IoT and IAM, as far as a device's connection touches them.

    Raises:
        RegistryError: a call was refused or did not get through; its sentence says which and why.
    """

    def certificate(self, certificate_id: str) -> RegisteredCertificate | None: ...

    def statuses(self) -> Mapping[str, str]:
        """
        Return certificate id → status of every certificate (ListCertificates).
        """

    def issuers(self) -> tuple[Issuer, ...]:
        """
        Return the registered CAs whose status is ACTIVE.
        """

    def template(self, name: str) -> Template | None: ...

    def role(self, arn: str) -> Role | None: ...

    def policies_of(self, certificate_arn: str) -> tuple[str, ...]:
        """
        Return the names of the policies attached to the certificate (ListAttachedPolicies).
        """

    def targets_of(self, policy_name: str) -> frozenset[str]:
        """
        Return the ARNs the policy is attached to (ListTargetsForPolicy).
        """

    def policy(self, name: str) -> str | None:
        """
        Return the document of the policy's default version.
        """

    def things_of(self, certificate_arn: str) -> tuple[str, ...]:
        """
        Return the names of the things the certificate is attached to (ListPrincipalThings).
        """

    def thing(self, name: str) -> RegisteredThing | None: ...

    def groups_of(self, thing_name: str) -> tuple[str, ...]: ...

    def has_thing_type(self, name: str) -> bool: ...

    def has_thing_group(self, name: str) -> bool: ...

    def has_billing_group(self, name: str) -> bool | None:
        """
        None when this AWS has no billing groups at all.
        """

    def register_pending(self, certificate: Certificate, issuer: Issuer) -> bool:
        """
        Register *certificate* as AWS IoT does by itself: PENDING_ACTIVATION, under *issuer*.

        Return False, and leave it as it is, when it is registered already.
        """

    def create_thing(self, thing: RegisteredThing) -> None: ...

    def update_thing(self, thing: RegisteredThing) -> None:
        """
        Give the thing exactly these attributes and this type.
        """

    def join_group(self, thing_name: str, group: str) -> None: ...

    def leave_group(self, thing_name: str, group: str) -> None: ...

    def join_billing_group(self, thing_name: str, group: str) -> None: ...

    def create_policy(self, name: str, document: str) -> None: ...

    def attach_policy(self, name: str, certificate_arn: str) -> None: ...

    def attach_certificate(self, thing_name: str, certificate_arn: str) -> None: ...

    def set_status(self, certificate_id: str, status: str) -> None: ...
