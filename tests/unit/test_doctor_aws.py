"""
What the doctor says of AWS where a laptop's cannot be brought to it, and how what was seen is weighed.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.doctor.aws_case import AwsCase, Ca, Introduction, Registered, Template, Thing, Where
from firstlight.doctor.aws_causes import CAUSES
from firstlight.doctor.aws_introduction import signer
from firstlight.doctor.causes import Cause, Fine, Found
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Connection, Diagnosis, Verdict
from firstlight.doctor.examination import examine
from firstlight.doctor.facts import Fact
from firstlight.jitp import template
from firstlight.policies.iam_role import Role
from tests.factory import NOW, Factory, rsa_key

ACCOUNT, REGION = "123456789012", "eu-west-1"
MAKER = Factory()
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Provisioning"
ANYTHING = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)


def case_of(certificate: Certificate, **facts: Any) -> AwsCase:
    return AwsCase(
        device=Device(certificate=certificate, now=NOW), where=Where(), region=REGION, account=Fact(ACCOUNT), **facts
    )


def pushed(**changes: Any) -> AwsCase:
    """
    A device that connects.
    """
    certificate = MAKER.leaf("sensor-1")
    registered = Registered(status="ACTIVE", things=Fact(("sensor-1",)), policies=Fact(("Device",)))
    facts = {
        "registered": Fact(registered),
        "thing": Fact(Thing(name="sensor-1", certificates=Fact(frozenset({certificate.fingerprint})))),
        "documents": {"Device": Fact(ANYTHING)},
    }
    return case_of(certificate, **{**facts, **changes})


def newcomer(body: dict[str, Any] | None = None, **changes: Any) -> AwsCase:
    """
    A device that would be provisioned at its first connect.
    """
    ca = Ca(id="ca", arn="arn", certificate=MAKER.ca, status="ACTIVE", auto_registers=True, template_name="Jitp")
    text = template.to_aws(body or template.build(policy_name="Device"))
    runs = Template(name="Jitp", arn="arn", body=text, role_arn=ROLE)
    role = Role(arn=ROLE, trust=TRUST, policies={"All": ANYTHING})
    introduction = Introduction(ca=ca, template=Fact(runs), role=Fact(role))
    facts = {"cas": Fact((ca,)), "first_connect": Fact(introduction), "documents": {"Device": Fact(ANYTHING)}}
    return case_of(MAKER.leaf("sensor-1"), **{**facts, **changes})


def diagnosed(case: AwsCase) -> Diagnosis:
    return examine(
        case,
        CAUSES,
        cloud="aws",
        device=case.name,
        certificate=case.device.certificate.fingerprint,
        connection=case.connection,
    )


def codes(case: AwsCase) -> list[str]:
    return [finding.code for finding in diagnosed(case).findings]


@pytest.mark.parametrize("case", [pushed(), newcomer()], ids=["pushed", "newcomer"])
def test_a_device_that_connects_has_nothing_in_its_way(case: AwsCase) -> None:
    """
    And what was looked at is told.
    """
    diagnosis = diagnosed(case)

    assert (Verdict.HEALTHY, (), ()) == (diagnosis.verdict, diagnosis.findings, diagnosis.unread)
    assert "policy-refuses" in dict(diagnosis.fine)


def test_a_certificate_on_its_way_to_another_account() -> None:
    """
    The laptop has one account.
    """
    assert ["certificate-in-transfer"] == codes(pushed(registered=Fact(Registered(status="PENDING_TRANSFER"))))


def test_a_billing_group_that_is_missing() -> None:
    """
    The laptop has no billing groups.
    """
    case = newcomer(template.build(policy_name="Device", billing_group="Lot"))
    assert case.introduction is not None
    introduction = replace(case.introduction, there={("billing group", "Lot"): Fact(known=False)})

    assert ["billing-group-missing"] == codes(replace(case, first_connect=Fact(introduction)))


def test_a_certificate_that_no_cloud_takes() -> None:
    """
    An RSA key of 1,024 bits.
    """
    weak = certificates.load(MAKER.odd(key=rsa_key(1024)))

    assert "certificate-unusable" == codes(replace(pushed(), device=Device(certificate=weak, now=NOW)))[0]


def test_a_signature_that_aws_iot_does_not_take() -> None:
    """
    RSA-PSS; of a certificate that is registered it does not matter any more.
    """
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sensor-1")])
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(MAKER.ca.x509.subject)
        .public_key(rsa_key(2048).public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(rsa_key(2048), hashes.SHA256(), rsa_padding=pss)
    )
    device = Device(certificate=certificates.load(signed.public_bytes(Encoding.DER)), now=NOW)

    assert "signature-refused" == codes(replace(newcomer(), device=device))[0]
    assert "signature-refused" not in codes(replace(pushed(), device=device))


def test_a_certificate_left_pending_whose_ca_is_gone() -> None:
    """
    Its next connect runs into nothing.
    """
    pending = Fact(Registered(status="PENDING_ACTIVATION"))

    assert ["not-registered"] == codes(case_of(MAKER.leaf("sensor-1"), registered=pending))


def test_a_ca_that_has_expired_may_matter() -> None:
    """
    What AWS does then is not documented.
    """
    case = newcomer()
    later = MAKER.ca.x509.not_valid_after_utc + timedelta(days=1)
    expired = replace(case, device=replace(case.device, now=later))

    assert ("ca-out-of-date", False) in [(f.code, f.certain) for f in diagnosed(expired).findings]


def test_a_policy_that_is_none() -> None:
    """
    AWS refuses one; somebody else's cloud may not.
    """
    assert ["policy-unreadable"] == codes(pushed(documents={"Device": Fact("[]")}))


def test_a_policy_in_the_template_that_is_too_long() -> None:
    """
    White space does not count.
    """
    body = template.build(policy_name="Device")
    body["Resources"]["policy"]["Properties"] = {"PolicyDocument": json.dumps({"Statement": [], "Id": "x" * 2_048})}

    assert ["policy-over-limits", "policy-refuses"] == codes(newcomer(body, documents={}))


def test_a_policy_that_asks_for_the_devices_address_is_not_judged_for_certain() -> None:
    """
    Where the device dials from is not known here.
    """
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
    }
    diagnosis = diagnosed(pushed(documents={"Device": Fact(json.dumps({"Statement": [statement]}))}))

    assert [("policy-refuses", False)] == [(f.code, f.certain) for f in diagnosis.findings]


def test_a_role_that_may_not_touch_its_groups() -> None:
    """
    Each action the template's own parts need, and the document that allows them.
    """
    case = newcomer(template.build(policy_name="Device", thing_type="Sensor", thing_groups=["Lot"]))
    assert case.introduction is not None
    statement = {"Effect": "Deny", "Action": ["iot:DescribeThingType", "iot:AddThingToThingGroup"], "Resource": "*"}
    policies = {"All": ANYTHING, "Less": json.dumps({"Statement": [statement]})}
    role = Fact(Role(arn=ROLE, trust=TRUST, policies=policies))

    (finding,) = diagnosed(replace(case, first_connect=Fact(replace(case.introduction, role=role)))).findings

    assert "role-lacks-action" == finding.code
    assert "it lacks iot:DescribeThingType, iot:AddThingToThingGroup." in finding.evidence
    assert '"arn:aws:iot:eu-west-1:123456789012:thingtype/*"' in finding.mend[0]


def test_what_could_not_be_read_leaves_its_causes_open() -> None:
    """
    Each problem once, with the codes that hang on it; what does not hang on it is judged.
    """
    case = newcomer()
    assert case.introduction is not None
    unread = replace(case.introduction, role=Fact(unread="could not read the role"))

    diagnosis = diagnosed(replace(case, first_connect=Fact(unread)))

    (one,) = diagnosis.unread
    assert ("could not read the role", ("role-missing", "role-not-assumable", "role-lacks-action")) == (
        one.problem,
        one.codes,
    )
    assert Verdict.UNDECIDED is diagnosis.verdict
    assert "policy-missing" in dict(diagnosis.fine)


def test_cas_that_may_not_be_read_leave_all_of_a_first_connect_open() -> None:
    """
    Also that the certificate is registered elsewhere does not say that it will not come in here.
    """
    closed = "could not read the registered CAs"
    stranger = case_of(
        MAKER.leaf("sensor-1"),
        cas=Fact(unread=closed),
        first_connect=Fact(unread=closed),
        elsewhere=Fact(("us-east-1",)),
    )

    diagnosis = diagnosed(stranger)

    assert (Verdict.UNDECIDED, ()) == (diagnosis.verdict, diagnosis.findings)
    (one,) = diagnosis.unread
    assert {"registered-elsewhere", "not-registered", "ca-inactive", "template-disabled", "role-missing"} < set(
        one.codes
    )


def test_nothing_keeps_out_a_device_that_is_in() -> None:
    """
    What was found may matter another time; what was not read does not matter.
    """
    causes = (
        Cause("broken", "It is broken", lambda _: Found("It is.", advice="Mend it.")),
        Cause("whole", "It is not whole", lambda _: Fine("It is whole.")),
        Cause("silent", "It does not arise", lambda _: None),
    )

    def look(connection: Connection | None) -> Diagnosis:
        return examine(None, causes, cloud="aws", device="d", certificate="c", connection=connection)

    blocked, online = look(None), look(Connection(online=True))

    assert (Verdict.BLOCKED, Verdict.HEALTHY) == (blocked.verdict, online.verdict)
    assert "Mend it. The device came online all the same." == online.findings[0].advice
    assert (("whole", "It is whole."),) == online.fine
    assert {"online": True, "reason": "", "detail": ""} == online.to_json()["connection"]


def test_codes_are_each_causes_own() -> None:
    """
    Machines tell causes apart by them.
    """
    assert len(CAUSES) == len({cause.code for cause in CAUSES})


def test_what_may_stand_in_the_way_comes_after_what_does() -> None:
    """
    Though the device meets it before.
    """
    causes = (
        Cause("may", "It may", lambda _: Found("Perhaps.", certain=False)),
        Cause("does", "It does", lambda _: Found("Surely.")),
    )

    found = examine(pushed(), causes, cloud="aws", device="d", certificate="c", connection=None).findings

    assert ["does", "may"] == [finding.code for finding in found]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_registered_cas_with_the_signers_key_the_working_one_counts(*, turned: bool) -> None:
    """
    A CA's certificate was renewed with its key, and the old one switched off.
    """
    renewed = pki.create_ca(MAKER.name, key=MAKER.key, now=NOW)
    works = Ca(id="new", arn="arn", certificate=renewed, status="ACTIVE", auto_registers=True)
    off = Ca(id="old", arn="arn", certificate=MAKER.ca, status="INACTIVE", auto_registers=False)

    found = signer(MAKER.leaf("sensor-1"), (works, off) if turned else (off, works))

    assert works is found
