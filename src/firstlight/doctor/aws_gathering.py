"""
Read of AWS what concerns one device, with as many calls as it takes and not one that changes anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from firstlight.doctor.aws_asking import ask, found, listed
from firstlight.doctor.aws_case import PENDING, AwsCase, Introduction, Registered, Thing, Where
from firstlight.doctor.aws_introduction import introduction, read_cas
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Connection
from firstlight.doctor.facts import Fact
from firstlight.jitp.names import is_thing_name

_ENDPOINT = "iot:Data-ATS"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsClients:
    """
    boto3's clients of one region; `elsewhere` are those of AWS IoT in other regions, by the region's name.
    """

    iot: Any
    iam: Any
    sts: Any
    dynamodb: Any
    elsewhere: Mapping[str, Any]

    @property
    def region(self) -> str:
        return str(self.iot.meta.region_name)


def gather(clients: AwsClients, device: Device, where: Where, *, connection: Connection | None = None) -> AwsCase:
    """
    Return the case of *device*.  What could not be read is a fact, too: nothing is raised.
    """
    iot, certificate = clients.iot, device.certificate
    account = ask("the account's number", lambda: str(clients.sts.get_caller_identity()["Account"]))
    registered = ask("the certificate's registration", lambda: _registered(iot, certificate.fingerprint))
    known = registered.known
    case = AwsCase(
        device=device,
        where=where,
        region=clients.region,
        account=account,
        account_endpoint=ask("the account's endpoint", lambda: _endpoint(iot)),
        registered=registered,
        elsewhere=Fact(()) if known else _elsewhere(clients, certificate.fingerprint),
        # who is in has no business with a CA any more
        cas=Fact(()) if known and known.status != PENDING else ask("the registered CAs", lambda: read_cas(iot)),
        connection=connection,
    )
    case = replace(case, first_connect=_first_connect(clients, case))
    # by another name there is no thing, and asking for it is refused
    name = _thing_name(case)
    thing = ask(f"the thing {name}", lambda: _thing(iot, name)) if is_thing_name(name) else Fact(None)
    return replace(case, thing=thing, documents=_documents(iot, case))


def _first_connect(clients: AwsClients, case: AwsCase) -> Fact[Introduction | None]:
    if unread := case.registered.unread:
        return Fact(unread=unread)
    if not case.is_newcomer:
        return Fact(None)
    if unread := case.cas.unread:
        return Fact(unread=unread)
    return Fact(introduction(clients.iot, clients.iam, clients.dynamodb, case))


def _thing_name(case: AwsCase) -> str:
    """
    Return the thing to look up: of a newcomer the one it would become, whatever name it connects under.
    """
    return (case.future and case.future.thing_name) or case.name


def _registered(iot: Any, certificate_id: str) -> Registered | None:
    answer = found(iot, "describe_certificate", certificateId=certificate_id)
    if answer is None:
        return None
    shown = answer["certificateDescription"]
    arn = shown["certificateArn"]
    things = ask(
        "the certificate's things", lambda: tuple(listed(iot, "list_principal_things", "things", principal=arn))
    )
    return Registered(
        status=shown["status"],
        mode=shown.get("certificateMode", ""),
        ca_id=shown.get("caCertificateId") or "",
        since=shown.get("creationDate"),
        things=things,
        policies=ask("the certificate's policies", lambda: _policies(iot, arn, things.known or ())),
    )


def _policies(iot: Any, certificate_arn: str, things: tuple[str, ...]) -> tuple[str, ...]:
    targets = [certificate_arn]
    for thing in things:
        groups = listed(iot, "list_thing_groups_for_thing", "thingGroups", thingName=thing)
        targets += [group["groupArn"] for group in groups]
    names = [
        policy["policyName"]
        for target in targets
        # of a group also those of the groups above it
        for policy in listed(iot, "list_attached_policies", "policies", target=target, recursive=True)
    ]
    return tuple(dict.fromkeys(names))


def _endpoint(iot: Any) -> str:
    # AWS refuses the older types of endpoint, and a laptop adds its HTTP port
    return str(iot.describe_endpoint(endpointType=_ENDPOINT)["endpointAddress"]).partition(":")[0]


def _elsewhere(clients: AwsClients, certificate_id: str) -> Fact[tuple[str, ...]]:
    def look() -> tuple[str, ...]:
        asked = clients.elsewhere.items()
        return tuple(
            region for region, iot in asked if found(iot, "describe_certificate", certificateId=certificate_id)
        )

    return ask(f"the registrations in {', '.join(clients.elsewhere)}", look)


def _thing(iot: Any, name: str) -> Thing | None:
    answer = found(iot, "describe_thing", thingName=name)
    if answer is None:
        return None

    def groups() -> tuple[str, ...]:
        found = listed(iot, "list_thing_groups_for_thing", "thingGroups", thingName=name)
        return tuple(group["groupName"] for group in found)

    def certificates() -> frozenset[str]:
        arns = listed(iot, "list_thing_principals", "principals", thingName=name)
        return frozenset(arn.rpartition("/")[2] for arn in arns)

    return Thing(
        name=name,
        type_name=answer.get("thingTypeName") or "",
        attributes=answer.get("attributes") or {},
        groups=ask(f"the groups of {name}", groups),
        certificates=ask(f"the certificates of {name}", certificates),
    )


def _documents(iot: Any, case: AwsCase) -> dict[str, Fact[str | None]]:
    return {name: ask(f"the policy {name}", partial(_document, iot, name)) for name in _policy_names(case)}


def _document(iot: Any, name: str) -> str | None:
    answer = found(iot, "get_policy", policyName=name)
    return None if answer is None else str(answer["policyDocument"])


def _policy_names(case: AwsCase) -> tuple[str, ...]:
    if case.first_connect.known:
        return case.future.policy_names if case.future else ()
    registered = case.registered.known
    return (registered.policies.known or ()) if registered else ()
