"""
One push, bytes in and bytes out, and what its answer must keep.
"""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

from firstlight.identity import DeviceIdentity
from firstlight.interop import Interop, Request
from tests.faults import people
from tests.faults.cloud import CREDENTIALS, Cloud
from tests.faults.process import Process

_AUTHORIZATION = "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()
# All that a device may be told while nobody but the cloud does wrong.
_KNOWN = frozenset({"ok", "inactive", "name-taken", "unfinished", "throttled", "not-attempted", "queued"})
# Seconds by which an answer may be late: a Lambda keeps as much for itself.
_MARGIN = 1.0
# Seconds that an answer about devices may take.
_ASKING = 10.0


@dataclass
class Pushed:
    """
    The code of each entry's error, "ok" for none, and what is wrong with the answer.
    """

    codes: list[str]
    wrong: list[str] = field(default_factory=list)


async def push(
    cloud: Cloud,
    interop: Interop,
    process: Process,
    devices: list[DeviceIdentity],
    *,
    seconds: float,
    later: bool = False,
) -> Pushed | None:
    """
    Push *devices* through *interop* in *process*; None if that dies of it.
    """
    certs = [{"ref": f"ref-{i}", "cert": people.encoded(device)} for i, device in enumerate(devices)]
    body = json.dumps({"action": "provision", "certs": certs}).encode()
    headers = {"authorization": _AUTHORIZATION, **({"prefer": "respond-async"} if later else {})}
    request = Request("POST", "/interop", headers, body)
    loop = asyncio.get_running_loop()
    deadline, off = loop.time() + seconds, set(cloud.off)
    cloud.wire.note(process, f"is pushed {' '.join(d.fingerprint[:4] for d in devices)}, {seconds:.1f} s")
    task = process.start(interop.answer(request, deadline=deadline))
    await asyncio.wait([task])
    if task.cancelled():
        return None
    if problem := task.exception():
        return Pushed([], [f"the endpoint fell over with {problem!r}"])
    reply = task.result()
    codes = [o.error.code if o.error else "ok" for o in reply.outcomes]
    cloud.wire.note(process, "answers " + " ".join(codes))
    pushed = Pushed(codes)
    late = loop.time() - deadline
    if late > _MARGIN:
        pushed.wrong.append(f"the answer came {late:.1f} s after the deadline")
    entries = json.loads(reply.body)
    if reply.status != (202 if later else 200) or [e["ref"] for e in entries] != [c["ref"] for c in certs]:
        pushed.wrong.append(f"the answer {reply.status} does not have every entry, in order")
        return pushed
    carried = cloud.queue.pems() if "queued" in codes else set()
    for device, code in zip(devices, codes, strict=True):
        if code == "queued" and device.pem not in carried and not is_settled(cloud, device):
            pushed.wrong.append(f"{device.name} {device.fingerprint[:8]}: said to be queued, and it is not")
    for device, code, entry in zip(devices, codes, entries, strict=True):
        pushed.wrong += _untrue(cloud, device, code, entry, off)
    return pushed


async def ask(
    cloud: Cloud, interop: Interop, process: Process, devices: list[DeviceIdentity], *, is_calm: bool
) -> list[str]:
    """
    Ask what *devices* are; say what is untrue of the answer, and, if all is calm, what it does not say.
    """
    certs = [{"ref": f"ref-{i}", "cert": people.encoded(device)} for i, device in enumerate(devices)]
    body = json.dumps({"action": "status", "certs": certs}).encode()
    request = Request("POST", "/interop", {"authorization": _AUTHORIZATION}, body)
    off = set(cloud.off)
    task = process.start(interop.answer(request, deadline=asyncio.get_running_loop().time() + _ASKING))
    await asyncio.wait([task])
    if task.cancelled():
        return []
    if problem := task.exception():
        return [f"the endpoint fell over with {problem!r}"]
    said = [entry["status"] for entry in json.loads(task.result().body)]
    cloud.wire.note(process, "says " + " ".join(said))
    wrong = [] if len(said) == len(devices) else ["not every device's status is answered"]
    for device, status in zip(devices, said, strict=False):
        is_ready, is_complete = status == "READY", cloud.complete(device)
        switched_off_meanwhile = device.fingerprint in cloud.off and device.fingerprint not in off
        if (is_ready and not is_complete and not switched_off_meanwhile) or (is_calm and is_ready != is_complete):
            wrong.append(f"{device.name} {device.fingerprint[:8]} is said to be {status}, and is not")
    return wrong


def is_settled(cloud: Cloud, device: DeviceIdentity) -> bool:
    """
    Return whether there is nothing left to do for *device*: it can connect, or it never will.
    """
    return cloud.complete(device) or device.fingerprint in cloud.off or cloud.is_anothers(device)


def _untrue(cloud: Cloud, device: DeviceIdentity, code: str, entry: dict[str, Any], off: set[str]) -> list[str]:
    """
    Say what is not true of an *entry* of an answer; *off* are those who were switched off when the push began.
    """
    who, message = f"{device.name} {device.fingerprint[:8]}", entry.get("message", "")
    wrong = []
    if (entry["status"] == "SUCCESS") != (code == "ok"):
        wrong.append(f"{who}: the answer says {entry['status']}, the outcome {code}")
    switched_off_meanwhile = device.fingerprint in cloud.off and device.fingerprint not in off
    if code == "ok" and not cloud.complete(device) and not switched_off_meanwhile:
        wrong.append(f"{who}: SUCCESS, and it cannot connect")
    if code == "inactive" and device.fingerprint not in cloud.off:
        wrong.append(f"{who}: nobody switched it off, but: {message}")
    if code == "name-taken" and not cloud.is_anothers(device):
        wrong.append(f"{who}: its name is nobody else's, but: {message}")
    if code not in _KNOWN and not any(words in message for words in cloud.excused):
        wrong.append(f"{who}: refused for good, with {code}: {message}")
    return wrong
