"""
`firstlight doctor` on the laptop's AWS: each situation is built for real, and the right cause comes first.
"""

import copy
import json
import shlex
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from firstlight import pki
from firstlight.doctor.diagnosis import Verdict
from firstlight.jitp import template
from tests.command_line import Firstlight, runner
from tests.local.doctor_aws import ELSEWHERE, REGION, Bench, Shown, bench
from tests.local.jitp_site import ACTIONS
from tests.mqtt_device import Identity

THING = "${iot:Connection.Thing.ThingName}"


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("doctor")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_ca_is_left(laptop: Bench) -> Iterator[None]:
    yield
    laptop.forget_cas()


class Situation(NamedTuple):
    """
    `refused` is a part of the front door's reason; empty where the laptop has none to give.
    """

    sentence: str
    code: str
    refused: str
    build: Callable[[Bench], Shown]


def _body(laptop: Bench, site_policy: str, **thing: Any) -> dict[str, Any]:
    body = copy.deepcopy(template.build(policy_name=site_policy))
    body["Resources"]["thing"]["Properties"] |= thing
    return body


def address(laptop: Bench) -> Shown:
    identity = laptop.registered(laptop.policy)
    return Shown(identity=identity, endpoint="127.0.0.1", server_name=None)


def another_region(laptop: Bench) -> Shown:
    identity = laptop.registered(laptop.policy)
    return Shown(identity=identity, endpoint="abc123-ats.iot.eu-central-1.amazonaws.com")


def another_account(laptop: Bench) -> Shown:
    identity = laptop.registered(laptop.policy)
    return Shown(identity=identity, endpoint=f"abc123-ats.iot.{REGION}.amazonaws.com")


def without_ats(laptop: Bench) -> Shown:
    identity = laptop.registered(laptop.policy)
    return Shown(identity=identity, endpoint=f"abc123.iot.{REGION}.amazonaws.com")


def expired(laptop: Bench) -> Shown:
    maker = laptop.maker()
    identity = laptop.aged(maker, (-30, -1))
    laptop.register(identity)
    return Shown(identity=identity)


def not_yet_valid(laptop: Bench) -> Shown:
    maker = laptop.maker()
    identity = laptop.aged(maker, (2, 30))
    laptop.register(identity)
    return Shown(identity=identity)


def switched_off(laptop: Bench) -> Shown:
    identity = laptop.registered(laptop.policy)
    laptop.iot.update_certificate(certificateId=identity.certificate.fingerprint, newStatus="INACTIVE")
    return Shown(identity=identity)


def revoked(laptop: Bench) -> Shown:
    shown = Shown(identity=laptop.device(laptop.site().maker))
    assert "provisioned just in time" in laptop.refused(shown)
    laptop.iot.update_certificate(certificateId=shown.identity.certificate.fingerprint, newStatus="REVOKED")
    return shown


def elsewhere(laptop: Bench) -> Shown:
    return Shown(identity=laptop.registered(laptop.policy), region=ELSEWHERE)


def stranger(laptop: Bench) -> Shown:
    laptop.site()
    return Shown(identity=laptop.device(laptop.maker()))


def name_taken(laptop: Bench) -> Shown:
    taken = laptop.registered(laptop.policy)
    return Shown(identity=laptop.device(laptop.maker(), taken.name))


def another_key(laptop: Bench) -> Shown:
    site = laptop.site()
    impostor = laptop.maker()
    impostor.ca = pki.create_ca(site.maker.name, key=impostor.key, now=laptop.now)
    return Shown(identity=laptop.device(impostor, "impostor"))


def root_registered(laptop: Bench) -> Shown:
    site = laptop.site()
    key = pki.new_key()
    intermediate = pki.create_ca("Intermediate", key=key, issuer=(site.maker.ca, site.maker.key), now=laptop.now)
    device_key = pki.new_key()
    certificate = pki.issue_device(
        ca=intermediate, ca_key=key, key_or_public_key=device_key, common_name="below", now=laptop.now
    )
    return Shown(identity=Identity.written(laptop.folder, certificate, device_key, intermediate))


def ca_inactive(laptop: Bench) -> Shown:
    site = laptop.site()
    site.iot.update_ca_certificate(certificateId=site.ca_id, newStatus="INACTIVE")
    return Shown(identity=laptop.device(site.maker))


