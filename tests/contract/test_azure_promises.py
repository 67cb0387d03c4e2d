"""
What the Azure registry promises besides; numbers are those of the reference's bugs.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.overflow import Later
from firstlight.provision import Admission, Candidate, provision
from firstlight.registries.azure_iot import Means
from tests.contract.conftest import InHub
from tests.contract.hub_world import HubWorld, Token
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register
from tests.factory import Factory, at_noon

RULE = NamingRule()


async def _push(world: HubWorld, *candidates: Candidate) -> list[tuple[str, str]]:
    deadline = asyncio.get_running_loop().time() + 30
    outcomes = await provision(
        candidates, world.registry, admission=Admission(rule=RULE), now=at_noon, deadline=deadline
    )
    return [(o.ref, o.error.code if o.error else "ok") for o in outcomes]


def test_z1_an_error_that_is_no_result_is_no_success(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    The reference reads any error body as a result without errors.
    """

    async def promise(world: HubWorld) -> None:
        for fault in ("400", "500", "503", "409"):
            world.weather(faults={"Bulk": {fault: 1.0}})

            assert {"registry", "unfinished"} >= set(codes(await register(world.registry, *new_devices(3))))

        assert {} == world.stub.registry.devices

    in_hub(promise)


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (200, {}),
        (200, []),
        (200, "done"),
        (200, {"isSuccessful": None, "errors": []}),
        (200, {"isSuccessful": "true", "errors": []}),
        (200, {"isSuccessful": True, "errors": ["odd"]}),
        (200, {"isSuccessful": False, "errors": []}),
        (400, {"isSuccessful": True, "errors": []}),
        (200, {"isSuccessful": True, "errors": [{"deviceId": "another", "errorCode": 409001}]}),
        (200, {"isSuccessful": False, "errors": [{"errorCode": 409001}]}),
        (204, None),
    ],
)
def test_z1_nothing_is_a_success_that_the_hub_does_not_show(
    in_hub: InHub, new_devices: NewDevices, status: int, document: Any
) -> None:
    """
    A strange answer to a bulk call is looked into, and the device is not there.
    """

    async def promise(world: HubWorld) -> None:
        world.stub.script = lambda name, _: (status, document) if name == "Bulk" else None

        assert {"unfinished"} == set(codes(await register(world.registry, *new_devices(3))))

    in_hub(promise)


@pytest.mark.parametrize("named", [False, True])
def test_z2_a_known_id_is_a_success_for_its_own_certificate_only(
    in_hub: InHub, new_devices: NewDevices, *, named: bool
) -> None:
    """
    Whether the hub calls it 409001 or DeviceAlreadyExists.
    """

    async def promise(world: HubWorld) -> None:
        world.stub.registry.named = named
        owner, renewed = new_devices(2, rivals=True)
        await register(world.registry, owner)

        assert ["ok"] == codes(await register(world.registry, owner))
        assert ["name-taken"] == codes(await register(world.registry, renewed))

    in_hub(promise)


def test_z3_every_entry_of_a_push_is_answered(in_hub: InHub) -> None:
    """
    The same certificate twice, the same ref twice, two certificates with one serial.
    """

    async def promise(world: HubWorld) -> None:
        first, second, other = (Factory().leaf(serial=n).pem.encode() for n in (1, 1, 2))

        answers = await _push(
            world, Candidate("a", first), Candidate("b", first), Candidate("b", second), Candidate("c", other)
        )

        assert [("a", "ok"), ("b", "ok"), ("b", "name-taken"), ("c", "ok")] == answers
        assert {"01", "02"} == world.stub.registry.devices.keys()

    in_hub(promise)


def test_z3b_of_a_chain_the_leaf_is_registered(in_hub: InHub) -> None:
    """
    The reference registers the CA that comes last.
    """

    async def promise(world: HubWorld) -> None:
        factory = Factory()
        leaf = factory.leaf(serial=0x15FC8EA1)

        assert [("a", "ok")] == await _push(world, Candidate("a", (leaf.pem + factory.ca.pem).encode()))
        assert {"15fc8ea1": leaf.fingerprint.upper()} == world.stub.registry.able()

    in_hub(promise)


