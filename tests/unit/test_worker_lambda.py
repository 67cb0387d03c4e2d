import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from firstlight.backlog import Message
from firstlight.errors import FirstlightError, RegistryError, SettingsError, ThrottledError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.overflow import Waiting, encode
from firstlight.provision import Admission, Registration, Registry
from firstlight.queues.memory import MemoryQueue
from firstlight.registries.memory import MemoryRegistry
from lambdas import invocation, worker
from tests.factory import Factory, at_noon


@dataclass
class _Context:
    aws_request_id: str = "request-7"
    function_name: str = "worker"
    milliseconds: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@pytest.fixture(autouse=True)
def _own_loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with asyncio.Runner() as runner:
        monkeypatch.setattr(invocation, "runner", runner)
        monkeypatch.setattr(invocation, "now", at_noon)
        yield


class _Queue(MemoryQueue):
    """
    Remembers what it was given back.
    """

    def __init__(self, trouble: Exception | None = None) -> None:
        super().__init__()
        self.back: list[str] = []
        self._trouble = trouble

    async def again(self, messages: Sequence[Message]) -> None:
        if self._trouble:
            raise self._trouble
        self.back += [message.handle for message in messages]


def _serve(monkeypatch: pytest.MonkeyPatch, registry: Registry, queue: _Queue | None = None) -> _Queue:
    queue = queue or _Queue()
    admission = Admission(rule=NamingRule(prefix="Infineon_"))
    monkeypatch.setattr(worker, "service", lambda: (registry, admission, queue))
    return queue


def _event(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m{i}", "receiptHandle": f"h{i}", "body": b} for i, b in enumerate(bodies)]}


def _body(pem: str) -> str:
    return encode([Waiting("r", pem)])


def _back(reply: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]


class _Moody:
    """
    Refuses by serial: 2 is throttled, 3 lacks a permission; and remembers its time.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        self.seconds = deadline - asyncio.get_running_loop().time()
        errors: dict[str, FirstlightError] = {
            "02": ThrottledError("Still throttling."),
            "03": RegistryError("AWS does not allow iot:CreateThing here."),
        }
        return [Registration("" if d.serial in errors else "host", errors.get(d.serial)) for d in devices]


def test_what_is_done_is_done_and_the_rest_comes_again(
    monkeypatch: pytest.MonkeyPatch, factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Given back to the queue, which knows what is merely late, and to Lambda, by the ids of their messages.
    """
    queue = _serve(monkeypatch, moody := _Moody())
    bodies = [_body(factory.leaf(serial=n).pem) for n in (1, 2, 3)]

    reply = worker.handler(_event(*bodies, "poison"), _Context())

    assert ["m1", "m2", "m3"] == sorted(_back(reply))
    assert ["h1", "h2", "h3"] == sorted(queue.back)
    # never more; a machine that stands still takes some of it
    assert 47 < moody.seconds < 52.01
    work, *devices, metrics = map(json.loads, capsys.readouterr().out.splitlines())
    assert {"event": "work", "request_id": "request-7", "done": 1, "again": 3, "strange": 1} == {
        k: v for k, v in work.items() if k != "ms"
    }
    assert ["provisioned", "queued", "queued"] == [device["outcome"] for device in devices]
    assert ("worker", 1, 2, 0) == tuple(metrics[k] for k in ("function", "Provisioned", "Queued", "Refused"))


def test_what_can_never_work_is_refused_once_and_for_all(
    monkeypatch: pytest.MonkeyPatch, factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Another's name, a certificate that cannot be read: logged per device, counted, and out of the queue.
    """
    registry = MemoryRegistry()
    _serve(monkeypatch, registry)
    one, rival = factory.leaf(serial=7), Factory("Rival CA").leaf(serial=7)

    reply = worker.handler(_event(*map(_body, (one.pem, rival.pem, "junk"))), _Context())

    assert [] == _back(reply)
    *_, metrics = map(json.loads, capsys.readouterr().out.splitlines())
    assert (1, 2, 0) == tuple(metrics[k] for k in ("Provisioned", "Refused", "Queued"))


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), SettingsError("FIRSTLIGHT_QUEUE_URL is not set.")])
def test_a_surprise_loses_no_device(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """
    The whole batch comes again, and the log has one line without anything of it.
    """

    def service() -> None:
        raise error

    monkeypatch.setattr(worker, "service", service)

    reply = worker.handler(_event("a", "b"), _Context())

    assert ["m0", "m1"] == _back(reply)
    (failure,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert ("failure", type(error).__name__) == (failure["event"], failure["type"])
    assert "secret" not in json.dumps(failure)


def test_a_queue_that_does_not_listen_undoes_nothing(
    monkeypatch: pytest.MonkeyPatch, factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The late ones come later, the done ones stay done.
    """
    _serve(monkeypatch, _Moody(), _Queue(RegistryError("AWS does not allow sqs:ChangeMessageVisibility here.")))
    bodies = [_body(factory.leaf(serial=n).pem) for n in (1, 2)]

    reply = worker.handler(_event(*bodies), _Context())

    assert ["m1"] == _back(reply)
    assert "failure" == json.loads(capsys.readouterr().out.splitlines()[0])["event"]


def test_the_environment_of_the_stack_makes_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It answers nobody, so it need not know who may call.
    """
    env = {
        "FIRSTLIGHT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/devices",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    _, admission, _ = worker.service.__wrapped__()

    assert "Infineon_" == admission.rule.prefix
