"""
Of a newcomer: what its template names must exist, and fit what is there already.
"""

import re

from firstlight.doctor.aws_case import AwsCase
from firstlight.doctor.causes import Fine, Found, Look

_MAX_POLICIES = 10
_MAX_DOCUMENT = 2_048
_WHITE_SPACE = re.compile(r"\s+")


def policy_missing(case: AwsCase) -> Found | Fine | None:
    resources = case.resources
    if resources is None:
        return None
    gone = [name for name in resources.policy_names if case.documents[name].value is None]
    if gone:
        return Found(
            f"The policy {gone[0]}, which the template names, does not exist.",
            (f"npx aws-cdk@2 deploy FirstlightJitp-{case.region}",),
            f"Or make one: aws iot create-policy --policy-name {gone[0]} --policy-document file://policy.json",
        )
    return Fine(f"The policy {', '.join(resources.policy_names)} exists.") if resources.policy_names else None


def policy_limits(case: AwsCase) -> Found | None:
    """
    A certificate has ten policies at most, and a policy 2,048 characters, white space aside.
    """
    resources = case.resources
    if resources is None:
        return None
    count = len(resources.policy_names) + len(resources.policy_documents)
    if count > _MAX_POLICIES:
        return Found(
            f"The template attaches {count} policies; a certificate has {_MAX_POLICIES} at most.",
            advice="Put their statements together.",
        )
    for document in resources.policy_documents:
        length = len(_WHITE_SPACE.sub("", document))
        if length > _MAX_DOCUMENT:
            return Found(
                f"The policy in the template has {length:,} characters without white space; AWS IoT takes "
                f"{_MAX_DOCUMENT:,}.",
                advice="Use policy variables, ${iot:Connection.Thing.ThingName} for instance, instead of lists.",
            )
    return None


def _absent(kind: str, command: str) -> Look[AwsCase]:
    def look(case: AwsCase) -> Found | Fine | None:
        introduction = case.introduction
        if introduction is None or case.resources is None:
            return None
        there = {name: fact for (of, name), fact in introduction.there.items() if of == kind}
        gone = [name for name, fact in there.items() if not fact.value]
        if gone:
            return Found(
                f"The {kind} {gone[0]}, which the template names, does not exist.",
                (command.format(name=gone[0], at=case.at),),
            )
        return Fine(f"The {kind} {', '.join(there)} exists.") if there else None

    return look


thing_type_missing = _absent("thing type", "aws iot create-thing-type --thing-type-name {name} {at}")
thing_group_missing = _absent("thing group", "aws iot create-thing-group --thing-group-name {name} {at}")
billing_group_missing = _absent("billing group", "aws iot create-billing-group --billing-group-name {name} {at}")


def conflict(case: AwsCase) -> Found | None:
    """
    The thing exists, differs, and the template may not change it (OverrideSettings FAIL, or none).
    """
    resources = case.resources
    if resources is None or (thing := case.thing.value) is None or thing.name != resources.thing_name:
        return None
    differs = []
    if resources.attributes and dict(resources.attributes) != dict(thing.attributes):
        differs.append(("AttributePayload", "attributes"))
    if resources.thing_type and resources.thing_type != thing.type_name:
        differs.append(("ThingTypeName", "thing type"))
    if resources.thing_groups and "ThingGroups" not in resources.overrides:
        differs += [("ThingGroups", "thing groups")] if set(resources.thing_groups) != set(thing.groups.value) else []
    failing = [words for setting, words in differs if resources.overrides.get(setting, "FAIL") == "FAIL"]
    if not failing:
        return None
    return Found(
        f"The thing {thing.name} exists with other {failing[0]}, and the template's OverrideSettings do not let it "
        "change them.",
        (f"firstlight devices retire {thing.name} --yes {case.at}",),
        "Or set OverrideSettings to REPLACE, MERGE or DO_NOTHING in the template.",
    )


def thing_shared(case: AwsCase) -> Found | None:
    """
    The newcomer would become a thing that another certificate has: two devices, one name.
    """
    resources = case.resources
    if resources is None or (thing := case.thing.value) is None or thing.name != resources.thing_name:
        return None
    others = thing.certificates.value - {case.device.certificate.fingerprint}
    if not others:
        return None
    return Found(
        f"The thing {thing.name} has the certificate {min(others)[:16]}… already; this one would join it.",
        (f"firstlight devices show {thing.name} {case.at}",),
        "Right after a renewal; otherwise two devices of one common name push each other off the line.",
        certain=False,
    )
