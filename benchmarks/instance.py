"""
One instance of a Lambda function, in a process of its own: one event at a time, and what the handler answers.

`python -m benchmarks.instance MODULE FD`: JSON lines over the socket FD, {"event", "seconds"} in, the answer out; first
of all an empty line, when the handler is there.
"""

import importlib
import json
import socket
import sys
import time
import uuid


class Context:
    """
    What a handler is told of its invocation, as far as handlers here ask.
    """

    def __init__(self, function_name: str, seconds: float) -> None:
        self.function_name, self.aws_request_id = function_name, str(uuid.uuid4())
        self._ends_at = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends_at - time.monotonic()) * 1000))


def main(module: str, descriptor: int) -> None:
    """
    Answer events until nobody asks any more.
    """
    handler = importlib.import_module(module).handler
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb") as lines:
        lines.write(b"\n")
        lines.flush()
        for line in lines:
            asked = json.loads(line)
            answer = handler(asked["event"], Context(module, asked["seconds"]))
            lines.write(json.dumps(answer).encode() + b"\n")
            lines.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
