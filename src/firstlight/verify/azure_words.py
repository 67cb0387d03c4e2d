"""
What a device provisioning service says when it refuses: the SDK keeps the sentence for its own log.
"""

import ast
import logging

_LOGGER = "azure.iot.device.provisioning.pipeline.pipeline_stages_provisioning"
_MARK = "Response body: "


class Words(logging.Handler):
    """
    Overhears the answers.  Several devices may be asking at once; `since` says only what is beyond doubt.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._heard: list[str] = []

    def listen(self) -> None:
        logger = logging.getLogger(_LOGGER)
        self._before = (logger.level, logger.propagate)
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG)
        # nobody asked for the SDK's debug messages
        logger.propagate = False

    def leave(self) -> None:
        logger = logging.getLogger(_LOGGER)
        logger.removeHandler(self)
        logger.level, logger.propagate = self._before
        logger.setLevel(self._before[0])

    def emit(self, record: logging.LogRecord) -> None:
        _, mark, body = record.getMessage().partition(_MARK)
        if mark:
            self._heard.append(_decoded(body))

    @property
    def mark(self) -> int:
        """
        Now, for `since`.
        """
        return len(self._heard)

    def since(self, mark: int) -> str:
        """
        Return what was said since *mark*, if it was one answer, else "".
        """
        heard = self._heard[mark:]
        return heard[0] if len(heard) == 1 else ""


def _decoded(body: str) -> str:
    # the SDK writes Python's form of bytes
    try:
        value = ast.literal_eval(body)
    except (ValueError, SyntaxError):
        return body
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else body
