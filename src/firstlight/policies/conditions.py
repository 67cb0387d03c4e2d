"""
The Condition of a policy statement: the operators policies of devices and roles use.

Source: IAM user guide, "IAM JSON policy elements: Condition operators", and "multivalued context keys".
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import NamedTuple

from firstlight.policies.patterns import Context, meets, substituted

_Test = Callable[[str, str, Context], bool]


class Condition(NamedTuple):
    """
    One operator on one key.
    """

    operator: str
    key: str
    expected: tuple[str, ...]

    def holds(self, context: Context) -> bool | None:
        """
        Whether it does, or None when the operator is none of ours: such a statement must allow nothing.
        """
        name = self.operator
        quantifier, separator, rest = name.partition(":")
        if separator:
            name = rest
        else:
            quantifier = ""
        name, optional = name.removesuffix("IfExists"), name.endswith("IfExists")
        actual = context.get(self.key)
        if name == "Null":
            return all((actual is None) == (value.lower() == "true") for value in self.expected)
        test, negative = _OPERATORS.get(name, (None, False))
        if test is None or quantifier not in {"", "ForAnyValue", "ForAllValues"}:
            return None
        if actual is None:
            return optional or (quantifier == "ForAllValues") or (negative and not quantifier)
        results = [any(test(value, wanted, context) for wanted in self.expected) is not negative for value in actual]
        return any(results) if quantifier == "ForAnyValue" or not (quantifier or negative) else all(results)


def _equals(actual: str, wanted: str, context: Context) -> bool:
    return substituted(wanted, context) == actual


def _equals_ignoring_case(actual: str, wanted: str, context: Context) -> bool:
    value = substituted(wanted, context)
    return value is not None and value.casefold() == actual.casefold()


def _same_boolean(actual: str, wanted: str, _: Context) -> bool:
    return actual.lower() == wanted.lower()


def _in_network(actual: str, wanted: str, _: Context) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _number(compare: Callable[[float, float], bool]) -> _Test:
    def test(actual: str, wanted: str, _: Context) -> bool:
        try:
            return compare(float(actual), float(wanted))
        except ValueError:
            return False

    return test


# name → (test, whether it is the negation of that test)
_OPERATORS: Mapping[str, tuple[_Test, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (meets, False),
    "StringNotLike": (meets, True),
    # for ARNs, Equals and Like are the same operator
    "ArnEquals": (meets, False),
    "ArnLike": (meets, False),
    "ArnNotEquals": (meets, True),
    "ArnNotLike": (meets, True),
    "Bool": (_same_boolean, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "NumericEquals": (_number(lambda a, b: a == b), False),
    "NumericNotEquals": (_number(lambda a, b: a == b), True),
    "NumericLessThan": (_number(lambda a, b: a < b), False),
    "NumericLessThanEquals": (_number(lambda a, b: a <= b), False),
    "NumericGreaterThan": (_number(lambda a, b: a > b), False),
    "NumericGreaterThanEquals": (_number(lambda a, b: a >= b), False),
}
