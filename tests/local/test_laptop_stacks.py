"""
The synthesized stacks on the laptop's AWS: created, left alone, updated, deleted.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstlight import push
from firstlight.deploy import stacks
from firstlight.deploy.assembly import Stack
from firstlight.errors import DeploymentError
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop
from firstlight.outputs import IngestOutput, JitpOutput
from firstlight.push import Answer, Entry
from tests.local.conftest import REGION, Site

INGEST, JITP = f"FirstlightIngest-{REGION}", f"FirstlightJitp-{REGION}"


@dataclass(frozen=True)
class Own:
    """
    A laptop of this module's own, which its tests may change.
    """

    site: Site
    laptop: Laptop
    aws: Addresses

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return found

    def push_one(self) -> Answer:
        def now() -> datetime:
            return datetime.now(UTC)

        entry = Entry("x", self.site.maker.leaf().pem.encode())
        authorization = push.bearer(self.site.token_key, self.aws.account, now=now)
        (answer,) = asyncio.run(push.push([entry], url=self.aws.ingest_url, authorization=authorization))
        return answer


@pytest.fixture(scope="module")
def own(new_site: Callable[[], Site], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    site = new_site()
    laptop = Laptop(tmp_path_factory.mktemp("own"), regions=site.regions)
    with laptop as aws:
        yield Own(site, laptop, aws)


def test_the_stacks_are_created(own: Own) -> None:
    """
    Every resource of both, with IAM enforced.
    """
    resources = own.aws.client("cloudformation").describe_stack_resources
    statuses = {r["ResourceStatus"] for n in (INGEST, JITP) for r in resources(StackName=n)["StackResources"]}

    assert ["CREATE_COMPLETE"] * 2 == [own.status(name)["StackStatus"] for name in (INGEST, JITP)]
    assert {"CREATE_COMPLETE"} == statuses


def test_the_outputs_are_what_the_console_asks_for(own: Own) -> None:
    """
    Account, gateway, region and stage, as an operator types them into the Cloud ID console.
    """
    outputs = own.aws.outputs

    assert {INGEST: set(IngestOutput), JITP: set(JitpOutput)} == {name: set(found) for name, found in outputs.items()}
    assert (own.aws.account, REGION) == (outputs[INGEST]["AccountId"], outputs[INGEST]["Region"])


def test_the_ca_is_registered_with_the_template(own: Own) -> None:
    """
    The maker's CA is ACTIVE, registers devices by itself, and names the JITP template.
    """
    iot = own.aws.client("iot")
    ca = iot.describe_ca_certificate(certificateId=own.site.maker.ca.fingerprint)
    template = iot.describe_provisioning_template(templateName=own.aws.outputs[JITP]["TemplateName"])

    assert ("ACTIVE", "ENABLE", "SNI_ONLY") == tuple(
        ca["certificateDescription"][key] for key in ("status", "autoRegistrationStatus", "certificateMode")
    )
    assert own.aws.outputs[JITP]["TemplateName"] == ca["registrationConfig"]["templateName"]
    assert ("JITP", True) == (template["type"], template["enabled"])


def test_deploying_again_changes_nothing(own: Own) -> None:
    """
    The same assembly again is no update, and its API stays where it is.
    """
    before = [own.status(name).get("LastUpdatedTime") for name in (INGEST, JITP)]

    again = own.laptop.deploy()

    assert own.aws == again
    assert before == [own.status(name).get("LastUpdatedTime") for name in (INGEST, JITP)]


def test_an_edited_region_is_an_update(own: Own) -> None:
    """
    What the regions file says reaches the function, and devices stay.
    """
    assert "iqs" == own.push_one().topic
    things = own.aws.client("iot").list_things()["things"]
    edited = own.site.regions.read_text() + 'topic = "fleet"\n'
    own.site.regions.write_text(edited)

    own.laptop.deploy()

    assert "UPDATE_COMPLETE" == own.status(INGEST)["StackStatus"]
    assert things == own.aws.client("iot").list_things()["things"]
    assert "fleet" == own.push_one().topic


def test_whatever_a_region_can_say_is_deployed(new_site: Callable[[], Site], tmp_path: Path) -> None:
    """
    Another region and account, thing type and groups, trusted issuers, alarms: all of it but a billing group.
    """
    site = new_site()
    site.regions.write_text("""
