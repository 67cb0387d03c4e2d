"""
What the laptop Azure's REST services share: calls, answers, refusals, and routes to what answers them.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Call:
    """
    A request.  Header names are in lower case, `query` and `path` are decoded.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    # What the route's placeholders stand for.
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        """
        What `If-Match` says, without quotes; "" when it is not there.
        """
        return self.headers.get("if-match", "").strip().strip('"')

    def json(self) -> Any:
        """
        Raises:
            Refusal: the body is no JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as e:
            raise Refusal(400, "ArgumentInvalid", "The body is not JSON.") from e

    def object(self) -> dict[str, Any]:
        """
        Raises:
            Refusal: the body is no JSON object.
        """
        body = self.json()
        if not isinstance(body, dict):
            raise Refusal(400, "ArgumentInvalid", "The body is not a JSON object.")
        return body


@dataclass(frozen=True)
class Answer:
    """
    `body` is JSON's, or bytes as they are; None is an empty one.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 -- an answer, not a fault
    """
    An answer that says no; each service has its own shape for it.
    """

    def __init__(self, status: int, code: str | int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


Handler = Callable[[Call], Awaitable[Answer] | Answer]


class Routes:
    """
    Paths with `{name}` placeholders (`{name:path}` takes slashes too), in any case, to handlers.
    """

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def add(self, method: str, path: str, handler: Handler) -> None:
        """
        Let *handler* answer *method* on *path*; what was added first wins.
        """
        pattern = re.escape(path).replace(r"\{", "{").replace(r"\}", "}")
        pattern = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", pattern)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        self._routes.append((method, re.compile(pattern, re.IGNORECASE), handler))

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """
        Return the handler and what the placeholders stand for.

        Raises:
            Refusal: nothing is there, or nothing for *method*.
        """
        path = path.rstrip("/") or "/"
        known = False
        for allowed, pattern, handler in self._routes:
            if found := pattern.fullmatch(path):
                if allowed == method:
                    return handler, found.groupdict()
                known = True
        if known:
            raise Refusal(405, "MethodNotAllowed", f"{method} is not for {path}.")
        raise Refusal(404, "NotFound", f"The laptop's Azure has nothing at {path}.")
