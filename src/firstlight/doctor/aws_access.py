"""
Of a certificate that is let in, or would be: does a policy let it connect under the device's name?
"""

import shlex

from firstlight.doctor.aws_case import ACTIVE, MQTT_PORT, PENDING, AwsCase, Registered
from firstlight.doctor.causes import Fine, Found
from firstlight.errors import RegistryError
from firstlight.policies import variables
from firstlight.policies.iot_policy import Action, Permissions
from firstlight.policies.patterns import Context
from firstlight.policies.statements import parse

_ADDRESS = "aws:sourceip"


def no_policy(case: AwsCase) -> Found | Fine | None:
    registered = _active(case)
    if registered is None:
        return None
    if registered.policies.value:
        return Fine(f"The policy {', '.join(registered.policies.value)} is attached.")
    return Found(
        "The certificate is ACTIVE and no policy is attached to it, nor to a group of its things.",
        (
            f"aws iot attach-policy --policy-name POLICY --target {_arn(case)} {case.at}",
            f"firstlight push {case.device.file} --url INGEST_URL",
        ),
        "The policy of pushed devices is FirstlightDevice, that of devices provisioned just in time "
        "FirstlightJitpDevice; a push attaches what is missing.",
    )


def name_of_another(case: AwsCase) -> Found | None:
    """
    The device connects under the name of a thing that another certificate has.
    """
    registered = _active(case)
    if registered is None or case.name in registered.things.value or (thing := case.thing.value) is None:
        return None
    others = thing.certificates.value
    if not others:
        return None
    return Found(
        f"The device connects as {case.name}, and that thing belongs to the certificate {min(others)[:16]}….",
        (
            f"firstlight devices show {shlex.quote(case.name)} {case.at}",
            f"firstlight devices show --cert {case.device.file} {case.at}",
        ),
        "Let it connect under its own name, or, if the other certificate is an old one of this device, attach this "
        f"one: {_attach(case)}",
    )


def not_attached(case: AwsCase) -> Found | Fine | None:
    registered = _active(case)
    if registered is None:
        return None
    if registered.things.value:
        return Fine(f"The certificate is attached to {', '.join(registered.things.value)}.")
    if _lets_in(case) is True:
        return None
    commands = [
        f"aws iot attach-thing-principal --thing-name {shlex.quote(case.name)} --principal {_arn(case)} {case.at}"
    ]
    if case.thing.value is None:
        commands.insert(0, f"aws iot create-thing --thing-name {shlex.quote(case.name)} {case.at}")
    return Found(
        "The certificate is attached to no thing, and its policies let only a thing's own certificate in.",
        tuple(commands),
    )


def other_client_id(case: AwsCase) -> Found | None:
    """
    It connects under a name that is not its thing's, so that thing policy variables have no value.
    """
    things = _things(case)
    if not things or case.name in things or _lets_in(case) is not False:
        return None
    return Found(
        f"The device connects as {case.name!r}; its certificate belongs to the thing {', '.join(things)}, and its "
        "policies let it connect as that only.",
        advice=f"Let the device use {things[0]!r} as its MQTT client id.",
    )


def not_allowed(case: AwsCase) -> Found | Fine | None:
    """
    The policies, all together, do not allow iot:Connect under that name.
    """
    things, lets_in = _things(case), _lets_in(case)
    if lets_in is None or not things:
        return None
    names = _names(case)
    called = f"The policy {', '.join(names)}" if names else "The policy in the template"
    if lets_in:
        return Fine(f"{called} lets it connect as {case.name}.")
    if case.name not in things:
        return None
    return Found(
        f"{called} does not allow iot:Connect on {case.place.iot(f'client/{case.name}')}.",
        tuple(line for name in names[:1] for line in (_read_policy(name, case), _new_version(name, case))),
        "docs/verify.md has a policy that does; an edit takes minutes to come into effect.",
        certain=not _asks_for_address(case),
    )


def policy_unreadable(case: AwsCase) -> Found | None:
    """
    A policy that cannot be read as one lets nobody in.
    """
    for name, document in {name: fact.value for name, fact in case.documents.items()}.items():
        if document is None:
            continue
        try:
            parse(document, name)
        except RegistryError as e:
            return Found(e.message, (_read_policy(name, case),))
    return None


