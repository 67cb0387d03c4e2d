"""
The one who owns the laptop's subscription.
"""

from dataclasses import dataclass, field

from firstlight.local.azure_cloud.access import (
    BLOB_DATA_CONTRIBUTOR,
    DPS_DATA_CONTRIBUTOR,
    HUB_DATA_CONTRIBUTOR,
    OWNER,
    QUEUE_DATA_CONTRIBUTOR,
    Principal,
)
from firstlight.local.azure_cloud.world import World

# Owner alone has no data actions: without the others no enrollment is made and no twin read, as on Azure.
_ROLES = (OWNER, HUB_DATA_CONTRIBUTOR, DPS_DATA_CONTRIBUTOR, BLOB_DATA_CONTRIBUTOR, QUEUE_DATA_CONTRIBUTOR)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """
    The application whose client secret the one at the laptop holds.
    """

    client_id: str
    secret: str = field(repr=False)

    def own(self, world: World) -> Principal:
        """
        Give the operator every role on the subscription of *world* that deploying and operating take.
        """
        principal = world.directory.enroll(Principal("operator", client_id=self.client_id, secret=self.secret))
        for role in _ROLES:
            world.directory.assign(principal.object_id, role, f"/subscriptions/{world.subscription}")
        return principal
