"""
The operations of AWS IoT's control plane (rest-json) that provisioning meets, on the stub's registry.
"""

from collections.abc import Callable
from typing import Any

from benchmarks import stub_groups, stub_registry
from benchmarks.stub_registry import ARN, Refused, Registry, Thing, certificate_arn, missing
from benchmarks.stub_request import Request

_Document = dict[str, Any]
Handler = Callable[[Registry, Request], _Document]


def register_certificate(registry: Registry, request: Request) -> _Document:
    certificate_id = stub_registry.certificate_id(str(request.body.get("certificatePem")))
    arn = certificate_arn(certificate_id)
    if certificate_id in registry.certificates:
        raise Refused(409, "ResourceAlreadyExistsException", "Registered.", resourceArn=arn, resourceId=certificate_id)
    registry.certificates[certificate_id] = request.body.get("status", "INACTIVE")
    return {"certificateArn": arn, "certificateId": certificate_id}


def describe_certificate(registry: Registry, request: Request) -> _Document:
    status = registry.certificate(request.name)
    described = {"certificateArn": certificate_arn(request.name), "certificateId": request.name, "status": status}
    return {"certificateDescription": described}


def update_certificate(registry: Registry, request: Request) -> _Document:
    registry.certificate(request.name)
    registry.certificates[request.name] = request.query["newStatus"]
    return {}


def delete_certificate(registry: Registry, request: Request) -> _Document:
    registry.certificate(request.name)
    del registry.certificates[request.name]
    return {}


def create_thing(registry: Registry, request: Request) -> _Document:
    name = request.name
    attributes = (request.body.get("attributePayload") or {}).get("attributes") or {}
    wanted = Thing(attributes, request.body.get("thingTypeName"), request.body.get("billingGroupName"))
    if name not in registry.things:
        stub_groups.require(registry, wanted)
    found = registry.things.setdefault(name, wanted)
    if (found.attributes, found.type_name, found.billing_group) != (
        wanted.attributes,
        wanted.type_name,
        wanted.billing_group,
    ):
        raise Refused(409, "ResourceAlreadyExistsException", f"Thing {name} exists with other attributes.")
    return {"thingName": name, "thingArn": f"{ARN}:thing/{name}", "thingId": name}


def describe_thing(registry: Registry, request: Request) -> _Document:
    thing = registry.thing(request.name)
    named = {"thingTypeName": thing.type_name, "billingGroupName": thing.billing_group}
    return {"thingName": request.name, "attributes": thing.attributes, "version": thing.version, **named}


def update_thing(registry: Registry, request: Request) -> _Document:
    thing = registry.thing(request.name)
    if request.body.get("expectedVersion", thing.version) != thing.version:
        raise Refused(409, "VersionConflictException", f"Thing {request.name} is at version {thing.version}.")
    payload = request.body.get("attributePayload") or {}
    kept = thing.attributes if payload.get("merge") else {}
    thing.attributes = {**kept, **payload.get("attributes", {})}
    thing.type_name = request.body.get("thingTypeName", thing.type_name)
    thing.version += 1
    return {}


def delete_thing(registry: Registry, request: Request) -> _Document:
    registry.thing(request.name)
    del registry.things[request.name]
    return {}


def attach_principal(registry: Registry, request: Request) -> _Document:
    registry.thing(request.name).principals.add(_principal(registry, request))
    return {}


def detach_principal(registry: Registry, request: Request) -> _Document:
    registry.thing(request.name).principals.discard(_principal(registry, request))
    return {}


def list_principals(registry: Registry, request: Request) -> _Document:
    # Two to a page, so that whoever forgets the next page notices.
    found = sorted(registry.thing(request.name).principals)
    start = int(request.query.get("nextToken", 0))
    more = {"nextToken": str(start + 2)} if len(found) > start + 2 else {}
    return {"principals": found[start : start + 2], **more}


def list_principal_things(registry: Registry, request: Request) -> _Document:
    arn = _principal(registry, request)
    return {"things": sorted(name for name, thing in registry.things.items() if arn in thing.principals)}


