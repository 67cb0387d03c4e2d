"""
What an endpoint logs of one request: a line for it, a line per device, a line of metrics.
"""

import json
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from firstlight.errors import FirstlightError
from firstlight.interop import Reply, Request
from firstlight.provision import Outcome

NAMESPACE = "firstlight"
# Characters of a caller's own text that a line keeps: enough to find it again, too few to flood a log.
_MAX_TEXT = 128
_MAX_MESSAGE = 400

# One encoder for every line.  It escapes control and non-ASCII characters, so that nothing a
# caller sends can end a line, begin another or colour a terminal.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    Where lines come from; the two dimensions of the metrics.

    `embedded` metrics are in the embedded metric format, which CloudWatch reads and nobody else.
    """

    region: str
    function: str
    embedded: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """
    One answered request: how long it took, and the error nobody expected, if there was one.
    """

    request: Request
    reply: Reply
    request_id: str
    seconds: float
    failure: Exception | None = None


def lines(record: Record, source: Source, now: datetime) -> Iterator[str]:
    """
    Yield what is logged of *record* at *now* (aware).

    Never in them: a certificate, a key, a token, a body.
    """
    request, reply = record.request, record.reply
    if record.failure is not None:
        yield failure_line(record.failure, request_id=record.request_id)
    yield event_line(
        "request",
        {
            "request_id": record.request_id,
            "method": short(request.method),
            "path": short(request.path),
            "status": reply.status,
            "entries": len(reply.outcomes),
            "ms": _milliseconds(record.seconds),
        },
    )
    for outcome in reply.outcomes:
        yield device_line(outcome, request_id=record.request_id)
    if reply.outcomes:
        yield metrics_line(reply.outcomes, source=source, seconds=record.seconds, now=now)


def device_line(outcome: Outcome, *, request_id: str) -> str:
    """
    Return the JSON line of one device.
    """
    identity, error = outcome.identity, outcome.error
    return _encode(
        {
            "event": "device",
            "request_id": request_id,
            "ref": short(outcome.ref),
            "outcome": "refused" if error else "provisioned",
            "code": error.code if error else "",
            "message": short(error.message, _MAX_MESSAGE) if error else "",
            "name": short(identity.name) if identity else "",
            "fingerprint": identity.fingerprint if identity else "",
            "ms": _milliseconds(outcome.seconds),
            "throttled": outcome.throttled,
        }
    )


def metrics_line(outcomes: tuple[Outcome, ...], *, source: Source, seconds: float, now: datetime) -> str:
    """
    Return one push as metrics, for CloudWatch in the embedded metric format.

    `LatencyMs` is the push's, `Throttled` counts the calls that the cloud turned away.
    """
    refused = sum(outcome.error is not None for outcome in outcomes)
    directive = {"_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": _DIRECTIVE}}
    return _encode(
        (directive if source.embedded else {})
        | {
            "event": "metrics",
            "region": source.region,
            "function": source.function,
            "Provisioned": len(outcomes) - refused,
            "Refused": refused,
            "Throttled": sum(outcome.throttled for outcome in outcomes),
            "LatencyMs": _milliseconds(seconds),
        }
    )


def failure_line(error: Exception, *, request_id: str) -> str:
    """
    Return the JSON line of an error nobody expected: its type and place.

    Its message stays out, since it may quote what a caller sent, unless it was raised on purpose.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return event_line(
        "failure",
        {
            "request_id": request_id,
            "type": type(error).__name__,
            "where": f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "",
            "message": short(str(error), _MAX_MESSAGE) if isinstance(error, FirstlightError) else "",
        },
    )


def event_line(event: str, facts: Mapping[str, Any]) -> str:
    """
    Return the JSON line of something that is no request: a start, a stop, an unexpected error.
    """
    return _encode({"event": event, **facts})


def short(text: str, limit: int = _MAX_TEXT) -> str:
    """
    Return *text*, its end replaced by `…` if it is longer than *limit* characters.
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


_UNITS = {"Provisioned": "Count", "Refused": "Count", "Throttled": "Count", "LatencyMs": "Milliseconds"}
_DIRECTIVE = [
    {
        "Namespace": NAMESPACE,
        "Dimensions": [["region", "function"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in _UNITS.items()],
    }
]