def auto_registration_off(laptop: Bench) -> Shown:
    site = laptop.site()
    site.iot.update_ca_certificate(certificateId=site.ca_id, newAutoRegistrationStatus="DISABLE")
    return Shown(identity=laptop.device(site.maker))


def template_of_another_ca(laptop: Bench) -> Shown:
    laptop.site()
    maker = laptop.maker()
    laptop.iot.register_ca_certificate(
        caCertificate=maker.ca.pem, certificateMode="SNI_ONLY", setAsActive=True, allowAutoRegistration=True
    )
    return Shown(identity=laptop.device(maker))


def template_missing(laptop: Bench) -> Shown:
    site = laptop.site()
    site.iot.delete_provisioning_template(templateName=site.template_name)
    return Shown(identity=laptop.device(site.maker))


def template_disabled(laptop: Bench) -> Shown:
    site = laptop.site()
    site.iot.update_provisioning_template(templateName=site.template_name, enabled=False)
    return Shown(identity=laptop.device(site.maker))


def fleet_template(laptop: Bench) -> Shown:
    site = laptop.site()
    site.iot.delete_provisioning_template(templateName=site.template_name)
    site.make_template(template.build(policy_name=site.policy_name), kind="FLEET_PROVISIONING")
    return Shown(identity=laptop.device(site.maker))


def two_certificates(laptop: Bench) -> Shown:
    body = template.build(policy_name="Device")
    body["Resources"]["second"] = copy.deepcopy(body["Resources"]["certificate"])
    # stored with the CA, where AWS looks at it only when a device comes
    return Shown(identity=laptop.device(laptop.site(body=body, inline=True).maker))


def role_missing(laptop: Bench) -> Shown:
    site = laptop.site()
    site.iam.delete_role_policy(RoleName=site.role_name, PolicyName="Provision")
    site.iam.delete_role(RoleName=site.role_name)
    return Shown(identity=laptop.device(site.maker))


def role_of_another_account(laptop: Bench) -> Shown:
    return Shown(identity=laptop.device(laptop.site(source_account="999999999999").maker))


def role_may_not(laptop: Bench) -> Shown:
    return Shown(identity=laptop.device(laptop.site(actions=[a for a in ACTIONS if a != "AttachPolicy"]).maker))


def no_country(laptop: Bench) -> Shown:
    body = template.build(policy_name="Device", attributes={"country": template.PREFIX + "Country"})
    body["Parameters"][template.PREFIX + "Country"] = {"Type": "String"}
    return Shown(identity=laptop.device(laptop.site(body=body).maker))


def two_quotes(laptop: Bench) -> Shown:
    return Shown(identity=laptop.device(laptop.site().maker, '""'), name="sensor")


def blank_in_attribute(laptop: Bench) -> Shown:
    body = template.build(policy_name="Device", attributes={"maker": template.COMMON_NAME})
    body["Resources"]["thing"]["Properties"]["ThingName"] = {"Ref": template.SERIAL_NUMBER}
    body["Parameters"][template.SERIAL_NUMBER] = {"Type": "String"}
    return Shown(identity=laptop.device(laptop.site(body=body).maker, "has a blank"), name="sensor")


def nobody_introduces(laptop: Bench) -> Shown:
    # a region where no other CA has a template that might have been meant
    maker = laptop.maker()
    laptop.iot_of(ELSEWHERE).register_ca_certificate(
        caCertificate=maker.ca.pem, certificateMode="SNI_ONLY", setAsActive=True, allowAutoRegistration=True
    )
    return Shown(identity=laptop.device(maker), region=ELSEWHERE)


def nobody_listens(laptop: Bench) -> Shown:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return Shown(identity=laptop.registered(laptop.policy), port=port)


def policy_missing(laptop: Bench) -> Shown:
    site = laptop.site()
    site.iot.delete_policy(policyName=site.policy_name)
    return Shown(identity=laptop.device(site.maker))


def named(kind: str, value: Any) -> Callable[[Bench], Shown]:
    def build(laptop: Bench) -> Shown:
        site = laptop.site()
        site.iot.update_ca_certificate(
            certificateId=site.ca_id,
            registrationConfig={
                "templateBody": template.to_aws(_body(laptop, site.policy_name, **{kind: value})),
                "roleArn": site.role_arn,
            },
        )
        return Shown(identity=laptop.device(site.maker))

    return build


