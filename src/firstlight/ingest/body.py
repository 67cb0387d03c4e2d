"""
A request's body, within its limits of size and time.
"""

import asyncio

from aiohttp import web

from firstlight.errors import RequestError
from firstlight.ingest.limits import Limits


def require_small(request: web.BaseRequest, limits: Limits) -> None:
    """
    Return only if the request does not announce a body over the limit.

    Raises:
        RequestError: it does (413).
    """
    if (request.content_length or 0) > limits.body:
        raise _too_large(limits)


async def read(request: web.BaseRequest, limits: Limits) -> bytes:
    """
    Return the body as it was sent, whatever its Content-Encoding.

    Raises:
        RequestError: it is too large (413), too slow (408) or cut short (400).
    """
    require_small(request, limits)
    if request.headers.get("Expect", "").lower() == "100-continue":
        # a client that asked first has sent nothing yet
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    body = bytearray()
    try:
        async with asyncio.timeout(limits.upload):
            async for data in request.content.iter_any():
                body += data
                if len(body) > limits.body:
                    raise _too_large(limits)
    except TimeoutError as e:
        raise RequestError(f"The body did not arrive within {limits.upload:g} s.", status=408) from e
    except (OSError, web.RequestPayloadError) as e:
        raise RequestError("The body was cut short or is wrongly framed.") from e
    return bytes(body)


def _too_large(limits: Limits) -> RequestError:
    return RequestError(f"The body is over {limits.body} bytes; push fewer certificates at once.", status=413)
