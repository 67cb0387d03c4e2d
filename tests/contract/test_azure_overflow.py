"""
A push that a hub's quota does not let finish: ERROR "queued", worked off, READY; nothing lost, nothing false.
"""

import asyncio
import base64
import json
from collections import Counter
from typing import Any

from firstlight.backlog import work
from firstlight.endpoint import admission_from, interop_from
from firstlight.interop import Interop, Request
from firstlight.local.azure_cloud.access import QUEUE_MESSAGE_PROCESSOR, QUEUE_MESSAGE_SENDER
from firstlight.queues.azure_backlog import StorageBacklog
from firstlight.settings import Settings
from tests.contract.conftest import InLaptopHub
from tests.contract.laptop_hub_world import LaptopHubWorld
from tests.factory import Factory, at_noon

_HEADERS = {"authorization": "Basic " + base64.b64encode(b"me:secret").decode()}
_SETTINGS = Settings(basic_credentials="me:secret", hub="contoso.azure-devices.net")


async def _ask(interop: Interop, action: str, certs: list[dict[str, str]], *, seconds: float) -> list[dict[str, Any]]:
    body = json.dumps({"action": action, "certs": certs}).encode()
    deadline = asyncio.get_running_loop().time() + seconds
    reply = await interop.answer(Request("POST", "/interop", _HEADERS, body), deadline=deadline)
    answered: list[dict[str, Any]] = json.loads(reply.body)
    return answered


def test_what_a_quota_leaves_over_is_ready_in_the_end(in_laptop_hub: InLaptopHub) -> None:
    """
    Twelve at once are what the app is told the hub takes; the others wait, and say so.
    """

    async def promise(world: LaptopHubWorld) -> None:
        factory = Factory()
        leaves = [factory.leaf(serial=0x100 + i) for i in range(80)]
        certs = [{"ref": x.serial, "cert": base64.b64encode(x.pem.encode()).decode()} for x in leaves]
        queue = world.a_queue(QUEUE_MESSAGE_SENDER, QUEUE_MESSAGE_PROCESSOR)
        registry = world.another_process(quotas="IdentityRegistryOperations=12")
        interop = interop_from(_SETTINGS, registry, now=at_noon, overflow=queue, inspector=world.registry)

        pushed = await _ask(interop, "provision", certs, seconds=9)
        waiting = await _ask(interop, "status", certs, seconds=20)
        # another process, whose quota is not spent yet
        source = StorageBacklog(queue)
        deadline = asyncio.get_running_loop().time() + 20
        messages = await source.receive(wait=0)
        worked = await work(
            messages, world.registry, admission=admission_from(_SETTINGS), now=at_noon, deadline=deadline
        )
        await source.done(worked.done)
        await source.again(worked.again)
        ready = await _ask(interop, "status", certs, seconds=20)

        queued = [a["ref"] for a in pushed if a.get("message", "").startswith("queued: provisioning continues")]
        assert {"SUCCESS": 12, "ERROR": 68} == Counter(a["status"] for a in pushed)
        assert 68 == len(queued)
        assert queued == [a["ref"] for a in waiting if a["status"] == "QUEUED"]
        assert {"READY": 80} == Counter(a["status"] for a in ready)
        assert [] == world.storage.queues[queue.name].messages

    in_laptop_hub(promise)
