"""
Which enrollment groups of a provisioning service are a CA's, and which devices they registered.
"""

from collections.abc import Iterator

from firstlight.certificates import Certificate
from firstlight.deploy import azure_enrollments, azure_plan
from firstlight.deploy.azure_enrollments import EnrollmentGroup
from firstlight.lifecycle.azure_calls import AzureCalls


def groups_of(calls: AzureCalls, ca: Certificate) -> list[EnrollmentGroup]:
    """
    Return the groups whose devices show a certificate of *ca*: those that refer to its uploaded certificate, as
    firstlight names it, and those that have the certificate of their own.
    """
    if calls.dps is None:
        return []
    name = azure_plan.name_of(ca)
    groups = azure_enrollments.list_all(calls.dps)
    return [group for group in groups if group.thumbprint == ca.fingerprint or group.by == f"CA certificate {name}"]


def devices_of(calls: AzureCalls, group: EnrollmentGroup) -> Iterator[str]:
    """
    Yield the ids of the devices that *group* registered in the hub of *calls*.
    """
    for registration in calls.registrations(group.name):
        if registration.get("assignedHub") in {None, "", calls.hub_host} and registration.get("deviceId"):
            yield str(registration["deviceId"])


def devices_below(calls: AzureCalls, ca: Certificate) -> frozenset[str]:
    """
    Return the ids of the devices below *ca* that DPS registered; a push leaves no trace of the issuer in a hub.
    """
    return frozenset(device for group in groups_of(calls, ca) for device in devices_of(calls, group))
