"""
What one caller, or all of them together, may take from the server.
"""

from dataclasses import dataclass

from firstlight.wire import MAX_BODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Bytes, seconds and counts that bound memory and patience.

    A connection that says nothing, or not a whole head, or leaves its answer unread, for `idle` seconds
    is closed; a body has `upload` seconds.  Of `pushes` at once each may hold `body` bytes; the next ones wait.
    """

    body: int = MAX_BODY
    idle: float = 20.0
    upload: float = 20.0
    pushes: int = 32
    connections: int = 1000
