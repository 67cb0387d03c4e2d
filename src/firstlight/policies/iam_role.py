"""
A role as IAM describes it, with the documents of all its policies.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """
    A role with all its policy documents by name; `boundary` is its permissions boundary's document, if any.
    """

    arn: str
    trust: str
    policies: Mapping[str, str]
    boundary: str = ""


def read(iam: Any, arn: str) -> Role | None:
    """
    Return the role *arn*, read with *iam* (boto3's client), or None when there is none.

    What the client raises passes through: the caller names what it was doing.
    """
    name = arn.rpartition("/")[2]
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    if role["Arn"] != arn:
        return None
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    documents = {title: iam.get_role_policy(RoleName=name, PolicyName=title)["PolicyDocument"] for title in inline}
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        documents[attached["PolicyName"]] = _managed(iam, attached["PolicyArn"])
    boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return Role(
        arn=arn,
        trust=_text(role["AssumeRolePolicyDocument"]),
        policies={title: _text(document) for title, document in documents.items()},
        boundary=_text(_managed(iam, boundary)) if boundary else "",
    )


def _managed(iam: Any, arn: str) -> Any:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
