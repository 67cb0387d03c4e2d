"""
Just-in-time provisioning: what the first connect makes, and why it sometimes makes nothing.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstlight.jitp import template
from firstlight.local.aws_iot.registry import RegisteredCertificate, RegisteredThing
from firstlight.policies.iam_role import Role
from tests.aws_iot_memory import EVERYTHING, ROLE, TRUST, MemoryAwsIot, issuer_of
from tests.factory import Factory
from tests.front_door_cases import Case


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_the_first_connect_provisions_and_the_second_is_let_in(factory: Factory) -> None:
    """
    The thing, its policy, its certificate; the policy is there before the certificate is ACTIVE.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1", serial=7)
        aws = MemoryAwsIot.with_jitp(factory.ca)
        async with Case(aws) as case:
            refusal = await case.refuse(leaf)
            assert ("provisioned just in time as 'device-1'; this first connection is closed", None) == (
                refusal.why,
                refusal.reason,
            )
            assert "thing=device-1" == (await case.admit(leaf)).name
            assert case.latest.provisioned
        assert [
            "register_pending",
            "create_thing",
            "attach_policy",
            "attach_certificate",
            "set_status",
        ] == aws.calls
        assert {"certificateId": leaf.fingerprint, "serialNumber": "7"} == dict(aws.things["device-1"].attributes)

    run(test())


def test_one_device_connecting_many_times_at_once_is_provisioned_once(factory: Factory) -> None:
    """
    Impatient firmware does not make two runs.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws = MemoryAwsIot.with_jitp(factory.ca)
        async with Case(aws) as case:
            await asyncio.gather(*(case.refuse(leaf) for _ in range(10)))
            assert 1 == len(case.log.latest)
        assert 1 == aws.calls.count("register_pending")
        assert 1 == aws.calls.count("set_status")

    run(test())


def test_a_foreign_device_leaves_no_trace(factory: Factory) -> None:
    """
    Whoever signed it is no registered CA, even if it bears the same name.
    """

    async def test() -> None:
        foreigner = Factory(factory.name)
        aws = MemoryAwsIot.with_jitp(factory.ca)
        async with Case(aws) as case:
            assert "no registered ACTIVE CA signed it" in (await case.refuse(foreigner.leaf("device-1"))).why
            assert not case.log.latest
        assert ([], {}) == (aws.calls, aws.known)

    run(test())


def test_a_ca_is_no_device(factory: Factory) -> None:
    """
    Whoever holds the CA's key and connects with its own certificate gets no thing.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca)
        async with Case(aws) as case:
            assert "no registered ACTIVE CA signed it" in (await case.refuse(factory.ca)).why
        assert {} == aws.known

    run(test())


def test_a_devices_own_words_stay_on_their_line(factory: Factory, tmp_path: Path) -> None:
    """
    A common name cannot forge a line of the log, nor drive a terminal.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca)
        async with Case(aws, tmp_path / "jitp.log") as case:
            await case.refuse(factory.leaf("x\n2026 PROVISIONED\x1b[2J"), "y\nconnected")
        (line,) = (tmp_path / "jitp.log").read_text().splitlines()
        assert "CN=x\\n2026 PROVISIONED\\x1b[2J" in line

    run(test())


def test_cas_of_one_name_are_told_apart(factory: Factory) -> None:
    """
    The CA whose key signed the device decides how it is provisioned.
    """

    async def test() -> None:
        other = Factory(factory.name)
        aws = MemoryAwsIot.with_jitp(factory.ca)
        aws.cas.insert(0, issuer_of(other.ca, template_name="Missing"))
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            assert (factory.ca.fingerprint, True) == (case.latest.issuer_id, case.latest.provisioned)

    run(test())


def test_a_ca_without_auto_registration_registers_nothing(factory: Factory) -> None:
    """
    Nor does a CA that is INACTIVE, which is not among the issuers.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca)
        aws.cas = [issuer_of(factory.ca, auto_registers=False, template_name="Jitp")]
        async with Case(aws) as case:
            assert "registers none by itself" in (await case.refuse(factory.leaf("device-1"))).why
            aws.cas = []
            assert "no registered ACTIVE CA signed it" in (await case.refuse(factory.leaf("device-1"))).why
        assert {} == aws.known

    run(test())


