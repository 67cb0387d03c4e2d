"""
Switches a device off and on again in AWS IoT: the status of its certificates.
"""

from dataclasses import dataclass
from typing import Any

from firstlight import boto
from firstlight.errors import FirstlightError, RegistryError
from firstlight.lifecycle.aws_reading import AwsReading
from firstlight.lifecycle.rows import Became, Row, Which, failed


@dataclass(frozen=True)
class Switching:
    """
    Makes the certificates of devices INACTIVE or, with *on*, ACTIVE through *iot*.
    """

    iot: Any
    on: bool

    def __call__(self, which: Which) -> Row:
        """
        Switch one device; nothing is raised.
        """
        certificates: tuple[str, ...] = ()
        try:
            with boto.refusals(f"Switching {which}"):
                certificates = self._certificates(which)
                statuses = {c: s for c in certificates if (s := self._status(c))}
                if not statuses:
                    raise RegistryError(f"{which} has no registered certificate.", hint="Push it again.")
                self._require_fitting(statuses)
                return self._switched(which, statuses)
        except FirstlightError as e:
            return failed(str(which), e, certificates=certificates)

    def _certificates(self, which: Which) -> tuple[str, ...]:
        if which.fingerprint:
            return (which.fingerprint,)
        thing = AwsReading(self.iot).thing(which.name)
        if thing is None:
            raise RegistryError(f"There is no thing {which.name}.", hint="firstlight devices list names them.")
        return thing.certificates

    def _status(self, fingerprint: str) -> str:
        found = AwsReading(self.iot).certificate(fingerprint)
        return "" if found is None else str(found["status"])

    def _require_fitting(self, statuses: dict[str, str]) -> None:
        if not self.on:
            return
        for fingerprint, status in statuses.items():
            if status == "REVOKED":
                raise RegistryError(
                    f"Its certificate {fingerprint} is REVOKED, and AWS IoT never changes that.",
                    hint="Forget it (firstlight devices retire --forget) and push the device again.",
                )
            if status == "PENDING_ACTIVATION":
                raise RegistryError(
                    f"Its certificate {fingerprint} is PENDING_ACTIVATION: just-in-time provisioning did not end well.",
                    hint="firstlight doctor says why.",
                )

    def _switched(self, which: Which, statuses: dict[str, str]) -> Row:
        wanted, became = ("ACTIVE", Became.ENABLED) if self.on else ("INACTIVE", Became.DISABLED)
        # One that is REVOKED is off already, and INACTIVE would be less.
        right = {wanted} if self.on else {wanted, "REVOKED"}
        wrong = [fingerprint for fingerprint, status in statuses.items() if status not in right]
        for fingerprint in wrong:
            self.iot.update_certificate(certificateId=fingerprint, newStatus=wanted)
        done = tuple(f"{fingerprint} was {statuses[fingerprint]}, is {wanted}" for fingerprint in wrong)
        if not wrong:
            told = ", ".join(sorted(set(statuses.values())))
            return Row(str(which), Became.UNCHANGED, f"its certificate is {told} already.", "", tuple(statuses))
        return Row(str(which), became, certificates=tuple(statuses), done=done)
