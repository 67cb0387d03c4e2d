"""
The Cloud ID push protocol: a request in, a Reply out.  Knows no cloud and no envelope.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from firstlight.errors import CertificateError, FirstlightError, KeyUnavailableError, RequestError, UnauthorizedError
from firstlight.provision import Admission, Candidate, Outcome, Registry, provision
from firstlight.tokens import Guard

COMPATIBILITY_VERSION = 1
# What a synchronous Lambda invocation takes, and more certificates than any quota lets through in time.
MAX_BODY = 6 * 2**20
MAX_ENTRIES = 10_000
_MAX_REF = 256
# All refs of a push as JSON: an answer repeats them, and may have 6 MB on Lambda as well.
_MAX_REFS = 2**20
_MAX_LISTED = 5
_RETRY_AFTER = "30"


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
    One HTTP answer, and for a push what became of each entry, for logs and metrics.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    outcomes: tuple[Outcome, ...] = ()


_Handle = Callable[["Interop", Request, float], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interop:
    """
    The three routes, for one registry.
    """

    registry: Registry
    guard: Guard
    admission: Admission
    topic: str
    now: Callable[[], datetime]

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
        message = _parse(request)
        match message.get("action"):
            case "info":
                return _json_reply(200, {"action": "info", "compatibilityVersion": COMPATIBILITY_VERSION})
            case "status" | "message" as action:
                return _json_reply(200, {"message": "Not yet implemented.", "action": action})
            case "provision":
                return await self._provision(message, deadline)
            case _:
                raise RequestError("action must be one of info, status, message, provision.")

    async def _provision(self, message: Mapping[str, Any], deadline: float) -> Reply:
        outcomes = await provision(
            _candidates(message), self.registry, admission=self.admission, now=self.now, deadline=deadline
        )
        return _json_reply(200, [_entry(o, self.topic) for o in outcomes], outcomes=tuple(outcomes))


def error_reply(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """
    Return the protocol's form of a refusal: `{"error": message}`.
    """
    return _json_reply(status, {"error": message}, headers)


def _json_reply(
    status: int, value: Any, headers: Mapping[str, str] | None = None, outcomes: tuple[Outcome, ...] = ()
) -> Reply:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})}, outcomes)


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


class _Object(dict[str, Any]):
    """
    A JSON object that remembers which keys it was given twice.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs) if len(self) < len(pairs) else {}
        self.twice = {key for key, count in counts.items() if count > 1}


def _parse(request: Request) -> _Object:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError("Content-Encoding is not supported; send the body as it is.", status=415)
    if len(request.body) > MAX_BODY:
        raise RequestError(f"The body is over {MAX_BODY} bytes; push fewer certificates at once.", status=413)
    try:
        message = json.loads(request.body.decode("utf-8"), object_pairs_hook=_Object)
    except UnicodeDecodeError as e:
        raise RequestError("The body is not UTF-8.") from e
    except (ValueError, RecursionError) as e:
        raise RequestError("The body is not JSON.") from e
    if not isinstance(message, _Object):
        raise RequestError("The body is not a JSON object.")
    if message.twice:
        raise RequestError(f"The body names {_listed(message.twice)} twice.")
    return message


def _candidates(message: Mapping[str, Any]) -> list[Candidate]:
    certs = message.get("certs")
    if not isinstance(certs, list):
        raise RequestError("certs must be a list.")
    if len(certs) > MAX_ENTRIES:
        raise RequestError(f"certs has {len(certs)} entries; push at most {MAX_ENTRIES} at once.", status=413)
    candidates = [_candidate(i, entry) for i, entry in enumerate(certs)]
    if sum(len(json.dumps(c.ref)) for c in candidates) > _MAX_REFS:
        raise RequestError(f"The refs are over {_MAX_REFS} bytes of JSON; push fewer at once.", status=413)
    return candidates


def _candidate(index: int, entry: Any) -> Candidate:
    if not isinstance(entry, _Object):
        raise RequestError(f"certs[{index}] is not an object.")
    ref = entry.get("ref")
    if not isinstance(ref, str):
        raise RequestError(f"certs[{index}].ref is missing or not a string.")
    if len(ref) > _MAX_REF:
        raise RequestError(f"certs[{index}].ref is longer than {_MAX_REF} characters.")
    try:
        return Candidate(ref, _decode(entry))
    except CertificateError as e:
        return Candidate(ref, error=e)


def _decode(entry: _Object) -> bytes:
    if entry.twice:
        raise CertificateError(f"Cannot decode certificate: the entry names {_listed(entry.twice)} twice.")
    text = entry.get("cert")
    if not isinstance(text, str) or not text.strip():
        raise CertificateError("Cannot decode certificate: cert is missing or not a string.")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as e:
        raise CertificateError("Cannot decode certificate: cert is not base64, or cut short.") from e


def _listed(keys: set[str]) -> str:
    shown = ", ".join(repr(k[:40]) for k in sorted(keys)[:_MAX_LISTED])
    return shown if len(keys) <= _MAX_LISTED else f"{shown} and others"


def _entry(outcome: Outcome, topic: str) -> dict[str, Any]:
    # No other fields: the service's parser is not known to ignore them.
    if outcome.error is not None:
        return {"ref": outcome.ref, "status": "ERROR", "message": _sentence(outcome.error)}
    return {
        "ref": outcome.ref,
        "status": "SUCCESS",
        "endpoint": outcome.endpoint,
        "topic": topic,
        "policyApplied": True,
    }


def _sentence(error: FirstlightError) -> str:
    return str(error)