def test_the_event_says_that_a_certificate_was_registered(factory: Factory) -> None:
    """
    Once without a registration time, and with one each time it shows itself while it is pending.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws = MemoryAwsIot.with_jitp(factory.ca)
        aws.policies.clear()
        async with Case(aws) as case:
            await case.refuse(leaf)
            await case.refuse(leaf)
            assert [f"$aws/events/certificates/registered/{factory.ca.fingerprint}"] * 2 == [
                message.topic for message in case.heard
            ]
            first, second = (json.loads(message.payload) for message in case.heard)
        assert {
            "certificateId": leaf.fingerprint,
            "caCertificateId": factory.ca.fingerprint,
            "timestamp": 1795176000000,
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": "123456789012",
            "certificateRegistrationTimestamp": None,
        } == first
        assert first | {"certificateRegistrationTimestamp": "1"} == second

    run(test())


def test_a_ca_without_a_template_only_registers(factory: Factory) -> None:
    """
    Just-in-time registration: a rule on the event does the rest.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws = MemoryAwsIot(cas=[issuer_of(factory.ca)])
        async with Case(aws) as case:
            assert "has no provisioning template (JITR)" in (await case.refuse(leaf)).why
            assert 1 == len(case.heard)
        assert "PENDING_ACTIVATION" == aws.known[leaf.fingerprint].status

    run(test())


def with_template(aws: MemoryAwsIot, body: dict[str, Any]) -> None:
    aws.templates["Jitp"] = replace(aws.templates["Jitp"], body=template.to_aws(body))


def no_template(aws: MemoryAwsIot) -> None:
    aws.templates.clear()


def disabled(aws: MemoryAwsIot) -> None:
    aws.templates["Jitp"] = replace(aws.templates["Jitp"], enabled=False)


def fleet(aws: MemoryAwsIot) -> None:
    aws.templates["Jitp"] = replace(aws.templates["Jitp"], kind="FLEET_PROVISIONING")


def no_role(aws: MemoryAwsIot) -> None:
    aws.roles.clear()


def no_policy(aws: MemoryAwsIot) -> None:
    aws.policies.clear()


def no_type(aws: MemoryAwsIot) -> None:
    with_template(aws, template.build(policy_name="Device", thing_type="Lamp"))


def no_group(aws: MemoryAwsIot) -> None:
    with_template(aws, template.build(policy_name="Device", thing_groups=["north"]))


def no_billing_group(aws: MemoryAwsIot) -> None:
    aws.billing_groups = set()
    with_template(aws, template.build(policy_name="Device", billing_group="maker"))


def organization(aws: MemoryAwsIot) -> None:
    body = template.build(policy_name="Device", attributes={"maker": template.PREFIX + "Organization"})
    del body["Parameters"][template.PREFIX + "Organization"]["Default"]
    with_template(aws, body)


def conflict(aws: MemoryAwsIot) -> None:
    body = template.build(policy_name="Device")
    body["Resources"]["thing"]["OverrideSettings"]["AttributePayload"] = "FAIL"
    with_template(aws, body)
    aws.things["device-1"] = RegisteredThing(name="device-1", attributes={"other": "x"})


def throttled(aws: MemoryAwsIot) -> None:
    aws.refused.add("attach_policy")


FAILURES: list[tuple[Callable[[MemoryAwsIot], None], str]] = [
    (no_template, "The provisioning template Jitp, which the CA names, does not exist."),
    (disabled, "The provisioning template Jitp is not enabled."),
    (fleet, "The provisioning template Jitp is of type FLEET_PROVISIONING, not JITP."),
    (no_role, "The provisioning role Provisioning does not exist."),
    (no_policy, "The policy Device, which the template names, does not exist."),
    (no_type, "The thing type Lamp, which the template names, does not exist."),
    (no_group, "The thing group north, which the template names, does not exist."),
    (no_billing_group, "The billing group maker, which the template names, does not exist."),
    (organization, "The certificate has no Organization in its subject"),
    (conflict, "The thing device-1 exists with other attributes, which the template does not override."),
    (throttled, "attach_policy failed: it is throttled."),
]


