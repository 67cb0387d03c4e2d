"""
One answer of an IoT Hub, or that there was none.
"""

import json
import re
from http import HTTPStatus
from typing import Any, NamedTuple

# Our own codes, where the hub said nothing.
_NOT_SENT = "NotSent"
_TIMED_OUT = "TimedOut"
_UNREACHABLE = "Unreachable"

_CODE = re.compile(r"ErrorCode:\s*(\w+)")
_TOO_MANY_REQUESTS, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _PRECONDITION_FAILED = 429, 401, 403, 404, 412
_EXISTS = frozenset({"409001", "DeviceAlreadyExists"})
_MAX_MESSAGE = 200


class Answer(NamedTuple):
    """
    The HTTP status (0: nothing was answered), the hub's error code, the body as JSON if it is any.
    """

    status: int
    code: str = ""
    document: Any = None
    retry_after: float | None = None
    is_json: bool = True

    @classmethod
    def of(cls, status: int, error_code: str, retry_after: str, body: bytes) -> "Answer":
        """
        Return what was answered; *error_code* and *retry_after* are the headers, empty if missing.
        """
        document, is_json = None, True
        if body:
            try:
                document = json.loads(body)
            except (ValueError, RecursionError):
                is_json = False
        wait = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
        answer = cls(status, error_code, document, wait, is_json)
        if answer.ok or error_code:
            return answer
        named = _CODE.search(answer._text())
        facts = document if isinstance(document, dict) else {}
        return answer._replace(code=named[1] if named else str(facts.get("errorCode") or f"HTTP {status}"))

    @classmethod
    def not_sent(cls) -> "Answer":
        return cls(0, _NOT_SENT)

    @classmethod
    def timed_out(cls) -> "Answer":
        return cls(0, _TIMED_OUT)

    @classmethod
    def unreachable(cls) -> "Answer":
        return cls(0, _UNREACHABLE)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 -- 2xx is good

    @property
    def sent(self) -> bool:
        return self.code != _NOT_SENT

    @property
    def late(self) -> bool:
        return self.code == _TIMED_OUT

    @property
    def throttled(self) -> bool:
        return self.status == _TOO_MANY_REQUESTS

    @property
    def failed(self) -> bool:
        """
        Whether nothing can be said about what was done.
        """
        return self.status == 0 or self.status >= 500 or self.status == 408  # noqa: PLR2004 -- as HTTP has it

    @property
    def unauthenticated(self) -> bool:
        return self.status == _UNAUTHORIZED

    @property
    def forbidden(self) -> bool:
        return self.status == _FORBIDDEN

    @property
    def missing(self) -> bool:
        return self.status == _NOT_FOUND

    @property
    def stale(self) -> bool:
        """
        Whether somebody else had changed it in between.
        """
        return self.status == _PRECONDITION_FAILED

    @property
    def exists(self) -> bool:
        return self.code in _EXISTS

    @property
    def message(self) -> str:
        """
        The hub's own words.
        """
        return " ".join(self._text().split())[:_MAX_MESSAGE].rstrip(".")

    @property
    def bulk(self) -> "BulkResult | None":
        """
        The result of a bulk operation, if the hub answered with one.
        """
        facts = self.document
        if not isinstance(facts, dict) or not isinstance(facts.get("isSuccessful"), bool):
            return None
        errors = [] if facts.get("errors") is None else facts["errors"]
        if not isinstance(errors, list) or not all(isinstance(e, dict) for e in errors):
            return None
        successful = facts["isSuccessful"] and self.status == HTTPStatus.OK and not errors
        return BulkResult(successful, {str(e.get("deviceId") or e.get("id")): Refusal.of(e) for e in errors})

    def _text(self) -> str:
        facts = self.document
        if isinstance(facts, dict):
            return str(facts.get("Message") or facts.get("message") or "")
        return facts if isinstance(facts, str) else ""


class Refusal(NamedTuple):
    """
    Why one device of a bulk operation was refused: codes are numbers or names, whatever the hub likes.
    """

    codes: frozenset[str]

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Refusal":
        said = [str(entry[k]) for k in ("errorCode", "errorStatus") if entry.get(k)]
        return cls(frozenset(found[1] if (found := _CODE.search(code)) else code for code in said))

    @property
    def exists(self) -> bool:
        return bool(self.codes & _EXISTS)

    @property
    def throttled(self) -> bool:
        return any(c.startswith(("429", "Throttl")) for c in self.codes)

    @property
    def failed(self) -> bool:
        return any(
            c.startswith(("500", "503", "504")) or c in {"ServerError", "ServiceUnavailable"} for c in self.codes
        )

    def __str__(self) -> str:
        return " ".join(sorted(self.codes))[:_MAX_MESSAGE] or "no reason"


class BulkResult(NamedTuple):
    """
    Whether the hub says that all of it was done, and otherwise what it refused, by device id.
    """

    successful: bool
    refused: dict[str, Refusal]
