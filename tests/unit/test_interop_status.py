"""
`action: status` with a list: what each device is now, from the registry itself.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from firstlight.errors import UnfinishedError
from firstlight.identity import Naming, NamingRule
from firstlight.inspection import Condition, Inspector, Sought, Standing
from firstlight.interop import Interop, Reply, Request
from firstlight.provision import Admission
from firstlight.queues.memory import MemoryQueue
from firstlight.registries.memory import Device, MemoryRegistry
from firstlight.tokens import Basic
from firstlight.wire import MAX_BODY, MAX_ENTRIES
from tests.factory import NOW, Factory

CREDENTIALS = {"authorization": "Basic " + base64.b64encode(b"me:secret").decode()}


class _Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> Any:
        return self.at


class _Scripted:
    """
    Says of each device what it was told to, and remembers what it was asked.
    """

    def __init__(self, *standings: Standing) -> None:
        self.standings = standings
        self.asked: list[Sought] = []

    async def inspect(self, devices: Sequence[Sought], *, deadline: float) -> Sequence[Standing]:
        self.asked += devices
        return self.standings[: len(devices)]


def _interop(inspector: Inspector | None, *, clock: _Clock | None = None, naming: Naming = Naming.SERIAL) -> Interop:
    return Interop(
        registry=MemoryRegistry(),
        guard=Basic("me:secret"),
        admission=Admission(rule=NamingRule(naming, "Infineon_")),
        topic="iqs",
        now=clock or _Clock(),
        overflow=MemoryQueue(),
        inspector=inspector,
    )


def _ask(interop: Interop, body: bytes, **headers: str) -> Reply:
    return asyncio.run(interop.answer(Request("POST", "/interop", CREDENTIALS | headers, body), deadline=0))


def _status(interop: Interop, *certs: Any) -> list[dict[str, Any]]:
    reply = _ask(interop, json.dumps({"action": "status", "certs": certs}).encode())
    assert 200 == reply.status, reply.body
    value = json.loads(reply.body)
    assert isinstance(value, list)
    return value


def _cert(ref: str, pem: str) -> dict[str, str]:
    return {"ref": ref, "cert": base64.b64encode(pem.encode()).decode()}


def test_each_device_is_what_the_registry_says(factory: Factory) -> None:
    """
    In order; a field is there only where it means something.
    """
    ready, off, unknown = (factory.leaf(serial=n) for n in (1, 2, 3))
    registry = MemoryRegistry("ats.example")
    registry.devices = {"a": Device(ready.fingerprint), "b": Device(off.fingerprint, active=False)}

    said = _status(_interop(registry), *(_cert(f"r{i}", leaf.pem) for i, leaf in enumerate((unknown, off, ready))))

    assert [
        {"ref": "r0", "status": "UNKNOWN"},
        {"ref": "r1", "status": "INCOMPLETE", "missing": ["an ACTIVE certificate: it is INACTIVE"]},
        {"ref": "r2", "status": "READY", "endpoint": "ats.example"},
    ] == said


def test_fingerprints_do_as_well_as_certificates(factory: Factory) -> None:
    """
    In either case; and the registry is asked once about a device that is listed twice, with what its certificate says.
    """
    leaf = factory.leaf(serial=0x15FC8EA1)
    scripted = _Scripted(Standing(Condition.READY, endpoint="host"))

    said = _status(
        _interop(scripted),
        {"ref": "lower", "fingerprint": leaf.fingerprint},
        _cert("cert", leaf.pem),
        {"ref": "upper", "fingerprint": leaf.fingerprint.upper()},
    )

    assert ["READY"] * 3 == [entry["status"] for entry in said]
    assert [Sought(leaf.fingerprint, "Infineon_15fc8ea1", '""')] == scripted.asked


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, "Cannot decode certificate: cert is missing or not a string."),
        ({"cert": "?"}, "Cannot decode certificate: cert is not base64, or cut short."),
        ({"cert": "AAAA"}, "Cannot decode certificate"),
        ({"fingerprint": "ab" * 31}, "fingerprint is not 64 hex digits"),
        ({"fingerprint": "x" * 64}, "fingerprint is not 64 hex digits"),
        ({"fingerprint": 7}, "fingerprint is not 64 hex digits"),
        ({"fingerprint": "ab" * 32, "cert": "AAAA"}, "ask by one of them"),
    ],
)
def test_an_entry_that_names_no_device_is_its_own_error(entry: dict[str, Any], sentence: str) -> None:
    """
    Its neighbours are answered.
    """
    bad, good = _status(_interop(MemoryRegistry()), {"ref": "a", **entry}, {"ref": "b", "fingerprint": "0" * 64})

    assert ("ERROR", "UNKNOWN") == (bad["status"], good["status"])
    assert sentence in bad["message"]


def test_what_the_registry_cannot_say_is_an_error() -> None:
    """
    Not UNKNOWN, which would read as "not there".
    """
    late = Standing(Condition.UNKNOWN, error=UnfinishedError("AWS IoT did not answer in time."))

    assert [{"ref": "a", "status": "ERROR", "message": "AWS IoT did not answer in time."}] == (
        _status(_interop(_Scripted(late)), {"ref": "a", "fingerprint": "0" * 64})
    )


def test_a_device_without_a_name_is_asked_about_by_fingerprint(factory: Factory) -> None:
    """
    A certificate that this region could not name may be registered all the same; nor must it still be valid.
    """
    leaf = factory.leaf(common_name=None)
    scripted = _Scripted(Standing(Condition.UNKNOWN))

    _status(_interop(scripted, naming=Naming.COMMON_NAME), _cert("a", leaf.pem))

    assert [Sought(leaf.fingerprint)] == scripted.asked


def test_what_this_process_queued_is_called_queued_until_it_is_ready(factory: Factory) -> None:
    """
    With what it still lacks, and not for ever.
    """
    leaf, clock = factory.leaf(), _Clock()
    half = Standing(Condition.INCOMPLETE, ("policy",))
    interop = _interop(inspector := _Scripted(half), clock=clock)
    push = json.dumps({"action": "provision", "certs": [_cert("a", leaf.pem)]}).encode()
    assert 202 == _ask(interop, push, prefer="respond-async").status

    queued = _status(interop, {"ref": "a", "fingerprint": leaf.fingerprint})
    clock.at += timedelta(hours=2)
    later = _status(interop, {"ref": "a", "fingerprint": leaf.fingerprint})
    clock.at = NOW
    inspector.standings = (Standing(Condition.READY, endpoint="host"),)
    ready = _status(interop, {"ref": "a", "fingerprint": leaf.fingerprint})
    inspector.standings = (half,)
    after = _status(interop, {"ref": "a", "fingerprint": leaf.fingerprint})

    assert [{"ref": "a", "status": "QUEUED", "missing": ["policy"]}] == queued
    assert ["INCOMPLETE", "READY", "INCOMPLETE"] == [said[0]["status"] for said in (later, ready, after)]


def test_a_negative_serial_costs_its_neighbours_nothing(factory: Factory) -> None:
    """
    No decent CA writes one, and the reference's expired certificate has one.
    """
    odd = factory.odd(change=lambda der: der.replace(b"\x02\x01\x05", b"\x02\x01\x85", 1))
    scripted = _Scripted(Standing(Condition.UNKNOWN), Standing(Condition.READY))
    good = {"ref": "b", "fingerprint": factory.leaf().fingerprint}

    answers = _status(_interop(scripted), {"ref": "a", "cert": base64.b64encode(odd).decode()}, good)

    assert ["UNKNOWN", "READY"] == [answer["status"] for answer in answers]
    assert "Infineon_85" == scripted.asked[0].name


def test_who_was_pushed_again_is_queued_no_more(factory: Factory) -> None:
    """
    Switched off afterwards, it is what the registry says, and nobody waits for the queue.
    """
    leaf = factory.leaf()
    interop = _interop(_Scripted(Standing(Condition.INCOMPLETE, ("certificate is INACTIVE",))))
    push = json.dumps({"action": "provision", "certs": [_cert("a", leaf.pem)]}).encode()
    assert 202 == _ask(interop, push, prefer="respond-async").status
    assert 200 == _ask(interop, push).status

    assert "INCOMPLETE" == _status(interop, {"ref": "a", "fingerprint": leaf.fingerprint})[0]["status"]


@pytest.mark.parametrize("body", [b'{"action":"status"}', b'{"action":"status","certs":null}'])
def test_with_no_list_status_is_answered_as_the_reference_does(body: bytes) -> None:
    """
    So are all lists where nobody can look, and `message` always.
    """
    expected = {"message": "Not yet implemented.", "action": "status"}

    assert expected == json.loads(_ask(_interop(MemoryRegistry()), body).body)
    assert expected == json.loads(_ask(_interop(None), b'{"action":"status","certs":[]}').body)
    assert [] == _status(_interop(MemoryRegistry()))


def test_the_limits_of_a_push_hold() -> None:
    """
    Entries, refs and the body.
    """
    interop = _interop(MemoryRegistry())

    def status(certs: Any) -> int:
        return _ask(interop, json.dumps({"action": "status", "certs": certs}).encode()).status

    assert 413 == status([{"ref": "", "fingerprint": ""}] * (MAX_ENTRIES + 1))
    assert 413 == status([{"ref": "Ж" * 200, "fingerprint": ""}] * 2900)
    assert [400, 400, 400] == [status(certs) for certs in ([{"ref": "x" * 300}], [{"fingerprint": ""}], [1])]
    assert 413 == _ask(interop, b" " * (MAX_BODY + 1)).status


def test_a_fingerprint_is_a_name_where_devices_are_named_by_it(factory: Factory) -> None:
    """
    So that a cloud that finds devices by name only can answer.
    """
    leaf, scripted = factory.leaf(), _Scripted(Standing(Condition.READY))

    _status(_interop(scripted, naming=Naming.FINGERPRINT), {"ref": "a", "fingerprint": leaf.fingerprint})

    assert [Sought(leaf.fingerprint, f"Infineon_{leaf.fingerprint}")] == scripted.asked
