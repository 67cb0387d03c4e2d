"""
Everything a server says, as JSON lines on one stream.
"""

import contextlib
import logging
from typing import TextIO

from firstlight import telemetry


class Lines:
    """
    Writes log lines to *stream*, and those of the libraries in the same form.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, lines: str) -> None:
        """
        Write *lines* at once.  A log that cannot be written does not fail what it is about.
        """
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(lines + "\n")
            self._stream.flush()

    def take_over(self) -> None:
        """
        Send the warnings of libraries here, instead of as text to wherever they go.
        """
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(_Json())
        logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # the first line only: further ones, and tracebacks, may quote what a caller sent
        message, *_ = record.getMessage().splitlines() or [""]
        error = record.exc_info[0] if record.exc_info else None
        return telemetry.event_line(
            "log",
            {
                "level": record.levelname,
                "logger": record.name,
                "message": telemetry.short(message),
                "type": error.__name__ if error else "",
            },
        )