def test_z4_the_secondary_thumbprint_is_left_free(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    It is where a rotation puts the next certificate; then either of the two is the device's.
    """

    async def promise(world: HubWorld) -> None:
        old, new, rival = new_devices(3, rivals=True)
        await register(world.registry, old)
        proof = world.stub.registry.devices[old.name]["authentication"]

        assert {"primaryThumbprint": old.fingerprint.upper()} == proof["x509Thumbprint"]

        proof["x509Thumbprint"]["secondaryThumbprint"] = new.fingerprint.lower()
        assert ["ok"] == codes(await register(world.registry, old))
        assert ["ok"] == codes(await register(world.registry, new))
        assert ["name-taken"] == codes(await register(world.registry, rival))

    in_hub(promise)


def test_z5_one_client_and_one_token_serve_all_pushes(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    The reference opens a client a push and closes none.
    """

    async def promise(world: HubWorld) -> None:
        token = Token()
        registry = world.another_process(credential=token)
        for _ in range(20):
            await register(registry, *new_devices(1))

        assert 1 == token.asked
        assert 1 == len(world.stub.connections)

    in_hub(promise)


def test_z6_a_token_is_all_the_hub_is_shown(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    An expired one is renewed on the way, and the push does not notice.
    """

    async def promise(world: HubWorld) -> None:
        token = Token("expired", "stub-token")

        assert ["ok"] * 3 == codes(await register(world.another_process(credential=token), *new_devices(3)))
        assert 2 == token.asked

    in_hub(promise)


def test_devices_are_created_a_hundred_a_call(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    As many as the hub takes, all calls at once; nothing is looked up that the hub has just confirmed.
    """

    async def promise(world: HubWorld) -> None:
        await register(world.registry, *new_devices(250))

        assert {"Bulk": 3} == dict(world.stub.calls)

    in_hub(promise)


def test_one_bad_entry_does_not_sink_its_batch(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    The hub refuses a bulk call as a whole for one id it does not like.
    """

    async def promise(world: HubWorld) -> None:
        devices = new_devices(100)
        bad = devices[42].name
        world.stub.script = lambda name, body: (
            (400, {"Message": "ErrorCode:ArgumentInvalid;id"})
            if name == "Bulk" and any(e["id"] == bad for e in body)
            else None
        )

        registrations = await register(world.registry, *devices)

        assert ["ok"] * 42 + ["registry"] + ["ok"] * 57 == codes(registrations)
        assert "ArgumentInvalid, ErrorCode:ArgumentInvalid;id" in str(registrations[42].error)
        assert world.stub.calls["Bulk"] < 20

    in_hub(promise)


def test_one_refused_entry_does_not_sink_its_batch(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    Nor when the hub names it, and does nothing for the rest.
    """

    async def promise(world: HubWorld) -> None:
        devices = new_devices(50)
        bad = devices[7].name
        refused = {"deviceId": bad, "errorCode": "InvalidDeviceId", "errorStatus": "InvalidDeviceId"}
        world.stub.script = lambda name, body: (
            (400, {"isSuccessful": False, "errors": [refused], "warnings": []})
            if name == "Bulk" and any(e["id"] == bad for e in body)
            else None
        )

        registrations = await register(world.registry, *devices)

        assert ["ok"] * 7 + ["registry"] + ["ok"] * 42 == codes(registrations)
        assert "InvalidDeviceId" in str(registrations[7].error)
        assert 0 == world.stub.calls["Get"]

    in_hub(promise)


def test_a_hub_that_fails_at_one_device_of_a_bulk_call_has_not_refused_it(
    in_hub: InHub, new_devices: NewDevices
) -> None:
    """
    Trying again may well do, so a queue carries it on.
    """

    async def promise(world: HubWorld) -> None:
        unlucky, lucky = new_devices(2)
        failed = {"deviceId": unlucky.name, "errorCode": 500001, "errorStatus": "ServerError"}
        world.stub.script = lambda name, body: (
            (400, {"isSuccessful": False, "errors": [failed], "warnings": []})
            if name == "Bulk" and any(e["id"] == unlucky.name for e in body)
            else None
        )

        assert ["unfinished", "ok"] == codes(await register(world.registry, unlucky, lucky))
        world.stub.script = lambda *_: None
        assert ["ok", "ok"] == codes(await register(world.registry, unlucky, lucky))

    in_hub(promise)


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "a#b", "a+b", "x" * 129, "a\nb", '""'])
def test_an_id_the_hub_does_not_take_is_refused_without_a_call(
    in_hub: InHub, new_devices: NewDevices, name: str
) -> None:
    """
    The rest of the push is provisioned.
    """

    async def promise(world: HubWorld) -> None:
        odd, good = new_devices(2)

        foreseen, put_off = await register(Later(world.registry), replace(odd, name=name), good)
        refused, registered = await register(world.registry, replace(odd, name=name), good)

        assert "not-attempted" == codes([put_off])[0]
        assert str(refused.error) == str(foreseen.error)
        assert refused.error is not None
        assert "is no device id" in refused.error.message
        assert "\n" not in refused.error.message
        assert ["ok"] == codes([registered])
        assert {good.name} == world.stub.registry.devices.keys()

    in_hub(promise)


@pytest.mark.parametrize("name", ["a%2Fb", "what?", "a:b", "a=b@c$'(*)!,._-", "x" * 128])
def test_every_id_the_hub_takes_can_be_asked_for_again(in_hub: InHub, new_devices: NewDevices, name: str) -> None:
    """
    The id stands in a path then.
    """

    async def promise(world: HubWorld) -> None:
        device = replace(new_devices(1)[0], name=name)
        await register(world.registry, device)

        assert ["ok"] == codes(await register(world.registry, device))

    in_hub(promise)


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        ({"type": "certificateAuthority"}, "any certificate of a CA with that common name"),
        ({"type": "sas", "symmetricKey": {"primaryKey": "x"}}, "let in by a shared key"),
        ({"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": None}}, "belongs to another certificate"),
        ({"type": "none"}, "let in by none"),
        ({}, "let in by nothing known"),
    ],
)
def test_an_id_that_is_let_in_otherwise_is_not_ours(
    in_hub: InHub, new_devices: NewDevices, proof: dict[str, Any], said: str
) -> None:
    """
    Whether this certificate could connect under it, nobody has proved.
    """

    async def promise(world: HubWorld) -> None:
        (device,) = new_devices(1)
        world.make(device.name, proof)

        (refused,) = await register(world.registry, device)

        assert ["name-taken"] == codes([refused])
        assert said in str(refused.error)
        assert proof == world.stub.registry.devices[device.name]["authentication"]

    in_hub(promise)


