"""
The Cloud ID push protocol: a request in, a Reply out.  Knows no cloud and no envelope.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from firstlight import prefer, wire
from firstlight.errors import FirstlightError, KeyUnavailableError, QueuedError, RequestError, UnauthorizedError
from firstlight.inspection import Inspector
from firstlight.overflow import Later, Overflow, put_off
from firstlight.provision import Admission, Outcome, Registry, provision
from firstlight.recent import Recent
from firstlight.status import StatusDesk
from firstlight.tokens import Guard

COMPATIBILITY_VERSION = 1
_RETRY_AFTER = "30"
# Seconds of a push, or half of what it has, in which what is unfinished goes to the queue.
_RESERVE = 3.0


@dataclass(frozen=True, slots=True)
class Request:
    """
    One HTTP request.  Header names are lower-case; the path has no stage and no query.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One HTTP answer, and for logs and metrics: what became of each entry of a push, and why some are not queued.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    outcomes: tuple[Outcome, ...] = ()
    unqueued: tuple[FirstlightError, ...] = ()


_Handle = Callable[["Interop", Request, float], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interop:
    """
    The three routes, for one registry.

    With an *overflow*, what a push cannot finish in time is carried on by whoever works that queue off.
    With an *inspector*, a status request with a list is answered.
    """

    registry: Registry
    guard: Guard
    admission: Admission
    topic: str
    now: Callable[[], datetime]
    overflow: Overflow | None = None
    inspector: Inspector | None = None
    queued: Recent = field(default_factory=Recent, repr=False)

    async def answer(self, request: Request, *, deadline: float) -> Reply:
        """
        Answer *request*; *deadline* (the running loop's clock, seconds) bounds a push.

        Never raises for anything a caller can send.
        """
        try:
            return await _route(request)(self, request, deadline)
        except RequestError as e:
            return error_reply(e.status, str(e), {"Allow": e.allow} if e.allow else None)
        except UnauthorizedError as e:
            return error_reply(401, str(e), {"WWW-Authenticate": self.guard.challenge})
        except KeyUnavailableError as e:
            return error_reply(503, str(e), {"Retry-After": _RETRY_AFTER})

    async def alive(self, request: Request, deadline: float) -> Reply:
        del request, deadline
        return _OK

    async def authenticated(self, request: Request, deadline: float) -> Reply:
        del deadline
        await self.guard.require(request.headers.get("authorization"))
        return _OK

    async def interop(self, request: Request, deadline: float) -> Reply:
        # Nothing of the body is looked at before the caller is known.
        await self.guard.require(request.headers.get("authorization"))
        message = wire.parse(request.headers, request.body)
        match message.get("action"):
            case "info":
                return _json_reply(200, {"action": "info", "compatibilityVersion": COMPATIBILITY_VERSION})
            case "status" if self.inspector is not None and message.get("certs") is not None:
                return await self._status(self.inspector, message, deadline)
            case "status" | "message" as action:
                return _json_reply(200, {"message": "Not yet implemented.", "action": action})
            case "provision":
                return await self._provision(request, message, deadline)
            case _:
                raise RequestError("action must be one of info, status, message, provision.")

    async def _status(self, inspector: Inspector, message: Mapping[str, Any], deadline: float) -> Reply:
        desk = StatusDesk(inspector=inspector, rule=self.admission.rule, queued=self.queued, now=self.now)
        return _json_reply(200, await desk.answer(message, deadline=deadline))

    async def _provision(self, request: Request, message: Mapping[str, Any], deadline: float) -> Reply:
        candidates = wire.candidates(message)
        if self.overflow is None:
            outcomes = await provision(
                candidates, self.registry, admission=self.admission, now=self.now, deadline=deadline
            )
            return _json_reply(200, [_entry(o, self.topic) for o in outcomes], outcomes=tuple(outcomes))
        later = prefer.wants(prefer.RESPOND_ASYNC, request.headers.get("prefer", ""))
        outcomes = await provision(
            candidates,
            Later(self.registry) if later else self.registry,
            admission=self.admission,
            now=self.now,
            deadline=_with_reserve(deadline),
        )
        outcomes, unqueued = await put_off(outcomes, self.overflow, deadline=deadline, keep_errors=not later)
        self._remember(outcomes)
        answers = [_pending(o) if later else _entry(o, self.topic) for o in outcomes]
        status, headers = (202, {"Preference-Applied": prefer.RESPOND_ASYNC}) if later else (200, None)
        return _json_reply(status, answers, headers, tuple(outcomes), tuple(unqueued))

    def _remember(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.identity is not None and isinstance(outcome.error, QueuedError):
                self.queued.add(outcome.identity.fingerprint, self.now())
            elif outcome.identity is not None and outcome.error is None:
                self.queued.drop(outcome.identity.fingerprint)


def _with_reserve(deadline: float) -> float:
    left = max(0.0, deadline - asyncio.get_running_loop().time())
    return deadline - min(_RESERVE, left / 2)


def error_reply(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """
    Return the protocol's form of a refusal: `{"error": message}`.
    """
    return _json_reply(status, {"error": message}, headers)


def _json_reply(
    status: int,
    value: Any,
    headers: Mapping[str, str] | None = None,
    outcomes: tuple[Outcome, ...] = (),
    unqueued: tuple[FirstlightError, ...] = (),
) -> Reply:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})}, outcomes, unqueued)


_OK = Reply(200, b"OK", {"Content-Type": "text/plain"})
_ROUTES: dict[str, dict[str, _Handle]] = {
    "/": {"GET": Interop.alive},
    "/auth": {"GET": Interop.authenticated},
    "/interop": {"POST": Interop.interop},
}


def _route(request: Request) -> _Handle:
    path = "/" + request.path.strip("/")
    methods = _ROUTES.get(path)
    if methods is None:
        raise RequestError("There is no such route; there are GET /, GET /auth and POST /interop.", status=404)
    handle = methods.get(request.method)
    if handle is None:
        raise RequestError(f"{path} takes {' and '.join(methods)} only.", status=405, allow=", ".join(methods))
    return handle


def _entry(outcome: Outcome, topic: str) -> dict[str, Any]:
    # No other fields: the service's parser is not known to ignore them.
    if outcome.error is not None:
        return {"ref": outcome.ref, "status": "ERROR", "message": str(outcome.error)}
    return {
        "ref": outcome.ref,
        "status": "SUCCESS",
        "endpoint": outcome.endpoint,
        "topic": topic,
        "policyApplied": True,
    }


def _pending(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome.error, QueuedError):
        return {"ref": outcome.ref, "status": "PENDING"}
    return {"ref": outcome.ref, "status": "ERROR", "message": str(outcome.error)}
