"""
Of a newcomer: the role its template runs under, and whether that role may do what the template asks for.
"""

import json
import shlex
from collections.abc import Iterator

from firstlight.doctor.aws_case import AwsCase, Template
from firstlight.doctor.causes import Fine, Found
from firstlight.errors import JitpError
from firstlight.policies.role import SERVICE, AssumedRole

_Needed = Iterator[tuple[str, tuple[str, ...]]]


def missing(case: AwsCase) -> Found | None:
    template = _template(case)
    if case.introduction is None or template is None or case.introduction.role.value is not None:
        return None
    return Found(
        f"The provisioning role {_name(template)} does not exist.",
        (f"npx aws-cdk@2 deploy FirstlightJitp-{case.region}",),
    )


def not_assumable(case: AwsCase) -> Found | Fine | None:
    template = _template(case)
    if case.introduction is None or template is None or case.introduction.role.value is None:
        return None
    try:
        _assumed(case, template)
    except JitpError as e:
        return Found(
            e.message,
            (f"aws iam update-assume-role-policy --role-name {_name(template)} --policy-document {_trust(case)}",),
            e.hint,
        )
    return Fine(f"AWS IoT may assume the role {_name(template)}.")


def lacks_action(case: AwsCase) -> Found | Fine | None:
    template = _template(case)
    if template is None or case.resources is None or case.introduction is None:
        return None
    if case.introduction.role.value is None or isinstance(not_assumable(case), Found):
        return None
    role = _assumed(case, template)
    lacking = [(action, refused) for action, on in _needed(case) if (refused := role.refuses(action, *on)) is not None]
    if not lacking:
        return Fine(f"The role {_name(template)} may do everything the template asks for.")
    actions = list(dict.fromkeys(action for action, _ in lacking))
    document = _document(Effect="Allow", Action=actions, Resource=sorted({_all_of(on) for _, on in lacking}))
    return Found(
        f"The provisioning role {_name(template)} may not {lacking[0][0]} on {lacking[0][1]}; it lacks "
        f"{', '.join(actions)}.",
        (f"aws iam put-role-policy --role-name {_name(template)} --policy-name More --policy-document {document}",),
        "The next connect tries again. A role with a permissions boundary needs it there, too.",
    )


def _trust(case: AwsCase) -> str:
    return _document(
        Effect="Allow",
        Principal={"Service": SERVICE},
        Action="sts:AssumeRole",
        Condition={
            "StringEquals": {"aws:SourceAccount": case.place.account},
            "ArnLike": {"aws:SourceArn": case.place.iot("*")},
        },
    )


def _document(**statement: object) -> str:
    return shlex.quote(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def _all_of(resource: str) -> str:
    """
    Return the ARN of all things of *resource*'s kind: a role is for every device.
    """
    return resource if resource == "*" else f"{resource.partition('/')[0]}/*"


def _needed(case: AwsCase) -> _Needed:
    """
    Yield what RegisterThing does for this certificate, in its order: an action and the resources it is about.
    """
    place, resources = case.place, case.resources
    if resources is None:
        return
    certificate = place.iot(f"cert/{case.device.certificate.fingerprint}")
    yield "iot:RegisterThing", ("*",)
    yield "iot:DescribeCertificate", (certificate,)
    for name in resources.policy_names:
        yield "iot:GetPolicy", (place.iot(f"policy/{name}"),)
    if resources.policy_documents:
        yield "iot:CreatePolicy", (place.iot("policy/*"),)
    if resources.thing_name:
        yield from _of_thing(case, certificate)
    yield "iot:AttachPolicy", (certificate,)
    yield "iot:UpdateCertificate", (certificate,)


def _of_thing(case: AwsCase, certificate: str) -> _Needed:
    place, resources = case.place, case.resources
    if resources is None:
        return
    thing = place.iot(f"thing/{resources.thing_name}")
    if resources.thing_type:
        yield "iot:DescribeThingType", (place.iot(f"thingtype/{resources.thing_type}"),)
    for group in resources.thing_groups:
        yield "iot:DescribeThingGroup", (place.iot(f"thinggroup/{group}"),)
    yield "iot:DescribeThing", (thing,)
    yield ("iot:UpdateThing" if case.thing.known else "iot:CreateThing"), (thing,)
    for group in resources.thing_groups:
        yield "iot:AddThingToThingGroup", (thing, place.iot(f"thinggroup/{group}"))
    if resources.billing_group:
        group = place.iot(f"billinggroup/{resources.billing_group}")
        yield "iot:DescribeBillingGroup", (group,)
        yield "iot:AddThingToBillingGroup", (thing, group)
    yield "iot:AttachThingPrincipal", (thing, certificate)


def _template(case: AwsCase) -> Template | None:
    return case.introduction.template.value if case.introduction else None


def _name(template: Template) -> str:
    return template.role_arn.rpartition("/")[2]


def _assumed(case: AwsCase, template: Template) -> AssumedRole:
    role = case.introduction.role.value if case.introduction else None
    return AssumedRole(role, template.role_arn, source_arn=template.arn, place=case.place)
