"""
What a Cloud ID service pushes to.
"""

import json
import pkgutil
from dataclasses import replace
from typing import Any

import pytest

from cdk import ingest_settings
from firstlight import pki, telemetry
from firstlight.errors import SettingsError
from firstlight.identity import Naming
from firstlight.interop import Reply, Request
from firstlight.outputs import IngestOutput
from firstlight.provision import Outcome
from firstlight.regions import AwsRegion
from firstlight.settings import Settings
from tests.factory import NOW, Factory
from tests.synth.conftest import Synthesized
from tests.synth.templates import ACCOUNT, filled, function, only, resources

_API = "AWS::ApiGateway::"


@pytest.fixture(scope="session")
def ingest(committed: Synthesized) -> dict[str, Any]:
    return committed.templates["FirstlightIngest-eu-west-1"]


def test_the_outputs_are_the_consoles_form(ingest: dict[str, Any]) -> None:
    """
    AccountId, GatewayId, Region and Stage, nothing else, ready to be typed into the Cloud ID console.
    """
    values = {name: filled(output["Value"]) for name, output in ingest["Outputs"].items()}
    (gateway,) = resources(ingest, f"{_API}RestApi")

    assert set(IngestOutput) == set(values)
    assert {"AccountId": ACCOUNT, "GatewayId": f"<{gateway}>", "Region": "eu-west-1", "Stage": "v1"} == values


@pytest.mark.parametrize("handler", ["interop", "worker"])
def test_the_handler_is_there(ingest: dict[str, Any], handler: str) -> None:
    """
    The handler string names a function of this checkout.
    """
    module, _, name = function(ingest, handler)["Properties"]["Handler"].rpartition(".")

    assert callable(pkgutil.resolve_name(f"{module}:{name}"))


def test_the_environment_is_what_the_handler_reads(ingest: dict[str, Any]) -> None:
    """
    Settings written by the stack are read back by the handler's own code; the audience is the account.
    """
    settings = Settings.from_env(_environment(ingest))

    expected = Settings(audience=ACCOUNT, token_key_url="https://cloudid.example.com/public-key.pem")
    assert replace(expected, queue_url=settings.queue_url) == settings
    assert settings.queue_url.removeprefix("<").removesuffix(">") in resources(ingest, "AWS::SQS::Queue")


def test_the_worker_is_told_the_same_but_who_may_call(ingest: dict[str, Any], full: Synthesized) -> None:
    """
    Same names, same policy, same issuers, same queue; nobody calls it.
    """
    for template in (ingest, full.of("Ingest")):
        settings = Settings.from_env(_environment(template))
        theirs = replace(settings, audience="", token_key="", token_key_url="", topic="iqs")
        assert theirs == Settings.from_env(_environment(template, "worker"), answers=False)


def test_every_setting_arrives(full: Synthesized, factory: Factory) -> None:
    """
    Whatever regions.toml says reaches the handler, the token key itself included.
    """
    settings = Settings.from_env(_environment(full.of("Ingest")))

    assert (
        Settings(
            audience="batch-service",
            token_key=pki.public_pem(factory.key).decode().strip(),
            naming=Naming.COMMON_NAME,
            thing_prefix="plant-7:",
            topic="telemetry",
            device_endpoint="devices.example.com",
            trusted_issuers_file="trusted_issuers.pem",
            queue_url=settings.queue_url,
            announcements_table="FirstlightAnnouncements",
            quotas="RegisterCertificateWithoutCA=100,AttachPolicy=37.5",
        )
        == settings
    )


def test_a_quota_of_no_operation_is_refused_at_synth(full_region: AwsRegion) -> None:
    """
    And not at the function's first push.
    """
    region = replace(full_region, quotas=("AttachPolitely=3",))

    with pytest.raises(SettingsError, match="'AttachPolitely' is no operation"):
        ingest_settings.of(region, account="123456789012", queue_url="")


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_nothing_secret_leaves_the_stack(synthesized: str, request: pytest.FixtureRequest) -> None:
    """
    No template carries a private key, credentials, or the name of a setting that holds some.
    """
    for template in request.getfixturevalue(synthesized).templates.values():
        text = json.dumps(template)
        assert not [word for word in ("PRIVATE KEY", "FIRSTLIGHT_BASIC_CREDENTIALS", "SECRET", "AKIA") if word in text]


def test_the_function_is_what_the_bundle_is_for(ingest: dict[str, Any]) -> None:
    """
    Python 3.13 on arm64, with the gateway's 29 seconds or the worker's 60, JSON logs in a group that forgets.
    """
    for handler, timeout in (("interop", 29), ("worker", 60)):
        found = function(ingest, handler)["Properties"]
        log = ingest["Resources"][found["LoggingConfig"]["LogGroup"]["Ref"]]

        assert ("python3.13", ["arm64"], timeout) == tuple(found[k] for k in ("Runtime", "Architectures", "Timeout"))
        assert "JSON" == found["LoggingConfig"]["LogFormat"]
        assert {"RetentionInDays": 90} == log["Properties"]


def test_the_api_has_three_routes(ingest: dict[str, Any]) -> None:
    """
    GET /, GET /auth and POST /interop, all to the function as they are.
    """
    paths = {name: f"/{r['Properties']['PathPart']}" for name, r in resources(ingest, f"{_API}Resource").items()}
    methods = [m["Properties"] for m in resources(ingest, f"{_API}Method").values()]

    assert {("GET", "/"), ("GET", "/auth"), ("POST", "/interop")} == {
        (m["HttpMethod"], paths.get(m["ResourceId"].get("Ref", ""), "/")) for m in methods
    }
    assert {"AWS_PROXY"} == {m["Integration"]["Type"] for m in methods}
    assert len(methods) == len(resources(ingest, "AWS::Lambda::Permission"))


