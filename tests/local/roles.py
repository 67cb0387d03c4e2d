"""
The roles of the deployed functions, and what becomes of a function whose role lacks something.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from firstlight.local.addresses import Addresses


@dataclass(frozen=True)
class Role:
    """
    The role of a deployed function, and its one inline policy.
    """

    aws: Addresses
    function: str
    name: str
    policy: str
    document: dict[str, Any]

    @property
    def actions(self) -> set[str]:
        return {action for s in self.document["Statement"] for action in listed(s["Action"])}

    @contextmanager
    def without(self, action: str) -> Iterator[None]:
        """
        Within, the role lacks *action* and the function starts anew: it asks for some things once only.
        """
        statements = [
            {**s, "Action": [a for a in listed(s["Action"]) if a != action]} for s in self.document["Statement"]
        ]
        self._put({**self.document, "Statement": [s for s in statements if s["Action"]]})
        try:
            yield
        finally:
            self._put(self.document)

    def _put(self, document: dict[str, Any]) -> None:
        self.aws.client("iam").put_role_policy(
            RoleName=self.name, PolicyName=self.policy, PolicyDocument=json.dumps(document)
        )
        functions = self.aws.client("lambda")
        memory = functions.get_function_configuration(FunctionName=self.function)["MemorySize"]
        functions.update_function_configuration(FunctionName=self.function, MemorySize=memory)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def function_of(laptop: Addresses, handler: str) -> str:
    """
    Return the name of the deployed function that runs *handler*.
    """
    functions = laptop.client("lambda").list_functions()["Functions"]
    (name,) = [f["FunctionName"] for f in functions if f["Handler"] == handler]
    return str(name)


def role_of(laptop: Addresses, handler: str) -> Role:
    """
    Return the role of the deployed function that runs *handler*: one inline policy, and none that AWS manages.
    """
    function = function_of(laptop, handler)
    arn = laptop.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    name = arn.rpartition("/")[2]
    iam = laptop.client("iam")
    assert [] == iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    return Role(laptop, function, name, policy, document)
