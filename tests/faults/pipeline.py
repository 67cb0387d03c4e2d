"""
What stands in for azure-core's client: a request in, an answer or an error of azure-core out.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from azure.core.rest import HttpRequest


@dataclass(frozen=True)
class Response:
    """
    What the adapters read of an answer.
    """

    status_code: int
    headers: dict[str, str]
    content: bytes


class Pipeline(ABC):
    """
    A client whose `send` answers.
    """

    @abstractmethod
    async def send(self, request: HttpRequest) -> Response | Exception | None:
        """
        Return the answer to *request*, or the error that azure-core would raise.
        """

    async def send_request(self, request: HttpRequest, **_: Any) -> Response:
        # The adapters tell by this whether there was a token.
        request.headers["Authorization"] = "Bearer token"
        answer = await self.send(request)
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None  # the wire waits for ever, where nobody answers
        return answer

    async def close(self) -> None:  # noqa: B027 -- nothing is open, here and in every cloud
        pass
