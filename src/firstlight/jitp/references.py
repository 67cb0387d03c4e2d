"""
Parameters and the one function JITP documents: Ref.
"""

from collections.abc import Mapping
from typing import Any

from firstlight.errors import JitpError
from firstlight.jitp import template


class Values:
    """
    The value of every parameter that a template declares: given, or its Default.

    Raises:
        JitpError: a declared parameter has neither; AWS IoT then provisions nothing.
    """

    def __init__(self, declared: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        missing = []
        for name, spec in declared.items():
            value = given.get(name)
            if value is None and isinstance(spec, Mapping):
                value = spec.get("Default")
            if value is None:
                missing.append(name)
            else:
                self._values[name] = str(value)
        if missing:
            raise _missing(missing)

    def resolve(self, value: Any, where: str) -> Any:
        """
        Return *value* with every Ref in it replaced; *where* names its place in the template.

        Raises:
            JitpError: a Ref names no declared parameter, or there is another function.
        """
        if isinstance(value, list):
            return [self.resolve(item, where) for item in value]
        if not isinstance(value, Mapping):
            return value
        for key in value:
            if key.startswith("Fn::"):
                raise JitpError(
                    f"The template uses {key} at {where}; JITP documents Ref only.",
                    hint="The functions belong to fleet provisioning; put the final value into the certificate.",
                )
        if "Ref" in value:
            return self._referred(value, where)
        return {key: self.resolve(item, f"{where}.{key}") for key, item in value.items()}

    def _referred(self, reference: Mapping[str, Any], where: str) -> str:
        name = reference["Ref"]
        if len(reference) > 1 or not isinstance(name, str) or name not in self._values:
            raise JitpError(
                f"The template refers to {name!r} at {where}, which its Parameters do not declare.",
                hint=f"JITP fills {', '.join(template.PARAMETERS)}.",
            )
        return self._values[name]


def _missing(names: list[str]) -> JitpError:
    unfillable = [name for name in names if name not in template.PARAMETERS]
    if unfillable:
        return JitpError(
            f"JITP cannot fill the template's parameter {unfillable[0]!r}, and it has no Default.",
            hint=f"JITP fills {', '.join(template.PARAMETERS)}.",
        )
    fields = ", ".join(name.removeprefix(template.PREFIX) for name in names)
    return JitpError(
        f"The certificate has no {fields} in its subject, and the template's parameter has no Default.",
        hint="Issue certificates that have it, or give the parameter a Default.",
    )