[aws.us-east-1]
account = "111122223333"
token_key_file = "token.pem"
ca_certificates = ["ca.pem"]
trusted_issuers = ["ca.pem"]
naming = "fingerprint"
stage = "prod"
alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:alarms"
log_retention_days = 0
thing_type = "sensor"
thing_groups = ["factory", "north"]
""")

    with Laptop(tmp_path / "laptop", regions=site.regions) as aws:
        iot = aws.client("iot")
        answer = Own(site, Laptop(tmp_path, regions=site.regions), aws).push_one()
        groups = {group["groupName"] for group in iot.list_thing_groups()["thingGroups"]}
        types = [kind["thingTypeName"] for kind in iot.list_thing_types()["thingTypes"]]

    assert ("us-east-1", "111122223333") == (aws.region, aws.account)
    assert ({"factory", "north"}, ["sensor"]) == (groups, types)
    assert answer.ok, answer


def test_a_deleted_stack_leaves_what_it_says_it_retains(new_site: Callable[[], Site], tmp_path: Path) -> None:
    """
    What a region's other stacks and devices stand on stays; nothing else does.
    """
    with Laptop(tmp_path / "laptop", regions=new_site().regions) as aws:
        cloudformation = aws.client("cloudformation")
        for name in (INGEST, JITP):
            stacks.delete(name, cloudformation, deadline=time.monotonic() + 60)
        iot, iam = aws.client("iot"), aws.client("iam")
        left = {
            "policies": [p["policyName"] for p in iot.list_policies()["policies"]],
            "CAs": iot.list_ca_certificates()["certificates"],
            "templates": iot.list_provisioning_templates()["templates"],
            "roles": [r["RoleName"] for r in iam.list_roles()["Roles"] if "ApiLogsRole" not in r["RoleName"]],
            "functions": aws.client("lambda").list_functions()["Functions"],
            "queues": aws.client("sqs").list_queues().get("QueueUrls"),
            "sources": aws.client("lambda").list_event_source_mappings()["EventSourceMappings"],
            "APIs": aws.client("apigateway").get_rest_apis()["items"],
            "log groups": aws.client("logs").describe_log_groups()["logGroups"],
            "alarms": aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
            "dashboards": aws.client("cloudwatch").list_dashboards()["DashboardEntries"],
        }

    assert {"policies": ["FirstlightDevice", "FirstlightJitpDevice"]} == {k: v for k, v in left.items() if v}


def test_a_stack_that_failed_can_be_deployed_once_it_is_mended(bare_aws: Addresses) -> None:
    """
    The rolled-back remains of the first try are no obstacle to the second.
    """
    cloudformation = bare_aws.client("cloudformation")
    wrong, right = (
        _stack(
            "mended",
            f"""{{"Resources": {{
        "Policy": {{"Type": "AWS::IoT::Policy", "Properties": {{"PolicyName": "mended", "PolicyDocument": {document}}}}}
    }}}}""",
        )
        for document in ('"no JSON"', '{"Version": "2012-10-17", "Statement": []}')
    )

    with pytest.raises(DeploymentError, match=r"^Stack mended is .* since Policy \(AWS::IoT::Policy\) failed: \w"):
        stacks.deploy(wrong, cloudformation, deadline=time.monotonic() + 60)

    assert {} == stacks.deploy(right, cloudformation, deadline=time.monotonic() + 60)


def test_a_template_too_long_for_a_request_is_read_from_the_bucket(bare_aws: Addresses) -> None:
    """
    CloudFormation takes 51,200 bytes at once; longer templates are deployed from where they were uploaded.
    """
    body = '{"Resources": {"Group": {"Type": "AWS::IoT::ThingGroup", "Properties": {"ThingGroupName": "long"}}}}'
    template = body + " " * 52_000
    s3 = bare_aws.client("s3")
    s3.create_bucket(Bucket="long", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="long", Key="template.json", Body=template.encode())

    stacks.deploy(
        _stack("long", template, "s3://long/template.json"),
        bare_aws.client("cloudformation"),
        deadline=time.monotonic() + 60,
    )

    assert "long" == bare_aws.client("iot").describe_thing_group(thingGroupName="long")["thingGroupName"]


def _stack(name: str, template: str, url: str = "") -> Stack:
    return Stack(name=name, template=template, template_url=url, assets=())
