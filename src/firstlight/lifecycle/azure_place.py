"""
Where firstlight is in an Azure region: its hub, its provisioning service, and their CA certificates.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from firstlight.azure_clients import Azure
from firstlight.deploy import azure_ca
from firstlight.deploy.azure_ca import Place
from firstlight.lifecycle.azure_calls import AzureCalls, calls_of
from firstlight.lifecycle.azure_fleet import AzureFleet
from firstlight.outputs import AzureOutput
from firstlight.regions import AzureRegion
from firstlight.settings import Settings


@dataclass(frozen=True)
class AzureRegionPlace:
    """
    What was deployed to *region*, by the outputs of its deployment.
    """

    azure: Azure
    region: AzureRegion
    outputs: Mapping[str, str]

    @property
    def calls(self) -> AzureCalls:
        return calls_of(
            self.azure,
            self.region,
            hub_host=self.outputs[AzureOutput.HUB_HOST_NAME],
            dps_host=self.outputs.get(AzureOutput.DPS_HOST_NAME, ""),
        )

    @property
    def fleet(self) -> AzureFleet:
        naming = Settings(
            naming=self.region.naming,
            thing_prefix=self.region.thing_prefix,
            hub=self.outputs[AzureOutput.HUB_HOST_NAME],
        )
        return AzureFleet(self.calls, naming.rule)

    @property
    def ca_places(self) -> list[Place]:
        """
        The provisioning service, if there is one, and the hub; in the order in which CA certificates leave them.
        """
        group = self.region.resource_group
        places = [azure_ca.hub(self.azure, group, self.outputs[AzureOutput.HUB_NAME])]
        if self.outputs.get(AzureOutput.DPS_NAME):
            places.insert(0, azure_ca.dps(self.azure, group, self.outputs[AzureOutput.DPS_NAME]))
        return places
