"""
The decision at CONNECT, as far as it needs no JITP run: who is known, and what its policies say.
"""

from datetime import datetime

from firstlight.certificates import Certificate
from firstlight.local.aws_iot.client import AwsClient
from firstlight.local.aws_iot.registry import ACTIVE, PENDING, RegisteredCertificate, Registry
from firstlight.local.mqtt import Hello, Reason, Refusal
from firstlight.local.mqtt.packets import V5
from firstlight.policies.place import Place
from firstlight.policies.variables import Thing

# Only a policy that uses them makes it worthwhile to ask for them.
_DETAILS = ("thingtypename", "attributes[")


def refused_at_sight(hello: Hello, names: frozenset[str], now: datetime) -> Refusal | None:
    """
    Return why *hello* is refused whatever the registry knows, or None.
    """
    if not hello.server_name:
        return Refusal("it sent no server name (SNI), which AWS IoT requires")
    if hello.server_name not in names:
        return Refusal(f"it asked for the host {hello.server_name!r}, and this endpoint is {', '.join(sorted(names))}")
    if hello.certificate is None:
        return Refusal("its certificate cannot be read")
    shown = hello.certificate.x509
    if now > shown.not_valid_after_utc:
        return Refusal(f"its certificate expired {shown.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
    if now < shown.not_valid_before_utc:
        return Refusal(f"its certificate is not valid before {shown.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}")
    return None


class Newcomer:
    """
    A certificate that is not registered (`known` is None), or registered and PENDING_ACTIVATION.
    """

    def __init__(self, certificate: Certificate, known: RegisteredCertificate | None) -> None:
        self.certificate = certificate
        self.known = known


def look_up(hello: Hello, certificate: Certificate, registry: Registry, place: Place) -> AwsClient | Refusal | Newcomer:
    """
    Decide about *certificate*.  Asks the registry, and blocks.

    Raises:
        RegistryError: the registry did not answer, or a policy cannot be read.
    """
    known = registry.certificate(certificate.fingerprint)
    if known is None or known.status == PENDING:
        return Newcomer(certificate, known)
    if known.status != ACTIVE:
        return Refusal(f"its certificate is {known.status}")
    documents = {name: registry.policy(name) for name in registry.policies_of(known.arn)}
    policies = {name: document for name, document in documents.items() if document is not None}
    if not policies:
        return Refusal("its certificate has no policy")
    thing = _thing(hello.client_id, known, policies, registry)
    client = AwsClient(hello, known, policies, thing, place)
    if not client.may_connect:
        return Refusal(
            f"its policies ({', '.join(policies)}) do not let it connect as {hello.client_id!r}"
            + ("" if thing else ", which is no thing its certificate is attached to"),
            # 3.1.1 devices see the connection close
            Reason.NOT_AUTHORIZED if hello.version == V5 else None,
        )
    return client


def _thing(client_id: str, known: RegisteredCertificate, policies: dict[str, str], registry: Registry) -> Thing | None:
    if client_id not in registry.things_of(known.arn):
        return None
    text = "".join(policies.values()).lower()
    found = registry.thing(client_id) if any(detail in text for detail in _DETAILS) else None
    if found is None:
        return Thing(name=client_id)
    return Thing(name=client_id, type_name=found.type_name, attributes=found.attributes)
