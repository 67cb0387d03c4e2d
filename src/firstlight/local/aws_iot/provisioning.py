"""
One JITP run: from a PENDING_ACTIVATION certificate to an ACTIVE one that may connect, as the CA says.
"""

import hashlib
from dataclasses import dataclass

from firstlight.certificates import Certificate
from firstlight.errors import JitpError
from firstlight.jitp import meaning
from firstlight.jitp.meaning import Resources
from firstlight.local.aws_iot.registry import Issuer, Registry
from firstlight.local.aws_iot.thing_provisioning import ThingRun
from firstlight.policies.place import Place
from firstlight.policies.role import AssumedRole

_TYPE = "JITP"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """
    `notes` says what this laptop could not do as AWS does.
    """

    thing_name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Instructions:
    body: str
    role_arn: str
    source_arn: str


def provision(certificate: Certificate, issuer: Issuer, registry: Registry, place: Place) -> Provisioned:
    """
    Run the template of *issuer* for *certificate*, which is registered and PENDING_ACTIVATION.

    The policy comes before ACTIVE, so a device is never connected without one.  What was made before a
    failure stays, and the next connection finds it.

    Raises:
        JitpError: the template cannot be run, or the role may not do what it asks for.
        RegistryError: AWS IoT refused a call.
    """
    instructions = _instructions(issuer, registry)
    role = AssumedRole(
        registry.role(instructions.role_arn), instructions.role_arn, source_arn=instructions.source_arn, place=place
    )
    resources = meaning.resolve(instructions.body, meaning.parameters(certificate))
    return _Run(certificate, resources, role, registry, place).run()


def _instructions(issuer: Issuer, registry: Registry) -> _Instructions:
    if not issuer.template_name:
        return _Instructions(issuer.template_body, issuer.role_arn, issuer.arn)
    template = registry.template(issuer.template_name)
    if template is None:
        raise JitpError(f"The provisioning template {issuer.template_name}, which the CA names, does not exist.")
    if template.kind != _TYPE:
        raise JitpError(
            f"The provisioning template {template.name} is of type {template.kind}, not {_TYPE}.",
            hint="The type of a template cannot be changed; create another one.",
        )
    if not template.enabled:
        raise JitpError(
            f"The provisioning template {template.name} is not enabled.", hint="Update it with enabled=true."
        )
    return _Instructions(template.body, template.role_arn, template.arn)


class _Run:
    def __init__(
        self, certificate: Certificate, resources: Resources, role: AssumedRole, registry: Registry, place: Place
    ) -> None:
        self._resources = resources
        self._role = role
        self._registry = registry
        self._place = place
        self._certificate_id = certificate.fingerprint
        self._certificate_arn = place.iot(f"cert/{certificate.fingerprint}")
        self._thing = ThingRun(resources, role, registry, place) if resources.thing_name else None

    def run(self) -> Provisioned:
        # "AWS IoT loads the template from the CA certificate and uses it to call RegisterThing"
        self._role.require("iot:RegisterThing", "*")
        self._role.require("iot:DescribeCertificate", self._certificate_arn)
        names = self._policies()
        notes = self._thing.run() if self._thing else ()
        for name in names:
            self._role.require("iot:AttachPolicy", self._certificate_arn)
            self._registry.attach_policy(name, self._certificate_arn)
        if self._thing:
            self._thing.attach(self._certificate_arn)
        # OverrideSettings of Status are about certificates that had a status before: the guide's own JITP
        # example says DO_NOTHING, and its devices become ACTIVE
        self._role.require("iot:UpdateCertificate", self._certificate_arn)
        self._registry.set_status(self._certificate_id, self._resources.status)
        return Provisioned(self._resources.thing_name, notes)

    def _policies(self) -> list[str]:
        names = list(self._resources.policy_names)
        for name in names:
            self._role.require("iot:GetPolicy", self._place.iot(f"policy/{name}"))
            if self._registry.policy(name) is None:
                raise JitpError(f"The policy {name}, which the template names, does not exist.")
        for document in self._resources.policy_documents:
            # AWS IoT names a policy of a template by a hash of its document
            name = hashlib.sha256(document.encode("utf-8")).hexdigest()
            arn = self._place.iot(f"policy/{name}")
            self._role.require("iot:GetPolicy", arn)
            if self._registry.policy(name) is None:
                self._role.require("iot:CreatePolicy", arn)
                self._registry.create_policy(name, document)
            names.append(name)
        return names
