"""
A function app at its own host name: what is asked there is handed to the process that hosts it.
"""

from typing import Any

import aiohttp

from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal

SITE_DOMAIN = "azurewebsites.net"
# What belongs to one connection, or is made anew.
_OF_THE_CONNECTION = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"}
)
_LONGEST = 230.0  # seconds, as Azure's load balancer has it


class SiteService:
    """
    `hosted` says which port of this machine hosts an app, by its name in lower case.
    """

    def __init__(self) -> None:
        self.hosted: dict[str, int] = {}

    @staticmethod
    def refuse(refusal: Refusal) -> Any:
        """
        Return the body of what answers in place of an app.
        """
        return {"error": refusal.message}

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """
        See `firstlight.local.azure_cloud.rest.Routes`: every path is the app's.
        """
        del method, path
        return self._forward, {}

    async def _forward(self, call: Call) -> Answer:
        port = self.hosted.get(call.host.partition(".")[0])
        if port is None:
            raise Refusal(503, "ServiceUnavailable", f"Nothing hosts {call.host} here.")
        headers = {k: v for k, v in call.headers.items() if k not in _OF_THE_CONNECTION}
        url = f"http://127.0.0.1:{port}{call.path}"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LONGEST), auto_decompress=False) as session,
                session.request(
                    call.method,
                    url,
                    params=dict(call.query),
                    headers=headers,
                    data=call.body or None,
                    allow_redirects=False,
                ) as reply,
            ):
                kept = {k: v for k, v in reply.headers.items() if k.lower() not in _OF_THE_CONNECTION}
                return Answer(reply.status, await reply.read(), kept)
        except (aiohttp.ClientError, TimeoutError) as e:
            raise Refusal(502, "BadGateway", f"What hosts {call.host} does not answer.") from e
