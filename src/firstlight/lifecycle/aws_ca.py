"""
Takes a CA out of use in AWS IoT, and finds the devices it signed.

Auto-registration goes first, so that nobody new is below it by the time that its devices are counted.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from firstlight import boto, ca_registration, certificates
from firstlight.ca_registration import RegisteredCa
from firstlight.lifecycle.aws_list import below_ca, issued_by
from firstlight.lifecycle.aws_reading import PAGE, AwsReading
from firstlight.lifecycle.aws_switch import Switching
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import Became, Row, Which


@dataclass(frozen=True)
class CaRetirement:
    """
    Retires one CA through *iot*, a paced client of firstlight.boto.  Without *really* it only looks.

    *searching* also reads every certificate that AWS IoT does not know to be below the CA, ten a second: that is
    where those are which a push registered.  *disabling* makes the certificates found INACTIVE.
    """

    iot: Any
    at_once: int
    really: bool = False
    searching: bool = False
    disabling: bool = False

    def stop(self, ca_id: str) -> RegisteredCa:
        """
        Stop the CA's auto-registration and make it INACTIVE; return it as it was.

        Raises:
            RegistryError: it is not registered, or AWS refused.
        """
        ca = ca_registration.describe(self.iot, ca_id)
        with boto.refusals(f"Retiring the CA certificate {ca_id}"):
            if self.really and ca.auto_registration:
                self.iot.update_ca_certificate(certificateId=ca_id, newAutoRegistrationStatus="DISABLE")
            if self.really and ca.status == "ACTIVE":
                self.iot.update_ca_certificate(certificateId=ca_id, newStatus="INACTIVE")
        return ca

    def delete(self, ca_id: str) -> None:
        """
        Delete the CA, which must be INACTIVE; its devices' certificates stay.

        Raises:
            RegistryError: AWS refused.
        """
        gone = self.iot.exceptions.ResourceNotFoundException
        with boto.refusals(f"Deleting the CA certificate {ca_id}"):
            try:
                self.iot.delete_ca_certificate(certificateId=ca_id)
            except gone:
                return

    def devices(self, ca_id: str, *, tell: Callable[[str], None]) -> Iterator[Row]:
        """
        Yield a row for each certificate below the CA that is found; *tell* hears how much there is to read.

        Raises:
            RegistryError: AWS refused.
        """
        with boto.refusals(f"Listing the certificates below {ca_id}"):
            known = {found["certificateId"] for found in below_ca(self.iot, ca_id)}
            yield from each(sorted(known), self._row, at_once=self.at_once)
            if self.searching:
                yield from self._found_by_issuer(ca_id, known, tell)

    def _found_by_issuer(self, ca_id: str, known: Collection[str], tell: Callable[[str], None]) -> Iterator[Row]:
        answer = self.iot.describe_ca_certificate(certificateId=ca_id)
        issuer = certificates.load(answer["certificateDescription"]["certificatePem"].encode())
        pages = self.iot.get_paginator("list_certificates").paginate(PaginationConfig=PAGE)
        others = [c for page in pages for found in page["certificates"] if (c := found["certificateId"]) not in known]
        tell(f"Reading {len(others):,} other certificates for their issuer.")
        is_below = issued_by(issuer, AwsReading(self.iot))
        asked = each(others, lambda fingerprint: (fingerprint, is_below(fingerprint)), at_once=self.at_once)
        yield from each((fingerprint for fingerprint, below in asked if below), self._row, at_once=self.at_once)

    def _row(self, fingerprint: str) -> Row:
        which = Which(fingerprint=fingerprint)
        if self.disabling and self.really:
            return Switching(self.iot, on=False)(which)
        found = AwsReading(self.iot).certificate(fingerprint)
        status = "gone" if found is None else str(found["status"])
        if self.disabling and status not in {"INACTIVE", "REVOKED", "gone"}:
            return Row(fingerprint, Became.FORESEEN, f"its certificate is {status}.", done=("made it INACTIVE",))
        return Row(fingerprint, Became.UNCHANGED, f"its certificate is {status}.")
