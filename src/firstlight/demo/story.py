"""
The demo, step by step.  Every sentence it ends with was seen in this run.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import certificates
from firstlight.demo import workplace
from firstlight.demo.cast import Cast, Device, assemble
from firstlight.demo.findings import DeviceRow, Findings
from firstlight.demo.inventory import Inventory
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop
from firstlight.push import Answer, Entry, bearer, push, read
from firstlight.settings import Settings
from firstlight.verify.aws import verify_device, verify_many
from firstlight.verify.checks import EVERYTHING, FIRST_LIGHT, FORBIDDEN
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Outcome, Report
from firstlight.verify.target import Target

_REGION = "eu-west-1"
# Seconds: a device of the demo comes online in one or two; a stranger is given fewer to be refused in.
_PATIENCE, _STRANGER_PATIENCE = 30.0, 4.0

_FORBIDDEN = {check.name for check in FORBIDDEN}

Tell = Callable[[str], None]


def run(folder: Path, *, reel: Path | None, tell: Tell) -> Findings:
    """
    Do the whole job once, in a new folder in *folder*, and return what was seen.

    The new folder stays only if something did not hold or start: its logs say why.

    *reel* names more certificates to push: a file, a folder or a manifest.  *tell* hears each step.

    Raises:
        UsageError: *reel* cannot be read.
        DeploymentError: the laptop clouds did not start.
    """
    more = read([reel]) if reel else []
    with workplace.taken(folder) as place:
        return _run(place, more, tell)


def _run(place: Path, more: Sequence[Entry], tell: Tell) -> Findings:
    cast = assemble(datetime.now(UTC), taken={certificates.load(e.certificate).serial for e in more})
    began = time.monotonic()
    with Laptop(place, regions=cast.write_regions(place, _REGION), report=tell) as laptop:
        story = _Story(cast, laptop, more, tell)
        story.findings.note(
            "stacks deployed",
            f"{len(laptop.outputs)} in {time.monotonic() - began:.0f} s, with no account",
            held=len(laptop.outputs) == 2,  # noqa: PLR2004 -- the ingest stack and the JITP stack
        )
        asyncio.run(story.play())
    ports = [int(laptop.endpoint_url.rpartition(":")[2]), laptop.mqtt_port]
    story.findings.note(
        "nothing left running",
        f"ports {' and '.join(map(str, ports))} answer no more",
        held=not any(map(_answers, ports)),
    )
    if story.findings.held:
        shutil.rmtree(place)
    else:
        story.findings.logs = str(place)
    return story.findings


class _Story:
    def __init__(self, cast: Cast, laptop: Addresses, more: Sequence[Entry], tell: Tell) -> None:
        self.cast, self.laptop, self.more, self.tell = cast, laptop, more, tell
        self.findings = Findings()
        self.iot = laptop.client("iot")

    async def play(self) -> None:
        await self.push_twice()
        await self.refuse_pushes()
        await self.bring_the_reel_online()
        await self.bring_the_unannounced_online()
        await self.try_what_must_fail()
        await self.refuse_the_stranger()

    async def push_twice(self) -> None:
        entries = [Entry(d.name, d.certificate.pem.encode(), "reel") for d in self.cast.reel] + list(self.more)
        self.tell(f"Pushing {len(entries)} certificates as a Cloud ID service")
        began = time.monotonic()
        first = await self._push(entries)
        self.findings.note(
            "reel pushed",
            f"{_successes(first)} in {time.monotonic() - began:.1f} s, by gateway and Lambda",
            held=all(a.ok for a in first),
        )
        self._name_those_without_keys(first)
        self.tell("Pushing the same reel again")
        before = self._inventory()
        second = await self._push(entries)
        after = self._inventory()
        changed = "no change" if before == after else f"CHANGED, from {before}"
        self.findings.note(
            "same reel again",
            f"{_successes(second)}, {changed}: {after}",
            held=all(a.ok for a in second) and before == after,
        )

    def _name_those_without_keys(self, answers: Sequence[Answer]) -> None:
        rule = Settings().rule
        for entry, answer in zip(self.more, answers[len(self.cast.reel) :], strict=True):
            name = rule.name(certificates.load(entry.certificate))
            known = "registered; its key is not here" if answer.ok else answer.message
            self.findings.devices.append(DeviceRow(name, "pushed", None if answer.ok else False, known))

    async def refuse_pushes(self) -> None:
        self.tell("Pushing what must be refused")
        neighbour = self.cast.reel[0]
        bad, good = await self._push(
            [
                Entry("expired", self.cast.spoiled.pem.encode()),
                Entry(neighbour.name, neighbour.certificate.pem.encode()),
            ]
        )
        self.findings.note(
            "expired certificate",
            f"its neighbour {good.status}, itself {bad.status}: {bad.message.rpartition(': ')[2]}",
            held=good.ok and not bad.ok,
        )
        (stranger,) = await self._push([Entry("x", neighbour.certificate.pem.encode())], audience="999999999999")
        self.findings.note(
            "another account's token",
            f"401: {stranger.message.rpartition(': ')[2]}",
            held=not stranger.ok and "(401)" in stranger.message,
        )

    async def bring_the_reel_online(self) -> None:
        self.tell(f"Connecting the {len(self.cast.reel)} devices of the reel")
        reports = await verify_many([self._target(d) for d in self.cast.reel], checks=FIRST_LIGHT, timeout=_PATIENCE)
        self._add(reports, "pushed")
        self.findings.note(
            "pushed devices",
            f"{_online(reports)} publish, {sum(_connects(r) == 1 for r in reports)} at their first connect",
            held=all(r.passed and _connects(r) == 1 for r in reports),
        )

    async def bring_the_unannounced_online(self) -> None:
        devices = self.cast.unannounced
        self.tell(f"Connecting {len(devices)} devices that nobody announced")
        known = set(self._inventory().things)
        reports = await verify_many([self._target(d) for d in devices], checks=FIRST_LIGHT, timeout=_PATIENCE)
        self._add(reports, "just in time")
        made = set(self._inventory().things) - known
        self.findings.note(
            "unannounced devices",
            f"{_online(reports)} publish after a first connect that was closed; {len(made)} new things",
            held=all(r.passed and _connects(r) > 1 for r in reports) and made == {d.name for d in devices},
        )

    async def try_what_must_fail(self) -> None:
        for device, kind in ((self.cast.reel[0], "pushed"), (self.cast.unannounced[0], "just-in-time")):
            self.tell(f"Trying what {device.name} must not be able to do")
            report = await verify_device(self._target(device), checks=EVERYTHING, timeout=_PATIENCE)
            denials = [c for c in report.checks if c.name in _FORBIDDEN]
            refused = sum(c.outcome is Outcome.PASSED for c in denials)
            self.findings.note(
                f"trespassing, {kind}",
                f"{refused} of {len(denials)} refused, in MQTT 5 and 3.1.1",
                held=report.passed and len(denials) == len(EVERYTHING.versions) * len(_FORBIDDEN),
            )

    async def refuse_the_stranger(self) -> None:
        self.tell("Connecting a device of another maker")
        before = self._inventory()
        report = await verify_device(self._target(self.cast.stranger), checks=FIRST_LIGHT, timeout=_STRANGER_PATIENCE)
        self.findings.note(
            "device of an unknown CA",
            f"{_connects(report)} connects, each closed; nothing registered",
            held=report.checks[0].reason == Reason.CLOSED and before == self._inventory(),
        )

    async def _push(self, entries: Sequence[Entry], audience: str = "") -> list[Answer]:
        return await push(
            entries,
            url=self.laptop.ingest_url,
            authorization=bearer(self.cast.service_key, audience or self.laptop.account, now=lambda: datetime.now(UTC)),
        )

    def _inventory(self) -> Inventory:
        return Inventory.take(self.iot, Settings().policy_name)

    def _target(self, device: Device) -> Target:
        ca_file = self.laptop.ca_file
        return Target(
            endpoint=self.laptop.mqtt_host,
            port=self.laptop.mqtt_port,
            cert_pem=device.certificate.pem.encode(),
            key_pem=device.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            client_id=device.name,
            ca_pem=ca_file.read_bytes() if ca_file else None,
        )

    def _add(self, reports: Sequence[Report], arrived: str) -> None:
        for report in reports:
            connects = _connects(report)
            seen = f"online in {report.seconds:.1f} s" + (f", {connects} connects" if connects > 1 else "")
            failed = next((c.detail for c in report.checks if c.outcome is not Outcome.PASSED), "")
            self.findings.devices.append(DeviceRow(report.client_id, arrived, report.passed, failed or seen))


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _connects(report: Report) -> int:
    return max(len(check.attempts) for check in report.checks)


def _successes(answers: Sequence[Answer]) -> str:
    return f"{sum(a.ok for a in answers)} of {len(answers)} SUCCESS"


def _online(reports: Sequence[Report]) -> str:
    return f"{sum(r.passed for r in reports)} of {len(reports)}"
