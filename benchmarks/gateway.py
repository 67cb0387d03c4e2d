"""
A stand-in for API Gateway: each request is an invocation of the ingest function.
"""

from aiohttp import web

from benchmarks.function import Function


class Gateway:
    """
    A REST API's Lambda proxy in front of *function*.
    """

    def __init__(self, function: Function) -> None:
        self._function = function

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """
        Unwrap the request, and wrap the answer.
        """
        event = {
            "httpMethod": request.method,
            "path": request.path,
            "headers": dict(request.headers),
            "body": (await request.read()).decode(),
            "isBase64Encoded": False,
        }
        try:
            answer = await self._function.invoke(event)
        except TimeoutError:
            return web.json_response({"message": "Endpoint request timed out"}, status=504)
        return web.Response(status=answer["statusCode"], body=answer["body"].encode(), headers=answer["headers"])
