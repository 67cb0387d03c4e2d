"""
The attributes of a device's thing: what says whose it is, and what it was given besides.

Limits: the shapes AttributeName and AttributeValue of the API; how many, AWS IoT's quotas for things.
"""

import re

from firstlight.identity import DeviceIdentity
from firstlight.registries import aws_errors

# The reference sets the first only.
SERIAL_NUMBER = "serialNumber"
CERTIFICATE_ID = "certificateId"

_LEGAL_NAME = re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}")
_LEGAL_VALUE = re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{0,800}")
_MAX, _MAX_WITH_TYPE = 3, 50


def claim_of(identity: DeviceIdentity) -> dict[str, str]:
    """
    Return the attributes by which a certificate claims its thing.
    """
    return {SERIAL_NUMBER: identity.serial, CERTIFICATE_ID: identity.fingerprint}


def attributes_of(identity: DeviceIdentity, *, thing_type: str) -> dict[str, str]:
    """
    Return all attributes of the thing.  An empty value is left out: AWS IoT takes it for "remove this".

    Raises:
        RegistryError: AWS IoT takes no such name, no such value, or not so many of a thing of *thing_type*.
    """
    claim = claim_of(identity)
    given = {name: value for name, value in identity.attributes if value}
    for name, value in given.items():
        if not _LEGAL_NAME.fullmatch(name):
            raise aws_errors.illegal_attribute_name(name)
        if not _LEGAL_VALUE.fullmatch(value):
            raise aws_errors.illegal_attribute_value(name, value)
        if claim.get(name, value) != value:
            raise aws_errors.reserved_attribute(name)
    attributes = claim | given
    if len(attributes) > (_MAX_WITH_TYPE if thing_type else _MAX):
        raise aws_errors.too_many_attributes(len(given), _MAX_WITH_TYPE if thing_type else _MAX, len(claim))
    return attributes
