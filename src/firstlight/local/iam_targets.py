"""
The resource on which IAM decides about AttachPolicy and DetachPolicy, their target, and about a CA certificate.

ministack 1.5.33 takes these for actions without a resource, so that only a statement for `*` would allow
them.  The Service Authorization Reference for AWS IoT names certificates and thing groups, and so do our
roles: they stay as narrow here as they are on AWS.
"""

import json
from collections.abc import Callable
from typing import Any

_TARGET_POLICIES = "/target-policies/"
_CA_CERTIFICATE = "/cacertificate/"

# (method, path, body, region, account) to ARNs, the first being what IAM decides on
Resources = Callable[[str, str, bytes, str, str], list[str]]


def know_targets(actions: Any) -> None:
    """
    Make *actions*, the module ministack.core.iam_actions, know the targets.
    """
    actions.iot_resource_arns = with_targets(actions.iot_resource_arns)


def with_targets(known: Resources) -> Resources:
    """
    Return *known* with the target of AttachPolicy and DetachPolicy, and CA certificates, added.
    """

    def resources(method: str, path: str, body: bytes, region: str, account: str) -> list[str]:
        if path.startswith(_CA_CERTIFICATE):
            return [f"arn:aws:iot:{region}:{account}:cacert/{path.removeprefix(_CA_CERTIFICATE)}"]
        if not path.startswith(_TARGET_POLICIES):
            return known(method, path, body, region, account)
        try:
            target = json.loads(body)["target"]
        except (ValueError, TypeError, KeyError):
            # Not a request ministack will accept; nothing is allowed on it.
            target = None
        return [target if isinstance(target, str) else "*"]

    return resources
