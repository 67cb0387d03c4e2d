"""
The allow-list of first connects: a certificate that was announced becomes a device, any other stays out.

Who stays out stays PENDING_ACTIVATION: such a certificate cannot connect, and each of its connects is an event
again, so an announcement that comes later lets it in.  Whatever else an operator made of a certificate is
left as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, JitpError
from firstlight.first_connect import operations
from firstlight.first_connect.event import PENDING, Registered
from firstlight.first_connect.source import Source
from firstlight.first_connect.thing import AdmittedThing
from firstlight.first_connect.wanted import wanted
from firstlight.jitp.resources import Resources
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_announcements import Announcement, Announcements
from firstlight.registries.aws_calls import AwsCalls, Turn


class Outcome(StrEnum):
    """
    LEFT_OUT was not announced; REFUSED was, and may not come in all the same; KNOWN is in already.
    """

    ADMITTED = "admitted"
    KNOWN = "known"
    LEFT_OUT = "left-out"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What became of one connect, and why, in a sentence.
    """

    outcome: Outcome
    reason: str = ""
    thing_name: str = ""


@dataclass(frozen=True, slots=True)
class _Presented:
    """
    DescribeCertificate.
    """

    arn: str
    status: str
    ca_id: str
    pem: str


class AllowList:
    """
    Admits certificates of *announcements* by the template of *source*; *calls* go to AWS IoT.

    An event may come twice, late, and beside another of the same certificate: every step may be repeated, the
    certificate becomes ACTIVE last, and only from PENDING_ACTIVATION.
    """

    def __init__(
        self,
        announcements: Announcements,
        calls: AwsCalls,
        source: Source,
        *,
        reserved_prefix: str,
        now: Callable[[], datetime],
    ) -> None:
        self._announcements = announcements
        self._calls = calls
        self._source = source
        self._reserved_prefix = reserved_prefix
        self._now = now

    async def admit(self, event: Registered, *, deadline: float) -> Verdict:
        """
        Decide about the certificate of *event*, before *deadline* (the running loop's clock, seconds).

        Raises:
            RegistryError: AWS refused a call, failed, or was not done in time; another event may do better.
        """
        certificate_id, now = event.certificate_id, self._now().timestamp()
        announcement = await self._announcements.find(certificate_id, now=now, deadline=deadline)
        if announcement is None:
            return Verdict(Outcome.LEFT_OUT, "It was not announced.")
        try:
            verdict = await self._admit(event, announcement, Turn(deadline))
        except (JitpError, CertificateError) as e:
            return Verdict(Outcome.REFUSED, str(e))
        if verdict.outcome in (Outcome.ADMITTED, Outcome.KNOWN):
            await self._announcements.redeem(certificate_id, deadline=deadline)
        return verdict

    async def _admit(self, event: Registered, announcement: Announcement, turn: Turn) -> Verdict:
        presented = await self._presented(event.certificate_id, turn)
        if presented.status != PENDING:
            return _settled(presented.status)
        certificate = certificates.load(presented.pem.encode("ascii"))
        await self._require_issuer(certificate, presented, event, turn)
        body = await self._source.template(turn)
        resources = wanted(body, certificate, announcement, reserved_prefix=self._reserved_prefix)
        await self._make(resources, presented, event.certificate_id, turn, owned=bool(announcement.name))
        # What an operator switched off meanwhile stays off: AWS IoT has no call that asks and activates in one.
        presented = await self._presented(event.certificate_id, turn)
        if presented.status != PENDING:
            return _settled(presented.status)
        activate = operations.update_certificate(event.certificate_id, resources.status)
        activated = await self._calls(activate, turn)
        if not activated.ok:
            raise aws_errors.refusal(activated)
        return Verdict(Outcome.ADMITTED, thing_name=resources.thing_name)

    async def _presented(self, certificate_id: str, turn: Turn) -> _Presented:
        answer = await self._calls(aws_operations.describe_certificate(certificate_id), turn)
        if answer.missing:
            raise JitpError("It is not registered any more.")
        if not answer.ok:
            raise aws_errors.refusal(answer)
        found = answer.document().get("certificateDescription") or {}
        keys = ("certificateArn", "status", "caCertificateId", "certificatePem")
        return _Presented(*(str(found.get(key) or "") for key in keys))

    async def _require_issuer(
        self, certificate: Certificate, presented: _Presented, event: Registered, turn: Turn
    ) -> None:
        if certificate.fingerprint != event.certificate_id or presented.ca_id != event.ca_id:
            raise JitpError("It is not the certificate, or not of the CA, that the event names.")
        ca = await self._source.ca(event.ca_id, turn)
        if not certificate.is_issued_by(ca):
            raise JitpError("The CA that the event names did not sign it.")

    async def _make(
        self, resources: Resources, presented: _Presented, certificate_id: str, turn: Turn, *, owned: bool
    ) -> None:
        if resources.thing_name:
            await AdmittedThing(resources, certificate_id, self._calls, turn, owned=owned).make()
        # As just-in-time provisioning has it: never ACTIVE without a policy.
        calls = [aws_operations.attach_policy(name, presented.arn) for name in resources.policy_names]
        if resources.thing_name:
            calls.append(aws_operations.attach_principal(resources.thing_name, presented.arn))
        for call in calls:
            answer = await self._calls(call, turn)
            if not answer.ok:
                raise aws_errors.refusal(answer)


def _settled(status: str) -> Verdict:
    if status == "ACTIVE":
        return Verdict(Outcome.KNOWN, "It is ACTIVE already.")
    return Verdict(Outcome.REFUSED, f"It is {status}, and an announcement does not revive it; an operator may.")
