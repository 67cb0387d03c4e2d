"""
Policy documents, of IoT and of IAM alike: statements, and whether they apply to a request.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from firstlight.errors import RegistryError
from firstlight.policies.conditions import Condition
from firstlight.policies.patterns import Context, compiled, expression

_NOBODY = Context({})


@dataclass(frozen=True, slots=True)
class Statement:
    """
    One statement; `services` are the service principals of a role's trust policy ("*" is everybody).
    """

    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    services: tuple[str, ...] = ()

    def concerns(self, action: str, context: Context) -> bool:
        """
        Whether it is about *action* at all, its conditions as they are.

        A condition nobody understands makes an Allow silent and a Deny loud.
        """
        if self.not_actions:
            if _is_action(action, self.not_actions):
                return False
        elif not _is_action(action, self.actions):
            return False
        return all(
            (not self.allows) if (holds := condition.holds(context)) is None else holds for condition in self.conditions
        )

    def resource_expression(self, context: Context) -> str | None:
        """
        Return one regular expression for the resources it is about, or None when there can be none.
        """
        if self.not_resources:
            found = _expressions(self.not_resources, context)
            return f"(?!(?:{'|'.join(found)})\\Z).*" if found else ".*"
        found = _expressions(self.resources, context)
        return "|".join(found) if found else None


def parse(document: str | Mapping[str, Any], name: str) -> tuple[Statement, ...]:
    """
    Return the statements of *document*, the policy called *name*.

    Raises:
        RegistryError: it is not a policy document.
    """
    return _parse_text(document if isinstance(document, str) else json.dumps(document), name)


def allowed(statements: Iterable[Statement], action: str, resource: str, context: Context) -> bool:
    """
    Whether *statements* together allow *action* on *resource*: one does, and none denies.
    """
    allow = False
    for statement in statements:
        if not statement.concerns(action, context):
            continue
        source = statement.resource_expression(context)
        if source is None or compiled(source).fullmatch(resource) is None:
            continue
        if not statement.allows:
            return False
        allow = True
    return allow


@lru_cache(maxsize=512)
def _parse_text(text: str, name: str) -> tuple[Statement, ...]:
    try:
        document = json.loads(text)
        statements = document["Statement"]
        return tuple(_statement(s) for s in (statements if isinstance(statements, list) else [statements]))
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise RegistryError(f"The policy {name} is not a policy document.") from e


def _statement(given: Mapping[str, Any]) -> Statement:
    principal = given.get("Principal", {})
    services = _strings(principal.get("Service", ())) if isinstance(principal, Mapping) else _strings(principal)
    return Statement(
        allows={"Allow": True, "Deny": False}[given["Effect"]],
        actions=_strings(given.get("Action", ())),
        not_actions=_strings(given.get("NotAction", ())),
        resources=_strings(given.get("Resource", ())),
        not_resources=_strings(given.get("NotResource", ())),
        conditions=tuple(
            Condition(operator, key, _strings(expected))
            for operator, keys in given.get("Condition", {}).items()
            for key, expected in keys.items()
        ),
        services=services,
    )


def _strings(value: Any) -> tuple[str, ...]:
    values: Sequence[Any] = value if isinstance(value, list | tuple) else (value,)
    return tuple(v if isinstance(v, str) else json.dumps(v) for v in values)


def _is_action(action: str, patterns: tuple[str, ...]) -> bool:
    sources = (expression(pattern, _NOBODY) for pattern in patterns)
    return any(s is not None and re.fullmatch(s, action, re.IGNORECASE | re.DOTALL) for s in sources)


def _expressions(patterns: tuple[str, ...], context: Context) -> list[str]:
    return [source for pattern in patterns if (source := expression(pattern, context)) is not None]