@pytest.mark.parametrize(("broken", "sentence"), FAILURES, ids=[b.__name__ for b, _ in FAILURES])
def test_a_failed_run_leaves_the_certificate_pending_and_its_reason_in_the_log(
    factory: Factory, tmp_path: Path, broken: Callable[[MemoryAwsIot], None], sentence: str
) -> None:
    """
    One line a person can read; the next connection tries again.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws = MemoryAwsIot.with_jitp(factory.ca)
        broken(aws)
        async with Case(aws, tmp_path / "jitp.log") as case:
            assert sentence in (await case.refuse(leaf)).why
            assert sentence in case.latest.reason
            assert "PENDING_ACTIVATION" == aws.known[leaf.fingerprint].status
            await case.refuse(leaf)
            assert 2 == len(case.log.latest)
        lines = (tmp_path / "jitp.log").read_text().splitlines()
        assert 2 == len(lines)
        assert f"FAILED {sentence}" in lines[0]
        assert f"certificate {leaf.fingerprint[:16]}… CN=device-1" in lines[0]

    run(test())


def test_what_was_mended_works_on_the_next_connect(factory: Factory) -> None:
    """
    The same certificate; nothing to be cleaned up first.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws = MemoryAwsIot.with_jitp(factory.ca)
        throttled(aws)
        async with Case(aws) as case:
            await case.refuse(leaf)
            aws.refused.clear()
            assert "provisioned just in time" in (await case.refuse(leaf)).why
            await case.admit(leaf)

    run(test())


@pytest.mark.parametrize(("name", "shown"), [("two words", "'two words'"), ("é", "'é'"), ("a.b", "'a.b'")])
def test_a_name_no_thing_may_have(factory: Factory, name: str, shown: str) -> None:
    """
    The common name is the thing's name, so it must be one.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca)
        async with Case(aws) as case:
            await case.refuse(factory.leaf(name), name)
            assert f"AWS IoT does not take {shown} as ThingName." == case.latest.reason
        assert {} == aws.things

    run(test())


def test_an_attribute_no_thing_may_have(factory: Factory) -> None:
    """
    An organization with a space in it is the classic.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(
            factory.ca, template.build(policy_name="Device", attributes={"name": template.COMMON_NAME})
        )
        body = json.loads(aws.templates["Jitp"].body)
        body["Resources"]["thing"]["Properties"]["AttributePayload"]["maker"] = "Two Words"
        with_template(aws, body)
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            assert "AWS IoT does not take 'Two Words' as the attribute maker." == case.latest.reason

    run(test())


ALL_ACTIONS = [
    "RegisterThing",
    "DescribeCertificate",
    "GetPolicy",
    "CreatePolicy",
    "DescribeThingType",
    "DescribeThingGroup",
    "DescribeThing",
    "CreateThing",
    "AddThingToThingGroup",
    "DescribeBillingGroup",
    "AddThingToBillingGroup",
    "AttachPolicy",
    "AttachThingPrincipal",
    "UpdateCertificate",
]


def everything(policy_document: str) -> dict[str, Any]:
    """
    Return a template that uses all there is.
    """
    body = template.build(policy_name="Device", thing_type="Lamp", thing_groups=["north"], billing_group="maker")
    body["Resources"]["more"] = {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": policy_document}}
    return body


def role(*actions: str, boundary: str = "") -> Role:
    statement = {"Effect": "Allow", "Action": [f"iot:{a}" for a in actions], "Resource": "*"}
    return Role(
        arn=ROLE, trust=json.dumps(TRUST), policies={"P": json.dumps({"Statement": statement})}, boundary=boundary
    )


@pytest.mark.parametrize("missing", ["", *ALL_ACTIONS])
def test_the_role_must_allow_each_action_of_the_run(factory: Factory, missing: str) -> None:
    """
    With all of them the device is provisioned; without any one it is not, and the log names it.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca, everything('{"Statement": []}'))
        aws.types, aws.groups, aws.billing_groups = {"Lamp"}, {"north": set()}, {"maker"}
        aws.roles[ROLE] = role(*(action for action in ALL_ACTIONS if action != missing))
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            expected = f"The provisioning role Provisioning may not iot:{missing} on " if missing else ""
            assert (not missing) == case.latest.provisioned
            assert case.latest.reason.startswith(expected)

    run(test())


def test_a_permissions_boundary_limits_the_role(factory: Factory) -> None:
    """
    What the boundary does not allow, the role may not.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca)
        aws.roles[ROLE] = role(*ALL_ACTIONS, boundary='{"Statement": []}')
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            assert "may not iot:RegisterThing" in case.latest.reason

    run(test())


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Action": "sts:TagSession"},
        {"Effect": "Deny"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:iot:us-east-1:123456789012:*"}}},
    ],
)
def test_the_role_must_trust_aws_iot_here(factory: Factory, changes: dict[str, Any]) -> None:
    """
    Its trust policy guards against the confused deputy, and the guard is looked at.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca)
        trust = {"Statement": TRUST["Statement"] | changes}
        aws.roles[ROLE] = Role(arn=ROLE, trust=json.dumps(trust), policies={"P": json.dumps(EVERYTHING)})
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            assert "The provisioning role Provisioning does not let AWS IoT assume it." == case.latest.reason

    run(test())


def test_an_inline_template(factory: Factory) -> None:
    """
    A CA may carry the template's body and the role itself.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca)
        body = aws.templates.pop("Jitp").body
        aws.cas = [replace(issuer_of(factory.ca), template_body=body, role_arn=ROLE)]
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            assert (True, "inline template") == (case.latest.provisioned, case.latest.template)

    run(test())