def still_pending(case: AwsCase) -> Found | None:
    """
    PENDING_ACTIVATION although everything would go well now: it failed before, or was throttled.
    """
    registered = case.registered.value
    if registered is None or registered.status != PENDING or case.introduction is None:
        return None
    since = "" if registered.since is None else f" since {registered.since:%Y-%m-%dT%H:%M:%SZ}"
    return Found(
        f"The certificate is PENDING_ACTIVATION{since}: it was registered at a first connect, and provisioning did not "
        "end well.",
        (_verify(case),),
        "When what stands above is mended, let the device connect again: each connect tries again. If nothing stands "
        "above, AWS was throttling (10 RegisterThing and 15 AttachPolicy a second).",
        certain=False,
    )


def refused_all_the_same(case: AwsCase) -> Found | Fine | None:
    """
    The device's own connection, which has the last word.
    """
    tried = case.connection
    if tried is None:
        return None
    if tried.online:
        return Fine(f"The device came online as {case.name}: {tried.detail}.")
    return Found(
        f"The device tried, and did not come online: {tried.detail}.",
        (_verify(case),),
        "If nothing stands above: quotas (one connect a second for each client id), or a change that is minutes old.",
    )


def _attach(case: AwsCase) -> str:
    return f"aws iot attach-thing-principal --thing-name {shlex.quote(case.name)} --principal {_arn(case)} {case.at}"


def _verify(case: AwsCase) -> str:
    endpoint = case.where.host or case.account_endpoint.known or "ENDPOINT"
    port = "" if case.where.port == MQTT_PORT else f" --port {case.where.port}"
    return f"firstlight verify aws --endpoint {endpoint}{port} --cert {case.device.file} --key {case.device.key_file}"


def _read_policy(name: str, case: AwsCase) -> str:
    return f"aws iot get-policy --policy-name {name} {case.at}"


def _new_version(name: str, case: AwsCase) -> str:
    document = f"--policy-document file://policy.json --set-as-default {case.at}"
    return f"aws iot create-policy-version --policy-name {name} {document}"


def _active(case: AwsCase) -> Registered | None:
    registered = case.registered.value
    return registered if registered is not None and registered.status == ACTIVE else None


def _things(case: AwsCase) -> tuple[str, ...]:
    """
    Return the things that the certificate has, or would get.
    """
    if registered := _active(case):
        return registered.things.value
    resources = case.resources if case.is_newcomer else None
    return (resources.thing_name,) if resources and resources.thing_name else ()


def _names(case: AwsCase) -> tuple[str, ...]:
    return tuple(name for name, fact in case.documents.items() if fact.value is not None)


def _lets_in(case: AwsCase) -> bool | None:
    """
    Return whether its policies let it connect under its name, or None when there are none to ask.
    """
    if registered := _active(case):
        # which there are must be known, or nothing can be said
        _ = registered.policies.value
    documents = {name: fact.value for name, fact in case.documents.items()}
    found = {name: document for name, document in documents.items() if document}
    resources = case.resources if case.is_newcomer else None
    if resources:
        found |= {f"of the template, {at}": document for at, document in enumerate(resources.policy_documents)}
    if not found:
        return None
    try:
        statements = [s for name, document in found.items() for s in parse(document, name)]
    except RegistryError:
        return None
    context = Context(
        variables.of_connection(case.name, "", _thing(case), persistent=False, has_will=False)
        | variables.of_certificate(case.device.certificate)
    )
    return Permissions(statements, context).allow(Action.CONNECT, case.place.iot(f"client/{case.name}"))


def _thing(case: AwsCase) -> variables.Thing | None:
    """
    Return the thing of the connection: the client id is its name, and the certificate is attached to it.
    """
    if case.name not in _things(case):
        return None
    resources = case.resources if case.is_newcomer else None
    if resources:
        return variables.Thing(name=case.name, type_name=resources.thing_type, attributes=resources.attributes)
    thing = case.thing.value
    return variables.Thing(
        name=case.name,
        type_name=thing.type_name if thing else "",
        attributes=thing.attributes if thing else {},
    )


def _asks_for_address(case: AwsCase) -> bool:
    return any(_ADDRESS in (fact.value or "").lower() for fact in case.documents.values())


def _arn(case: AwsCase) -> str:
    return case.place.iot(f"cert/{case.device.certificate.fingerprint}")
