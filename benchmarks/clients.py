"""
What one call costs over each HTTP client, signature apart.  `python -m benchmarks.clients`
"""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from itertools import islice
from typing import Any

import aiohttp
import boto3
from awscrt import http as crt_http
from awscrt import io as crt_io
from botocore.config import Config
from yarl import URL

from benchmarks.pool import devices
from benchmarks.processes import stub_cloud

_CALLS, _AT_ONCE = 2000, 64
# As long as those of a signature.
_HEADERS = {"Authorization": "AWS4-HMAC-SHA256 " + "x" * 200, "X-Amz-Date": "20261120T120000Z"}
_PATH = "/things/"

Send = Callable[[str], Awaitable[bytes]]


async def over_aiohttp(stack: AsyncExitStack, url: str) -> Send:
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))

    async def send(name: str) -> bytes:
        async with session.post(URL(url + _PATH + name, encoded=True), data=b"{}", headers=_HEADERS) as response:
            return await response.read()

    return send


async def over_the_common_runtime(stack: AsyncExitStack, url: str) -> Send:
    del stack  # its connections close with their last reference
    parts = URL(url)
    group = crt_io.EventLoopGroup(1)
    bootstrap = crt_io.ClientBootstrap(group, crt_io.DefaultHostResolver(group))
    free: list[Any] = []

    async def send(name: str) -> bytes:
        opening = None if free else crt_http.HttpClientConnection.new(parts.host, parts.port, bootstrap)
        connection = free.pop() if opening is None else await asyncio.wrap_future(opening)
        headers = crt_http.HttpHeaders([("host", parts.authority), ("content-length", "2"), *_HEADERS.items()])
        chunks: list[bytes] = []
        stream = connection.request(
            crt_http.HttpRequest("POST", _PATH + name, headers, io.BytesIO(b"{}")),
            on_body=lambda **received: chunks.append(received["chunk"]),
        )
        stream.activate()
        await asyncio.wrap_future(stream.completion_future)
        free.append(connection)
        return b"".join(chunks)

    return send


async def over_boto3(stack: AsyncExitStack, url: str) -> Send:
    executor = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
    client = boto3.client(
        "iot",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        config=Config(max_pool_connections=_AT_ONCE),
    )

    async def send(name: str) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(executor, lambda: client.create_thing(thingName=name))
        return b""

    return send


async def cost(open_client: Callable[[AsyncExitStack, str], Awaitable[Send]], url: str, names: Sequence[str]) -> float:
    """
    Return microseconds of CPU a call, all threads of the process counted.
    """
    places = asyncio.Semaphore(_AT_ONCE)
    async with AsyncExitStack() as stack:
        send = await open_client(stack, url)

        async def one(name: str) -> None:
            async with places:
                await send(name)

        await asyncio.gather(*(one(f"warm-{n}") for n in range(_AT_ONCE)))
        used = time.process_time()
        await asyncio.gather(*(one(name) for name in names))
        return (time.process_time() - used) / len(names) * 1e6


def main() -> None:
    """
    Print what each client costs.
    """
    names = [entry.certificate_id for entry in islice(devices(), _CALLS)]
    for client in (over_aiohttp, over_the_common_runtime, over_boto3):
        with stub_cloud() as stub:
            print(f"{client.__name__:<24} {asyncio.run(cost(client, stub.url, names)):6.1f} us")


if __name__ == "__main__":
    main()