def test_a_policy_document_becomes_a_policy(factory: Factory) -> None:
    """
    Named by its hash, once for all devices.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca, everything('{"Statement": []}'))
        aws.types, aws.groups = {"Lamp"}, {"north": set()}
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            await case.refuse(factory.leaf("device-2"))
            assert (True, True) == tuple(attempt.provisioned for attempt in case.log.latest)
        assert 1 == aws.calls.count("create_policy")
        assert 4 == aws.calls.count("attach_policy")

    run(test())


def test_billing_groups_the_laptop_does_not_have_are_left_out_and_said(factory: Factory) -> None:
    """
    The laptop AWS knows none; the device comes online all the same, and the log does not hide it.
    """

    async def test() -> None:
        aws = MemoryAwsIot.with_jitp(factory.ca, template.build(policy_name="Device", billing_group="maker"))
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            assert case.latest.provisioned
            assert "(the laptop AWS has no billing groups, so maker was left out)" in str(case.latest)

    run(test())


OVERRIDES: list[tuple[dict[str, str], dict[str, Any] | str]] = [
    (
        {"AttributePayload": "REPLACE", "ThingTypeName": "REPLACE", "ThingGroups": "REPLACE"},
        {"attributes": {"new": "1"}, "type": "Lamp", "groups": ("north",)},
    ),
    (
        {"AttributePayload": "MERGE", "ThingTypeName": "DO_NOTHING", "ThingGroups": "MERGE"},
        {"attributes": {"old": "0", "new": "1"}, "type": "Old", "groups": ("north", "south")},
    ),
    (
        {"AttributePayload": "DO_NOTHING", "ThingTypeName": "DO_NOTHING", "ThingGroups": "DO_NOTHING"},
        {"attributes": {"old": "0"}, "type": "Old", "groups": ("south",)},
    ),
    ({"AttributePayload": "FAIL", "ThingTypeName": "REPLACE", "ThingGroups": "MERGE"}, "attributes"),
    ({"AttributePayload": "MERGE", "ThingTypeName": "FAIL", "ThingGroups": "MERGE"}, "thing type"),
    ({"AttributePayload": "MERGE", "ThingTypeName": "REPLACE", "ThingGroups": "FAIL"}, "thing groups"),
    ({}, "attributes"),
]


@pytest.mark.parametrize(("settings", "expected"), OVERRIDES)
def test_override_settings(factory: Factory, settings: dict[str, str], expected: dict[str, Any] | str) -> None:
    """
    What happens to a thing that exists already; a conflict changes nothing.
    """

    async def test() -> None:
        body = template.build(policy_name="Device", thing_type="Lamp", thing_groups=["north"], attributes={"new": "1"})
        body["Resources"]["thing"]["OverrideSettings"] = settings
        aws = MemoryAwsIot.with_jitp(factory.ca, body)
        aws.types, aws.groups = {"Lamp"}, {"north": set(), "south": {"device-1"}}
        before = aws.things["device-1"] = RegisteredThing(name="device-1", attributes={"old": "0"}, type_name="Old")
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            if isinstance(expected, str):
                assert f"exists with other {expected}" in case.latest.reason
                assert (before, {"south"}) == (aws.things["device-1"], set(aws.groups_of("device-1")))
                return
            assert case.latest.provisioned
        thing = aws.things["device-1"]
        assert expected == {
            "attributes": dict(thing.attributes),
            "type": thing.type_name,
            "groups": aws.groups_of("device-1"),
        }

    run(test())


def test_a_thing_as_the_template_wants_it_is_no_conflict(factory: Factory) -> None:
    """
    FAIL fails on differences only, so a device renewed under its old name comes through.
    """

    async def test() -> None:
        body = template.build(policy_name="Device", attributes={"model": "x"})
        body["Resources"]["thing"]["OverrideSettings"] = {"AttributePayload": "FAIL"}
        aws = MemoryAwsIot.with_jitp(factory.ca, body)
        async with Case(aws) as case:
            await case.refuse(factory.leaf("device-1"))
            await case.refuse(factory.leaf("device-1"))
            assert (True, True) == tuple(attempt.provisioned for attempt in case.log.latest)

    run(test())


def test_a_template_may_leave_the_certificate_inactive(factory: Factory) -> None:
    """
    Provisioned, and not let in until an operator says so.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        body = template.build(policy_name="Device")
        body["Resources"]["certificate"]["Properties"]["Status"] = "INACTIVE"
        aws = MemoryAwsIot.with_jitp(factory.ca, body)
        async with Case(aws) as case:
            assert "provisioned just in time" in (await case.refuse(leaf)).why
            assert "its certificate is INACTIVE" == (await case.refuse(leaf)).why

    run(test())


