"""
The laptop's IoT Hub service API: what it takes, what it refuses, and in which shape.
"""

from typing import Any

import pytest

from firstlight.local.azure_cloud.access import HUB_DATA_CONTRIBUTOR, HUB_REGISTRY_CONTRIBUTOR, OWNER
from firstlight.local.azure_cloud.tokens import HUB, MANAGEMENT
from firstlight.local.azure_cloud.world import Device, Hub
from tests.azure_rest import GROUP, Site

A, B = "A" * 64, "b" * 64


@pytest.fixture
def site() -> Site:
    return Site()


def entry(name: str, thumbprint: str = A, mode: str = "create", **more: Any) -> dict[str, Any]:
    """
    Return a device as the bulk operation takes it.
    """
    x509 = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": thumbprint}}
    return {"id": name, "importMode": mode, "status": "enabled", "authentication": x509, **more}


def test_bulk_creates_and_the_case_of_thumbprints_stays(site: Site) -> None:
    """
    As given: whoever compares must not count on one spelling.
    """
    status, body = site.ask(HUB, "POST", "/devices", [entry("a", A), entry("b", B)])

    assert (200, {"isSuccessful": True, "errors": [], "warnings": []}) == (status, body)
    shown = site.ask(HUB, "GET", "/devices/b")[1]
    assert ("selfSigned", B) == (
        shown["authentication"]["type"],
        shown["authentication"]["x509Thumbprint"]["primaryThumbprint"],
    )


def test_one_bad_entry_does_not_sink_its_batch(site: Site) -> None:
    """
    400 with isSuccessful false, an entry for what failed, and the rest is done.
    """
    site.ask(HUB, "POST", "/devices", [entry("a", A)])

    status, body = site.ask(HUB, "POST", "/devices", [entry("a", B), entry("c"), entry("d+"), entry("e", "short")])

    assert (400, False) == (status, body["isSuccessful"])
    assert [("a", 409001), ("d+", 400004), ("e", 400004)] == [(e["deviceId"], e["errorCode"]) for e in body["errors"]]
    assert {"a", "c"} == set(site.hub.devices)
    assert A == site.hub.devices["a"].primary


def test_an_id_twice_in_a_batch_sinks_all_of_it(site: Site) -> None:
    """
    DeviceDefinedMultipleTimes, and nothing is done.
    """
    status, body = site.ask(HUB, "POST", "/devices", [entry("a"), entry("a"), entry("b")])

    assert (400, [("a", 400011)]) == (status, [(e["deviceId"], e["errorCode"]) for e in body["errors"]])
    assert {} == site.hub.devices


@pytest.mark.parametrize("body", [{"devices": []}, [], [1], [entry(str(n)) for n in range(101)]])
def test_only_an_array_of_a_hundred_is_a_batch(site: Site, body: Any) -> None:
    """
    Whatever the reference documentation shows, `{"devices": […]}` is none.
    """
    status, refusal = site.ask(HUB, "POST", "/devices", body)

    assert 400 == status
    assert refusal["Message"].startswith("ErrorCode:ArgumentInvalid;")


@pytest.mark.parametrize(
    ("mode", "before", "errors"),
    [
        ("update", False, [404001]),
        ("update", True, []),
        ("createOrUpdate", True, []),
        ("createOrUpdate", False, []),
        ("delete", False, [404001]),
        ("delete", True, []),
        ("updateIfMatchETag", True, [412001]),
        ("deleteIfMatchETag", True, [412001]),
        ("nonsense", True, [400004]),
    ],
)
def test_each_mode_of_a_bulk_entry(site: Site, mode: str, before: bool, errors: list[int]) -> None:  # noqa: FBT001 -- a case
    """
    What must be there, what must not, and whose etag counts.
    """
    if before:
        site.hub.devices["a"] = Device("a")

    _, body = site.ask(HUB, "POST", "/devices", [entry("a", mode=mode, eTag="another")])

    assert errors == [e["errorCode"] for e in body["errors"]]
    assert (mode != "delete") == ("a" in site.hub.devices) or not before


