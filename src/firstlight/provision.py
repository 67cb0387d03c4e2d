"""
The use case: make every pushed, imported or connecting device able to connect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from firstlight import certificates
from firstlight.certificates import TrustedIssuers
from firstlight.errors import CertificateError, FirstlightError, NameTakenError
from firstlight.identity import DeviceIdentity, NamingRule


@dataclass(frozen=True, slots=True)
class Registration:
    """
    What a registry did for one device: where it connects to, or why it cannot.

    `throttled` counts the calls the cloud turned away; `seconds` is how long the device took.
    """

    endpoint: str = ""
    error: FirstlightError | None = None
    throttled: int = 0
    seconds: float = 0.0


class Registry(Protocol):
    """
    What provisioning needs of a cloud.  Kept small on purpose.
    """

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> Sequence[Registration]:
        """
        Make each device able to connect; answer one registration per device, in order.

        The devices of one call differ in fingerprint and in name.  Registering a device again
        repairs what is missing and changes nothing else; it never revives a certificate that is
        not ACTIVE.  An endpoint is answered only for a device that can connect now.  What does not
        fit before *deadline* (the running event loop's clock, seconds) is answered with an error.
        Nothing but cancellation is raised.
        """


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    One certificate somebody wants provisioned: the caller's *ref* and the bytes, or why there are none.
    """

    ref: str
    certificate: bytes = field(default=b"", repr=False)
    error: FirstlightError | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of one candidate.  `error` is None exactly when the device can connect.
    """

    ref: str
    identity: DeviceIdentity | None = None
    endpoint: str = ""
    error: FirstlightError | None = None
    throttled: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """
    Which certificates are let in, and under which name.
    """

    rule: NamingRule
    trusted: TrustedIssuers | None = None

    def identify(self, certificate: bytes, now: datetime) -> DeviceIdentity:
        """
        Raises:
            CertificateError: the certificate cannot be used, or its issuer is not trusted.
            IdentityError: the naming rule finds no name in it.
        """
        leaf = certificates.load(certificate)
        leaf.require_device_leaf(now)
        if self.trusted is not None:
            self.trusted.require(leaf)
        return DeviceIdentity.from_certificate(leaf, self.rule)


async def provision(
    candidates: Sequence[Candidate],
    registry: Registry,
    *,
    admission: Admission,
    now: Callable[[], datetime],
    deadline: float,
) -> list[Outcome]:
    """
    Register every candidate that may be; answer all of them, in order, duplicates included.

    A bad candidate never stops the rest.  The same certificate twice is one device, answered
    twice.  Of two certificates with one name, one has it and the other is refused.
    """
    identified = [_identify(c, admission, now()) for c in candidates]
    waiting = {i.fingerprint: i for _, i, _ in identified if i is not None}
    done: dict[str, Registration] = {}
    while waiting:
        # One certificate per name at a time; the next one with that name has its turn only when
        # the first turns out not to own it, so the order of a push never decides who does.
        turn = list({identity.name: identity for identity in reversed(waiting.values())}.values())[::-1]
        registrations = await registry.register(turn, deadline=deadline)
        settled: set[str] = set()
        for identity, registration in zip(turn, registrations, strict=True):
            done[identity.fingerprint] = registration
            del waiting[identity.fingerprint]
            if not isinstance(registration.error, NameTakenError):
                settled.add(identity.name)
        for rival in [w for w in waiting.values() if w.name in settled]:
            done[rival.fingerprint] = Registration(error=NameTakenError.of(rival.name))
            del waiting[rival.fingerprint]
    return [_outcome(ref, identity, error, done) for ref, identity, error in identified]


_Identified = tuple[str, DeviceIdentity | None, FirstlightError | None]


def _identify(candidate: Candidate, admission: Admission, now: datetime) -> _Identified:
    if candidate.error is not None:
        return candidate.ref, None, candidate.error
    try:
        return candidate.ref, admission.identify(candidate.certificate, now), None
    except FirstlightError as e:
        return candidate.ref, None, e


def _outcome(
    ref: str,
    identity: DeviceIdentity | None,
    error: FirstlightError | None,
    registrations: dict[str, Registration],
) -> Outcome:
    if identity is None:
        return Outcome(ref, error=error or CertificateError("Cannot decode certificate."))
    registration = registrations[identity.fingerprint]
    return Outcome(
        ref, identity, registration.endpoint, registration.error, registration.throttled, registration.seconds
    )