def test_what_somebody_else_registered_meanwhile_is_left_alone(factory: Factory) -> None:
    """
    A push between the lookup and the registration wins; its ACTIVE certificate never goes back to pending.
    """

    class Overtaken(MemoryAwsIot):
        def register_pending(self, certificate: Any, issuer: Any) -> bool:
            self.add(certificate, "ACTIVE", "Device", thing="device-1")
            return super().register_pending(certificate, issuer)

    async def test() -> None:
        leaf = factory.leaf("device-1")
        ready = MemoryAwsIot.with_jitp(factory.ca)
        aws = Overtaken(policies=ready.policies, cas=ready.cas, templates=ready.templates, roles=ready.roles)
        async with Case(aws) as case:
            assert "registered meanwhile" in (await case.refuse(leaf)).why
            assert not case.log.latest
            await case.admit(leaf)

    run(test())


def test_closing_waits_for_the_run_under_way(factory: Factory) -> None:
    """
    Nothing is left half-made because somebody stopped the laptop.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws = MemoryAwsIot.with_jitp(factory.ca)
        async with Case(aws) as case:
            deciding = asyncio.create_task(case.refuse(leaf))
            await case.began.wait()
        await deciding
        assert "ACTIVE" == aws.known[leaf.fingerprint].status

    run(test())


def test_a_front_door_that_closes_lets_nobody_in(factory: Factory) -> None:
    """
    While it waits for the run under way, and afterwards; not even whom it knows.
    """
    go = threading.Event()

    class Slow(MemoryAwsIot):
        def create_thing(self, thing: RegisteredThing) -> None:
            assert go.wait(30)
            super().create_thing(thing)

    async def test() -> None:
        known, newcomer = factory.leaf("known"), factory.leaf("newcomer")
        aws = Slow.with_jitp(factory.ca)
        aws.add(known, "ACTIVE", "Device", thing="known")
        async with Case(aws) as case:
            deciding = asyncio.create_task(case.refuse(newcomer))
            await case.began.wait()
            closing = asyncio.create_task(case.cloud.closed())
            await asyncio.sleep(0)
            try:
                assert "the front door closes" == (await case.refuse(known, "known")).why
            finally:
                go.set()
            await closing
            assert "provisioned just in time" in (await deciding).why
            assert "the front door closes" == (await case.refuse(known, "known")).why

    run(test())


def test_a_newcomer_looked_up_while_the_front_door_closes_is_not_registered(factory: Factory) -> None:
    """
    Its run would begin when nobody waits for it any more.
    """
    asked, go = threading.Event(), threading.Event()

    class Slow(MemoryAwsIot):
        def certificate(self, certificate_id: str) -> RegisteredCertificate | None:
            asked.set()
            assert go.wait(30)
            return super().certificate(certificate_id)

    async def test() -> None:
        aws = Slow.with_jitp(factory.ca)
        async with Case(aws) as case:
            deciding = asyncio.create_task(case.refuse(factory.leaf("device-1")))
            assert await asyncio.to_thread(asked.wait, 30)
            closing = asyncio.create_task(case.cloud.closed())
            await asyncio.sleep(0)
            go.set()
            assert "the front door closes" == (await deciding).why
            await closing
        assert {} == aws.known

    run(test())
