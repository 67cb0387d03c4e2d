"""
The whole life of a deployment on the laptop's AWS: deployed, used, drained, destroyed, deployed again.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from firstlight import push, regions
from firstlight.certificates import Certificate
from firstlight.deploy import bundle, stacks
from firstlight.lifecycle.aws_drain import AwsDrain
from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.aws_retire import Retiring
from firstlight.lifecycle.rows import Became, Row
from firstlight.local.addresses import Addresses
from firstlight.local.laptop_aws import AwsOnLaptop
from firstlight.push import Answer, Entry
from tests.command_line import Firstlight, runner
from tests.factory import Factory
from tests.local.conftest import REGION, Site
from tests.local.mortal import Killed, Mortal
from tests.local.overheard import changes, overheard
from tests.local.test_laptop_devices import connect

# Somebody's bucket that is called as the stack is, and no stack's.
ARCHIVE = f"firstlightingest-{REGION}-archive"
INGEST, JITP = f"FirstlightIngest-{REGION}", f"FirstlightJitp-{REGION}"
# What tells one thing from another in each list, by service, operation and key of the answer.
LISTS = [
    ("iot", "list_things", "things", "thingName"),
    ("iot", "list_certificates", "certificates", "certificateId"),
    ("iot", "list_ca_certificates", "certificates", "certificateId"),
    ("iot", "list_policies", "policies", "policyName"),
    ("iot", "list_thing_types", "thingTypes", "thingTypeName"),
    ("iot", "list_thing_groups", "thingGroups", "groupName"),
    ("iot", "list_provisioning_templates", "templates", "templateName"),
    ("iot", "list_topic_rules", "rules", "ruleName"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("events", "list_rules", "Rules", "Name"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_policies", "Policies", "PolicyName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("apigateway", "get_rest_apis", "items", "id"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
]
EMPTY = ("iot list_things", "iot list_certificates", "iot list_ca_certificates", "iot list_policies")


@dataclass(frozen=True)
class Own:
    """
    A laptop of this module's own, with a type and groups.
    """

    site: Site
    laptop: AwsOnLaptop
    aws: Addresses
    # What there was before anything was deployed.
    bare: dict[str, set[str]]
    # Makes each client once: that takes boto3 a tenth of a second.
    client: Callable[[str], Any]

    def push(self, *leaves: Certificate) -> list[Answer]:
        authorization = push.bearer(self.site.token_key, self.aws.account, now=lambda: datetime.now(UTC))
        entries = [Entry(str(i), leaf.pem.encode()) for i, leaf in enumerate(leaves)]
        return asyncio.run(push.push(entries, url=self.aws.ingest_url, authorization=authorization))

    def destroy(self) -> None:
        cloudformation = self.client("cloudformation")
        for name in (INGEST, JITP):
            stacks.delete(name, cloudformation, deadline=time.monotonic() + 60)


def everything(client: Callable[[str], Any]) -> dict[str, set[str]]:
    """
    Whatever there is in the account, by kind; `cdk bootstrap` and API Gateway's setting for the account among it.
    """
    found = {}
    for service, operation, key, name in LISTS:
        answer = getattr(client(service), operation)()
        found[f"{service} {operation}"] = {str(one[name] if name else one) for one in answer.get(key, ())}
    found["apigateway role"] = {str(client("apigateway").get_account().get("cloudwatchRoleArn") or "")}
    return found


@pytest.fixture(scope="module")
def own(new_site: Callable[[], Site], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    site = new_site()
    site.regions.write_text(
        site.regions.read_text()
        + 'thing_type = "sensor"\nthing_groups = ["factory", "north"]\nmanifest_uploads = true\n'
    )
    laptop = AwsOnLaptop(
        tmp_path_factory.mktemp("drain"),
        regions.load(site.regions).aws[0],
        regions=site.regions,
        checkout=bundle.CHECKOUT,
        port=0,
        mqtt_port=0,
        report=lambda _: None,
    )
    with laptop:
        client = cache(laptop.bare.client)
        bare = everything(client)
        yield Own(site, laptop, laptop.deploy(), bare, client)


@pytest.fixture
def firstlight(own: Own, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    for name, value in own.aws.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("FIRSTLIGHT_REGIONS_FILE", str(own.site.regions))
    return runner(monkeypatch, capsys)


def rows(out: str) -> dict[str, list[str]]:
    """
    Return the names of *out*, JSON a line, by what they became.
    """
    found: dict[str, list[str]] = {}
    for row in map(json.loads, out.splitlines()):
        found.setdefault(row["became"], []).append(row["name"])
    return found


def half_made(iot: Any, leaf: Certificate) -> None:
    """
    A push that broke off before the policy.
    """
    attributes = {"certificateId": leaf.fingerprint}
    iot.create_thing(thingName="half-made", attributePayload={"attributes": attributes}, thingTypeName="sensor")
    arn = iot.register_certificate_without_ca(certificatePem=leaf.pem, status="ACTIVE")["certificateArn"]
    iot.attach_thing_principal(thingName="half-made", principal=arn)


@contextmanager
def a_strangers_ca(iot: Any, ours: Factory, leaf: Certificate) -> Iterator[None]:
    """
    A CA of another deployment, with a device that it registered; and *leaf*, below our CA and with a policy of its own.
    """
    theirs = Factory("Plant 7 CA", now=ours.now)
    arn = iot.register_ca_certificate(
        caCertificate=theirs.ca.pem, certificateMode="SNI_ONLY", setAsActive=True, allowAutoRegistration=True
    )["certificateArn"]
    below, policy = theirs.leaf(), "Plant7Device"
    iot.register_certificate(certificatePem=below.pem, caCertificatePem=theirs.ca.pem, status="ACTIVE")
    kept = iot.register_certificate(certificatePem=leaf.pem, caCertificatePem=ours.ca.pem, status="ACTIVE")
    iot.attach_policy(policyName=policy, target=kept["certificateArn"])
    yield
    ca = iot.describe_ca_certificate(certificateId=theirs.ca.fingerprint)["certificateDescription"]
    assert (arn, "ACTIVE", "ENABLE") == (ca["certificateArn"], ca["status"], ca["autoRegistrationStatus"])
    for one in (below, leaf):
        shown = iot.describe_certificate(certificateId=one.fingerprint)["certificateDescription"]
        assert "ACTIVE" == shown["status"]
        iot.update_certificate(certificateId=one.fingerprint, newStatus="INACTIVE")
        if one is leaf:
            iot.detach_policy(policyName=policy, target=shown["certificateArn"])
        iot.delete_certificate(certificateId=one.fingerprint)
    iot.update_ca_certificate(certificateId=theirs.ca.fingerprint, newStatus="INACTIVE")
    iot.delete_ca_certificate(certificateId=theirs.ca.fingerprint)


@contextmanager
def strangers(iot: Any, *leaves: Certificate) -> Iterator[None]:
    """
    Devices of another deployment, with a policy of its own; they are still there in the end.  What they call
    certificateId is a fingerprint, that of a certificate they had before, a number of theirs.
    """
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}}
    iot.create_policy(policyName="Plant7Device", policyDocument=json.dumps(policy))
    said = (leaves[0].fingerprint, "ab" * 32, "crt-0815")
    names = [f"stranger-{number}" for number in range(len(said))]
    for name, one, leaf in zip(names, said, leaves, strict=True):
        iot.create_thing(thingName=name, attributePayload={"attributes": {"certificateId": one}})
        arn = iot.register_certificate_without_ca(certificatePem=leaf.pem, status="ACTIVE")["certificateArn"]
        iot.attach_thing_principal(thingName=name, principal=arn)
        iot.attach_policy(policyName="Plant7Device", target=arn)
    yield
    assert names == sorted(thing["thingName"] for thing in iot.list_things()["things"])
    for name, leaf in zip(names, leaves, strict=True):
        arn = iot.describe_certificate(certificateId=leaf.fingerprint)["certificateDescription"]["certificateArn"]
        iot.detach_policy(policyName="Plant7Device", target=arn)
        iot.detach_thing_principal(thingName=name, principal=arn)
        iot.delete_thing(thingName=name)
        iot.update_certificate(certificateId=leaf.fingerprint, newStatus="INACTIVE")
        iot.delete_certificate(certificateId=leaf.fingerprint)
    iot.delete_policy(policyName="Plant7Device")


def dead_letter(sqs: Any) -> str:
    """
    Put a message where those go that no worker could do; return the queue's name.
    """
    url: str = next(url for url in sqs.list_queues()["QueueUrls"] if "DeadLetters" in url)
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    return url.rpartition("/")[2]


def uploaded(s3: Any) -> str:
    """
    Make a bucket as CloudFormation names the stack's own, with a report in it in two versions; return its name.
    """
    name = f"{INGEST.lower()}-manifests0a1b2c3d-0123456789ab"
    for bucket in (name, ARCHIVE):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second"):
        s3.put_object(Bucket=name, Key="reports/reel-7.csv", Body=body)
    return name


def doors(own: Own) -> tuple[set[int | None], list[bool]]:
    """
    Return the concurrency that is reserved for functions, and which templates are enabled.
    """
    functions, iot = own.client("lambda"), own.client("iot")
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    reserved = {
        functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions") for name in names
    }
    templates = iot.list_provisioning_templates()["templates"]
    described = [iot.describe_provisioning_template(templateName=one["templateName"]) for one in templates]
    return reserved, [one["enabled"] for one in described]


def test_deployed_drained_destroyed_and_deployed_again(
    own: Own, firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Pushed, provisioned, half-made and stuck devices: afterwards nothing is left that was not there before, and a push
    works.
    """
    iot, maker = own.client("iot"), own.site.maker
    leaf, another, stuck = maker.leaf(), maker.leaf(), maker.leaf()
    jit, key = maker.device("just-in-time")
    assert [True, True] == [answer.ok for answer in own.push(leaf, another)]
    assert connect(own.aws, "just-in-time", jit, key).passed
    half_made(iot, maker.leaf())
    iot.register_certificate(certificatePem=stuck.pem, caCertificatePem=maker.ca.pem, status="INACTIVE")
    kept_queue, kept_bucket = dead_letter(own.client("sqs")), uploaded(own.client("s3"))

    gateway = own.client("apigateway")
    other_api = gateway.create_rest_api(name="plant-7")["id"]

    with strangers(iot, *(maker.leaf() for _ in range(3))), a_strangers_ca(iot, maker, maker.leaf()):
        with overheard(monkeypatch) as called:
            kept = firstlight("drain", "--keep-devices", "--yes")
            foreseen = firstlight("drain", "--delete-uploads")
        assert set() == changes(called)
        untouched = own.push(leaf)
        drained = firstlight("drain", "--yes", "--json")

    assert (1, True) == (kept.code, "5 devices are there, and nothing was done" in kept.said), kept
    assert (0, True) == (foreseen.code, "--yes does it" in foreseen.said), foreseen
    assert [True] == [answer.ok for answer in untouched]
    assert 0 == drained.code, drained
    became = rows(drained.out)
    pushed = {f"Infineon_{serial}" for serial in (leaf.serial, another.serial)}
    assert {"DISABLED", "RETIRED", "DELETED", "UNCHANGED"} == set(became)
    assert {*pushed, "just-in-time", "half-made", stuck.fingerprint} == set(became["RETIRED"])
    *unchanged, role = became["UNCHANGED"]
    assert [f"queue {kept_queue}", f"bucket {kept_bucket}"] == unchanged
    assert ({0}, [False]) == doors(own)

    own.destroy()
    gateway.delete_rest_api(restApiId=other_api)
    rest = firstlight("drain", "--yes", "--delete-uploads", "--json")
    again = firstlight("drain", "--yes")
    gone = everything(own.client)
    bootstrap = gone["s3 list_buckets"]
    assert {"DELETED": [f"bucket {kept_bucket}", role]} == rows(rest.out)
    assert role.startswith(f"role {INGEST}-")
    assert ARCHIVE in bootstrap
    own.client("s3").delete_bucket(Bucket=ARCHIVE)
    assert (0, "firstlight: nothing to do.\n") == (again.code, again.said.partition(".\n")[2])
    assert own.bare | {"s3 list_buckets": bootstrap} == gone
    assert all(name.startswith("cdk-") for name in bootstrap - {ARCHIVE})

    anew = replace(own, aws=own.laptop.deploy())
    answers = anew.push(leaf, another)
    assert [True, True] == [answer.ok for answer in answers], answers
    _drain_refused(anew, maker.leaf(), monkeypatch)
    _drain_dying(anew)
    assert [set()] * 4 == [found for name, found in everything(own.client).items() if name in EMPTY]


