"""
What an endpoint logs of one request, or a worker of one batch: a line for it, one per device, one of metrics.
"""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from firstlight.backlog import Worked, comes_again
from firstlight.errors import FirstlightError, QueuedError
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
    for (code, message), devices in Counter((e.code, str(e)) for e in reply.unqueued).items():
        facts = {"request_id": record.request_id, "devices": devices, "code": code}
        yield event_line("not-queued", facts | {"message": short(message, _MAX_MESSAGE)})
    yield from _outcome_lines(
        reply.outcomes, source=source, request_id=record.request_id, seconds=record.seconds, now=now
    )


def work_lines(worked: Worked, source: Source, now: datetime, *, request_id: str, seconds: float) -> Iterator[str]:
    """
    Yield what is logged of a batch that a worker took *seconds* for, at *now* (aware).

    What goes back into the queue is logged as queued, with the reason; never in them: as `lines`.
    """
    yield event_line(
        "work",
        {
            "request_id": request_id,
            "done": len(worked.done),
            "again": len(worked.again),
            "strange": worked.strange,
            "ms": _milliseconds(seconds),
        },
    )
    yield from _outcome_lines(
        worked.outcomes, source=source, request_id=request_id, seconds=seconds, now=now, queued=comes_again
    )


def _is_queued(outcome: Outcome) -> bool:
    return isinstance(outcome.error, QueuedError)


def _outcome_lines(
    outcomes: tuple[Outcome, ...],
    *,
    source: Source,
    request_id: str,
    seconds: float,
    now: datetime,
    queued: Callable[[Outcome], bool] = _is_queued,
) -> Iterator[str]:
    became = [_became(outcome, queued) for outcome in outcomes]
    for outcome, word in zip(outcomes, became, strict=True):
        yield _device_line(outcome, word, request_id)
    if outcomes:
        counts = Counter(became)
        throttled = sum(outcome.throttled for outcome in outcomes)
        yield _metrics_line(counts, throttled, source=source, seconds=seconds, now=now)


def _became(outcome: Outcome, queued: Callable[[Outcome], bool]) -> str:
    if outcome.error is None:
        return "provisioned"
    return "queued" if queued(outcome) else "refused"


def _device_line(outcome: Outcome, became: str, request_id: str) -> str:
    """
    Return the JSON line of one device.
    """
    identity, error = outcome.identity, outcome.error
    return _encode(
        {
            "event": "device",
            "request_id": request_id,
            "ref": short(outcome.ref),
            "outcome": became,
            "code": error.code if error else "",
            "message": short(error.message, _MAX_MESSAGE) if error else "",
            "name": short(identity.name) if identity else "",
            "fingerprint": identity.fingerprint if identity else "",
            "ms": _milliseconds(outcome.seconds),
            "throttled": outcome.throttled,
        }
    )


def _metrics_line(became: Mapping[str, int], throttled: int, *, source: Source, seconds: float, now: datetime) -> str:
    """
    Return one push, or one batch, as metrics, for CloudWatch in the embedded metric format.

    `LatencyMs` is the push's, `Throttled` counts the calls that the cloud turned away.
    """
    directive = {"_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": _DIRECTIVE}}
    return _encode(
        (directive if source.embedded else {})
        | {
            "event": "metrics",
            "region": source.region,
            "function": source.function,
            "Provisioned": became.get("provisioned", 0),
            "Queued": became.get("queued", 0),
            "Refused": became.get("refused", 0),
            "Throttled": throttled,
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


_UNITS = {
    "Provisioned": "Count",
    "Queued": "Count",
    "Refused": "Count",
    "Throttled": "Count",
    "LatencyMs": "Milliseconds",
}
_DIRECTIVE = [
    {
        "Namespace": NAMESPACE,
        "Dimensions": [["region", "function"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in _UNITS.items()],
    }
]
