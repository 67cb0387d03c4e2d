"""
Measures the MQTT front door of the laptop's AWS: `python -m benchmarks.front_door`.

The laptop's AWS, the front door and the devices are three processes on one machine, so rates are what is left of
its cores.  Messages have 64 bytes; every device has a certificate of its own and the policy is evaluated.
"""

import argparse
import asyncio
import json
import resource
import ssl
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firstlight.local.addresses import Addresses
from firstlight.local.control_plane import ROOT, ControlPlane
from firstlight.local.front_door import FrontDoorProcess
from tests.factory import Factory
from tests.local.jitp_site import JitpSite
from tests.mqtt_device import V5, Device, GoneError, Identity, tls

REGION = "eu-west-1"
PAYLOAD = b"x" * 64
WINDOW = 100
AT_ONCE = 32
RETRY = 0.2
_PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Bench:
    """
    Where the front door is, and whose devices may come.
    """

    site: JitpSite
    port: int
    ca_file: Path
    pid: int
    folder: Path

    def devices(self, prefix: str, count: int) -> list[Identity]:
        made = []
        for n in range(count):
            certificate, key = self.site.maker.device(f"{prefix}-{n}")
            made.append(Identity.written(self.folder / prefix, certificate, key))
        return made

    def register(self, identities: list[Identity]) -> None:
        """
        Register *identities* as a push does.
        """
        iot = self.site.iot

        def one(identity: Identity) -> None:
            pem = identity.certificate.pem
            arn = iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")["certificateArn"]
            iot.create_thing(thingName=identity.name)
            iot.attach_thing_principal(thingName=identity.name, principal=arn)
            iot.attach_policy(policyName=self.site.policy_name, target=arn)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, identities))

    async def online(self, context: ssl.SSLContext, name: str) -> Device:
        device = await Device.dial(self.port, context, version=V5)
        code = await device.connect(name, keep_alive=1200)
        if code:
            raise RuntimeError(f"{name} was refused: {code:#x}")
        return device

    def megabytes(self) -> float:
        """
        Resident memory of the front door.
        """
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE / 2**20


