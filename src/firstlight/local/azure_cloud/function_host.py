"""
Hosts the function app's own code on a laptop: its HTTP trigger behind a port, its queue triggers behind their queues.

`python -m firstlight.local.azure_cloud.function_host FD FOLDER APP`, started as firstlight.local.child says; APP is the
folder with function_app.py and host.json.  The environment is the app's settings and its managed identity, as on Azure.
"""

import asyncio
import importlib
import json
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import azure.functions as func
from aiohttp import web

from firstlight.local.azure_cloud.function_queue import QueueTrigger
from firstlight.local.child import told_to_stop
from firstlight.local.ready_child import READY
from firstlight.queues.azure_environment import queue_from
from firstlight.settings import Settings

_LOG = logging.getLogger(__name__)
# The host's own limit for a request.
_MAX_BODY = 100 * 2**20
_GOODBYE = 1.0  # seconds for answers under way

Call = Callable[[Any], Awaitable[Any]]


def main() -> int:
    """
    Host until told to stop; return the exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for chatty in ("azure", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    fd, folder, app = sys.argv[1:]
    asyncio.run(_run(Path(folder), socket.socket(fileno=int(fd)), Path(app)))
    return 0


async def _run(folder: Path, listener: socket.socket, app: Path) -> None:
    host = json.loads((app / "host.json").read_text("utf-8"))
    sys.path.insert(0, str(app))
    functions = importlib.import_module("function_app").app.get_functions()
    async with AsyncExitStack() as stack:
        for function in functions:
            call = function.get_user_function()
            for binding in json.loads(str(function))["bindings"]:
                match binding["type"]:
                    case "httpTrigger":
                        await _serve_http(stack, listener, call)
                    case "queueTrigger":
                        await _watch_queue(stack, binding, host, call)
        (folder / READY).touch()
        await told_to_stop()


async def _serve_http(stack: AsyncExitStack, listener: socket.socket, call: Call) -> None:
    async def answer(request: web.Request) -> web.Response:
        given = func.HttpRequest(
            method=request.method, url=str(request.url), headers=dict(request.headers), body=await request.read()
        )
        reply = await call(given)
        return web.Response(status=reply.status_code, body=reply.get_body(), headers=dict(reply.headers))

    application = web.Application(client_max_size=_MAX_BODY)
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listener).start()


async def _watch_queue(stack: AsyncExitStack, binding: dict[str, Any], host: dict[str, Any], call: Call) -> None:
    where = os.environ.get(f"{binding['connection']}__queueServiceUri", "")
    if not where:
        # as on Azure: the other functions of the app are not held up by it
        _LOG.error("%s__queueServiceUri is not set; the queue %s is not watched.", *_names(binding))
        return
    queue = queue_from(Settings(queue_url=f"{where.rstrip('/')}/{binding['queueName']}"), os.environ)
    stack.push_async_callback(queue.close)

    async def work(message_id: str, text: str) -> None:
        await call(func.QueueMessage(id=message_id, body=text.encode()))

    task = asyncio.create_task(QueueTrigger(queue, work, host["extensions"]["queues"]).run())

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


def _names(binding: dict[str, Any]) -> tuple[str, str]:
    return binding["connection"], binding["queueName"]


if __name__ == "__main__":
    sys.exit(main())
