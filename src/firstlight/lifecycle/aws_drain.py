"""
Empties an AWS region of everything of firstlight that its stacks do not delete themselves.

The stacks keep whatever devices stand on, so that deleting a stack by mistake takes nobody offline.  This is the
deliberate way: doors first, then devices, then what they stood on.  All of it goes by name and by what the registry
says, so it may be done before the stacks are deleted, after, or again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from firstlight import boto
from firstlight.lifecycle import aws_gateway_role
from firstlight.lifecycle.aws_doors import Doors
from firstlight.lifecycle.aws_leftovers import Leftovers
from firstlight.lifecycle.aws_ours import Ours
from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.aws_retained import Retained
from firstlight.lifecycle.aws_retire import Retiring
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import Became, Row

# Pushes under way when the doors close go on for half a minute; what they bring is found by looking again.
_ROUNDS = 5


@dataclass(frozen=True)
class AwsDrain:
    """
    Drains *place*, *at_once* devices at a time.  Without *really* it only looks; *revoked* keeps certificates
    REVOKED, *uploads* deletes manifests and reports.
    """

    place: AwsPlace
    at_once: int
    really: bool
    revoked: bool
    uploads: bool
    tell: Callable[[str], None]

    def devices(self) -> Iterator[Row]:
        """
        Yield a row for each device there is, retired if *really*.

        Raises:
            RegistryError: AWS refused.
        """
        iot = self.place.iot
        retire = Retiring(iot, forget=not self.revoked, really=self.really)
        with boto.refusals("Draining the devices"):
            ca_ids = self.place.ca_ids | {ca.id for ca in Doors(self.place, self.really).cas()}
            ours = Ours(iot, self.place.policies, ca_ids, revoked=self.revoked, at_once=self.at_once)
            for _ in range(_ROUNDS if self.really else 1):
                became = set()
                for row in each(ours.devices(), retire, at_once=self.at_once):
                    became.add(row.became)
                    # Of two certificates on one thing, the first took the second with it.
                    if row.became is not Became.ABSENT:
                        yield row
                if Became.RETIRED not in became or Became.ERROR in became:
                    return

    def run(self) -> Iterator[Row]:
        """
        Yield a row for each door, each device and everything that is left behind.

        Raises:
            RegistryError: AWS refused something that is no device; what was done stays done.
        """
        left = Leftovers(self.place, self.really, self.tell)
        with boto.refusals(f"Draining {self.place.region.name}"):
            yield from Doors(self.place, self.really).close()
            left.deprecate()
            well = True
            for row in self.devices():
                well = well and row.ok
                yield row
            yield from left.delete(cas=well)
            yield from Retained(self.place, self.really, self.uploads).delete()
            yield from aws_gateway_role.remove(self.place, really=self.really)
