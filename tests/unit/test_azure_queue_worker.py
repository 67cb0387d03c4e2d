"""
The function behind the queue by its own entry point, as the Functions worker calls it.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

import azure.functions as func
import pytest

from firstlight.backlog import Message
from firstlight.errors import FirstlightError, RegistryError, ThrottledError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.overflow import Waiting, encode
from firstlight.provision import Admission, Registration
from firstlight.registries.memory import MemoryRegistry
from tests import azure_function
from tests.azure_function import App
from tests.factory import Factory


class _Backlog:
    """
    Keeps what is put back, or refuses to.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.returned: list[Message] = []
        self._error = error

    async def again(self, messages: Sequence[Message]) -> None:
        if self._error is not None:
            raise self._error
        self.returned += messages


class _Throttled:
    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        return [Registration(error=ThrottledError("throttled"))] * len(devices)


def _app(registry: Any, backlog: _Backlog) -> App:
    app = azure_function.load()
    worker = app.module.queue_worker
    worker.service = lambda: (registry, Admission(rule=NamingRule()), backlog)
    return app


def _worked(app: App, body: str) -> None:
    asyncio.run(app.work(func.QueueMessage(id="1", body=body)))  # type: ignore[arg-type]


def _message(factory: Factory, attempts: int = 0) -> str:
    leaf = factory.leaf(serial=0x455AECB)
    return encode([Waiting("r", leaf.pem, leaf.fingerprint)], attempts=attempts)


def test_it_is_bound_to_the_queue_of_the_template() -> None:
    """
    By its name, and by settings that name the service and the identity, and no key.
    """
    (trigger,) = json.loads(str(azure_function.load().functions["worker"]))["bindings"]
    template = json.loads((azure_function.FILE.parents[1] / "infra" / "azuredeploy.json").read_text("utf-8"))
    (site,) = [r for r in template["resources"] if r["type"] == "Microsoft.Web/sites"]
    settings = {s["name"] for s in site["properties"]["siteConfig"]["appSettings"]}

    assert ("queueTrigger", template["variables"]["queueName"]) == (trigger["type"], trigger["queueName"])
    assert {f"{trigger['connection']}__queueServiceUri", f"{trigger['connection']}__credential"} <= settings
    assert template["variables"]["poisonName"] == f"{trigger['queueName']}-poison"


def test_it_ends_before_its_host_ends_it() -> None:
    """
    And before the ten minutes for which the host hides a message.
    """
    host = json.loads(azure_function.FILE.with_name("host.json").read_text("utf-8"))
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    allowed = hours * 3600 + minutes * 60 + seconds

    assert azure_function.load().module.queue_worker.SECONDS + 30 <= allowed < 600
    assert "base64" == host["extensions"]["queues"]["messageEncoding"]
    # what failed as a whole is not tried five times at once
    assert "00:05:00" == host["extensions"]["queues"]["visibilityTimeout"]
    # where the host has the queue trigger from
    assert "Microsoft.Azure.Functions.ExtensionBundle" == host["extensionBundle"]["id"]


def test_what_waits_is_registered_and_logged(factory: Factory, caplog: pytest.LogCaptureFixture) -> None:
    """
    A line for the message, the device and the metrics; nothing is put back.
    """
    caplog.set_level(logging.INFO, "firstlight")
    registry, backlog = MemoryRegistry(), _Backlog()

    _worked(_app(registry, backlog), _message(factory))

    assert ["0455aecb"] == list(registry.devices)
    assert [] == backlog.returned
    lines = [json.loads(m) for m in caplog.messages]
    assert ["work", "device", "metrics"] == [line["event"] for line in lines]
    assert "provisioned" == lines[1]["outcome"]
    assert "BEGIN" not in caplog.text


def test_what_is_left_is_put_back_with_its_count(factory: Factory, caplog: pytest.LogCaptureFixture) -> None:
    """
    Before the function returns; the log says queued.
    """
    caplog.set_level(logging.INFO, "firstlight")
    backlog = _Backlog()

    _worked(_app(_Throttled(), backlog), _message(factory, attempts=2))

    ((message, left),) = [(m, m.left) for m in backlog.returned]
    assert ("", 2, ["0455aecb"]) == (message.handle, message.attempts, [o.identity.serial for o in left if o.identity])
    assert "queued" == json.loads(caplog.messages[1])["outcome"]


@pytest.mark.parametrize("error", [RegistryError("The queue does not take it."), ZeroDivisionError("secret")])
def test_a_message_is_kept_when_its_rest_cannot_be_put_back(
    factory: Factory, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """
    The host hears of it in a sentence, the log in a line; neither has what the message had.
    """
    caplog.set_level(logging.INFO, "firstlight")

    with pytest.raises(RuntimeError, match=r"^The message stays in the queue\.$") as raised:
        _worked(_app(_Throttled(), _Backlog(error)), _message(factory))

    assert raised.value.__suppress_context__
    (line,) = map(json.loads, caplog.messages)
    assert ("failure", type(error).__name__) == (line["event"], line["type"])
    assert "secret" not in caplog.text
    assert line["message"] == (error.message if isinstance(error, FirstlightError) else "")


def test_what_nobody_of_us_wrote_is_handed_to_the_backlog() -> None:
    """
    As it is, UTF-8 or not.
    """
    backlog = _Backlog()

    _worked(_app(MemoryRegistry(), backlog), "hello")
    asyncio.run(_app(MemoryRegistry(), backlog).work(func.QueueMessage(id="2", body=b"\xff")))

    assert [(None, "hello"), (None, "\ufffd")] == [(m.candidates, m.body) for m in backlog.returned]
