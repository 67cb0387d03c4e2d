"""
The constructs, in an app of somebody else's.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.device_function import DeviceFunction
from cdk.device_policy import DevicePolicy
from cdk.ingest_api import IngestApi
from cdk.ingest_function import IngestFunction
from cdk.ingest_monitoring import IngestMonitoring
from cdk.jitp_monitoring import JitpMonitoring
from cdk.jitp_template import JitpTemplate
from cdk.logs import LogGroup
from cdk.monitoring import Monitoring
from cdk.overflow_queue import OverflowQueue
from cdk.provisioning_role import ProvisioningRole
from cdk.registered_ca import RegisteredCa
from cdk.worker_function import WorkerFunction
from firstlight.errors import CertificateError
from firstlight.settings import Settings
from tests.factory import NOW, Factory
from tests.synth.templates import only, unreasoned

_CONSTRUCTS = (
    DeviceFunction,
    DevicePolicy,
    IngestApi,
    IngestFunction,
    IngestMonitoring,
    JitpMonitoring,
    JitpTemplate,
    LogGroup,
    Monitoring,
    OverflowQueue,
    ProvisioningRole,
    RegisteredCa,
    WorkerFunction,
)


@pytest.mark.parametrize("construct", _CONSTRUCTS)
def test_everything_is_given_by_name(construct: type[Construct]) -> None:
    """
    Scope and id aside, a construct's arguments are keywords, so that a call reads like a sentence.
    """
    parameters = list(inspect.signature(construct.__init__).parameters.values())[3:]

    assert parameters
    assert {inspect.Parameter.KEYWORD_ONLY} == {parameter.kind for parameter in parameters}


def test_they_fit_into_a_stack_of_any_region(tmp_path: Path, factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Both front doors in one stack that knows neither account nor region, with an environment that says nothing.
    """
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "code.py").write_text("")
    app = App(outdir=str(tmp_path / "out"))
    stack = Stack(app, "Plant")
    template = JitpTemplate(stack, "Template", name="Plant", policy=DevicePolicy(stack, "Policy", name="PlantDevice"))
    RegisteredCa(stack, "Ca", certificate=factory.ca, template=template, now=NOW)
    settings = Settings(audience=stack.account, token_key_url="https://example.com/key.pem", policy_name="PlantDevice")
    code = lambda_.Code.from_asset(str(tmp_path), exclude=["out"])
    overflow = OverflowQueue(stack, "Overflow", timeout=Duration.seconds(60), plain_http=False)
    arn = overflow.queue.queue_arn
    ingest = IngestFunction(stack, "Function", code=code, settings=settings, overflow_arn=arn, log_retention_days=0)
    WorkerFunction(stack, "Worker", code=code, settings=settings, queue_arn=arn, concurrency=2, log_retention_days=0)
    IngestApi(
        stack,
        "Api",
        function=ingest.function,
        stage="v1",
        throttle_rate=1,
        throttle_burst=1,
        log_retention_days=0,
        account_role=False,
    )
    app.synth()
    made: dict[str, Any] = json.loads((tmp_path / "out" / "Plant.template.json").read_text())

    assert [] == unreasoned(made)
    assert "PlantDevice" in only(made, "AWS::IoT::ProvisioningTemplate")["Properties"]["TemplateBody"]


def test_a_ca_is_checked_by_its_construct(factory: Factory) -> None:
    """
    Whoever builds a stack of their own is told as well.
    """
    stack = Stack(App(), "Plant")
    template = JitpTemplate(stack, "Template", name="Plant", policy=DevicePolicy(stack, "Policy", name="PlantDevice"))

    with pytest.raises(CertificateError, match="not a CA's"):
        RegisteredCa(stack, "Ca", certificate=factory.leaf(), template=template, now=NOW)
