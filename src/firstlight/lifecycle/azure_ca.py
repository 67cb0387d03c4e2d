"""
Takes a CA out of use in Azure: its enrollment groups, and its certificate in the hub and the provisioning service.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from firstlight.certificates import Certificate
from firstlight.deploy import azure_ca, azure_enrollments, azure_plan
from firstlight.errors import RegistryError
from firstlight.lifecycle import azure_groups
from firstlight.lifecycle.azure_calls import AzureCalls, refusals
from firstlight.lifecycle.azure_fleet import AzureFleet
from firstlight.lifecycle.azure_place import AzureRegionPlace
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import STAYS, Became, Row, Which


@dataclass(frozen=True)
class AzureCaRetirement:
    """
    Retires CAs of *place*.  Without *really* it only looks; *disabling* disables the devices that DPS registered.
    """

    place: AzureRegionPlace
    really: bool = False
    disabling: bool = False

    def run(self, ca: Certificate, *, delete: bool) -> Iterator[Row]:
        """
        Yield a row for each enrollment group of *ca*, for each device it registered, and for what is deleted.

        The groups are disabled first and, with *delete*, deleted last, unless a device was in error: they are what
        knows the devices.

        Raises:
            RegistryError, DeploymentError: Azure refused, or knows nothing of the CA.
        """
        calls, fleet = self.place.calls, self.place.fleet
        with refusals("Retiring the CA certificate"):
            groups, well = azure_groups.groups_of(calls, ca), True
            if not groups and not self._stored(ca):
                raise RegistryError(
                    f"Nothing in {self.place.region.name} is for the CA {ca.x509.subject.rfc4514_string()}: no "
                    "enrollment group, no CA certificate.",
                    hint="firstlight azure ca list and enrollment-group list show what is there.",
                )
            for group in groups:
                if group.enabled:
                    if self.really and calls.dps is not None:
                        azure_enrollments.disable(calls.dps, group.name)
                    message = "nobody new is registered by it."
                    became = Became.DISABLED if self.really else Became.FORESEEN
                    yield Row(f"enrollment group {group.name}", became, message)
                devices = (Which(name) for name in azure_groups.devices_of(calls, group))
                for row in each(devices, lambda which: self._device(fleet, which), at_once=fleet.at_once):
                    well = well and row.ok
                    yield row
            if delete and not well:
                yield Row(f"CA {ca.x509.subject.rfc4514_string()}", Became.UNCHANGED, STAYS)
            elif delete:
                yield from delete_groups(calls, [group.name for group in groups], really=self.really)
                yield from delete_ca(self.place, azure_plan.name_of(ca), really=self.really)

    def _stored(self, ca: Certificate) -> bool:
        name = azure_plan.name_of(ca)
        return any(stored.name == name for where in self.place.ca_places for stored in azure_ca.stored(where))

    def _device(self, fleet: AzureFleet, which: Which) -> Row:
        if self.disabling and self.really:
            return fleet.disable(which)
        if self.disabling:
            return Row(which.name, Became.FORESEEN, "would be disabled.")
        return Row(which.name, Became.UNCHANGED, "it was registered below this CA.")


def delete_groups(calls: AzureCalls, names: list[str], *, really: bool) -> Iterator[Row]:
    """
    Yield a row for each enrollment group that is deleted; a CA certificate that one refers to would not go.
    """
    for name in names:
        if really:
            calls.delete("enrollmentGroups", name)
        yield Row(f"enrollment group {name}", Became.DELETED if really else Became.FORESEEN)


def delete_ca(place: AzureRegionPlace, name: str, *, really: bool) -> Iterator[Row]:
    """
    Yield a row for each place that the CA certificate *name* is deleted from.
    """
    for where in place.ca_places:
        if any(stored.name == name for stored in azure_ca.stored(where)):
            if really:
                azure_ca.delete(where, name)
            yield Row(f"CA certificate {name} of the {where.name}", Became.DELETED if really else Became.FORESEEN)
