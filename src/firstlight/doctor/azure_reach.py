"""
Before a certificate matters: does the device dial this region's DPS or hub, and can it be reached?
"""

from firstlight.doctor.azure_case import AzureCase
from firstlight.doctor.causes import Fine, Found
from firstlight.verify.azure_advice import LOOK_AT


def out_of_reach(case: AzureCase) -> Found | Fine | None:
    if not case.host:
        return None
    if case.unreachable is not None:
        said, places = case.unreachable.message, LOOK_AT.get(case.unreachable.reason, ())
        return Found(f"{said[:1].upper()}{said[1:]}.", advice=f"{'; '.join(places)}." if places else "")
    return Fine(f"{case.host} answers TLS.")


def no_dps(case: AzureCase) -> Found | None:
    if not case.through_dps or case.dps.value is not None:
        return None
    return Found(
        f"The device is told to register with the id scope {case.told.id_scope}, and {case.region} has no device "
        "provisioning service.",
        (f"firstlight azure deploy {case.at}",),
        "Set dps = true in regions.toml, or let the device connect to the hub itself.",
    )


def other_scope(case: AzureCase) -> Found | Fine | None:
    if not case.through_dps or (dps := case.dps.value) is None:
        return None
    if case.told.id_scope in {"", dps.id_scope}:
        return Fine(f"The id scope of {case.region}'s DPS is {dps.id_scope}.")
    return Found(
        f"The device registers with the id scope {case.told.id_scope}; that of {case.region}'s DPS is {dps.id_scope}.",
        (f"az iot dps show --name {dps.name} --resource-group {case.group} --query properties.idScope",),
        f"Give the device {dps.id_scope}.",
    )


def other_hub(case: AzureCase) -> Found | None:
    if not case.told.hub or case.told.hub.lower() == case.hub.value.host.lower():
        return None
    return Found(
        f"The device connects to {case.told.hub}; the hub of {case.region} is {case.hub.value.host}.",
        (f"az iot hub show --name {case.hub.value.name} --resource-group {case.group} --query properties.hostName",),
        f"Give the device {case.hub.value.host}, or let it register with the DPS, which names the hub.",
    )
