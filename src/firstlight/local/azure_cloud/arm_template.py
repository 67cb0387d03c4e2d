"""
ARM templates evaluated as Azure Resource Manager does: parameters, variables, resources in order, outputs.

What it knows are the functions in arm_functions, and the ones below that need the deployment; loops, nested and
linked templates, and user functions are said to be missing when a template has them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from firstlight.local.azure_cloud.arm_expression import (
    Call,
    Expression,
    Literal,
    Member,
    TemplateError,
    is_expression,
    parse,
)
from firstlight.local.azure_cloud.arm_functions import FUNCTIONS, resource_path
from firstlight.local.azure_cloud.arm_parameters import parameter_values

_MISSING = ("copy", "functions")


@dataclass(frozen=True, kw_only=True)
class Place:
    """
    Where a template is deployed to.
    """

    subscription: str
    tenant: str
    group: str
    location: str

    @property
    def group_id(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"


@dataclass(frozen=True)
class Planned:
    """
    A resource of a template; its `source` can be evaluated when what it refers to is there.
    """

    id: str
    depends_on: tuple[str, ...]
    source: dict[str, Any]


@dataclass(kw_only=True)
class Template:
    """
    A template with its parameters.  `reference` gives a resource by its id, all of it.

    Raises, here and in every method:
        TemplateError: it cannot be evaluated, or a parameter is wrong.
    """

    source: Mapping[str, Any]
    parameters: Mapping[str, Any]
    place: Place
    reference: Callable[[str], dict[str, Any]]
    _values: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name in _MISSING:
            if self.source.get(name):
                raise TemplateError(f"The laptop's Azure does not evaluate {name!r} of a template.")
        self._values = parameter_values(self.source.get("parameters") or {}, self.parameters, self.evaluate)

    def resources(self) -> list[Planned]:
        """
        Return what is to be deployed, each after what it depends on.
        """
        planned = {p.id.lower(): p for p in self._planned()}
        ordered: list[Planned] = []
        under_way: set[str] = set()

        def visit(one: Planned) -> None:
            if one in ordered:
                return
            if one.id in under_way:
                raise TemplateError(f"{one.id} depends on itself.")
            under_way.add(one.id)
            for name in one.depends_on:
                # what has a false condition is no longer waited for
                if name.lower() in planned:
                    visit(planned[name.lower()])
            ordered.append(one)

        for one in planned.values():
            visit(one)
        return ordered

    def outputs(self) -> dict[str, dict[str, Any]]:
        """
        Return the outputs as a deployment shows them.
        """
        return {
            name: {"type": output["type"].capitalize(), "value": self.evaluate(output["value"])}
            for name, output in (self.source.get("outputs") or {}).items()
            if self.evaluate(output.get("condition", True))
        }

    def evaluate(self, value: Any) -> Any:
        """
        Return *value* with every expression in it evaluated.
        """
        match value:
            case str() if is_expression(value):
                return self._value(parse(value))
            case str():
                return value.removeprefix("[") if value.startswith("[[") else value
            case dict():
                return {self.evaluate(name): self.evaluate(part) for name, part in value.items()}
            case list():
                return [self.evaluate(part) for part in value]
            case _:
                return value

    def _planned(self) -> Iterator[Planned]:
        for resource in self.source.get("resources") or []:
            if resource.get("copy") or resource["type"].lower() == "microsoft.resources/deployments":
                raise TemplateError(
                    f"The laptop's Azure evaluates no copy and no nested template ({resource['type']})."
                )
            if not self.evaluate(resource.get("condition", True)):
                continue
            name = self.evaluate(resource["name"])
            scope = self.evaluate(resource.get("scope", "")) or self.place.group_id
            body = {k: v for k, v in resource.items() if k not in {"comments", "condition", "dependsOn", "scope"}}
            yield Planned(
                f"{scope}/{resource_path(resource['type'], name.split('/'))}",
                tuple(self.evaluate(resource.get("dependsOn", []))),
                body,
            )

    def _value(self, expression: Expression) -> Any:
        match expression:
            case Literal(value):
                return value
            case Member(of, name):
                return _member(self._value(of), self._value(name))
            case Call(name, arguments):
                return self._call(name, arguments)

    def _call(self, name: str, arguments: tuple[Expression, ...]) -> Any:
        if name.lower() == "if":
            # only the branch that is taken: the other may refer to what is not there
            condition, yes, no = arguments
            return self._value(yes if self._value(condition) else no)
        function = FUNCTIONS.get(name.lower()) or getattr(self, f"_{name.lower()}", None)
        if function is None:
            raise TemplateError(f"The laptop's Azure does not know the template function {name!r}.")
        values = [self._value(argument) for argument in arguments]
        try:
            return function(*values)
        except (TypeError, ValueError, LookupError, AttributeError) as e:
            raise TemplateError(f"{name}() cannot be evaluated: {e}.") from e

    def _parameters(self, name: str) -> Any:
        if name not in self._values:
            raise TemplateError(f"The template parameter {name!r} is not found.")
        return self._values[name]

    def _variables(self, name: str) -> Any:
        variables = self.source.get("variables") or {}
        if name not in variables:
            raise TemplateError(f"The template variable {name!r} is not found.")
        return self.evaluate(variables[name])

    def _subscription(self) -> dict[str, str]:
        place = self.place
        return {
            "id": f"/subscriptions/{place.subscription}",
            "subscriptionId": place.subscription,
            "tenantId": place.tenant,
            "displayName": "laptop",
        }

    def _tenant(self) -> dict[str, str]:
        return {"tenantId": self.place.tenant}

    def _resourcegroup(self) -> dict[str, str]:
        return {"id": self.place.group_id, "name": self.place.group, "location": self.place.location}

    def _resourceid(self, *parts: str) -> str:
        # [subscription, [group,]] before the type, which has a slash
        at = next(i for i, part in enumerate(parts) if "/" in part)
        before, names = parts[:at], parts[at + 1 :]
        group = before[-1] if before else self.place.group
        subscription = before[0] if len(before) > 1 else self.place.subscription
        return f"/subscriptions/{subscription}/resourceGroups/{group}/{resource_path(parts[at], names)}"

    def _subscriptionresourceid(self, resource_type: str, *names: str) -> str:
        return f"/subscriptions/{self.place.subscription}/{resource_path(resource_type, names)}"

    def _reference(self, resource: str, _version: str = "", full: str = "") -> Any:
        found = self.reference(resource)
        return found if full.lower() == "full" else found.get("properties", {})

    def _listkeys(self, resource: str, _version: str) -> Any:
        raise TemplateError(f"The laptop's Azure has no keys; {resource} was asked for its own.")


def _member(of: Any, name: Any) -> Any:
    if isinstance(of, list) and isinstance(name, int) and name < len(of):
        return of[name]
    if isinstance(of, dict):
        for key, value in of.items():
            if key.lower() == str(name).lower():
                return value
    raise TemplateError(f"The property {name!r} does not exist.")
