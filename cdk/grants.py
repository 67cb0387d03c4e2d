"""
Permissions with their reasons: what may be done, on which resources, and why some of them are patterns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from aws_cdk import aws_iam as iam

# Where the reasons stand in the template, beside the statements they are for; tests/synth reads them there.
METADATA = "Firstlight"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """
    One statement that allows *actions* on *resources* (ARNs, which may hold tokens).

    *reason* says why a resource has to be a pattern; with no pattern there is nothing to say.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    reason: str = ""

    def __post_init__(self) -> None:
        if any("*" in action for action in self.actions):
            raise ValueError(f"Actions are named, never patterns: {self.actions}.")
        if self.patterns and not self.reason:
            raise ValueError(f"{self.patterns} are patterns, and no reason is given.")

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(resource for resource in self.resources if "*" in resource)


def document(grants: Iterable[Grant], *, denied: Iterable[Grant] = ()) -> iam.PolicyDocument:
    """
    Return the IAM policy that allows *grants* but for what is *denied*.
    """
    statements = [_statement(grant, iam.Effect.ALLOW) for grant in grants]
    return iam.PolicyDocument(statements=statements + [_statement(grant, iam.Effect.DENY) for grant in denied])


def _statement(grant: Grant, effect: iam.Effect) -> iam.PolicyStatement:
    return iam.PolicyStatement(effect=effect, actions=list(grant.actions), resources=list(grant.resources))


def justify(resource: CfnResource, grants: Iterable[Grant]) -> None:
    """
    Write the reasons of *grants* beside *resource*, for readers and for cdk-nag.
    """
    reasons: dict[str, list[str]] = {}
    for grant in grants:
        if grant.patterns:
            reasons.setdefault(grant.reason, []).extend(grant.patterns)
    _justify(resource, reasons, "AwsSolutions-IAM5[Resource::{}]")


def justify_managed_policy(resource: CfnResource, arn: str, reason: str) -> None:
    """
    As `justify`, for a policy that AWS manages.
    """
    _justify(resource, {reason: [arn]}, "AwsSolutions-IAM4[Policy::{}]")


def acknowledge(resource: CfnResource, **reasons: str) -> None:
    """
    Say why a rule of cdk-nag's AwsSolutions, such as `APIG4`, does not hold for *resource*.
    """
    for rule, reason in reasons.items():
        Validations.of(resource).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


def _justify(resource: CfnResource, reasons: Mapping[str, list[str]], finding: str) -> None:
    entries = [{"Reason": reason, "Resources": patterns} for reason, patterns in reasons.items()]
    resource.add_metadata(METADATA, {"Wildcards": entries})
    for reason, patterns in reasons.items():
        for pattern in patterns:
            rule = finding.format(flatten(Stack.of(resource).resolve(pattern)))
            Validations.of(resource).acknowledge(Acknowledgment(id=rule, reason=reason))


def flatten(value: Any) -> str:
    """
    Return a resolved template value as one line, its references as `<Name>`: cdk-nag's spelling of findings.
    """
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(flatten(part) for part in parts)
        case _:
            return str(value)
