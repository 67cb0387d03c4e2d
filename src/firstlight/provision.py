"""
The use case: make every pushed, imported or connecting device able to connect.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from firstlight import certificates
from firstlight.errors import CertificateError, FirstlightError, InactiveError, NameTakenError, NotAttemptedError
from firstlight.identity import Attributes, DeviceIdentity, NamingRule
from firstlight.trusted_issuers import TrustedIssuers


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
    attributes: Attributes = ()


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

    def identify(self, certificate: bytes, now: datetime, attributes: Attributes = ()) -> DeviceIdentity:
        """
        Raises:
            CertificateError: the certificate cannot be used, or its issuer is not trusted.
            IdentityError: the naming rule finds no name in it.
        """
        leaf = certificates.load(certificate)
        leaf.require_device_leaf(now)
        if self.trusted is not None:
            self.trusted.require(leaf)
        return DeviceIdentity.from_certificate(leaf, self.rule, attributes)


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
    identified = []
    for position, candidate in enumerate(candidates):
        identified.append((candidate.ref, _identify(candidate, admission, now())))
        if position % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)
    devices: dict[str, DeviceIdentity] = {}
    for _, who in identified:
        # A push gives no attributes; a manifest that has the device too may.
        if isinstance(who, DeviceIdentity) and (who.attributes or who.fingerprint not in devices):
            devices[who.fingerprint] = who
    registrations = await _register(devices.values(), registry, deadline)
    return [_outcome(ref, who, registrations) for ref, who in identified]


# Certificates read before other pushes have their turn on the event loop: some 5 ms.
_BREATH = 100


def _identify(candidate: Candidate, admission: Admission, now: datetime) -> DeviceIdentity | FirstlightError:
    if candidate.error is not None:
        return candidate.error
    try:
        return admission.identify(candidate.certificate, now, candidate.attributes)
    except FirstlightError as e:
        return e
    except Exception:  # noqa: BLE001 -- whatever a certificate does to its reader, its neighbours are provisioned
        return CertificateError("Cannot decode certificate: it cannot be read.")


async def _register(devices: Iterable[DeviceIdentity], registry: Registry, deadline: float) -> dict[str, Registration]:
    """
    Register *devices*, one certificate per name at a time; answer by fingerprint.

    The next certificate with a name has its turn when the one before turns out to be another's, or
    switched off, so the order of a push never decides who owns it.
    """
    rivals: dict[str, deque[DeviceIdentity]] = {}
    for device in devices:
        rivals.setdefault(device.name, deque()).append(device)
    done: dict[str, Registration] = {}
    while rivals:
        turn = [waiting.popleft() for waiting in rivals.values()]
        for device, registration in zip(turn, await registry.register(turn, deadline=deadline), strict=True):
            done[device.fingerprint] = registration
            waiting = rivals[device.name]
            if not isinstance(registration.error, NameTakenError | InactiveError):
                done.update((rival.fingerprint, _no_turn(rival, registration)) for rival in waiting)
                waiting.clear()
            if not waiting:
                del rivals[device.name]
    return done


def _no_turn(rival: DeviceIdentity, first: Registration) -> Registration:
    if first.error is None:
        return Registration(error=NameTakenError.of(rival.name))
    return Registration(
        error=NotAttemptedError(
            f"Failed creating and registering thing: not attempted, because another certificate of this push is called "
            f"{rival.name} too and was not finished.",
            hint="Push again.",
        )
    )


def _outcome(ref: str, who: DeviceIdentity | FirstlightError, registrations: dict[str, Registration]) -> Outcome:
    if isinstance(who, FirstlightError):
        return Outcome(ref, error=who)
    made = registrations[who.fingerprint]
    return Outcome(ref, who, made.endpoint, made.error, made.throttled, made.seconds)
