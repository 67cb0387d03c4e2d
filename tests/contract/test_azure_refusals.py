"""
Each ends in one clear sentence: no role, no token, no hub, a web page where a hub should be.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from benchmarks.stub_hub import HTML
from tests.contract.conftest import InHub
from tests.contract.hub_world import HASTY, HubWorld, Token
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register


class NoToken(Token):
    """
    A credential that has nothing to show.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        self.asked += 1
        raise self._error


class SlowToken(Token):
    """
    A credential that is never done.
    """

    async def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        await asyncio.Event().wait()


async def _refused(world: HubWorld, new_devices: NewDevices, *, code: str = "registry", **process: Any) -> str:
    """
    Return the one sentence that a push of 250 is answered with, and its *code*.
    """
    registrations = await register(world.another_process(**process), *new_devices(250))
    assert [code] * 250 == codes(registrations)
    (sentence,) = {str(r.error) for r in registrations}
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "does not accept the token of this endpoint"),
        ("403", "does not allow this endpoint to register devices. Assign it the role IoT Hub Registry Contributor"),
        (HTML, "is no IoT Hub, but something with web pages (HTTP 404)"),
        ("404", "has no registry of devices (HTTP 404)"),
        ("302", "is no IoT Hub, it redirects (HTTP 302)"),
    ],
)
def test_what_the_hub_refuses_for_all_is_said_once_and_asked_once(
    in_hub: InHub, new_devices: NewDevices, fault: str, said: str
) -> None:
    """
    Repeating it, or splitting the batch, would change nothing.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(faults={"*": {fault: 1.0}})

        assert said in await _refused(world, new_devices)
        assert world.stub.calls["Bulk"] <= 6

    in_hub(promise)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            CredentialUnavailableError(message="No managed identity.\nAttempted credentials:\n\t…"),
            "(No managed identity)",
        ),
        (ClientAuthenticationError(message="AADSTS700082: The refresh token has expired."), "AADSTS700082"),
    ],
)
def test_no_token_is_one_sentence(in_hub: InHub, new_devices: NewDevices, error: Exception, said: str) -> None:
    """
    azure-identity's own have many lines.
    """

    async def promise(world: HubWorld) -> None:
        sentence = await _refused(world, new_devices, credential=NoToken(error))

        assert "this endpoint has no valid Entra ID token for the hub" in sentence
        assert said in sentence
        assert {} == dict(world.stub.calls)

    in_hub(promise)


def test_a_token_that_does_not_come_is_not_the_hubs_fault(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    A chain of credentials may take its time to find that there is none.
    """

    async def promise(world: HubWorld) -> None:
        impatient = replace(HASTY, attempt=0.5)

        sentence = await _refused(world, new_devices, credential=SlowToken(), patience=impatient)

        assert "this endpoint has no valid Entra ID token for the hub (none came in time)" in sentence

    in_hub(promise)


def test_a_host_that_is_not_there_is_named(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    `.invalid` never is (RFC 6761).
    """

    async def promise(world: HubWorld) -> None:
        assert "there is no host hub.invalid" in await _refused(world, new_devices, hub="hub.invalid")

    in_hub(promise)


def test_a_host_that_nobody_vouches_for_is_not_talked_to(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    The token does not travel to it.
    """

    async def promise(world: HubWorld) -> None:
        sentence = await _refused(world, new_devices, trusting=False)

        assert f"the certificate of {world.at.hub} is not trusted here" in sentence
        assert {} == dict(world.stub.calls)

    in_hub(promise)


def test_a_host_that_does_not_listen_is_named(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    After a few attempts.
    """

    async def promise(world: HubWorld) -> None:
        sentence = await _refused(world, new_devices, hub="localhost:1", code="unfinished")

        assert "the hub localhost:1 cannot be reached" in sentence

    in_hub(promise)


def test_a_disabled_device_stays_disabled(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    The sentence has the hub's word for it.
    """

    async def promise(world: HubWorld) -> None:
        (device,) = new_devices(1)
        thumbprint = {"primaryThumbprint": device.fingerprint.upper()}
        world.make(device.name, {"type": "selfSigned", "x509Thumbprint": thumbprint}, "disabled")

        (refused,) = await register(world.registry, device)

        assert refused.error is not None
        assert "the certificate is disabled in the registry" in refused.error.message
        assert "disabled" == world.stub.registry.devices[device.name]["status"]

    in_hub(promise)
