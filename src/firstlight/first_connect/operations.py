"""
The operations of AWS IoT that admitting a device takes beyond registering one, as requests.

Shapes: botocore's service model `iot/2015-05-28`.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from firstlight.registries.aws_operations import Call, Operation
from firstlight.registries.sigv4 import encoded_path, encoded_query

_JSON = {"content-type": "application/json"}


class Admitting(StrEnum):
    """
    What the admission calls and nobody else here does.
    """

    DESCRIBE_TEMPLATE = "DescribeProvisioningTemplate"
    DESCRIBE_CA = "DescribeCACertificate"
    UPDATE_CERTIFICATE = "UpdateCertificate"

    @property
    def service(self) -> str:
        return "AWS IoT"

    @property
    def action(self) -> str:
        return f"iot:{self}"


def describe_template(name: str) -> Call:
    return Call(Admitting.DESCRIBE_TEMPLATE, "GET", encoded_path("provisioning-templates", name))


def describe_ca(ca_id: str) -> Call:
    return Call(Admitting.DESCRIBE_CA, "GET", encoded_path("cacertificate", ca_id))


def update_thing(name: str, attributes: Mapping[str, str], thing_type: str, *, version: int) -> Call:
    """
    Give *name* exactly these attributes, and *thing_type* if there is one, if it is still at *version*.
    """
    body: dict[str, Any] = {"attributePayload": {"attributes": dict(attributes)}, "expectedVersion": version}
    if thing_type:
        body["thingTypeName"] = thing_type
    encoded = json.dumps(body, separators=(",", ":")).encode()
    return Call(Operation.UPDATE_THING, "PATCH", encoded_path("things", name), headers=_JSON, body=encoded)


def update_certificate(certificate_id: str, status: str) -> Call:
    query = encoded_query([("newStatus", status)])
    return Call(Admitting.UPDATE_CERTIFICATE, "PUT", encoded_path("certificates", certificate_id), query)
