"""
What the functions that hear first connects log: a line for each, and metrics for CloudWatch.
"""

from collections.abc import Iterator
from datetime import datetime

from firstlight.first_connect.allow_list import Outcome, Verdict
from firstlight.first_connect.event import Registered
from firstlight.telemetry import NAMESPACE, Source, event_line, short

_MAX_REASON = 400
ADMITTED, LEFT_OUT, REFUSED, STUCK = "Admitted", "LeftOut", "RefusedAtFirstConnect", "Stuck"
_METRICS = {Outcome.ADMITTED: ADMITTED, Outcome.LEFT_OUT: LEFT_OUT, Outcome.REFUSED: REFUSED}


def of_verdict(event: Registered, verdict: Verdict, *, request_id: str, source: Source, now: datetime) -> Iterator[str]:
    """
    Yield what is logged of one decision of the allow-list.
    """
    yield event_line(
        "first-connect",
        {
            "request_id": request_id,
            "certificate": event.certificate_id,
            "ca": event.ca_id,
            "outcome": verdict.outcome,
            "thing": short(verdict.thing_name),
            "message": short(verdict.reason, _MAX_REASON),
        },
    )
    if metric := _METRICS.get(verdict.outcome):
        yield _metric_line(metric, source, now)


def of_stuck(event: Registered, *, connects: int, request_id: str, source: Source, now: datetime) -> Iterator[str]:
    """
    Yield what is logged of a device that has connected *connects* times within an hour and does not come in.
    """
    yield event_line(
        "stuck",
        {
            "request_id": request_id,
            "certificate": event.certificate_id,
            "ca": event.ca_id,
            "connects": connects,
            "message": "This device connects again and again and is PENDING_ACTIVATION still.",
            "remedy": "firstlight doctor --cert with its certificate says why, and what mends it.",
        },
    )
    yield _metric_line(STUCK, source, now)


def _metric_line(name: str, source: Source, now: datetime) -> str:
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["region", "function"]],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    }
    aws = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return event_line("metrics", {"_aws": aws, "region": source.region, "function": source.function, name: 1})
