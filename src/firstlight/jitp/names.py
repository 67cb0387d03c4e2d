"""
What AWS IoT takes as names and attribute values, from the API model (iot 2015-05-28).
"""

import re

MAX_NAME = 128
MAX_ATTRIBUTE_VALUE = 800

# Things, thing types, thing groups and billing groups share one shape.
_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_POLICY = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_TEMPLATE = re.compile(r"[0-9A-Za-z_-]{1,36}")
_ATTRIBUTE = re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}")
_VALUE = re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{0,800}")


def is_thing_name(text: str) -> bool:
    """
    Whether a thing, thing type, thing group or billing group may be called *text*.
    """
    return _NAME.fullmatch(text) is not None


def is_policy_name(text: str) -> bool:
    """
    Whether an IoT policy may be called *text*.
    """
    return _POLICY.fullmatch(text) is not None


def is_template_name(text: str) -> bool:
    """
    Whether a provisioning template may be called *text*.
    """
    return _TEMPLATE.fullmatch(text) is not None


def is_attribute_name(text: str) -> bool:
    """
    Whether an attribute of a thing may be called *text*.
    """
    return _ATTRIBUTE.fullmatch(text) is not None


def is_attribute_value(text: str) -> bool:
    """
    Whether an attribute of a thing may have the value *text*.  Spaces, among others, are not allowed.
    """
    return _VALUE.fullmatch(text) is not None