async def connects(bench: Bench) -> list[tuple[str, str]]:
    """
    A known device connecting, one connection at a time and sixteen.
    """
    identities = bench.devices("known", 16)
    bench.register(identities)
    contexts = [tls(identity, bench.ca_file) for identity in identities]
    await (await bench.online(contexts[0], identities[0].name)).hang_up()
    one, sixteen, taken = 200, 400, []
    for _ in range(one):
        began = time.perf_counter()
        device = await bench.online(contexts[0], identities[0].name)
        taken.append(time.perf_counter() - began)
        await device.hang_up()

    async def many(n: int) -> None:
        for _ in range(sixteen // 16):
            await (await bench.online(contexts[n], identities[n].name)).hang_up()

    began = time.perf_counter()
    await asyncio.gather(*(many(n) for n in range(16)))
    rate = sixteen / (time.perf_counter() - began)
    return [
        ("connect, one at a time", f"p50 {statistics.median(taken) * 1000:.1f} ms, {1 / statistics.mean(taken):.0f}/s"),
        ("connect, 16 at a time", f"{rate:.0f}/s"),
    ]


async def messages(bench: Bench) -> list[tuple[str, str]]:
    """
    QoS 1 to the front door, and QoS 0 through it to a subscriber.
    """
    identities = bench.devices("talker", 2)
    bench.register(identities)
    publisher, subscriber = [await bench.online(tls(i, bench.ca_file), i.name) for i in identities]
    topic = f"bench/{bench.site.suffix}"
    taken = []
    for _ in range(500):
        began = time.perf_counter()
        await publisher.publish(topic, PAYLOAD)
        taken.append(time.perf_counter() - began)
    batch = b"".join(publisher.publication(topic, PAYLOAD) for _ in range(WINDOW))
    acknowledged = 300
    began = time.perf_counter()
    for _ in range(acknowledged):
        publisher.write(batch)
        await publisher.reader.readexactly(4 * WINDOW)
    windowed = acknowledged * WINDOW / (time.perf_counter() - began)
    await subscriber.subscribe(topic, qos=0)
    one = publisher.publication(topic, PAYLOAD, qos=0)
    batch, total, sent, heard = one * WINDOW, 200_000, 0, 0
    began = time.perf_counter()
    while heard < total * len(one):
        while sent < total and sent * len(one) - heard < 20 * len(batch):
            publisher.write(batch)
            sent += WINDOW
        heard += len(await subscriber.reader.read(262_144))
    through = total / (time.perf_counter() - began)
    for device in (publisher, subscriber):
        await device.hang_up()
    return [
        ("QoS 1, one at a time", f"p50 {statistics.median(taken) * 1000:.2f} ms"),
        ("QoS 1, 100 in flight", f"{windowed:,.0f}/s"),
        ("QoS 0, through to a subscriber", f"{through:,.0f}/s"),
    ]


async def burst(bench: Bench, count: int) -> list[tuple[str, str]]:
    """
    Devices nobody announced, all at once, until each is online.
    """
    identities = bench.devices("unknown", count)
    contexts = [tls(identity, bench.ca_file) for identity in identities]
    tries, gate = [], asyncio.Semaphore(AT_ONCE)

    async def first_light(n: int) -> Device:
        async with gate:
            attempt = 0
            while True:
                attempt += 1
                device = await Device.dial(bench.port, contexts[n])
                try:
                    await device.connect(identities[n].name)
                except GoneError:
                    await device.hang_up()
                    await asyncio.sleep(RETRY)
                else:
                    tries.append(attempt)
                    return device

    began = time.perf_counter()
    devices = await asyncio.gather(*(first_light(n) for n in range(count)))
    seconds = time.perf_counter() - began
    memory = bench.megabytes()
    await asyncio.gather(*(device.hang_up() for device in devices))
    return [
        (
            f"{count} unknown devices online",
            f"{seconds:.2f} s, {count / seconds:.0f}/s, at most {max(tries)} connects each, {memory:.0f} MB",
        )
    ]


async def idle(bench: Bench, count: int) -> list[tuple[str, str]]:
    """
    Devices that are connected and say nothing.
    """
    identities = bench.devices("idle", count)
    bench.register(identities)
    before, gate = bench.megabytes(), asyncio.Semaphore(AT_ONCE)

    async def online(identity: Identity) -> Device:
        async with gate:
            return await bench.online(tls(identity, bench.ca_file), identity.name)

    began = time.perf_counter()
    devices = await asyncio.gather(*(online(identity) for identity in identities))
    seconds = time.perf_counter() - began
    # long enough for the front door to look twice whether all of them may stay
    await asyncio.sleep(12)
    memory = bench.megabytes()
    alive = await asyncio.gather(*(device.heard_before_ping() for device in devices))
    await asyncio.gather(*(device.hang_up() for device in devices))
    each = (memory - before) / count * 1024
    return [
        (
            f"{len(alive)} devices idle",
            f"connected in {seconds:.1f} s, {memory:.0f} MB ({before:.0f} MB before, {each:.0f} KiB each), all answer",
        )
    ]


def process_of(folder: Path) -> int:
    """
    Return the front door's process.
    """
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            said = (process / "cmdline").read_bytes()
            if b"front_door_server" in said and str(folder).encode() in said:
                return int(process.name)
    raise RuntimeError("the front door's process is not there")


def policy(aws: Addresses) -> dict[str, object]:
    """
    Own topics, as deployed, and one for all to measure with.
    """
    thing, arn = "${iot:Connection.Thing.ThingName}", f"arn:aws:iot:{aws.region}:{aws.account}:"
    topics = (f"dt/{thing}/*", f"firstlight/{thing}/*", "bench/*")
    attached = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    return {
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{arn}client/{thing}", "Condition": attached},
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive"],
                "Resource": [f"{arn}topic/{topic}" for topic in topics],
            },
            {
                "Effect": "Allow",
                "Action": "iot:Subscribe",
                "Resource": [f"{arn}topicfilter/{topic}" for topic in topics],
            },
        ]
    }


async def measured(bench: Bench, *, unknown: int, idling: int) -> list[tuple[str, str]]:
    steps: list[Callable[[], Awaitable[list[tuple[str, str]]]]] = [
        lambda: connects(bench),
        lambda: messages(bench),
        lambda: burst(bench, unknown),
        lambda: idle(bench, idling),
    ]
    return [row for step in steps for row in await step()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unknown", type=int, default=200, help="devices of the burst")
    parser.add_argument("--idle", type=int, default=1_000, help="devices that stay connected")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with ControlPlane(folder / "aws", region=REGION) as plane:
            aws = Addresses(endpoint_url=plane.endpoint_url, region=REGION, account=plane.account, credentials=ROOT)
            site = JitpSite(aws, Factory("Bench CA", now=datetime.now(UTC))).deploy(policy=policy(aws))
            with FrontDoorProcess(
                folder / "door", endpoint_url=aws.endpoint_url, region=REGION, account=aws.account
            ) as door:
                bench = Bench(site, door.port, door.ca_file, process_of(folder / "door"), folder)
                start = ("started", f"{bench.megabytes():.0f} MB")
                rows = [start, *asyncio.run(measured(bench, unknown=given.unknown, idling=given.idle))]
    if given.json:
        print(json.dumps(dict(rows)))
        return
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")


if __name__ == "__main__":
    main()
