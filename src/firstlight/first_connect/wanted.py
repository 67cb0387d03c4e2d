"""
What the region's template makes of one announced device: the same as just-in-time provisioning, and what was announced.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from firstlight.certificates import Certificate
from firstlight.errors import JitpError
from firstlight.jitp import meaning, names, template
from firstlight.jitp.resources import THING, Resources
from firstlight.registries.aws_announcements import Announcement


def wanted(body: str, certificate: Certificate, announcement: Announcement, *, reserved_prefix: str) -> Resources:
    """
    Return the resources that the template *body* (JSON) and *announcement* ask for.

    A name that was announced takes the place of the template's.  One that the certificate gives itself may not
    begin with *reserved_prefix*: such are pushed devices', and whoever holds a CA's key may write any name.

    Raises:
        JitpError: the template does not fit the certificate, or AWS IoT does not take what was announced.
    """
    parameters = meaning.parameters(certificate)
    resources = meaning.resolve(_named(body, announcement.name) if announcement.name else body, parameters)
    if not announcement.name and reserved_prefix and resources.thing_name.startswith(reserved_prefix):
        raise JitpError(
            f"The certificate names itself {resources.thing_name}; names with {reserved_prefix} are pushed devices'.",
            hint="Push it, or announce it with a name of its own.",
        )
    if resources.policy_documents:
        raise JitpError(
            "The template holds a policy document, and a function may create no policy.",
            hint="Name a policy that exists.",
        )
    return _with_attributes(resources, announcement)


def _named(body: str, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
        for resource in document["Resources"].values():
            if resource["Type"] == THING:
                resource["Properties"]["ThingName"] = name
        # what only named the thing may now be lacking
        for parameter in document.get("Parameters", {}).values():
            parameter.setdefault("Default", template.ABSENT)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise JitpError("The template is not one of AWS IoT's.") from e
    found: Mapping[str, Any] = document
    return found


def _with_attributes(resources: Resources, announcement: Announcement) -> Resources:
    if not announcement.attributes:
        return resources
    for name, value in announcement.attributes:
        if not (names.is_attribute_name(name) and names.is_attribute_value(value)):
            raise JitpError(f"AWS IoT does not take the announced attribute {name!r} with its value.")
    # what the template says of the device comes from its certificate, and so first
    attributes = {**dict(announcement.attributes), **resources.attributes}
    most = template.MAX_ATTRIBUTES if resources.thing_type else template.MAX_ATTRIBUTES_WITHOUT_TYPE
    if len(attributes) > most:
        raise JitpError(
            f"With what was announced the thing would have {len(attributes)} attributes; it may have {most}.",
            hint="" if resources.thing_type else f"With a thing type it may have {template.MAX_ATTRIBUTES}.",
        )
    return replace(resources, attributes=MappingProxyType(attributes))
