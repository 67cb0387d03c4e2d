"""
The process that is the laptop's Azure: REST, MQTT and the proxy before both, on one event loop.

`python -m firstlight.local.azure_cloud.server FD FOLDER SUBSCRIPTION TENANT`, started as firstlight.local.child says;
FD is the proxy's.  The environment names the operator.  Once everything answers there is a file `ready` in FOLDER.
"""

import asyncio
import logging
import os
import re
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from firstlight import pki
from firstlight.errors import FirstlightError
from firstlight.local.azure_cloud.arm_rest import ResourceManager
from firstlight.local.azure_cloud.blob_rest import BlobService
from firstlight.local.azure_cloud.devices import Devices, serve_devices
from firstlight.local.azure_cloud.dps_rest import DpsService
from firstlight.local.azure_cloud.entra import Entra
from firstlight.local.azure_cloud.front import Service, application
from firstlight.local.azure_cloud.hooks import Hooks
from firstlight.local.azure_cloud.hub_rest import HubService
from firstlight.local.azure_cloud.kudu_rest import SCM_DOMAIN, KuduService
from firstlight.local.azure_cloud.operator_account import Operator
from firstlight.local.azure_cloud.proxy import LONGEST_HEAD, Proxy
from firstlight.local.azure_cloud.queue_rest import QueueService
from firstlight.local.azure_cloud.site_rest import SITE_DOMAIN, SiteService
from firstlight.local.azure_cloud.storage import BLOB_DOMAIN, QUEUE_DOMAIN
from firstlight.local.azure_cloud.storage_access import StorageAccess
from firstlight.local.azure_cloud.throttle import Throttle
from firstlight.local.azure_cloud.tokens import LOGIN_HOST, Tokens
from firstlight.local.azure_cloud.world import DPS_DOMAIN, HUB_DOMAIN, World
from firstlight.local.child import allow_many_sockets, told_to_stop
from firstlight.local.mqtt import trust
from firstlight.local.ready_child import READY

SECRET_VARIABLE = "LAPTOP_AZURE_SECRET"  # noqa: S105 -- a variable's name
CLIENT_VARIABLE = "LAPTOP_AZURE_CLIENT"

_MANAGEMENT_HOST = "management.azure.com"
# What the server's certificate is for; the services come and go, their names are covered by the wildcards.
NAMES = (
    _MANAGEMENT_HOST,
    LOGIN_HOST,
    f"*.{HUB_DOMAIN}",
    f"*.{DPS_DOMAIN}",
    f"*.{SCM_DOMAIN}",
    f"*.{BLOB_DOMAIN}",
    f"*.{QUEUE_DOMAIN}",
    f"*.{SITE_DOMAIN}",
    "localhost",
)
_HTTPS, _MQTTS = 443, 8883
_MAX_PACKAGE = 256 * 2**20
# Azure takes more at once; larger ones come in blocks.
_MAX_BLOB = 64 * 2**20
# The Functions host's.
_MAX_PUSH = 100 * 2**20
_GOODBYE = 1.0  # seconds for answers under way
_LOOPBACK = re.compile(r"127\.0\.0\.1|localhost")


def main() -> int:
    """
    Serve until told to stop; return the exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    fd, folder, subscription, tenant = sys.argv[1:]
    allow_many_sockets()
    operator = Operator(client_id=os.environ[CLIENT_VARIABLE], secret=os.environ[SECRET_VARIABLE])
    world = World(subscription=subscription, tenant=tenant)
    operator.own(world)
    try:
        asyncio.run(_run(world, Path(folder), socket.socket(fileno=int(fd)), operator.secret))
    except FirstlightError as e:
        logging.error("%s", e)  # noqa: LOG015, TRY400 -- the log is this process's own; the sentence says it all
        return 1
    return 0


async def _run(world: World, folder: Path, listener: socket.socket, secret: str) -> None:
    async with serve(world, folder, listener=listener, secret=secret):
        (folder / READY).touch()
        await told_to_stop()


@asynccontextmanager
async def serve(world: World, folder: Path, *, listener: socket.socket, secret: str) -> AsyncIterator[Devices]:
    """
    Answer for *world* behind *listener*, the proxy's socket, until the context ends.

    *folder* has the CA; *secret* is what the laptop's own hooks ask for.

    Raises:
        UsageError: the folder cannot be used.
    """
    tokens = Tokens(world, now=lambda: datetime.now(UTC))
    throttle = Throttle(time.monotonic)
    entra = Entra(world, tokens)
    async with AsyncExitStack() as stack:
        devices = await stack.enter_async_context(serve_devices(world, folder=folder, port=0))
        sites = SiteService()
        Hooks(world, devices, sites, secret=secret, routes=entra.managed_identity)
        https = await _listen(stack, _services(world, tokens, throttle, entra, sites), _tls(folder))
        plain = await _listen(stack, [Service(_LOOPBACK, entra.managed_identity, entra.refuse_identity)], None)
        proxy = Proxy(ports={_HTTPS: https, _MQTTS: devices.port}, plain=plain)
        front = await asyncio.start_server(proxy.serve, sock=listener, limit=LONGEST_HEAD)
        stack.push_async_callback(proxy.close)
        stack.callback(front.close)
        yield devices


def _services(world: World, tokens: Tokens, throttle: Throttle, entra: Entra, sites: SiteService) -> list[Service]:
    hubs, dps = HubService(world, tokens, throttle), DpsService(world, tokens, throttle)
    arm, kudu = ResourceManager(world, tokens), KuduService(world, tokens)
    access = StorageAccess(world, tokens)
    queues, blobs = QueueService(access, time.monotonic), BlobService(world, access)
    return [
        Service(_named(HUB_DOMAIN), hubs.routes, hubs.refuse),
        Service(_named(DPS_DOMAIN), dps.routes, dps.refuse),
        Service(re.compile(re.escape(LOGIN_HOST)), entra.routes, entra.refuse),
        Service(re.compile(re.escape(_MANAGEMENT_HOST)), arm.routes, arm.refuse),
        Service(_named(BLOB_DOMAIN), blobs.routes, blobs.refuse, max_body=_MAX_BLOB),
        Service(_named(QUEUE_DOMAIN), queues.routes, queues.refuse),
        Service(_named(SCM_DOMAIN), kudu.routes, kudu.refuse, max_body=_MAX_PACKAGE),
        Service(_named(SITE_DOMAIN), sites, sites.refuse, max_body=_MAX_PUSH),
    ]


def _named(domain: str) -> re.Pattern[str]:
    return re.compile(rf"[^.]+\.{re.escape(domain)}")


async def _listen(stack: AsyncExitStack, services: list[Service], tls: ssl.SSLContext | None) -> int:
    """
    Answer on a free port of 127.0.0.1 and return it.
    """
    runner = web.AppRunner(application(services), access_log=None, shutdown_timeout=_GOODBYE)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


def _tls(folder: Path) -> ssl.SSLContext:
    now = datetime.now(UTC)
    ca, ca_key = trust.endpoint_ca(folder, now)
    certificate, key = pki.server_certificate(NAMES, ca=ca, ca_key=ca_key, now=now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # the ssl module takes files only; both are for this run
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        pki.write_certificate(Path(temporary) / "server.pem", certificate)
        pki.write_key(Path(temporary) / "server-key.pem", key)
        context.load_cert_chain(Path(temporary) / "server.pem", Path(temporary) / "server-key.pem")
    return context


if __name__ == "__main__":
    sys.exit(main())