def may_not_change(laptop: Bench) -> Shown:
    site = laptop.site()
    body = _body(laptop, site.policy_name)
    body["Resources"]["thing"]["OverrideSettings"]["AttributePayload"] = "FAIL"
    config = {"templateBody": template.to_aws(body), "roleArn": site.role_arn}
    site.iot.update_ca_certificate(certificateId=site.ca_id, registrationConfig=config)
    identity = laptop.device(site.maker)
    site.iot.create_thing(thingName=identity.name, attributePayload={"attributes": {"model": "old"}})
    return Shown(identity=identity)


def eleven_policies(laptop: Bench) -> Shown:
    site = laptop.site()
    body = template.build(policy_name=site.policy_name)
    for number in range(10):
        name = f"Extra-{site.suffix}-{number}"
        site.iot.create_policy(policyName=name, policyDocument=json.dumps(laptop.policy))
        body["Resources"][f"policy{number}"] = {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": name}}
    config = {"templateBody": template.to_aws(body), "roleArn": site.role_arn}
    site.iot.update_ca_certificate(certificateId=site.ca_id, registrationConfig=config)
    return Shown(identity=laptop.device(site.maker))


def no_policy(laptop: Bench) -> Shown:
    return Shown(identity=laptop.registered())


def thing_of_another(laptop: Bench) -> Shown:
    first, second = laptop.registered(laptop.policy), laptop.registered(laptop.policy)
    return Shown(identity=second, name=first.name)


def no_thing(laptop: Bench) -> Shown:
    return Shown(identity=laptop.registered(laptop.policy, attach=False))


def another_client_id(laptop: Bench) -> Shown:
    return Shown(identity=laptop.registered(laptop.policy), name="somebody-else")


def policy_of_another(laptop: Bench) -> Shown:
    document = copy.deepcopy(laptop.policy)
    document["Statement"][0]["Resource"] = document["Statement"][0]["Resource"].replace(THING, "other-*")
    return Shown(identity=laptop.registered(document))


def policy_denies_newcomer(laptop: Bench) -> Shown:
    document = copy.deepcopy(laptop.policy)
    document["Statement"][0]["Resource"] = document["Statement"][0]["Resource"].replace(THING, "other-*")
    return Shown(identity=laptop.device(laptop.site(policy=document).maker))


# fmt: off -- a table
SITUATIONS = (
    Situation(
        "the device dials an address and sends no server name", "endpoint-is-an-address", "no server name", address
    ),
    Situation("the endpoint is another region's", "endpoint-of-another-region", "", another_region),
    Situation("the endpoint is another account's", "endpoint-of-another-account", "", another_account),
    Situation("the endpoint is the one of old", "endpoint-not-for-devices", "", without_ats),
    Situation("nothing listens at the endpoint", "endpoint-out-of-reach", "", nobody_listens),
    Situation("the certificate has expired", "certificate-expired", "expired", expired),
    Situation("the certificate is not valid yet", "certificate-not-yet-valid", "not valid before", not_yet_valid),
    Situation("an operator switched the certificate off", "certificate-inactive", "INACTIVE", switched_off),
    Situation("the certificate is revoked", "certificate-revoked", "REVOKED", revoked),
    Situation("the certificate is registered in another region", "registered-elsewhere", "", elsewhere),
    Situation("the pushed name belongs to another certificate", "name-taken", "no registered ACTIVE CA", name_taken),
    Situation("neither certificate nor CA is registered", "not-registered", "no registered ACTIVE CA", stranger),
    Situation("a CA of the same name has another key", "ca-has-another-key", "no registered ACTIVE CA", another_key),
    Situation(
        "the root is registered, not the signing CA", "ca-above-registered", "no registered ACTIVE CA", root_registered
    ),
    Situation("the CA is inactive", "ca-inactive", "no registered ACTIVE CA", ca_inactive),
    Situation("auto-registration is off", "auto-registration-off", "registers none by itself", auto_registration_off),
    Situation(
        "the template is linked to another CA",
        "template-of-another-ca",
        "no provisioning template",
        template_of_another_ca,
    ),
    Situation("the CA has no template, and no rule listens", "no-template", "", nobody_introduces),
    Situation("the template was deleted", "template-missing", "does not exist", template_missing),
    Situation("the template is disabled", "template-disabled", "is not enabled", template_disabled),
    Situation(
        "the template is one for fleet provisioning", "template-of-another-type", "of type FLEET", fleet_template
    ),
    Situation("the template has two certificates", "template-invalid", "more than one", two_certificates),
    Situation("the role was deleted", "role-missing", "role", role_missing),
    Situation("the role trusts another account only", "role-not-assumable", "assume it", role_of_another_account),
    Situation("the role lacks one action", "role-lacks-action", "may not iot:AttachPolicy", role_may_not),
    Situation("the subject lacks the template's country", "parameter-without-value", "no Country", no_country),
    Situation("the common name is two quotes", "name-or-value-illegal", "does not take", two_quotes),
    Situation("an attribute would have a blank", "name-or-value-illegal", "does not take", blank_in_attribute),
    Situation("the template's policy was deleted", "policy-missing", "does not exist", policy_missing),
    Situation("the template names eleven policies", "policy-over-limits", "", eleven_policies),
    Situation("the thing type is missing", "thing-type-missing", "thing type", named("ThingTypeName", "Gone")),
    Situation("the thing group is missing", "thing-group-missing", "thing group", named("ThingGroups", ["Gone"])),
    Situation("the thing exists and may not be changed", "thing-conflict", "other attributes", may_not_change),
    Situation("registered, and no policy", "no-policy", "no policy", no_policy),
    Situation("the client id is another device's thing", "thing-of-another", "do not let it connect", thing_of_another),
    Situation("the certificate is attached to no thing", "not-attached", "no thing its certificate", no_thing),
    Situation("the client id is not the thing's name", "client-id-differs", "do not let it connect", another_client_id),
    Situation("the policy allows another client id", "policy-refuses", "do not let it connect", policy_of_another),
    Situation("the template's policy refuses the thing", "policy-refuses", "provisioned", policy_denies_newcomer),
)
# fmt: on


@pytest.mark.parametrize("situation", SITUATIONS, ids=[s.sentence for s in SITUATIONS])
def test_the_first_cause_is_the_right_one(laptop: Bench, situation: Situation) -> None:
    """
    The device is refused for that very reason, before it tried and after; each finding says how to mend it.
    """
    shown = situation.build(laptop)
    before = laptop.diagnose(shown)
    if situation.refused:
        assert situation.refused in laptop.refused(shown)
        after = laptop.diagnose(shown)
        assert situation.code == after.findings[0].code
    first = before.findings[0]

    assert (situation.code, True, Verdict.BLOCKED) == (first.code, first.certain, before.verdict)
    assert first.mend or first.advice
    assert first.evidence


MENDED = {
    "ca-inactive",
    "auto-registration-off",
    "template-of-another-ca",
    "template-disabled",
    "role-not-assumable",
    "role-lacks-action",
    "thing-type-missing",
    "thing-group-missing",
    "thing-conflict",
    "certificate-inactive",
    "certificate-revoked",
    "not-attached",
}
OF_MENDED = [situation for situation in SITUATIONS if situation.code in MENDED]


@pytest.mark.parametrize("situation", OF_MENDED, ids=[s.sentence for s in OF_MENDED])
def test_the_command_that_is_named_mends_it(
    laptop: Bench, situation: Situation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Word for word, with nothing to fill in: the device then comes online.
    """
    for name, value in laptop.environment.items():
        monkeypatch.setenv(name, value)
    shown = situation.build(laptop)
    line = laptop.diagnose(shown).findings[0].mend[0]
    if line.startswith("firstlight "):
        ran = runner(monkeypatch, capsys)(*shlex.split(line)[1:])
        assert 0 == ran.code, ran.said
    else:
        laptop.obey(line)

    mended = laptop.diagnose(shown, connect=True)

    assert (Verdict.HEALTHY, ()) == (mended.verdict, mended.findings)


def test_nothing_is_changed_without_the_devices_key(laptop: Bench) -> None:
    """
    Every call only reads, and docs/doctor.md names it.
    """
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text().partition("\n## What it reads\n")[2]
    with laptop.overheard() as called:
        for build in (no_policy, ca_inactive, template_of_another_ca, named("ThingGroups", ["Gone"])):
            shown = build(laptop)
            called.clear()
            laptop.diagnose(shown)
            assert called
            assert [] == [name for name in called if not name.startswith(("Describe", "Get", "List"))]
            assert [] == [name for name in called if f"{name}`" not in page]


@pytest.mark.parametrize("build", [template_of_another_ca, template_disabled])
def test_an_allow_list_lets_announced_certificates_in_and_no_others(
    build: Callable[[Bench], Shown], laptop: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Its CA runs no template, or one that is disabled since the region has an allow-list; an announcement that has
    expired is none, and the command that is named makes one.
    """
    for name, value in laptop.environment.items():
        monkeypatch.setenv(name, value)
    shown = build(laptop)
    certificate_id, now = shown.identity.certificate.fingerprint, int(laptop.now.timestamp())
    with laptop.announcements() as announce:
        unknown = laptop.diagnose(shown)
        announce(certificate_id, now - 60)
        late = laptop.diagnose(shown)
        ran = runner(monkeypatch, capsys)(*shlex.split(late.findings[0].mend[0])[1:])
        assert 0 == ran.code, ran.said
        awaited = laptop.diagnose(shown)

    assert ("not-announced", "not-announced") == (unknown.findings[0].code, late.findings[0].code)
    assert (Verdict.HEALTHY, ()) == (awaited.verdict, awaited.findings)
    assert "not-announced" in dict(awaited.fine)


def test_nothing_stands_in_the_way_of_a_pushed_device(laptop: Bench) -> None:
    """
    It connects; nothing is found, nothing was left unread.
    """
    diagnosis = laptop.diagnose(Shown(identity=laptop.registered(laptop.policy)), connect=True)

    assert (Verdict.HEALTHY, (), ()) == (diagnosis.verdict, diagnosis.findings, diagnosis.unread)
    assert diagnosis.connection is not None
    assert diagnosis.connection.online
    assert {"certificate-inactive", "no-policy", "policy-refuses", "connection-refused"} < {
        c for c, _ in diagnosis.fine
    }


def test_nothing_stands_in_the_way_of_a_device_nobody_knows_yet(laptop: Bench) -> None:
    """
    Without its key nothing is changed; with it the device makes its first connect, and is what it was to become.
    """
    shown = Shown(identity=laptop.device(laptop.site().maker))
    certificate_id = shown.identity.certificate.fingerprint
    before = laptop.diagnose(shown)
    assert (Verdict.HEALTHY, (), ()) == (before.verdict, before.findings, before.unread)
    with pytest.raises(laptop.iot.exceptions.ResourceNotFoundException):
        laptop.iot.describe_certificate(certificateId=certificate_id)

    after = laptop.diagnose(shown, connect=True)

    assert (Verdict.HEALTHY, ()) == (after.verdict, after.findings)
    assert [shown.identity.name] == laptop.iot.list_principal_things(
        principal=f"arn:aws:iot:{REGION}:{laptop.aws.account}:cert/{certificate_id}"
    )["things"]


def test_a_connection_that_fails_for_a_known_cause_comes_last(laptop: Bench) -> None:
    """
    The device's own try is evidence; the cause comes before it.
    """
    diagnosis = laptop.diagnose(no_policy(laptop), connect=True, timeout=0.2)

    assert ["no-policy", "connection-refused"] == [finding.code for finding in diagnosis.findings]


def test_a_certificate_left_pending_is_told_to_try_again(laptop: Bench) -> None:
    """
    The template was disabled at its first connect, and is enabled now.
    """
    site = laptop.site(enabled=False)
    shown = Shown(identity=laptop.device(site.maker))
    laptop.refused(shown)
    site.iot.update_provisioning_template(templateName=site.template_name, enabled=True)

    diagnosis = laptop.diagnose(shown)

    assert ["pending-activation"] == [finding.code for finding in diagnosis.findings]
    assert Verdict.HEALTHY is diagnosis.verdict


def test_what_may_stand_in_the_way_is_told_apart(laptop: Bench) -> None:
    """
    Two CAs of one name and a device that sends no chain; another certificate on the thing that it would be.
    """
    site = laptop.site()
    twin = pki.create_ca(site.maker.name, key=pki.new_key(), now=laptop.now)
    site.iot.register_ca_certificate(caCertificate=twin.pem, certificateMode="SNI_ONLY", setAsActive=True)
    identity = laptop.device(site.maker)
    other = laptop.registered(laptop.policy)
    site.iot.create_thing(thingName=identity.name)
    arn = f"arn:aws:iot:{REGION}:{laptop.aws.account}:cert/{other.certificate.fingerprint}"
    site.iot.attach_thing_principal(thingName=identity.name, principal=arn)

    diagnosis = laptop.diagnose(Shown(identity=identity))

    found = {finding.code: finding.certain for finding in diagnosis.findings}
    assert ({"ca-of-same-name": False, "thing-shared": False}, Verdict.HEALTHY) == (found, diagnosis.verdict)


def test_a_rule_that_hears_of_new_certificates_decides_itself(laptop: Bench) -> None:
    """
    Just-in-time registration: no template, and a function that admits who was announced.
    """
    shown = nobody_introduces(laptop)
    iot = laptop.iot_of(ELSEWHERE)
    sql = "SELECT * FROM '$aws/events/certificates/registered/+'"
    iot.create_topic_rule(ruleName="admit", topicRulePayload={"sql": sql, "actions": []})
    try:
        diagnosis = laptop.diagnose(shown)
        iot.disable_topic_rule(ruleName="admit")
        unheard = laptop.diagnose(shown)
    finally:
        iot.delete_topic_rule(ruleName="admit")

    assert [("no-template", True)] == [(finding.code, finding.certain) for finding in unheard.findings]
    assert [("no-template", False)] == [(finding.code, finding.certain) for finding in diagnosis.findings]
    assert "admit" in diagnosis.findings[0].evidence


def test_what_may_not_be_read_is_said_and_not_guessed(laptop: Bench) -> None:
    """
    Credentials that may read the CAs only: the template and all that hangs on it is not known; a connection proves it.
    """
    shown = Shown(identity=laptop.device(laptop.site().maker))
    allowed = ("DescribeCertificate", "ListCACertificates", "DescribeCACertificate", "DescribeEndpoint")
    narrow = laptop.user(*allowed)

    diagnosis = laptop.diagnose(shown, client=narrow)
    online = laptop.diagnose(shown, client=narrow, connect=True)

    unread = {one.problem: one.codes for one in diagnosis.unread}
    (template_problem,) = (problem for problem in unread if "the template " in problem)
    assert template_problem.startswith("could not read the template Jitp-")
    assert template_problem.endswith(": the credentials in use may not call DescribeProvisioningTemplate.")
    assert {"template-missing", "template-disabled", "role-lacks-action"} <= set(unread[template_problem])
    assert (Verdict.UNDECIDED, Verdict.HEALTHY) == (diagnosis.verdict, online.verdict)


def test_an_inline_template_is_read_from_the_ca(laptop: Bench) -> None:
    """
    There is no template to describe; its text is checked all the same.
    """
    diagnosis = laptop.diagnose(Shown(identity=laptop.device(laptop.site(inline=True).maker)))

    assert (Verdict.HEALTHY, (), ()) == (diagnosis.verdict, diagnosis.findings, diagnosis.unread)


@pytest.fixture
def firstlight(
    laptop: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Firstlight:
    for name, value in laptop.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    run = runner(monkeypatch, capsys)
    where = ("--endpoint", "localhost", "--port", laptop.door.port, "--ca-file", laptop.door.ca_file)
    return lambda cert, *options: run("doctor", "--cert", cert, *where, *options)


def test_the_command_says_what_it_found_and_what_is_fine(laptop: Bench, firstlight: Firstlight) -> None:
    """
    Causes with their commands, what is fine, and the exit status: 0 nothing, 1 something, 2 asked wrongly.
    """
    good, bad = laptop.registered(laptop.policy), ca_inactive(laptop).identity

    healthy = firstlight(good.certificate_file, "--key", good.key_file)
    blocked = firstlight(bad.certificate_file)
    wrong = firstlight(bad.key_file)

    assert (0, 1, 2) == (healthy.code, blocked.code, wrong.code), wrong.said
    assert healthy.out.endswith("Nothing stands in the way.\n")
    assert "1. The CA is switched off: ca-inactive\n" in blocked.out
    assert "   $ aws iot update-ca-certificate --certificate-id " in blocked.out


def test_the_command_asks_the_other_regions_of_the_file(laptop: Bench, firstlight: Firstlight, tmp_path: Path) -> None:
    """
    regions.toml names them; machines read JSON.
    """
    (tmp_path / "regions.toml").write_text(
        "".join(f'[aws.{name}]\ntoken_key_url = "https://keys.example/key.pem"\n' for name in (REGION, ELSEWHERE))
    )
    identity = laptop.registered(laptop.policy)

    told = firstlight(identity.certificate_file, "--region", ELSEWHERE, "--json")

    found = told.json["findings"][0]["code"]
    assert ("aws", "blocked", "registered-elsewhere") == (told.json["cloud"], told.json["verdict"], found)
