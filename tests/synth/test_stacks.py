"""
The stacks together: which there are, that each stands alone, and what is left when they go.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks

from firstlight.regions import AwsRegion
from tests.synth.conftest import Synthesize, Synthesized

# What outlives its stack: what devices stand on, what the whole account shares, and people's reports.
_KEPT = {
    "AWS::IoT::Policy",
    "AWS::IoT::ThingType",
    "AWS::IoT::ThingGroup",
    "AWS::IoT::BillingGroup",
    "AWS::ApiGateway::Account",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
}


def test_each_region_has_its_stacks(committed: Synthesized) -> None:
    """
    `cdk ls` is the map of regions.toml.
    """
    assert {
        "FirstlightIngest-eu-west-1",
        "FirstlightJitp-eu-west-1",
        "FirstlightIngest-us-east-1",
        "FirstlightJitp-us-east-1",
    } == set(committed.templates)


@pytest.mark.parametrize("only", ["ingest", "jitp"])
def test_either_stack_stands_alone(only: str, full_region: AwsRegion, synthesize: Synthesize) -> None:
    """
    With or without the other it is the same: nothing is imported, nothing exported, no name shared.
    """
    both = synthesize((full_region,)).templates
    alone = synthesize((replace(full_region, ingest=only == "ingest", jitp=only == "jitp"),)).templates
    (name,) = alone

    assert only in name.lower()
    assert both[name] == alone[name]
    assert not any(word in json.dumps(alone) for word in ("Fn::ImportValue", '"Export"'))


def test_regions_differ_in_nothing_but_their_name(committed: Synthesized) -> None:
    """
    One table, one set of stacks.
    """
    for stack in ("FirstlightIngest", "FirstlightJitp"):
        european, american = (_unnamed(committed.templates[f"{stack}-{r}"], r) for r in ("eu-west-1", "us-east-1"))
        assert european == american


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_what_stays_behind_is_known(synthesized: str, request: pytest.FixtureRequest) -> None:
    """
    Everything else goes with its stack, and docs/deploy-aws.md says what does not.
    """
    page = (Path(__file__).parents[2] / "docs" / "deploy-aws.md").read_text("utf-8")
    for resource in _resources(request.getfixturevalue(synthesized)):
        policy = resource.get("DeletionPolicy", "Delete")
        is_account_role = "apigateway.amazonaws.com" in json.dumps(
            resource["Properties"].get("AssumeRolePolicyDocument")
        )
        stays = is_account_role or resource["Type"] in _KEPT
        # but a creation that fails leaves no namesakes for the next one
        assert ("RetainExceptOnCreate" if stays else "Delete") == policy, resource["Type"]
        assert policy == "Delete" or f"`{resource['Type']}`" in page


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_cdk_nag_finds_nothing(synthesized: str, request: pytest.FixtureRequest) -> None:
    """
    AwsSolutions has no finding that is not acknowledged with a reason.
    """
    assert {} == _findings(request.getfixturevalue(synthesized).app)


def test_cdk_nag_is_awake() -> None:
    """
    It does find a wildcard that nobody gave a reason for.
    """
    app = App()
    statement = iam.PolicyStatement(actions=["iot:GetPolicy"], resources=["*"])
    principal = iam.ServicePrincipal("lambda.amazonaws.com")
    policies = {"P": iam.PolicyDocument(statements=[statement])}
    iam.Role(Stack(app, "S"), "R", assumed_by=principal, inline_policies=policies)

    assert {"AwsSolutions-IAM5[Resource::*]": ["S/R/Resource"]} == _findings(app)


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_cfn_lint_finds_no_error(synthesized: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """
    CloudFormation's own schemas know every property; the two warnings are CDK's harmless repetitions.
    """
    for name, template in request.getfixturevalue(synthesized).templates.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(template))
    command = [
        Path(sys.executable).with_name("cfn-lint"),
        "--ignore-checks",
        "W3005",
        "--",
        *map(str, tmp_path.glob("*.json")),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": os.defpath})

    assert ("", 0) == (done.stdout, done.returncode)


def _findings(app: App) -> dict[str, list[str]]:
    report = AwsSolutionsChecks(app).validate_scope(app)
    return {v.rule_name: [str(r.construct_path) for r in v.violating_resources] for v in report.violations}


def _resources(synthesized: Synthesized) -> Iterator[dict[str, object]]:
    for template in synthesized.templates.values():
        yield from template["Resources"].values()


def _unnamed(template: object, region: str) -> str:
    # logical ids spell the region without hyphens, and hold hashes of their path, which has the region in it
    text = json.dumps(template).replace(region, "REGION").replace(region.replace("-", ""), "REGION")
    return re.sub("[0-9A-F]{8}|[0-9a-f]{32}", "HASH", text)