def _drain_refused(own: Own, stuck: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Devices cannot be retired: the CA stays, by which alone the one that has neither thing nor policy is found again.
    """
    own.client("iot").register_certificate(certificatePem=stuck.pem, caCertificatePem=own.site.maker.ca.pem)
    place = AwsPlace(regions.load(own.site.regions).aws[0], own.client)
    with monkeypatch.context() as refusing:
        refusing.setattr(Retiring, "__call__", lambda _, which: Row(str(which), Became.ERROR, "AWS is down."))
        rows = list(AwsDrain(place, 2, really=True, revoked=False, uploads=False, tell=print).run())

    became = {row.name: row.became for row in rows}
    assert Became.ERROR is became[stuck.fingerprint]
    assert Became.UNCHANGED is became[f"CA {own.site.maker.ca.x509.subject.rfc4514_string()}"], became
    assert 1 == len(own.client("iot").list_ca_certificates()["certificates"])


def _drain_dying(own: Own) -> None:
    """
    Drain, killed after ever more calls to AWS IoT: each time it goes on where it broke off.
    """
    region = regions.load(own.site.regions).aws[0]
    mortal = Mortal(own.aws)
    place = AwsPlace(region, lambda service: mortal.iot if service == "iot" else own.client(service))
    for calls in range(5, 500, 9):
        mortal.left = calls
        try:
            rows = list(AwsDrain(place, 2, really=True, revoked=False, uploads=False, tell=print).run())
        except Killed:
            continue
        assert not [row for row in rows if not row.ok], rows
        assert calls > 20
        return
    raise AssertionError("it never came to an end")