def list_attached_policies(registry: Registry, request: Request) -> _Document:
    # One to a page, as above.
    registry.certificate(request.name.rpartition("/")[2])
    found = sorted(registry.attached.get(request.name, ()))
    start = int(request.query.get("marker", 0))
    more = {"nextMarker": str(start + 1)} if len(found) > start + 1 else {}
    return {"policies": [{"policyName": name} for name in found[start : start + 1]], **more}


def attach_policy(registry: Registry, request: Request) -> _Document:
    registry.require_policy(request.name)
    target = str(request.body.get("target"))
    registry.certificate(target.rpartition("/")[2])
    registry.attached[target].add(request.name)
    return {}


def detach_policy(registry: Registry, request: Request) -> _Document:
    registry.attached[str(request.body.get("target"))].discard(request.name)
    return {}


def get_policy(registry: Registry, request: Request) -> _Document:
    registry.require_policy(request.name)
    return {"policyName": request.name, "policyArn": f"{ARN}:policy/{request.name}", "policyDocument": "{}"}


def describe_endpoint(registry: Registry, request: Request) -> _Document:
    del registry
    if request.query.get("endpointType") != "iot:Data-ATS":
        raise Refused(400, "InvalidRequestException", "Only iot:Data-ATS is not retired.")
    return {"endpointAddress": stub_registry.ENDPOINT}


def _principal(registry: Registry, request: Request) -> str:
    arn = request.headers.get("x-amzn-principal", "")
    if arn.rpartition("/")[2] not in registry.certificates:
        raise missing("The principal")
    return arn


# Method and path, `*` for what the path names -> AWS's name of the operation, and how it is done.
_OPERATIONS: dict[tuple[str, str], tuple[str, Handler]] = {
    ("POST", "certificate/register-no-ca"): ("RegisterCertificateWithoutCA", register_certificate),
    ("GET", "certificates/*"): ("DescribeCertificate", describe_certificate),
    ("PUT", "certificates/*"): ("UpdateCertificate", update_certificate),
    ("DELETE", "certificates/*"): ("DeleteCertificate", delete_certificate),
    ("POST", "things/*"): ("CreateThing", create_thing),
    ("GET", "things/*"): ("DescribeThing", describe_thing),
    ("PATCH", "things/*"): ("UpdateThing", update_thing),
    ("DELETE", "things/*"): ("DeleteThing", delete_thing),
    ("PUT", "things/*/principals"): ("AttachThingPrincipal", attach_principal),
    ("DELETE", "things/*/principals"): ("DetachThingPrincipal", detach_principal),
    ("GET", "things/*/principals"): ("ListThingPrincipals", list_principals),
    ("PUT", "target-policies/*"): ("AttachPolicy", attach_policy),
    ("POST", "target-policies/*"): ("DetachPolicy", detach_policy),
    ("POST", "attached-policies/*"): ("ListAttachedPolicies", list_attached_policies),
    ("GET", "principals/things"): ("ListPrincipalThings", list_principal_things),
    ("GET", "policies/*"): ("GetPolicy", get_policy),
    ("GET", "endpoint"): ("DescribeEndpoint", describe_endpoint),
    ("GET", "thing-types/*"): ("DescribeThingType", stub_groups.describe_type),
    ("GET", "thing-groups/*"): ("DescribeThingGroup", stub_groups.describe_group),
    ("GET", "billing-groups/*"): ("DescribeBillingGroup", stub_groups.describe_billing_group),
    # The path names what is done here.
    ("PUT", "thing-groups/*"): ("AddThingToThingGroup", stub_groups.join),
    ("PUT", "billing-groups/*"): ("AddThingToBillingGroup", stub_groups.join_billing_group),
    ("GET", "things/*/thing-groups"): ("ListThingGroupsForThing", stub_groups.groups_of),
}


def operation(method: str, segments: list[str]) -> tuple[str, Handler]:
    """
    Return AWS's name of the operation, and how the stub does it.
    """
    named = [*segments]
    if len(named) > 1 and named[0] not in {"certificate", "principals"}:
        named[1] = "*"
    try:
        return _OPERATIONS[method, "/".join(named)]
    except KeyError:
        raise Refused(404, "UnknownOperationException", f"The stub has no {method} /{'/'.join(named)}.") from None
