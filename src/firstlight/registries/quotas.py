"""
How many calls a second AWS IoT takes of each operation, per account and region: the published defaults.

They are of Service Quotas; what was raised there for an account is given as FIRSTLIGHT_QUOTAS.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from firstlight.errors import SettingsError
from firstlight.registries.aws_operations import Operation, ServiceOperation

# Service Quotas for AWS IoT Core and AWS IoT Device Management, with each quota's code.  The endpoint's has a
# code and no published number; the groups of a thing have neither, and what is like them has 10.
DEFAULTS: Mapping[ServiceOperation, float] = {
    Operation.REGISTER_CERTIFICATE: 10.0,  # L-4671C7C8
    Operation.DESCRIBE_CERTIFICATE: 10.0,  # L-FC864907
    Operation.CREATE_THING: 100.0,  # L-64CBACAC
    Operation.DESCRIBE_THING: 350.0,  # L-0EF0F5EE
    Operation.UPDATE_THING: 100.0,  # L-211F680E
    Operation.ATTACH_PRINCIPAL: 100.0,  # L-F64D1AA6
    Operation.LIST_PRINCIPALS: 20.0,  # L-FC3EF4D9
    Operation.LIST_PRINCIPAL_THINGS: 10.0,  # L-C481616A
    Operation.ATTACH_POLICY: 15.0,  # L-CA7D4E3E
    Operation.LIST_ATTACHED_POLICIES: 15.0,  # L-B2DA2A45
    Operation.GET_POLICY: 10.0,  # L-5CE9072D
    Operation.DESCRIBE_ENDPOINT: 10.0,  # L-F30831DF
    Operation.DESCRIBE_THING_TYPE: 100.0,
    Operation.DESCRIBE_THING_GROUP: 100.0,
    Operation.DESCRIBE_BILLING_GROUP: 10.0,
    Operation.ADD_TO_GROUP: 100.0,  # L-2904683A
    Operation.ADD_TO_BILLING_GROUP: 10.0,
    Operation.LIST_GROUPS: 10.0,
}

_FORM = "It is written as RegisterCertificateWithoutCA=100,AttachPolicy=100: calls a second."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """
    How calls are held back before AWS turns them away.

    `eager`: from the first call on, at the published defaults, and faster while AWS takes it all; otherwise an
    operation is let go until AWS first turns a call of it away.  The operator's own `quotas`, calls a second,
    hold from the first call on in any case, and are never exceeded.
    """

    eager: bool = False
    quotas: Mapping[ServiceOperation, float] = field(default_factory=dict)


def parse(text: str) -> dict[ServiceOperation, float]:
    """
    Read "Operation=rate,…"; empty means none.

    Raises:
        SettingsError: an operation is none that firstlight calls, or named twice; or a rate is no positive number.
    """
    quotas: dict[ServiceOperation, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in set(Operation):
            raise SettingsError(f"{name!r} is no operation that has a quota here.", hint=_FORM)
        operation = Operation(name)
        if operation in quotas:
            raise SettingsError(f"The quota of {name} is given twice.", hint=_FORM)
        quotas[operation] = _rate(name, number)
    return quotas


def _rate(name: str, number: str) -> float:
    try:
        rate = float(number)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise SettingsError(f"The quota of {name} is {number!r}, which is no positive number.", hint=_FORM)
    return rate
