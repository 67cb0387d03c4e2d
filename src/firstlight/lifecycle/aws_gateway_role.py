"""
The role that API Gateway logs through: one per account and region, so it goes only when nobody else needs it.
"""

from collections.abc import Iterator

from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.rows import Became, Row


def remove(place: AwsPlace, *, really: bool) -> Iterator[Row]:
    """
    Yield what became of the role that the ingest stack made and left, if it is the one in use.
    """
    gateway, iam = place.client("apigateway"), place.client("iam")
    name = str(gateway.get_account().get("cloudwatchRoleArn") or "").rpartition("/")[2]
    ingest, _ = place.stacks
    if not name.startswith(f"{ingest}-"):
        return
    own = set(place.resources("AWS::ApiGateway::RestApi"))
    pages = gateway.get_paginator("get_rest_apis").paginate()
    others = [api["name"] for page in pages for api in page["items"] if api["id"] not in own]
    if others:
        yield Row(f"role {name}", Became.UNCHANGED, f"stays: the API {others[0]} may log through it.")
        return
    if really:
        gateway.update_account(patchOperations=[{"op": "remove", "path": "/cloudwatchRoleArn"}])
        for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
            for policy in page["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=name)
    yield Row(f"role {name}", Became.DELETED if really else Became.FORESEEN, "API Gateway logged through it.")
