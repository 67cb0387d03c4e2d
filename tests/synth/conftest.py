"""
The stacks, synthesized once a session: of the committed regions.toml, and with everything set.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cdk import node
from firstlight import pki, regions
from firstlight.regions import AwsRegion, FirstConnect
from tests.factory import NOW, Factory

with pytest.MonkeyPatch.context() as _environment:
    # CDK's own validation is two thirds of a synth; the test of `python -m cdk.app` leaves it on.
    _environment.setenv("CDK_VALIDATION", "false")
    # Of Node.js alone, which keeps the environment it is started with.
    _environment.setenv("HOME", "")
    node.use(os.environ)
    from aws_cdk import App

    from cdk import assembly

CHECKOUT = Path(__file__).parents[2]
Template = dict[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """
    An app and the templates it made, by stack.
    """

    app: App
    templates: dict[str, Template]

    def of(self, stack: str) -> Template:
        (template,) = (t for name, t in self.templates.items() if name.startswith(f"Firstlight{stack}-"))
        return template


Synthesize = Callable[..., Synthesized]


@pytest.fixture(scope="session")
def factory() -> Factory:
    return Factory()


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    bundle = tmp_path_factory.mktemp("bundle")
    (bundle / "code.py").write_text("code = 'of the test'\n")

    def synthesize(of: tuple[AwsRegion, ...], **context: object) -> Synthesized:
        app = assembly.app(tmp_path_factory.mktemp("out"))
        for name, value in context.items():
            app.node.set_context(name.replace("__", ":"), value)
        assembly.add_stacks(app, of, bundle=lambda _: bundle, manifest_bundle=lambda _: bundle, now=NOW)
        folder = Path(app.synth().directory)
        files = sorted(folder.glob("*.template.json"))
        return Synthesized(app, {f.name.removesuffix(".template.json"): json.loads(f.read_text()) for f in files})

    return synthesize


@pytest.fixture(scope="session")
def committed(synthesize: Synthesize) -> Synthesized:
    """
    What regions.toml in the repository makes.
    """
    return synthesize(regions.load(CHECKOUT / "regions.toml").aws)


@pytest.fixture(scope="session")
def full_region(factory: Factory, tmp_path_factory: pytest.TempPathFactory) -> AwsRegion:
    """
    A region with every key of regions.toml set to something that is not its default.
    """
    folder = tmp_path_factory.mktemp("regions")
    pki.write_certificate(folder / "ca-1.pem", factory.ca)
    pki.write_certificate(folder / "ca-2.pem", Factory("Second Device CA").ca)
    (folder / "key.pem").write_bytes(pki.public_pem(factory.key))
    (folder / "regions.toml").write_text(_FULL)
    (region,) = regions.load(folder / "regions.toml").aws
    return region


@pytest.fixture(scope="session")
def full(synthesize: Synthesize, full_region: AwsRegion) -> Synthesized:
    return synthesize((full_region,))


@pytest.fixture(scope="session")
def just_in_time(synthesize: Synthesize, full_region: AwsRegion) -> Template:
    """
    The full region's JITP stack without its allow-list.
    """
    return synthesize((replace(full_region, first_connect=FirstConnect.TEMPLATE, ingest=False),)).of("Jitp")


_FULL = """
[aws.eu-central-1]
account = "210987654321"
ingest = true
jitp = true
naming = "common-name"
thing_prefix = "plant-7:"
topic = "telemetry"
device_endpoint = "devices.example.com"
token_key_file = "key.pem"
audience = "batch-service"
trusted_issuers = ["ca-1.pem", "ca-2.pem"]
stage = "prod_1"
throttle_rate = 5
throttle_burst = 7
worker_concurrency = 9
quotas = ["RegisterCertificateWithoutCA=100", "AttachPolicy=37.5"]
manifest_uploads = true
manifest_signers = ["ca-2.pem"]
manifest_attributes = ["site", "place=Line"]
log_retention_days = 400
alarm_topic_arn = "arn:aws:sns:eu-central-1:210987654321:alarms"
api_gateway_account_role = false
first_connect = "allow-list"
ca_certificates = ["ca-1.pem", "ca-2.pem"]
template_name = "Plant7"
thing_type = "sensor"
thing_groups = ["plant-7", "unclaimed"]
billing_group = "cost-centre-7"
stuck_after = 7
"""
