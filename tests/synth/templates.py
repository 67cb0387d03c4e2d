"""
Reads synthesized templates: resources by type, values with their references filled in, statements.
"""

from collections.abc import Iterator
from typing import Any

from cdk.grants import METADATA, flatten

ACCOUNT = "123456789012"


def resources(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: r for name, r in template["Resources"].items() if r["Type"] == kind}


def only(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """
    Return the one resource of *kind*.
    """
    (resource,) = resources(template, kind).values()
    return resource


def function(template: dict[str, Any], handler: str) -> dict[str, Any]:
    """
    Return the function that runs `lambdas.<handler>.handler`.
    """
    functions = resources(template, "AWS::Lambda::Function").values()
    (found,) = (f for f in functions if f["Properties"]["Handler"] == f"lambdas.{handler}.handler")
    return found


def filled(value: Any) -> Any:
    """
    Return *value* as CloudFormation would deploy it to ACCOUNT; references to resources as `<Name>`.
    """
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Join": _}:
            return flatten(value).replace("<AWS::AccountId>", ACCOUNT).replace("<AWS::Partition>", "aws")
        case dict():
            return {key: filled(item) for key, item in value.items()}
        case list():
            return [filled(item) for item in value]
        case _:
            return value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """
    Yield every policy statement anywhere in *value*.
    """
    match value:
        case {"Effect": _, **_rest}:
            yield value
        case dict():
            for item in value.values():
                yield from statements(item)
        case list():
            for item in value:
                yield from statements(item)


def permissions(role: dict[str, Any]) -> set[tuple[str, str]]:
    """
    Return every (action, resource) that a role's own policies allow.
    """
    return {
        (action, filled(resource))
        for statement in statements(role["Properties"]["Policies"])
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def role_of(template: dict[str, Any], service: str) -> dict[str, Any]:
    """
    Return the one role that *service* (`iot.amazonaws.com`) may take on.
    """
    roles = resources(template, "AWS::IAM::Role").values()
    (role,) = (r for r in roles if service in str(r["Properties"]["AssumeRolePolicyDocument"]))
    return role


def function_role(template: dict[str, Any], handler: str = "interop") -> dict[str, Any]:
    """
    Return the role of the function that runs `lambdas.<handler>.handler`.
    """
    name, _ = function(template, handler)["Properties"]["Role"]["Fn::GetAtt"]
    role: dict[str, Any] = template["Resources"][name]
    return role


def unreasoned(template: dict[str, Any]) -> list[str]:
    """
    Return what in *template* reaches further than it has a reason for, a line each.

    A wildcard in a resource, or a policy that AWS manages, needs a reason in the metadata of the resource
    that holds it; a wildcard in an action or a principal, and whatever is allowed by exclusion, has none.
    """
    return [
        f"{name}: {problem}" for name, resource in template["Resources"].items() for problem in _unreasoned(resource)
    ]


def _unreasoned(resource: dict[str, Any]) -> Iterator[str]:
    reasoned = {
        flatten(pattern)
        for entry in resource.get("Metadata", {}).get(METADATA, {}).get("Wildcards", ())
        for pattern in entry["Resources"]
        if entry["Reason"].strip()
    }
    properties = resource.get("Properties", {})
    # What is denied to everyone, such as a queue without TLS, reaches nowhere.
    for statement in (s for s in statements(properties) if s["Effect"] == "Allow"):
        yield from (f"{key} {statement[key]}" for key in statement if key.startswith("Not"))
        yield from (f"action {a}" for a in as_list(statement.get("Action", [])) if "*" in a)
        if "*" in str(statement.get("Principal", "")):
            yield f"principal {statement['Principal']}"
        yield from (
            f"resource {flat}"
            for flat in map(flatten, as_list(statement.get("Resource", [])))
            if "*" in flat and flat not in reasoned
        )
    managed = map(flatten, properties.get("ManagedPolicyArns", ()))
    yield from (f"managed policy {arn}" for arn in managed if arn not in reasoned)
    if resource["Type"] == "AWS::Lambda::Permission":
        source = flatten(properties.get("SourceArn", "*"))
        if "*" in source:
            yield f"invoked by {source}"
