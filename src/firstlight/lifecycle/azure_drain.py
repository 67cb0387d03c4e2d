"""
Empties an Azure region of everything that is not in its template: identities, enrollments, CA certificates.

All of it goes with the resource group.  This is for a hub that stays, or for who wants to see that nobody is left.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from firstlight.deploy import azure_ca, azure_enrollments
from firstlight.lifecycle.azure_ca import delete_ca, delete_groups
from firstlight.lifecycle.azure_calls import refusals
from firstlight.lifecycle.azure_place import AzureRegionPlace
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import Became, Row, Wanted, Which

# The hub's index follows some seconds late, and pushes go on: who came meanwhile is found by looking again.
_ROUNDS = 5


@dataclass(frozen=True)
class AzureDrain:
    """
    Drains *place*.  Without *really* it only looks; *kept_out* leaves disabled enrollments that keep devices out.
    """

    place: AzureRegionPlace
    really: bool
    kept_out: bool

    def devices(self) -> Iterator[Row]:
        """
        Yield a row for each device of the hub that has a certificate, retired if *really*.

        Raises:
            RegistryError: Azure refused.
        """
        fleet = self.place.fleet
        retire = partial(fleet.retire, forget=not self.kept_out, really=self.really)
        for _ in range(_ROUNDS if self.really else 1):
            found = retired = 0
            for row in each((Which(d.name) for d in fleet.list(Wanted())), retire, at_once=fleet.at_once):
                found, retired = found + 1, retired + (row.became is Became.RETIRED)
                if row.became is not Became.ABSENT:
                    yield row
            if not retired or retired < found:
                return

    def run(self) -> Iterator[Row]:
        """
        Yield a row for each enrollment group, device, enrollment and CA certificate.

        Raises:
            RegistryError, DeploymentError: Azure refused; what was done stays done.
        """
        calls = self.place.calls
        with refusals(f"Draining {self.place.region.name}"):
            groups = [] if calls.dps is None else azure_enrollments.list_all(calls.dps)
            for group in groups:
                if group.enabled and calls.dps is not None:
                    if self.really:
                        azure_enrollments.disable(calls.dps, group.name)
                    became = Became.DISABLED if self.really else Became.FORESEEN
                    yield Row(f"enrollment group {group.name}", became, "nobody new is registered by it.")
            yield from self.devices()
            yield from delete_groups(calls, [group.name for group in groups], really=self.really)
            if calls.dps is not None and not self.kept_out:
                yield from self._enrollments()
            names = dict.fromkeys(ca.name for where in self.place.ca_places for ca in azure_ca.stored(where))
            for name in names:
                yield from delete_ca(self.place, name, really=self.really)

    def _enrollments(self) -> Iterator[Row]:
        calls = self.place.calls
        for name in [str(enrollment["registrationId"]) for enrollment in calls.enrollments()]:
            if self.really:
                calls.delete("enrollments", name)
            yield Row(f"enrollment {name}", Became.DELETED if self.really else Became.FORESEEN)