def test_where_wished_a_legal_common_name_is_registered_by_its_ca(in_hub: InHub) -> None:
    """
    The others by thumbprint, as Infineon's, whose common name is two quotes.
    """

    async def promise(world: HubWorld) -> None:
        registry = world.another_process(preferred=Means.CA)
        own, infineon = Factory().leaf(common_name="07"), Factory().leaf()
        devices = [
            replace(DeviceIdentity.from_certificate(own, RULE), name="07"),
            DeviceIdentity.from_certificate(infineon, RULE),
        ]

        assert ["ok", "ok"] == codes(await register(registry, *devices))
        assert ["ok", "ok"] == codes(await register(registry, *devices))
        kinds = {n: d["authentication"]["type"] for n, d in world.stub.registry.devices.items()}
        assert {"07": "certificateAuthority", infineon.serial: "selfSigned"} == kinds

    in_hub(promise)


def test_an_identity_that_is_deleted_meanwhile_is_made_again(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    Known to the bulk call, and gone when looked at.
    """

    async def promise(world: HubWorld) -> None:
        (device,) = new_devices(1)
        gone = iter([{"deviceId": device.name, "errorCode": 409001}])
        world.stub.script = lambda name, _: (
            (400, {"isSuccessful": False, "errors": [e]}) if name == "Bulk" and (e := next(gone, None)) else None
        )

        assert ["ok"] == codes(await register(world.registry, device))
        assert world.can_connect(device)

    in_hub(promise)


def test_the_token_is_not_repeated_in_an_error(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    Nor a thumbprint or a PEM.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(faults={"Bulk": {"401": 1.0}})
        (device,) = new_devices(1)

        (refused,) = await register(world.registry, device)

        for secret in ("stub-token", device.fingerprint, device.fingerprint.upper()):
            assert secret not in str(refused.error)

    in_hub(promise)