def test_put_creates_only_and_updates_by_etag(site: Site) -> None:
    """
    409 without If-Match when it is there, 404 with it when it is not, 412 for another's etag.
    """
    device = {"deviceId": "a", "authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": A}}}
    assert 404 == site.ask(HUB, "PUT", "/devices/a", device, etag='"x"')[0]
    created = site.answer(HUB, "PUT", "/devices/a", device)
    assert (409, "DeviceAlreadyExists") == (
        site.answer(HUB, "PUT", "/devices/a", device).status,
        site.answer(HUB, "PUT", "/devices/a", device).headers["code"],
    )
    assert 412 == site.ask(HUB, "PUT", "/devices/a", device, etag='"x"')[0]
    assert 200 == site.ask(HUB, "PUT", "/devices/a", {"status": "disabled"}, etag=created.headers["ETag"])[0]
    # a full replacement: what is left out is gone, and SAS keys come
    assert ("sas", False) == (site.hub.devices["a"].kind, site.hub.devices["a"].enabled)


def test_deleting_wants_an_etag(site: Site) -> None:
    """
    412 without If-Match; `*` is any.
    """
    site.hub.devices["a"] = Device("a")

    assert [412, 204, 404] == [site.ask(HUB, "DELETE", "/devices/a", etag=e)[0] for e in ("", "*", "*")]


def test_the_mqtt_side_hears_of_disabled_deleted_and_desired(site: Site) -> None:
    """
    So a device that is disabled or deleted loses its connection, and one whose twin changes is told.
    """
    heard: list[tuple[str, str]] = []
    site.hub.listeners.append(lambda what, device: heard.append((what, device.id)))
    site.hub.devices["a"] = Device("a")

    site.ask(HUB, "PATCH", "/twins/a", {"properties": {"desired": {"led": "on"}}})
    site.ask(HUB, "PUT", "/devices/a", {"status": "disabled"}, etag="*")
    site.ask(HUB, "DELETE", "/devices/a", etag="*")

    assert [("desired", "a"), ("disabled", "a"), ("deleted", "a")] == heard


def test_a_twin_is_patched_and_replaced(site: Site) -> None:
    """
    Null deletes; a replacement keeps nothing; the version of the desired properties counts both.
    """
    site.hub.devices["a"] = Device("a")
    site.ask(HUB, "PATCH", "/twins/a", {"tags": {"lot": "7"}, "properties": {"desired": {"x": {"y": 1, "z": 2}}}})
    _, twin = site.ask(HUB, "PATCH", "/twins/a", {"properties": {"desired": {"x": {"y": None}}}})
    assert ({"lot": "7"}, {"x": {"z": 2}, "$version": 3}) == (twin["tags"], twin["properties"]["desired"])

    _, twin = site.ask(HUB, "PUT", "/twins/a", {"properties": {"desired": {"w": 1}}})

    assert {"w": 1, "$version": 4} == twin["properties"]["desired"]
    assert {"x": None, "w": 1} == site.hub.devices["a"].twin.desired_patch
    assert 412 == site.ask(HUB, "PATCH", "/twins/a", {}, etag='"old"')[0]


def test_a_method_reaches_a_connected_device_only(site: Site) -> None:
    """
    404 DeviceNotOnline, 504 when it does not answer, else the device's own status.
    """
    device = site.hub.devices["a"] = Device("a")
    ask = {"methodName": "blink", "payload": {"times": 2}, "responseTimeoutInSeconds": 5}
    offline = site.answer(HUB, "POST", "/twins/a/methods", ask)
    assert (404, "DeviceNotOnline") == (offline.status, offline.headers["code"])
    device.connected = True

    async def answers(_hub: Hub, _device: Device, name: str, payload: Any, seconds: float) -> tuple[int, Any]:
        return 207, [name, payload, seconds]

    async def sleeps(*_: Any) -> tuple[int, Any]:
        raise TimeoutError

    site.world.call_method = answers
    assert (200, {"status": 207, "payload": ["blink", {"times": 2}, 5.0]}) == site.ask(
        HUB, "POST", "/twins/a/methods", ask
    )
    site.world.call_method = sleeps
    assert 504 == site.ask(HUB, "POST", "/twins/a/methods", ask)[0]


