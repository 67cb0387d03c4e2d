"""
Can the certificate name a device at all, and does it name this one?
"""

from firstlight.doctor.azure_case import BY_CA, AzureCase
from firstlight.doctor.causes import Fine, Found
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.registries.azure_authentication import authentication

_PUSH = "Push the certificate instead: the hub then knows the device by its thumbprint, whatever its name."


def unusable(case: AzureCase) -> Found | None:
    """
    DPS takes the common name for the registration id, and this one can be none: missing, two quotes, a blank …
    """
    if not case.through_dps:
        return None
    why = authentication(DeviceIdentity.from_certificate(case.device.certificate, NamingRule())).why_not_by_dps
    if not why:
        return None
    two_quotes = ' ("", two quotes, is what factories of security chips write)'
    return Found(
        f"DPS can never register this device. {why}" + two_quotes * (case.device.certificate.common_name == '""'),
        (f"firstlight push {case.device.file} --url INGEST_URL",),
        _PUSH,
    )


def differs(case: AzureCase) -> Found | Fine | None:
    """
    DPS compares the registration id, and a hub that knows the device by its CA the device id, with the common name.
    """
    common_name = case.device.certificate.common_name or ""
    if case.through_dps:
        if unusable(case):
            return None
        # registration ids have no case
        same, what = case.name.lower() == common_name.lower(), "registration id"
    elif (identity := case.hub.value.identity.value) is not None and identity.kind == BY_CA:
        same, what = identity.id == common_name, "device id"
    else:
        return None
    if same:
        return Fine(f"The common name {common_name!r} is the {what}.")
    return Found(
        f"The {what} is {case.name!r}, and the certificate's common name {common_name!r}.",
        () if case.through_dps else (by_thumbprint(case),),
        f"Let the device use {common_name!r} as its {what}, or issue it a certificate of that name.",
    )


def by_thumbprint(case: AzureCase) -> str:
    """
    Return the command after which the hub knows the device by this certificate's thumbprint.
    """
    fingerprint = case.device.certificate.fingerprint.upper()
    how = f"--auth-method x509_thumbprint --primary-thumbprint {fingerprint}"
    return f"az iot hub device-identity update {case.in_hub} {how}"
