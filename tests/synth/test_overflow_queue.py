"""
Where a push leaves what it cannot finish, and who carries it on.
"""

import json
from typing import Any

import pytest

from firstlight import telemetry
from firstlight.backlog import Worked
from firstlight.provision import Outcome
from firstlight.regions import AwsRegion
from tests.factory import NOW
from tests.synth.conftest import Synthesize, Synthesized
from tests.synth.templates import function, only, resources, statements

_QUEUE = "AWS::SQS::Queue"
_DAY = 86_400


@pytest.fixture(scope="session")
def ingest(committed: Synthesized) -> dict[str, Any]:
    return committed.templates["FirstlightIngest-eu-west-1"]


def _queues(template: dict[str, Any]) -> tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]:
    """
    Return the queue and the one for dead letters, each with its name.
    """
    found = resources(template, _QUEUE)
    (queue,) = (name for name, q in found.items() if "RedrivePolicy" in q["Properties"])
    (dead,) = set(found) - {queue}
    return (queue, found[queue]["Properties"]), (dead, found[dead]["Properties"])


def test_what_came_too_often_is_kept_for_two_weeks(ingest: dict[str, Any]) -> None:
    """
    Longer than the queue itself keeps anything: SQS counts from when a message was first sent.
    """
    (_, queue), (dead, letters) = _queues(ingest)

    assert {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": 10} == queue["RedrivePolicy"]
    assert (7 * _DAY, 14 * _DAY) == (queue["MessageRetentionPeriod"], letters["MessageRetentionPeriod"])


def test_a_batch_is_unseen_six_times_as_long_as_its_worker_may_take(ingest: dict[str, Any]) -> None:
    """
    As AWS asks for; otherwise Lambda would be given a batch twice.
    """
    (_, queue), _ = _queues(ingest)

    assert queue["VisibilityTimeout"] >= 6 * function(ingest, "worker")["Properties"]["Timeout"]


def test_the_event_source_gives_back_what_was_not_done(ingest: dict[str, Any], full: Synthesized) -> None:
    """
    Per message; and two batches at once, or as many as the region says.
    """
    (name, _), _ = _queues(ingest)
    mapping = only(ingest, "AWS::Lambda::EventSourceMapping")["Properties"]

    assert ["ReportBatchItemFailures"] == mapping["FunctionResponseTypes"]
    assert {"Fn::GetAtt": [name, "Arn"]} == mapping["EventSourceArn"]
    assert (50, 1) == (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"])
    assert [2, 9] == [
        only(template, "AWS::Lambda::EventSourceMapping")["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        for template in (ingest, full.of("Ingest"))
    ]


def test_a_batch_at_the_published_quota_ends_in_one_invocation(ingest: dict[str, Any]) -> None:
    """
    Ten registrations a second, of which pushes may take two thirds meanwhile.
    """
    mapping = only(ingest, "AWS::Lambda::EventSourceMapping")["Properties"]
    devices = mapping["BatchSize"] * mapping["ScalingConfig"]["MaximumConcurrency"]

    assert 3 * devices / 10 < function(ingest, "worker")["Properties"]["Timeout"] - 8


def test_both_queues_are_encrypted_and_take_tls_only(
    ingest: dict[str, Any], full_region: AwsRegion, synthesize: Synthesize
) -> None:
    """
    But for the laptop's AWS, which speaks plain HTTP and enforces what a queue's policy says.
    """
    denied = [s for policy in resources(ingest, "AWS::SQS::QueuePolicy").values() for s in statements(policy)]
    laptop = synthesize((full_region,), firstlight__plain_http=True).of("Ingest")

    assert [{"Bool": {"aws:SecureTransport": "false"}}] * 2 == [s["Condition"] for s in denied]
    assert {"Deny"} == {s["Effect"] for s in denied}
    assert {} == resources(laptop, "AWS::SQS::QueuePolicy")
    assert [True] * 4 == [
        q["Properties"]["SqsManagedSseEnabled"] for t in (ingest, laptop) for q in resources(t, _QUEUE).values()
    ]


def test_somebody_hears_of_dead_letters_and_of_long_waits(ingest: dict[str, Any]) -> None:
    """
    And of devices that can never be, under the names that the worker's log lines have.
    """
    (queue, _), (dead, _) = _queues(ingest)
    alarms = [a["Properties"] for a in resources(ingest, "AWS::CloudWatch::Alarm").values()]
    of_queues = {
        (a["Dimensions"][0]["Value"]["Fn::GetAtt"][0], a["MetricName"], a["Threshold"])
        for a in alarms
        if a["Namespace"] == "AWS/SQS"
    }

    assert {
        (dead, "ApproximateNumberOfMessagesVisible", 0),
        (queue, "ApproximateAgeOfOldestMessage", 3600),
    } == of_queues
    worked = Worked((), (), (Outcome("r"),))
    *_, line = telemetry.work_lines(
        worked, telemetry.Source(region="eu-west-1", function="w"), NOW, request_id="id", seconds=1
    )
    (emitted,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
    (worker,) = (
        n for n, f in resources(ingest, "AWS::Lambda::Function").items() if "worker" in f["Properties"]["Handler"]
    )
    refused = [
        a for a in alarms if a["MetricName"] == "Refused" and {"Ref": worker} in [d["Value"] for d in a["Dimensions"]]
    ]
    assert [emitted["Namespace"]] == [a["Namespace"] for a in refused]
    assert "Refused" in {m["Name"] for m in emitted["Metrics"]}
