"""
Before a certificate matters: is it the endpoint of this account's devices in this region, and can it be reached?
"""

import ipaddress
import re

from firstlight.doctor.aws_case import AwsCase
from firstlight.doctor.causes import Fine, Found
from firstlight.verify.aws_advice import LOOK_AT

# "Device connection endpoints": <prefix>-ats.iot.<region>.amazonaws.com, data.iot-fips.<region>…, in China .ats.iot.
_AMAZON = re.compile(
    r"(?P<prefix>[\w-]+?)(?P<ats>[-.]ats)?\.(?P<kind>iot|iot-fips)\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
)


def address(case: AwsCase) -> Found | None:
    """
    TLS tells the server a name (SNI), which AWS IoT requires; an address is none.
    """
    try:
        ipaddress.ip_address(case.where.host.strip("[]"))
    except ValueError:
        return None
    return Found(
        f"The endpoint is the address {case.where.host}, so the device sends no server name (SNI), and AWS IoT "
        "refuses a connection without one.",
        (_describe(case),),
        "Give the device the name, and let its TLS library send it (SNI).",
    )


def not_for_devices(case: AwsCase) -> Found | None:
    """
    AWS IoT once had endpoints with a certificate of another CA; the name of today's has -ats in it.
    """
    parts = _AMAZON.fullmatch(case.where.host)
    if parts is None or parts["ats"] or parts["kind"] == "iot-fips":
        return None
    return Found(
        f"{case.where.host} is not the endpoint for devices: that one has -ats in its name.", (_describe(case),)
    )


def other_region(case: AwsCase) -> Found | None:
    parts = _AMAZON.fullmatch(case.where.host)
    if parts is None or parts["region"] == case.region:
        return None
    return Found(
        f"The device dials {case.where.host}, which is in {parts['region']}; this diagnosis is of {case.region}.",
        (_describe(case),),
        f"Give the device the endpoint of {case.region}, or diagnose {parts['region']} with --region.",
    )


def other_account(case: AwsCase) -> Found | Fine | None:
    parts, own = _AMAZON.fullmatch(case.where.host), case.account_endpoint
    if parts is None or parts["region"] != case.region or not parts["ats"]:
        # a laptop, or a domain of one's own
        return None
    if case.where.host.lower() == own.value.lower():
        return Fine(f"{case.where.host} is this account's endpoint for devices in {case.region}.")
    return Found(
        f"The device dials {case.where.host}; this account's endpoint in {case.region} is {own.value}.",
        (_describe(case),),
        "Give the device this account's endpoint, or diagnose the other account with its credentials.",
    )


def out_of_reach(case: AwsCase) -> Found | Fine | None:
    error = case.where.unreachable
    if not case.where.host:
        return None
    if error is not None:
        return Found(f"{error.message[:1].upper()}{error.message[1:]}.", advice="; ".join(LOOK_AT[error.reason]) + ".")
    return Fine(f"{case.where.host}:{case.where.port} answers TLS.")


def _describe(case: AwsCase) -> str:
    return f"aws iot describe-endpoint --endpoint-type iot:Data-ATS {case.at}"
