"""
Every cause on Azure, in the order a device meets them: what is read from top to bottom is docs/doctor.md's table.
"""

from firstlight.doctor import (
    azure_enrollment,
    azure_identity,
    azure_names,
    azure_reach,
    azure_trust,
    certificate_checks,
)
from firstlight.doctor.azure_case import AzureCase
from firstlight.doctor.causes import Cause

CAUSES: tuple[Cause[AzureCase], ...] = (
    Cause("endpoint-out-of-reach", "The DPS or hub cannot be reached", azure_reach.out_of_reach),
    Cause("no-dps", "The region has no device provisioning service", azure_reach.no_dps),
    Cause("id-scope-differs", "The id scope is another DPS's", azure_reach.other_scope),
    Cause("hub-differs", "The device connects to another hub", azure_reach.other_hub),
    Cause("certificate-expired", "The certificate has expired", certificate_checks.expired),
    Cause("certificate-not-yet-valid", "The certificate is not valid yet", certificate_checks.not_yet_valid),
    Cause("certificate-unusable", "No cloud takes such a certificate", certificate_checks.unusable),
    Cause("common-name-unusable", "The common name cannot be a registration id", azure_names.unusable),
    Cause("device-unknown", "The hub does not know the device", azure_identity.unknown),
    Cause("case-differs", "The device id differs in upper and lower case", azure_identity.other_case),
    Cause("authenticates-otherwise", "The hub knows the device by something else", azure_identity.other_kind),
    Cause("common-name-differs", "The common name is not the device's id", azure_names.differs),
    Cause("enrollment-disabled", "The device's own enrollment is disabled", azure_enrollment.individual_disabled),
    Cause("enrollment-of-another", "Its enrollment is of another certificate", azure_enrollment.of_another_certificate),
    Cause("chain-not-sent", "The chain to a known CA is missing", azure_trust.chain_not_sent),
    Cause("ca-not-uploaded", "The CA certificate is not uploaded", azure_trust.not_uploaded),
    Cause("ca-not-verified", "The CA certificate is not verified", azure_trust.not_verified),
    Cause("ca-out-of-date", "A CA certificate is out of its validity", azure_trust.out_of_date),
    Cause("no-enrollment-group", "No enrollment group is for its CA", azure_enrollment.no_group),
    Cause("enrollment-group-disabled", "The enrollment group is disabled", azure_enrollment.group_disabled),
    Cause("hub-not-linked", "The DPS has no hub to send it to", azure_enrollment.not_linked),
    Cause("thumbprint-differs", "The hub knows it by another certificate", azure_identity.other_thumbprint),
    Cause("device-disabled", "The device is switched off in the hub", azure_identity.disabled),
    Cause("connection-refused", "The device's own connection failed", azure_identity.refused_all_the_same),
)
