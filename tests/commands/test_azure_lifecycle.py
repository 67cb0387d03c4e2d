"""
`firstlight devices`, `ca retire` and `drain` on the laptop's Azure: hub and provisioning service.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from requests import PreparedRequest

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.cli import azure as azure_command
from firstlight.cli import azure_place
from firstlight.errors import SessionError
from firstlight.local.azure_cloud.registration import Claim, register
from firstlight.local.azure_cloud.world import Device, Dps, Hub
from tests.azure_inside import AzureInside
from tests.command_line import Firstlight, Ran, runner
from tests.factory import Factory

_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
_AT = ("--cloud", "azure", "--region", "westeurope")


class Site:
    """
    A deployed region whose provisioning service registers the devices of `maker`.
    """

    def __init__(self, inside: AzureInside, folder: Path, firstlight: Firstlight) -> None:
        self.inside, self.folder, self._run = inside, folder, firstlight
        self.maker = Factory("Maker CA", now=datetime.now(UTC))
        pki.write_certificate(folder / "ca.pem", self.maker.ca)
        self.ca = folder / "ca.pem"
        assert 0 == self.run("azure", "deploy", "--region", "westeurope").code

    def run(self, *arguments: object) -> Ran:
        return self._run(*arguments)

    @property
    def hub(self) -> Hub:
        (found,) = self.inside.world.hubs.values()
        return found

    @property
    def dps(self) -> Dps:
        (found,) = self.inside.world.services.values()
        return found

    def pushed(self) -> tuple[str, Certificate]:
        """
        A device as a push leaves it: named by its serial, known by its thumbprint.
        """
        leaf = self.maker.leaf()
        device = Device(leaf.serial)
        device.kind, device.primary = "selfSigned", leaf.fingerprint.upper()
        self.hub.devices[device.id] = device
        return device.id, leaf

    def connects(self, name: str, leaf: Certificate) -> bool:
        """
        Register with DPS as the device would; return whether it was let in.
        """
        try:
            register(Claim(name, leaf), self.dps, self.inside.world, datetime.now(UTC))
        except SessionError:
            return False
        return True

    def registered(self, name: str) -> Certificate:
        """
        A device that came by itself, through DPS.
        """
        leaf = self.maker.leaf(name)
        assert self.connects(name, leaf)
        return leaf


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    inside = AzureInside()
    for module in (azure_command, azure_place):
        monkeypatch.setattr(module, "Azure", lambda _: inside.azure)
    (tmp_path / "regions.toml").write_text(
        '[defaults]\ntoken_key_url = "https://cloudid.example/key.pem"\n'
        '[azure.westeurope]\nca_certificates = ["ca.pem"]\n'
    )
    monkeypatch.setenv("FIRSTLIGHT_REGIONS_FILE", str(tmp_path / "regions.toml"))
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", _SUBSCRIPTION)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "host.json").write_text("{}")
    monkeypatch.setattr(azure_command, "_bundle", lambda _: bundle)
    return Site(inside, tmp_path, runner(monkeypatch, capsys))


def rows(ran: Ran) -> dict[str, str]:
    """
    Return what each became, by its name.
    """
    return {row["name"]: row["became"] for row in map(json.loads, ran.out.splitlines())}


def changes(site: Site) -> list[str]:
    """
    Return what was asked of Azure that does not only read.
    """
    assert site.inside.seen
    return [one for one in site.inside.seen if not one.startswith("GET ") and not one.endswith("/query")]


def test_devices_are_listed(site: Site) -> None:
    """
    By the start of the name, by state, by the CA below which DPS registered them; page after page.
    """
    names = {site.pushed()[0] for _ in range(3)}
    site.registered("sensor-1")
    site.hub.devices["by-key"] = Device("by-key", kind="sas")
    site.hub.devices["sensor-1"].enabled = False

    every = site.run("devices", "list", *_AT, "--json")
    off = site.run("devices", "list", *_AT, "--state", "disabled", "--prefix", "sens")
    below = site.run("devices", "list", *_AT, "--issuer", site.ca)
    wrong = site.run("devices", "list", *_AT, "--state", "ACTIVE")

    assert {*names, "sensor-1"} == {json.loads(line)["name"] for line in every.out.splitlines()}
    assert "sensor-1" in off.out
    assert "firstlight: 1 device." in off.said
    assert ["sensor-1"] == [line.split()[1] for line in below.out.splitlines()]
    assert "by-key" in site.run("devices", "list", *_AT, "--all").out
    assert (2, True) == (wrong.code, "'ACTIVE' is no state of a device here." in wrong.said)


def test_a_long_list_is_read_page_by_page(site: Site) -> None:
    """
    A thousand a page.
    """
    for number in range(2500):
        device = Device(f"d{number}")
        device.kind = "selfSigned"
        site.hub.devices[device.id] = device

    listed = site.run("devices", "list", *_AT)

    assert (2500, 3) == (len(listed.out.splitlines()), site.inside.seen.count("POST /devices/query"))


def test_a_device_is_shown_by_its_name_or_certificate(site: Site) -> None:
    """
    Identity, thumbprint, tags, and what DPS did for it.
    """
    leaf = site.registered("sensor-1")
    site.hub.devices["sensor-1"].twin.tags = {"lot": "7"}
    pki.write_certificate(site.folder / "device.pem", leaf)
    name, pushed = site.pushed()
    pki.write_certificate(site.folder / "pushed.pem", pushed)

    facts = site.run("devices", "show", "sensor-1", *_AT, "--json").json

    assert ("enabled", [leaf.fingerprint], {"lot": "7"}) == (facts["status"], facts["thumbprints"], facts["tags"])
    assert (site.hub.host, "assigned") == (facts["endpoint"], facts["registration"]["status"])
    assert facts == site.run("devices", "show", "--cert", site.folder / "device.pem", *_AT, "--json").json
    assert name == site.run("devices", "show", "--cert", site.folder / "pushed.pem", *_AT, "--json").json["name"]
    assert "There is no device nobody" in site.run("devices", "show", "nobody", *_AT).said


def test_a_device_is_switched_off_and_on(site: Site) -> None:
    """
    Its thumbprint stays what it was.
    """
    name, leaf = site.pushed()

    off = site.run("devices", "disable", name, "nobody", *_AT, "--json")
    assert ({name: "DISABLED", "nobody": "ERROR"}, 1) == (rows(off), off.code)
    assert (False, leaf.fingerprint.upper()) == (site.hub.devices[name].enabled, site.hub.devices[name].primary)
    assert {name: "UNCHANGED"} == rows(site.run("devices", "disable", name, *_AT, "--json"))
    assert {name: "ENABLED"} == rows(site.run("devices", "enable", name, *_AT, "--json"))
    assert site.hub.devices[name].enabled


def test_a_retired_device_does_not_come_back_through_dps(site: Site) -> None:
    """
    Its group would register it again: a disabled enrollment of its own outranks that.  --forget lets it.
    """
    leaf = site.registered("Sensor-1")

    foreseen = site.run("devices", "retire", "Sensor-1", *_AT)
    assert ("would have disabled the enrollment sensor-1" in foreseen.out, ["Sensor-1"]) == (True, [*site.hub.devices])
    done = site.run("devices", "retire", "Sensor-1", *_AT, "--yes")
    assert ("keeps it out of DPS" in done.out, {}, {}) == (True, site.hub.devices, site.dps.assignments)
    assert not site.connects("Sensor-1", leaf)
    assert {"Sensor-1": "ABSENT"} == rows(site.run("devices", "retire", "Sensor-1", *_AT, "--yes", "--json"))

    pki.write_certificate(site.folder / "retired.pem", leaf)
    unknown = site.run("devices", "retire", "--cert", site.folder / "retired.pem", *_AT, "--yes", "--forget")
    assert "one that was retired before is forgotten by its name." in unknown.out
    forgotten = site.run("devices", "retire", "Sensor-1", *_AT, "--yes", "--forget", "--json")
    assert ({"Sensor-1": "RETIRED"}, {}) == (rows(forgotten), site.dps.enrollments)
    assert site.connects("Sensor-1", leaf)


def test_a_retired_device_takes_no_other_with_it(site: Site) -> None:
    """
    DPS knows no upper case and goes by the common name: what it registered for another device stays.
    """
    site.registered("sensor-1")
    namesake = site.maker.leaf("sensor-1")
    pki.write_certificate(site.folder / "namesake.pem", namesake)
    for name, leaf in (("Sensor-1", site.maker.leaf()), (namesake.serial, namesake)):
        site.hub.devices[name] = Device(name, kind="selfSigned", primary=leaf.fingerprint.upper())

    refused = site.run("devices", "retire", "--cert", site.folder / "namesake.pem", *_AT, "--yes", "--json")
    named = site.run("devices", "retire", "Sensor-1", namesake.serial, *_AT, "--yes", "--json")

    assert ({namesake.fingerprint: "ERROR"}, 1) == (rows(refused), refused.code)
    assert "the registration id of another device, sensor-1" in refused.out
    assert {"Sensor-1": "RETIRED", namesake.serial: "RETIRED"} == rows(named)
    assert (["sensor-1"], ["sensor-1"]) == ([*site.hub.devices], [*site.dps.assignments])
    assert [namesake.serial.lower()] == [*site.dps.enrollments]


def test_a_certificate_with_two_identities_loses_both(site: Site) -> None:
    """
    Pushed, and registered by DPS under its common name: retired or disabled by its certificate it is out.
    """
    leaf = site.registered("sensor-1")
    site.hub.devices[leaf.serial] = Device(leaf.serial, kind="selfSigned", primary=leaf.fingerprint.upper())
    pki.write_certificate(site.folder / "device.pem", leaf)

    off = site.run("devices", "disable", "--cert", site.folder / "device.pem", *_AT)
    assert (0, [False, False]) == (off.code, [device.enabled for device in site.hub.devices.values()])
    done = site.run("devices", "retire", "--cert", site.folder / "device.pem", *_AT, "--yes")

    assert (0, {}, {}) == (done.code, site.hub.devices, site.dps.assignments)
    assert not site.connects("sensor-1", leaf)


def test_a_crash_between_any_two_calls_loses_nothing(site: Site) -> None:
    """
    Refused after one call, after two, and so on: the next run leaves the enrollment and nothing else.
    """
    for calls in range(20):
        site.dps.enrollments.clear()
        site.registered("sensor-1")
        left = iter(range(calls))
        site.inside.fault = lambda _, left=left: None if next(left, None) is not None else (503, {}, "{}")
        whole = site.run("devices", "retire", "sensor-1", *_AT, "--yes", "--json")
        site.inside.fault = lambda _: None
        again = site.run("devices", "retire", "sensor-1", *_AT, "--yes", "--json")

        assert {"sensor-1"} == set(rows(again))
        assert ({}, {}, ["sensor-1"]) == (site.hub.devices, site.dps.assignments, [*site.dps.enrollments])
        if whole.code == 0:
            return
    raise AssertionError("it never came to an end")


def test_a_ca_is_taken_out_of_use(site: Site) -> None:
    """
    Its group is disabled, its devices are listed, disabled if so asked; with --delete it is gone everywhere.
    """
    leaf = site.registered("sensor-1")
    (group,) = site.dps.groups

    site.inside.seen.clear()
    foreseen = site.run("ca", "retire", site.ca, *_AT, "--disable-devices", "--delete", "--json")
    assert [] == changes(site)
    assert {"FORESEEN"} == set(rows(foreseen).values())
    assert site.connects("sensor-1", leaf)

    done = site.run("ca", "retire", site.ca, *_AT, "--yes", "--json")
    assert {f"enrollment group {group}": "DISABLED", "sensor-1": "UNCHANGED"} == rows(done)
    assert not site.connects("sensor-2", site.maker.leaf("sensor-2"))

    deleted = site.run("ca", "retire", site.ca, *_AT, "--disable-devices", "--delete", "--yes", "--json")
    assert ["DISABLED", "DELETED", "DELETED", "DELETED"] == list(rows(deleted).values())
    assert ({}, {}, {}) == (site.dps.groups, site.dps.certificates, site.hub.certificates)
    assert not site.hub.devices["sensor-1"].enabled
    assert "nothing to search" in site.run("ca", "retire", site.ca, *_AT, "--search").said


def test_an_intermediate_ca_is_taken_out_of_use(site: Site) -> None:
    """
    A group has its certificate and is called anything.  A CA that nothing is for is not silently retired.
    """
    line = Factory("Line 4", now=datetime.now(UTC))
    pki.write_certificate(site.folder / "line.pem", line.ca)
    created = site.run(
        "azure", "enrollment-group", "create", "fourth", "--intermediate", site.folder / "line.pem", *_AT[2:]
    )
    assert 0 == created.code, created

    done = site.run("ca", "retire", site.folder / "line.pem", *_AT, "--yes", "--delete", "--json")
    unknown = site.run("ca", "retire", site.folder / "line.pem", *_AT, "--yes")

    assert ["DISABLED", "DELETED"] == [row["became"] for row in map(json.loads, done.out.splitlines())], done
    assert "fourth" not in site.dps.groups
    assert (1, True) == (unknown.code, "is for the CA CN=Line 4" in unknown.said)


def test_devices_that_another_hub_has_are_left_alone(site: Site) -> None:
    """
    DPS may send devices to more hubs than this deployment's: what it did for those stays, whatever they are called.
    """
    site.registered("sensor-1")
    site.dps.assignments["sensor-1"].hub_host = "other.azure-devices.net"

    listed = site.run("ca", "retire", site.ca, *_AT, "--disable-devices", "--yes", "--json")
    retired = site.run("devices", "retire", "sensor-1", *_AT, "--yes", "--json")

    assert "sensor-1" not in rows(listed)
    assert {"sensor-1": "RETIRED"} == rows(retired)
    assert ["sensor-1"] == [*site.dps.assignments]


def test_what_somebody_changed_meanwhile_is_not_overwritten(site: Site) -> None:
    """
    Between reading an identity and writing it.
    """
    name, _ = site.pushed()

    def meddle(request: PreparedRequest) -> None:
        if request.method == "PUT":
            site.hub.devices[name].etag = "somebody-elses"

    site.inside.fault = meddle
    off = site.run("devices", "disable", name, *_AT, "--json")

    assert ({name: "ERROR"}, 1, True) == (rows(off), off.code, site.hub.devices[name].enabled)


def test_a_ca_stays_while_its_devices_are_not_off(site: Site) -> None:
    """
    Deleted, its group could tell no more whom it registered.
    """
    site.registered("sensor-1")
    site.inside.fault = lambda request: (503, {}, "{}") if "/devices/sensor-1" in str(request.url) else None

    broken = site.run("ca", "retire", site.ca, *_AT, "--disable-devices", "--delete", "--yes", "--json")
    site.inside.fault = lambda _: None
    again = site.run("ca", "retire", site.ca, *_AT, "--disable-devices", "--delete", "--yes", "--json")

    assert (1, "ERROR") == (broken.code, rows(broken)["sensor-1"])
    assert "stays, since its devices are found by it" in broken.out
    assert (0, "DISABLED", {}) == (again.code, rows(again)["sensor-1"], site.dps.groups)


def test_a_region_is_drained(site: Site) -> None:
    """
    Devices, groups, enrollments and CA certificates; deploying again makes what the template and regions.toml name.
    """
    name, _ = site.pushed()
    leaf = site.registered("sensor-1")
    assert 0 == site.run("devices", "retire", "sensor-1", *_AT, "--yes").code
    site.registered("sensor-2")

    kept = site.run("drain", *_AT, "--keep-devices", "--yes")
    site.inside.seen.clear()
    foreseen = site.run("drain", *_AT)
    assert [] == changes(site)
    drained = site.run("drain", *_AT, "--yes", "--json")

    assert (1, True) == (kept.code, "2 devices are there, and nothing was done" in kept.said)
    assert (0, True) == (foreseen.code, "--yes does it" in foreseen.said)
    assert 0 == drained.code, drained
    assert {name: "RETIRED", "sensor-2": "RETIRED", "enrollment sensor-1": "DELETED"}.items() <= rows(drained).items()
    assert ({}, {}, {}) == (site.hub.devices, site.hub.certificates, site.dps.certificates)
    assert ({}, {}, {}) == (site.dps.groups, site.dps.enrollments, site.dps.assignments)
    assert "nothing to do" in site.run("drain", *_AT, "--yes").said
    assert 0 == site.run("azure", "deploy", "--region", "westeurope").code
    assert site.connects("sensor-1", leaf)
