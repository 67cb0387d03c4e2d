"""
What was read of AWS about one device, once; every cause judges by it and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from firstlight.certificates import Certificate
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Connection
from firstlight.doctor.facts import Fact
from firstlight.errors import JitpError, SessionError
from firstlight.jitp import meaning
from firstlight.jitp.meaning import Resources
from firstlight.jitp.names import is_thing_name
from firstlight.policies.iam_role import Role
from firstlight.policies.place import Place
from firstlight.settings import Settings

ACTIVE, PENDING = "ACTIVE", "PENDING_ACTIVATION"
MQTT_PORT = 8883


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """
    The endpoint the device dials.  `host` is empty when nobody said which; `unreachable` is what a look at it found.
    """

    host: str = ""
    port: int = MQTT_PORT
    unreachable: SessionError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """
    DescribeCertificate, and what hangs on the certificate.  `policies` are those of its things' groups, too.
    """

    status: str
    mode: str = ""
    ca_id: str = ""
    since: datetime | None = None
    things: Fact[tuple[str, ...]] = Fact(())
    policies: Fact[tuple[str, ...]] = Fact(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ca:
    """
    DescribeCACertificate: either `template_name`, or `template_body` with `role_arn`, or none of them.
    """

    id: str
    arn: str
    certificate: Certificate
    status: str
    auto_registers: bool
    mode: str = ""
    template_name: str = ""
    template_body: str = ""
    role_arn: str = ""

    @property
    def subject(self) -> str:
        return self.certificate.x509.subject.rfc4514_string()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """
    What a first connect runs; `name` is empty for a body that is stored with the CA.
    """

    name: str
    arn: str
    body: str
    role_arn: str
    kind: str = "JITP"
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """
    DescribeThing, and the ids of the certificates attached to it.
    """

    name: str
    type_name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    groups: Fact[tuple[str, ...]] = Fact(())
    certificates: Fact[frozenset[str]] = Fact(frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """
    What a first connect runs into: the CA that signed the certificate, its template and role, and all that they name.

    `there` tells, for ("policy", "Device") and the like, whether it exists.
    """

    ca: Ca
    template: Fact[Template | None] = Fact(None)
    role: Fact[Role | None] = Fact(None)
    there: Mapping[tuple[str, str], Fact[bool]] = field(default_factory=dict)
    # whether the region's allow-list awaits the certificate; None when the region has none
    announced: Fact[bool | None] = Fact(None)
    # an operator's own topic rules that hear of certificates registered by themselves (JITR)
    listeners: Fact[tuple[str, ...]] = Fact(())


@dataclass(frozen=True, kw_only=True)
class AwsCase:
    """
    One device and one account in one region.  `elsewhere` are other regions that know the certificate.

    `documents` are the policies that concern it, by name; `thing` is the one the device connects as, if it exists.
    """

    device: Device
    where: Where
    region: str
    account: Fact[str]
    account_endpoint: Fact[str] = Fact("")
    registered: Fact[Registered | None] = Fact(None)
    elsewhere: Fact[tuple[str, ...]] = Fact(())
    cas: Fact[tuple[Ca, ...]] = Fact(())
    first_connect: Fact[Introduction | None] = Fact(None)
    documents: Mapping[str, Fact[str | None]] = field(default_factory=dict)
    thing: Fact[Thing | None] = Fact(None)
    connection: Connection | None = None

    @property
    def place(self) -> Place:
        return Place(self.account.value, self.region)

    @property
    def introduction(self) -> Introduction | None:
        """
        What its next connect runs into; None when it is in, or no registered CA signed its certificate.
        """
        return self.first_connect.value

    @property
    def is_newcomer(self) -> bool:
        """
        Whether the next connect would introduce it: not registered, or PENDING_ACTIVATION.
        """
        registered = self.registered.value
        return registered is None or registered.status == PENDING

    @property
    def resources(self) -> Resources | None:
        """
        What the template makes of the certificate, or None when it makes nothing; a cause of its own says why.
        """
        template = self.introduction and self.introduction.template.value
        if not template:
            return None
        try:
            return meaning.resolve(template.body, meaning.parameters(self.device.certificate))
        except JitpError:
            return None

    @property
    def name(self) -> str:
        """
        The client id: the one that was given, or the thing's that the certificate has or would get.
        """
        return self.device.name or self._name_in_the_cloud or name_of(self.device.certificate)

    @property
    def _name_in_the_cloud(self) -> str:
        registered = None if self.registered.unread else self.registered.known
        if registered and registered.status != PENDING:
            things = registered.things.known or ()
            return things[0] if things else ""
        return self.future.thing_name if self.future else ""

    @property
    def future(self) -> Resources | None:
        """
        As `resources`, or None when the template could not be read.
        """
        ahead = self.first_connect.known
        return self.resources if ahead and not ahead.template.unread else None

    @property
    def at(self) -> str:
        """
        The options that lead a command of AWS's or ours here.
        """
        return f"--region {self.region}"


def name_of(certificate: Certificate) -> str:
    """
    Return the name the certificate asks for: the common name if a thing may be called that, else a push's.
    """
    common_name = certificate.common_name or ""
    if is_thing_name(common_name):
        return common_name
    return Settings().rule.name(certificate)
