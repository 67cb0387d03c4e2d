"""
A role as IAM describes it, with the documents of all its policies.
"""

import json
from typing import Any

from firstlight.boto import refusals
from firstlight.local.aws_iot.registry import Role


def read_role(iam: Any, arn: str) -> Role | None:
    """
    Return the role *arn*, read with boto3's client *iam*, or None when there is none.

    Raises:
        RegistryError: IAM refused a call.
    """
    name = arn.rpartition("/")[2]
    with refusals(f"Reading the role {name}"):
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