def test_an_s1_hub_throttles_without_saying_how_long(site: Site) -> None:
    """
    100 registry operations a minute and unit; 429 has no Retry-After, and half a minute later half of them pass.
    """
    statuses = [site.ask(HUB, "GET", "/statistics/devices")[0] for _ in range(101)]
    refused = site.answer(HUB, "GET", "/devices/a")
    assert ([200] * 100 + [429], 429) == (statuses, refused.status)
    assert "Retry-After" not in refused.headers
    assert "Wait 10 seconds" in refused.body["Message"]

    site.clock += 30

    assert [200] * 50 + [429] == [site.ask(HUB, "GET", "/statistics/devices")[0] for _ in range(51)]


def test_an_expired_token_is_refused(site: Site) -> None:
    """
    401 IotHubUnauthorizedAccess; so is another API's token, and none.
    """
    token = site.tokens.issue(site.operator, HUB)
    site.hour_later()
    others = site.tokens.issue(site.operator, MANAGEMENT)

    for wrong in (token, others, "no.token.here"):
        answer = site.answer(HUB, "GET", "/devices/a", token=wrong)
        assert (401, "IotHubUnauthorizedAccess") == (answer.status, answer.headers["code"])


@pytest.mark.parametrize(
    ("roles", "statuses"),
    [
        ((), [401, 401]),
        # the surprise: no data actions
        ((OWNER,), [401, 401]),
        ((HUB_REGISTRY_CONTRIBUTOR,), [200, 401]),
        ((HUB_DATA_CONTRIBUTOR,), [200, 200]),
    ],
)
def test_a_missing_role_names_the_principal_and_the_call(
    site: Site, roles: tuple[str, ...], statuses: list[int]
) -> None:
    """
    401 IotHubUnauthorized "due to no assigned permissions", as a live hub says it.
    """
    who = site.stranger(*roles, scope=site.hub.resource_id)
    site.hub.devices["x"] = Device("x")

    answers = [
        site.answer(HUB, "POST", "/devices", [entry("a")], who=who),
        site.answer(HUB, "GET", "/twins/x", who=who),
    ]

    assert statuses == [a.status for a in answers]
    for refused in (a for a in answers if a.status == 401):
        assert "IotHubUnauthorized" == refused.headers["code"]
        assert f"Principal {who.object_id} is not authorized for " in refused.body["Message"]


def test_a_role_on_another_hub_is_none_here(site: Site) -> None:
    """
    Neither on a hub whose name only begins the same.
    """
    who = site.stranger(HUB_DATA_CONTRIBUTOR, scope=f"{GROUP}/providers/Microsoft.Devices/IotHubs/reel")

    assert 401 == site.ask(HUB, "GET", "/devices/a", who=who)[0]


def test_devices_are_listed_and_counted(site: Site) -> None:
    """
    `top` bounds the list; disabled and connected ones are counted.
    """
    site.hub.devices |= {n: Device(n, enabled=n != "b", connected=n == "a") for n in "abc"}

    assert ["a", "b"] == [d["deviceId"] for d in site.ask(HUB, "GET", "/devices", headers={})[1][:2]]
    assert {"totalDeviceCount": 3, "enabledDeviceCount": 2, "disabledDeviceCount": 1} == site.ask(
        HUB, "GET", "/statistics/devices"
    )[1]
    assert {"connectedDeviceCount": 1} == site.ask(HUB, "GET", "/statistics/service")[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"authentication": "selfSigned"},
        {"authentication": {"type": "selfSigned", "x509Thumbprint": "ab"}},
        {"authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": 5}}},
        {"authentication": {"type": "none"}},
        {"status": "asleep"},
        {"tags": "lot 7"},
        {"properties": {"desired": []}},
    ],
)
def test_a_malformed_identity_is_refused_and_changes_nothing(site: Site, wrong: dict[str, Any]) -> None:
    """
    400, not 500, in bulk and alone.
    """
    assert 400 == site.ask(HUB, "POST", "/devices", [{"id": "a", "importMode": "create", **wrong}])[0]
    assert 400 == site.ask(HUB, "PUT", "/devices/a", wrong)[0]
    assert {} == site.hub.devices
