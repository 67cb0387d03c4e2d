"""
Takes a device out of AWS IoT, in an order that a crash between any two calls does no harm to.

Of every certificate: REVOKED first, so that neither the device nor a push brings it back while the rest is under way;
then its policies; then the thing.  The thing goes last, since it is what names the certificates: as long as anything
is left, doing it again finds it.

A certificate that stays REVOKED keeps its device out: AWS IoT provisions just in time whoever it does not know, and a
push leaves alone whoever it knows as revoked.  AWS IoT never changes that status again; forgotten, that is deleted,
the certificate is unknown again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firstlight import boto
from firstlight.errors import FirstlightError, RegistryError
from firstlight.lifecycle.aws_reading import AwsReading, Thing
from firstlight.lifecycle.rows import Became, Row, Which, failed
from firstlight.registries.aws_attributes import CERTIFICATE_ID

# Seconds to wait for AWS to see that something is detached: "might take several seconds", DetachThingPrincipal.
_SETTLING = (1.0, 2.0, 4.0, 8.0, 16.0)
_KEPT = "its certificate stays, REVOKED, and keeps it out"
_FORGOTTEN = "its certificate is forgotten: a push, or its next connect below a registered CA, brings it back"


@dataclass(frozen=True)
class Retiring:
    """
    Retires devices through *iot*; with *forget* their certificates are deleted too.  Without *really* it only looks.
    """

    iot: Any
    forget: bool
    really: bool
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, which: Which) -> Row:
        """
        Retire one device; nothing is raised.
        """
        work = _Work(self)
        try:
            with boto.refusals(f"Retiring {which}"):
                return work.retire(which)
        except FirstlightError as e:
            return failed(str(which), e, certificates=tuple(work.certificates), done=tuple(work.done))


@dataclass
class _Work:
    retiring: Retiring
    done: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.iot = self.retiring.iot
        self.reading = AwsReading(self.iot)

    def retire(self, which: Which) -> Row:
        name = which.name
        if not name:
            found = self.reading.certificate(which.fingerprint)
            if found is None:
                return Row(which.fingerprint, Became.ABSENT, "no such certificate is registered.")
            name = self._the_thing(which.fingerprint, found["certificateArn"])
            if not name:
                self._end(which.fingerprint, found["certificateArn"])
                return self._row(which.fingerprint)
        thing = self.reading.thing(name)
        if thing is None:
            return Row(name, Became.ABSENT, "there is no such thing.")
        self._take_apart(thing)
        return self._row(name)

    def _the_thing(self, fingerprint: str, arn: str) -> str:
        things = self.reading.things_of(fingerprint, arn)
        if len(things) > 1:
            raise RegistryError(
                f"This certificate is on several things: {', '.join(things)}.", hint="Retire them by name."
            )
        return things[0] if things else ""

    def _take_apart(self, thing: Thing) -> None:
        for fingerprint in thing.certificates:
            self._require_unshared(thing, fingerprint)
        named = thing.claimed
        for fingerprint in thing.certificates:
            if self.retiring.forget and fingerprint != named:
                # Off its thing, nothing but this would tell which certificate is still to be deleted.
                named = fingerprint
                marked = {"attributes": {CERTIFICATE_ID: named}, "merge": True}
                self._do("", self.iot.update_thing, thingName=thing.name, attributePayload=marked)
            on = thing.name if fingerprint in thing.attached else ""
            self._end(fingerprint, thing.certificate_arn(fingerprint), on=on)
        for principal in thing.others:
            self._do(
                f"detached {principal.rpartition(':')[2]}",
                self.iot.detach_thing_principal,
                thingName=thing.name,
                principal=principal,
            )
        self._settled(self.iot.exceptions.InvalidRequestException, self.iot.delete_thing, thingName=thing.name)
        self.done.append(f"deleted the thing {thing.name}")

    def _require_unshared(self, thing: Thing, fingerprint: str) -> None:
        if fingerprint not in thing.attached:
            return
        sharing = set(self.reading.things_of(fingerprint, thing.certificate_arn(fingerprint))) - {thing.name}
        if sharing:
            raise RegistryError(
                f"Its certificate {fingerprint} is also that of {', '.join(sorted(sharing))}, which would go offline.",
                hint=f"aws iot detach-thing-principal takes it off {thing.name} alone.",
            )

    def _end(self, fingerprint: str, arn: str, *, on: str = "") -> None:
        if not self.retiring.really and self.reading.certificate(fingerprint) is None:
            return
        if not self._revoked(fingerprint):
            return
        self.certificates.append(fingerprint)
        for policy in self.reading.policies_of(arn):
            self._do(f"detached the policy {policy}", self.iot.detach_policy, policyName=policy, target=arn)
        if on:
            self._do(f"detached {fingerprint}", self.iot.detach_thing_principal, thingName=on, principal=arn)
        if self.retiring.forget:
            conflict = self.iot.exceptions.DeleteConflictException
            self._settled(conflict, self.iot.delete_certificate, certificateId=fingerprint)
            self.done.append(f"deleted {fingerprint}")

    def _revoked(self, fingerprint: str) -> bool:
        """
        Return whether the certificate is there.  One that is REVOKED stays so, whether or not AWS takes it once more.
        """
        status = {"certificateId": fingerprint, "newStatus": "REVOKED"}
        try:
            return self._do(f"revoked {fingerprint}", self.iot.update_certificate, **status)
        except self.iot.exceptions.CertificateStateException:
            found = self.reading.certificate(fingerprint)
            if found is not None and found["status"] != "REVOKED":
                raise
            return found is not None

    def _do(self, done: str, call: Callable[..., Any], **arguments: Any) -> bool:
        """
        Return whether what is called upon is still there.
        """
        if self.retiring.really:
            try:
                call(**arguments)
            except self.iot.exceptions.ResourceNotFoundException:
                return False
        if done:
            self.done.append(done)
        return True

    def _settled(self, conflict: type[Exception], call: Callable[..., Any], **arguments: Any) -> None:
        """
        Delete something that AWS may for a while believe to be attached.
        """
        for pause in _SETTLING:
            try:
                self._do("", call, **arguments)
            except conflict:
                self.retiring.sleep(pause)
            else:
                return
        self._do("", call, **arguments)

    def _row(self, name: str) -> Row:
        became = Became.RETIRED if self.retiring.really else Became.FORESEEN
        what = (_FORGOTTEN if self.retiring.forget else _KEPT) if self.certificates else "it had no certificate"
        return Row(name, became, f"{what}.", certificates=tuple(self.certificates), done=tuple(self.done))
