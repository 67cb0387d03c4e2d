"""
Topic rules and the functions they invoke, asked of AWS IoT and Lambda with boto3.
"""

import json
from collections.abc import Mapping
from functools import partial
from threading import Lock
from typing import Any

from firstlight.boto import Credentials, client, refusals
from firstlight.errors import RegistryError
from firstlight.local.aws_iot.recall import Recall
from firstlight.local.aws_iot.topic_rules import Rule
from firstlight.policies.patterns import Context
from firstlight.policies.place import Place
from firstlight.policies.role import SERVICE
from firstlight.policies.statements import allowed, parse

_INVOKE = "lambda:InvokeFunction"


class BotoRules:
    """
    *iot* is somebody else's client of AWS IoT: making one takes longer than all else here.  *recall* remembers
    rules and permissions for a moment: a burst of first connects asks for them once.
    """

    def __init__(self, place: Place, iot: Any, *, endpoint_url: str, credentials: Credentials, recall: Recall) -> None:
        self._place = place
        self._iot = iot
        self._make = partial(client, "lambda", region=place.region, endpoint_url=endpoint_url, credentials=credentials)
        self._made: Any = None
        self._making = Lock()
        self._recall = recall

    def close(self) -> None:
        """
        Close the connections that are its own.
        """
        if self._made is not None:
            self._made.close()

    def enabled(self) -> Mapping[str, str]:
        return self._recall("rules", "", self._enabled)

    def rule(self, name: str) -> Rule | None:
        return self._recall("rule", name, lambda: self._rule(name))

    def invoke(self, rule: Rule, function_arn: str, payload: bytes) -> None:
        name = function_arn.rpartition(":")[2]
        if not self._recall("permission", f"{rule.arn} {function_arn}", lambda: self._may(rule, function_arn)):
            raise RegistryError(
                f"The policy of the function {name} does not let {SERVICE} invoke it for the rule {rule.name}.",
                hint="Add a permission with the rule as its source.",
            )
        with refusals(f"Invoking {name}"):
            # Waited for, since Lambda here starts a process for each that it does not: hundreds of devices may come at
            # once.  Only what fails is left to it, which tries again and then has a destination for it.
            answer = self._lambda.invoke(FunctionName=function_arn, Payload=payload)
            if "FunctionError" in answer:
                self._lambda.invoke(FunctionName=function_arn, InvocationType="Event", Payload=payload)

    @property
    def _lambda(self) -> Any:
        # most front doors never meet a rule
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _enabled(self) -> Mapping[str, str]:
        with refusals("Looking up the topic rules"):
            pages = self._iot.get_paginator("list_topic_rules").paginate()
            return {
                rule["ruleName"]: rule.get("topicPattern", "")
                for page in pages
                for rule in page["rules"]
                if not rule.get("ruleDisabled")
            }

    def _rule(self, name: str) -> Rule | None:
        with refusals(f"Reading the topic rule {name}"):
            try:
                answer = self._iot.get_topic_rule(ruleName=name)
            except self._iot.exceptions.UnauthorizedException:
                # how AWS IoT says that there is none
                return None
        found = answer["rule"]
        return Rule(name, answer["ruleArn"], found["sql"], tuple(found.get("actions", ())))

    def _may(self, rule: Rule, function_arn: str) -> bool:
        with refusals(f"Reading the policy of {function_arn.rpartition(':')[2]}"):
            try:
                document = self._lambda.get_policy(FunctionName=function_arn)["Policy"]
            except self._lambda.exceptions.ResourceNotFoundException:
                return False
        statements = [s for s in parse(json.loads(document), "of the function") if {SERVICE, "*"} & set(s.services)]
        asked = Context({"aws:SourceArn": rule.arn, "aws:SourceAccount": self._place.account})
        return allowed(statements, _INVOKE, function_arn, asked)
