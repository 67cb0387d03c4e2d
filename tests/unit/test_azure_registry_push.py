"""
A hub that is scripted call by call: what one entry does to its neighbours.
"""

import asyncio
import json
from typing import Any

import pytest

from firstlight.identity import DeviceIdentity
from firstlight.registries.azure_answer import Answer
from firstlight.registries.azure_authentication import is_device_id
from firstlight.registries.azure_iot import AzureIotRegistry, Patience
from firstlight.registries.azure_pace import Pace

DONE = b'{"isSuccessful":true,"errors":[],"warnings":[]}'


class _Hub:
    """
    Takes every bulk call but those with *poison* in them, which end in 500.
    """

    def __init__(self, poison: str) -> None:
        self.poison = poison
        self.devices: dict[str, dict[str, Any]] = {}

    async def send(self, method: str, path: str, body: bytes, *, until: float, etag: str = "") -> Answer:
        if method == "GET":
            found = self.devices.get(path.rpartition("/")[2])
            return Answer.of(200, "", "", json.dumps(found).encode()) if found else Answer.of(404, "", "", b"{}")
        given = json.loads(body)
        if any(device["id"] == self.poison for device in given):
            return Answer.of(500, "", "", b"")
        self.devices |= {d["id"]: {**d, "deviceId": d["id"], "status": "enabled"} for d in given}
        return Answer.of(200, "", "", DONE)

    async def close(self) -> None: ...


def test_one_entry_at_which_the_hub_fails_does_not_sink_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whatever it is about that device: in smaller company the others are registered.
    """
    devices = [DeviceIdentity(f"d{i}", f"{i:02x}", f"{i:064x}", "") for i in range(100)]
    hub = _Hub("d42")
    monkeypatch.setattr("firstlight.registries.azure_iot.AzureHttp", lambda **_: hub)
    quick = Patience(base=0.001, longest=0.002)

    async def run() -> list[str]:
        registry = AzureIotRegistry(hub="hub.example", credential=None, patience=quick)  # type: ignore[arg-type]
        made = await registry.register(devices, deadline=asyncio.get_running_loop().time() + 60)
        return [device.name for device, m in zip(devices, made, strict=True) if m.error is not None]

    assert ["d42"] == asyncio.run(run())


def test_names_that_are_paths_are_no_device_ids() -> None:
    """
    Nobody could ask the hub about them.
    """
    assert not is_device_id(".")
    assert not is_device_id("..")
    assert is_device_id("...")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"isSuccessful":true,"errors":{}}'),
        (200, b'{"isSuccessful":true,"errors":0}'),
        (202, DONE),
        (200, b"[" * 100_000),
    ],
)
def test_what_is_not_quite_success_is_none(status: int, body: bytes) -> None:
    """
    SUCCESS is proved, never inferred from something that looks like it.
    """
    result = Answer.of(status, "", "", body).bulk

    assert result is None or not result.successful


def test_no_retry_after_keeps_the_process_away_for_a_day() -> None:
    """
    A minute, then it is asked again.
    """

    async def resumes_in() -> float:
        pace = Pace(Patience())
        pace.throttled(sent=0.0, now=0.0, retry_after=86_400.0)
        return pace.resumes_in(0.0)

    assert asyncio.run(resumes_in()) <= 60
