"""
What the IoT policies of one connection allow: compiled when it connects, asked for every message.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from firstlight.policies.patterns import Context, compiled
from firstlight.policies.statements import Statement


class Action(StrEnum):
    """
    The actions of IoT policies that MQTT knows.
    """

    CONNECT = "iot:Connect"
    PUBLISH = "iot:Publish"
    RETAIN_PUBLISH = "iot:RetainPublish"
    SUBSCRIBE = "iot:Subscribe"
    RECEIVE = "iot:Receive"


class Permissions:
    """
    *statements* of all policies together, their variables and conditions as *context* has them.

    Everything a condition can ask (who, with which certificate, from where) is settled at CONNECT, so what is
    left for a message is one regular expression on its resource.
    """

    def __init__(self, statements: Iterable[Statement], context: Context) -> None:
        together = list(statements)
        self._rules = {action: _rule(together, action, context) for action in Action}

    def allow(self, action: Action, resource: str) -> bool:
        """
        Whether *action* is allowed on the resource with the ARN *resource*.
        """
        allows, denies = self._rules[action]
        if allows is None or allows.fullmatch(resource) is None:
            return False
        return denies is None or denies.fullmatch(resource) is None


def _rule(
    statements: list[Statement], action: Action, context: Context
) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    concerned = [s for s in statements if s.concerns(action, context)]
    return (
        _union(s.resource_expression(context) for s in concerned if s.allows),
        _union(s.resource_expression(context) for s in concerned if not s.allows),
    )


def _union(sources: Iterable[str | None]) -> re.Pattern[str] | None:
    found = [f"(?:{source})" for source in sources if source is not None]
    return compiled("|".join(found)) if found else None
