"""
What the Azure Storage queue promises: what is put is there, whole, for whoever may take it; what is not is said.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential

from firstlight.errors import RegistryError, SettingsError, UnfinishedError
from firstlight.identity import DeviceIdentity
from firstlight.local.azure_cloud.access import (
    QUEUE_DATA_READER,
    QUEUE_MESSAGE_PROCESSOR,
    QUEUE_MESSAGE_SENDER,
)
from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.storage import StoredMessage
from firstlight.overflow import Waiting, attempts_of, decode, encode
from firstlight.queues.azure_storage import StorageQueue, packed
from tests.contract.conftest import InLaptopHub
from tests.contract.hub_world import Token
from tests.contract.laptop_hub_world import LaptopHubWorld
from tests.contract.test_promises import NewDevices

ALL = (QUEUE_MESSAGE_SENDER, QUEUE_MESSAGE_PROCESSOR, QUEUE_DATA_READER)


def _soon(seconds: float = 20.0) -> float:
    return asyncio.get_running_loop().time() + seconds


def _waiting(devices: list[DeviceIdentity]) -> list[Waiting]:
    return [Waiting(f"r-{d.name}", d.pem, d.fingerprint, (("reel", "ü7"),)) for d in devices]


def test_what_is_put_is_taken_again_whole(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    Many devices a message, as the Functions trigger reads it: base64 of at most 64 KB; it never expires.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, waiting = world.a_queue(*ALL), _waiting(new_devices(150))

        assert [None] * 150 == await queue.put(waiting, deadline=_soon())
        taken = await queue.take(32, hidden=60, deadline=_soon())
        stored = world.storage.queues[queue.name].messages

        assert [len(taken)] == [await queue.count(deadline=_soon())]
        assert 2 <= len(taken) <= 4
        assert max(len(m.text) for m in stored) <= 64 * 1024
        assert {-1} == {m.ttl for m in stored}
        devices = {c.ref: (c.certificate, c.attributes) for m in taken for c in decode(m.text)}
        assert {w.ref: (w.pem.encode(), w.attributes) for w in waiting} == devices
        assert [] == await queue.take(32, hidden=60, deadline=_soon())
        for message in taken:
            await queue.delete(message, deadline=_soon())
            # an answer that was lost is asked for again
            await queue.delete(message, deadline=_soon())
        assert [] == stored

    in_laptop_hub(promise)


def test_what_is_not_deleted_comes_again(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    With a count; and what is put with a delay comes after it.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue = world.a_queue(*ALL)
        await queue.put(_waiting(new_devices(1)), deadline=_soon())
        (first,) = await queue.take(1, hidden=60, deadline=_soon())
        (stored,) = world.storage.queues[queue.name].messages
        stored.visible_at = 0
        await queue.send("later", delay=60, deadline=_soon())

        (again,) = await queue.take(32, hidden=60, deadline=_soon())

        assert (first.id, first.text, 1, 2) == (again.id, again.text, first.dequeued, again.dequeued)
        with pytest.raises(RegistryError, match="PopReceiptMismatch"):
            await queue.delete(first, deadline=_soon())

    in_laptop_hub(promise)


def test_each_right_is_a_role_of_its_own(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    A sender takes nothing, a processor sends nothing; the role that is missing is named, for each device.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, waiting = world.a_queue(), _waiting(new_devices(2))
        refused = await queue.put(waiting, deadline=_soon())
        sentence = (
            "contoso.queue.core.windows.net/firstlight/messages is not allowed to this endpoint "
            "(AuthorizationPermissionMismatch). Assign it the role Storage Queue Data Message Sender there; "
            "that takes some minutes to be known."
        )

        assert [sentence] * 2 == [str(e) for e in refused]
        assert not [e for e in refused if isinstance(e, UnfinishedError)]
        sender = world.a_queue(QUEUE_MESSAGE_SENDER)
        assert [None] * 2 == await sender.put(waiting, deadline=_soon())
        with pytest.raises(RegistryError, match="role Storage Queue Data Message Processor"):
            await sender.take(1, hidden=30, deadline=_soon())
        with pytest.raises(RegistryError, match="role Storage Queue Data Reader"):
            await sender.count(deadline=_soon())

    in_laptop_hub(promise)


def test_a_queue_that_is_not_there_is_named(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    As is an account; the secret is not.
    """

    async def promise(world: LaptopHubWorld) -> None:
        (said,) = await world.a_queue(*ALL, name="another").put(_waiting(new_devices(1)), deadline=_soon())
        (secret,) = await world.a_queue(secret="wrong-secret").put(_waiting(new_devices(1)), deadline=_soon())

        assert "There is no contoso.queue.core.windows.net/another/messages (QueueNotFound)." in str(said)
        assert "There is no valid Entra ID token for contoso.queue.core.windows.net" in str(secret)
        assert "wrong-secret" not in str(secret)

    in_laptop_hub(promise)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_service_is_asked_again(
    in_laptop_hub: InLaptopHub, new_devices: NewDevices, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """
    What it took in the end is in the queue, and said to be.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, busy = world.a_queue(*ALL), [Refusal(status, "ServerBusy", "Busy.")]
        stored = world.storage.queues[queue.name]
        put = stored.put

        def put_later(text: str, *, visible_at: float) -> StoredMessage:
            if busy:
                raise busy.pop()
            return put(text, visible_at=visible_at)

        monkeypatch.setattr(stored, "put", put_later)

        assert [None] == await queue.put(_waiting(new_devices(1)), deadline=_soon())
        assert 1 == len(stored.messages)

    in_laptop_hub(promise)


def test_a_token_that_expired_on_the_way_is_renewed(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    Once: one that is never believed is said, with the role to look for.
    """

    async def promise(world: LaptopHubWorld) -> None:
        waiting = _waiting(new_devices(1))
        for refused, expected in ((1, [None]), (2, ["registry"])):
            queue = world.a_queue(*ALL)
            queue._calls._credential = _Expiring(queue._calls._credential, times=refused)  # noqa: SLF001 -- it is ours
            said = await queue.put(waiting, deadline=_soon())
            assert expected == [e and e.code for e in said]

    in_laptop_hub(promise)


class _Expiring:
    """
    Hands out the token of another one, which is no longer believed for the first *times*.
    """

    def __init__(self, credential: AsyncTokenCredential, *, times: int) -> None:
        self._credential, self._times = credential, times

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        token = await self._credential.get_token(*scopes)
        self._times -= 1
        return AccessToken("expired", token.expires_on) if self._times >= 0 else token

    async def close(self) -> None:
        await self._credential.close()


def test_a_queue_that_does_not_answer_is_an_error_for_each(new_devices: NewDevices) -> None:
    """
    In time, and worth another try.
    """

    async def run() -> None:
        queue = StorageQueue("https://localhost:1/firstlight", credential=Token())
        try:
            said = await queue.put(_waiting(new_devices(3)), deadline=_soon(0.3))
            late = await queue.put(_waiting(new_devices(1)), deadline=_soon(-1))
        finally:
            await queue.close()
        assert ["localhost:1 cannot be reached. Try again."] * 3 == [str(e) for e in said]
        assert ["unfinished"] * 4 == [e.code for e in (*said, *late) if e is not None]

    asyncio.run(run())


def test_a_device_that_fits_no_message_is_said(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    The others are put.
    """

    async def promise(world: LaptopHubWorld) -> None:
        good, huge, other = _waiting(new_devices(3))
        queue = world.a_queue(*ALL)

        said = await queue.put([good, replace(huge, attributes=(("x", "y" * 50_000),)), other], deadline=_soon())

        assert [None, "registry", None] == [e.code if e else None for e in said]
        assert "a message has room for 49152 bytes" in str(said[1])

    in_laptop_hub(promise)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "firstlight",
        "http://contoso.queue.core.windows.net/firstlight",
        "https://contoso.queue.core.windows.net/",
        "https://contoso.queue.core.windows.net/First",
        "https://contoso.queue.core.windows.net/a--b",
        "https://contoso.queue.core.windows.net/a/b",
        "https://sqs.eu-west-1.amazonaws.com/1234/queue",
        "https://contoso.queue.core.windows.net/firstlight?sig=x",
    ],
)
def test_only_a_queues_url_is_one(url: str) -> None:
    """
    Said when the process starts, not with the first push.
    """
    with pytest.raises(SettingsError, match="is no URL of an Azure Storage queue"):
        StorageQueue(url, credential=Token())


def test_a_message_counts_the_attempts_at_its_devices() -> None:
    """
    What says nothing of them is new; whoever reads the devices need not know.
    """
    waiting = [Waiting("r", "PEM")]
    known = encode(waiting, attempts=2, reason="no hub")

    assert [0, 2, 0, 0] == [attempts_of(m) for m in (encode(waiting), known, "[", '{"attempts":"x"}')]
    assert decode(encode(waiting)) == decode(known)
    assert {"attempts": 2, "reason": "no hub"} == {
        k: v for k, v in json.loads(known).items() if k not in ("v", "certs")
    }


def test_devices_keep_company_in_messages() -> None:
    """
    A hundred at most, which is what a hub's bulk call carries, and no device is left out.
    """
    waiting = [Waiting(f"r{i}", "p" * 100) for i in range(250)]
    portions = list(packed(waiting))

    assert [100, 100, 50] == [len(p) for p in portions]
    assert waiting == [w for portion in portions for w in portion]
