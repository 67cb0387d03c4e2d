"""
A device's own side of its twin: what it reads and what it reports.
"""

import json

from firstlight.local.azure_cloud.hub_twin import merged
from firstlight.local.azure_cloud.world import Twin, new_etag

# Azure's quota for reported properties, in bytes
_MAX_REPORTED = 32 * 1024


def read(twin: Twin) -> bytes:
    """
    Return the twin as its device is told it: desired and reported, no tags.
    """
    return json.dumps(
        {
            "desired": {**twin.desired, "$version": twin.desired_version},
            "reported": {**twin.reported, "$version": twin.reported_version},
        }
    ).encode()


def report(twin: Twin, payload: bytes) -> int | None:
    """
    Merge *payload* into the reported properties; return their new version, or None when it cannot be.
    """
    try:
        patch = json.loads(payload)
    except ValueError:
        return None
    if not isinstance(patch, dict) or any(name.startswith("$") for name in patch):
        return None
    reported = merged(twin.reported, patch)
    if len(json.dumps(reported)) > _MAX_REPORTED:
        return None
    twin.reported = reported
    twin.reported_version += 1
    twin.version += 1
    twin.etag = new_etag()
    return twin.reported_version


def changed(twin: Twin) -> bytes:
    """
    Return what the device is told of the latest change of its desired properties.
    """
    return json.dumps({**twin.desired_patch, "$version": twin.desired_version}).encode()