def test_the_stage_is_throttled_and_logged(ingest: dict[str, Any], full: Synthesized) -> None:
    """
    By the region's numbers; the access log is JSON and has no header of the caller's.
    """
    stage = only(ingest, f"{_API}Stage")["Properties"]
    (settings,) = only(full.of("Ingest"), f"{_API}Stage")["Properties"]["MethodSettings"]
    line = json.loads(stage["AccessLogSetting"]["Format"])

    assert {"$context.status", "$context.requestId", "$context.path"} < set(line.values())
    assert not [value for value in line.values() if "header" in value.lower() or "auth" in value.lower()]
    assert (5, 7) == (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"])
    assert ("ERROR", False) == (settings["LoggingLevel"], settings["DataTraceEnabled"])


def test_every_log_forgets(ingest: dict[str, Any], full: Synthesized) -> None:
    """
    The function's, the gateway's access log and the one the gateway would make by itself.
    """
    kept = [
        {group["Properties"]["RetentionInDays"] for group in resources(template, "AWS::Logs::LogGroup").values()}
        for template in (ingest, full.of("Ingest"))
    ]
    names = {filled(g["Properties"].get("LogGroupName", "")) for g in resources(ingest, "AWS::Logs::LogGroup").values()}
    (gateway,) = resources(ingest, f"{_API}RestApi")

    assert [{90}, {400}] == kept
    assert {"", f"API-Gateway-Execution-Logs_<{gateway}>/v1"} == names


def test_the_gateway_speaks_the_protocol(ingest: dict[str, Any]) -> None:
    """
    What it answers by itself is JSON with `error`; a path nobody knows is 404, too many pushes say when to come again.
    """
    responses = {
        r["Properties"]["ResponseType"]: r["Properties"] for r in resources(ingest, f"{_API}GatewayResponse").values()
    }
    bodies = {
        kind: json.loads(r["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"why"'))
        for kind, r in responses.items()
    }

    assert {"DEFAULT_4XX", "DEFAULT_5XX", "REQUEST_TOO_LARGE", "THROTTLED"} < set(responses)
    assert {("error",)} == {tuple(body) for body in bodies.values()}
    assert "404" == responses["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"]
    assert ("413", "429") == (responses["REQUEST_TOO_LARGE"]["StatusCode"], responses["THROTTLED"]["StatusCode"])
    assert {"gatewayresponse.header.Retry-After": "'1'"} == responses["THROTTLED"]["ResponseParameters"]


def test_a_changed_response_is_deployed(ingest: dict[str, Any]) -> None:
    """
    The gateway's deployment comes after all that it deploys.
    """
    deployment = only(ingest, f"{_API}Deployment")

    assert {*resources(ingest, f"{_API}GatewayResponse"), *resources(ingest, f"{_API}Method")} <= set(
        deployment["DependsOn"]
    )


def test_the_account_role_is_optional(ingest: dict[str, Any], full: Synthesized) -> None:
    """
    It is shared by all APIs of the account and region, so it stays when the stack goes; or another stack has it.
    """
    account = only(ingest, f"{_API}Account")

    assert "RetainExceptOnCreate" == account["DeletionPolicy"]
    assert set(resources(ingest, f"{_API}Account")) < set(only(ingest, f"{_API}Stage")["DependsOn"])
    assert {} == resources(full.of("Ingest"), f"{_API}Account")


def test_alarms_hear_what_the_handler_emits(ingest: dict[str, Any], factory: Factory) -> None:
    """
    The metrics that alarms watch have the names and dimensions of the lines that the handler logs.
    """
    reply = Reply(200, b"[]", {}, (Outcome("r"),))
    record = telemetry.Record(Request("POST", "/interop", {}), reply, "id", 1.0)
    lines = [json.loads(line) for line in telemetry.lines(record, telemetry.Source(region="r", function="f"), NOW)]
    (emitted,) = (d for line in lines if "_aws" in line for d in line["_aws"]["CloudWatchMetrics"])
    watched = [
        a["Properties"]
        for a in resources(ingest, "AWS::CloudWatch::Alarm").values()
        if a["Properties"]["Namespace"] == emitted["Namespace"]
    ]

    assert {"Refused", "Throttled", "LatencyMs"} == {a["MetricName"] for a in watched}
    assert {a["MetricName"] for a in watched} < {m["Name"] for m in emitted["Metrics"]}
    assert all({d["Name"] for d in a["Dimensions"]} == set(emitted["Dimensions"][0]) for a in watched)


def test_alarms_go_to_the_regions_topic(full: Synthesized, full_region: AwsRegion, ingest: dict[str, Any]) -> None:
    """
    Every alarm of both stacks tells it; without one they only show.
    """
    told = [
        alarm["Properties"].get("AlarmActions")
        for template in full.templates.values()
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
    ]

    assert [[full_region.alarm_topic_arn]] * 16 == told
    assert {None} == {a["Properties"].get("AlarmActions") for a in resources(ingest, "AWS::CloudWatch::Alarm").values()}


def _environment(template: dict[str, Any], handler: str = "interop") -> dict[str, str]:
    environment: dict[str, str] = filled(function(template, handler)["Properties"]["Environment"])["Variables"]
    return environment
