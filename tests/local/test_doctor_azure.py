"""
`firstlight doctor` on the laptop's Azure: each situation is built for real, and the right cause comes first.
"""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from firstlight import pki
from firstlight.azure_clients import Azure
from firstlight.doctor.azure_case import Told
from firstlight.doctor.diagnosis import Diagnosis, Verdict
from firstlight.local.azure_cloud.refusals import Why
from firstlight.verify.azure_target import Papers
from tests.command_line import Firstlight, Ran, runner
from tests.local.doctor_azure import REGION, Bench, Shown, bench, papers

# the SDK's own, of its MQTT client
pytestmark = [
    pytest.mark.filterwarnings("ignore:Callback API version 1 is deprecated"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("doctor")) as running:
        yield running


class Situation(NamedTuple):
    """
    `why` is what the laptop's log says of the device; None where it does not get that far.
    """

    sentence: str
    code: str
    why: Why | None
    build: Callable[[Bench], Shown]


def enrolled(laptop: Bench, **how: Any) -> Shown:
    """
    A device whose maker's root is uploaded and enrolled; it sends its chain.
    """
    maker = laptop.maker()
    laptop.enroll_group(laptop.upload(maker), **how)
    return Shown(papers=laptop.shown(maker, laptop.new_name(), maker.intermediate), told=laptop.through_dps)


def pushed(laptop: Bench, common_name: str | None = None) -> tuple[Shown, str]:
    """
    A device that the hub knows by its thumbprint, and its id.
    """
    name = laptop.new_name()
    shown = laptop.shown(laptop.maker(), common_name or name)
    laptop.register(name, shown.chain[0])
    return Shown(papers=shown, told=laptop.to_hub, name=name), name


def another_scope(laptop: Bench) -> Shown:
    return replace(enrolled(laptop), told=Told(id_scope="0ne00000000"))


def another_hub(laptop: Bench) -> Shown:
    return replace(pushed(laptop)[0], told=Told(hub=laptop.second_hub()))


def nobody_there(laptop: Bench) -> Shown:
    return replace(pushed(laptop)[0], told=Told(hub="nobody.example.com"))


def aged(first: int, last: int) -> Callable[[Bench], Shown]:
    def build(laptop: Bench) -> Shown:
        maker, name, key, now = laptop.maker(days_ago=60), laptop.new_name(), pki.new_key(), datetime.now(UTC)
        certificate = pki.issue_device(
            ca=maker.intermediate,
            ca_key=maker.key,
            key_or_public_key=key,
            common_name=name,
            days=last - first,
            now=now + timedelta(days=first),
        )
        laptop.register(name, certificate)
        return Shown(papers=papers(certificate, key), told=laptop.to_hub, name=name)

    return build


def named(common_name: str, *, registers_as: str = "") -> Callable[[Bench], Shown]:
    def build(laptop: Bench) -> Shown:
        maker = laptop.maker()
        laptop.enroll_group(laptop.upload(maker))
        shown = laptop.shown(maker, common_name, maker.intermediate)
        return Shown(papers=shown, told=laptop.through_dps, name=registers_as or laptop.new_name())

    return build


def own_disabled(laptop: Bench) -> Shown:
    shown = enrolled(laptop)
    leaf = shown.papers.chain[0]
    laptop.enroll(str(leaf.common_name), leaf, enabled=False)
    return shown


def was_retired(laptop: Bench) -> Shown:
    shown = enrolled(laptop)
    leaf = shown.papers.chain[0]
    laptop.register(str(leaf.common_name), leaf)
    laptop.retire(str(leaf.common_name))
    return shown


def own_of_another(laptop: Bench) -> Shown:
    shown = enrolled(laptop)
    name = str(shown.papers.chain[0].common_name)
    laptop.enroll(name, laptop.maker().device(name)[0])
    return shown


def leaf_alone(laptop: Bench) -> Shown:
    shown = enrolled(laptop)
    return replace(shown, papers=shown.papers.leaf_alone)


def nothing_uploaded(laptop: Bench) -> Shown:
    maker = laptop.maker()
    shown = laptop.shown(maker, laptop.new_name(), maker.intermediate, maker.root.ca)
    return Shown(papers=shown, told=laptop.through_dps)


def not_verified(laptop: Bench) -> Shown:
    maker = laptop.maker()
    laptop.enroll_group(laptop.upload(maker, verified=False))
    return Shown(papers=laptop.shown(maker, laptop.new_name(), maker.intermediate), told=laptop.through_dps)


def old_intermediate(laptop: Bench) -> Shown:
    maker = laptop.maker(days_ago=60)
    maker.intermediate = pki.create_ca(
        "Old Intermediate", key=maker.key, days=30, issuer=(maker.root.ca, maker.root.key), now=maker.root.now
    )
    laptop.enroll_group(laptop.upload(maker))
    key, name = pki.new_key(), laptop.new_name()
    # a CA of the same key and name that has not expired signs it: else it would have expired, too
    fresh = pki.create_ca(
        "Old Intermediate", key=maker.key, issuer=(maker.root.ca, maker.root.key), now=datetime.now(UTC)
    )
    certificate = pki.issue_device(
        ca=fresh, ca_key=maker.key, key_or_public_key=key, common_name=name, now=datetime.now(UTC)
    )
    return Shown(papers=papers(certificate, key, maker.intermediate), told=laptop.through_dps)


def no_group(laptop: Bench) -> Shown:
    maker = laptop.maker()
    laptop.upload(maker)
    return Shown(papers=laptop.shown(maker, laptop.new_name(), maker.intermediate), told=laptop.through_dps)


def group_disabled(laptop: Bench) -> Shown:
    return enrolled(laptop, enabled=False)


def no_hub(laptop: Bench) -> Shown:
    return replace(enrolled(laptop), undo=laptop.unlink())


def not_registered(laptop: Bench) -> Shown:
    name = laptop.new_name()
    return Shown(papers=laptop.shown(laptop.maker(), name), told=laptop.to_hub)


def upper_case(laptop: Bench) -> Shown:
    shown, name = pushed(laptop)
    return replace(shown, name=name.upper())


def disabled(laptop: Bench) -> Shown:
    shown, name = pushed(laptop)
    laptop.disable(name)
    return shown


def disabled_behind_dps(laptop: Bench) -> Shown:
    shown = enrolled(laptop)
    name = str(shown.papers.chain[0].common_name)
    laptop.register(name, shown.papers.chain[0])
    laptop.disable(name)
    return shown


def rolled(laptop: Bench) -> Shown:
    shown, name = pushed(laptop)
    return replace(shown, papers=laptop.shown(laptop.maker(), name))


def by_key(laptop: Bench) -> Shown:
    name = laptop.new_name()
    laptop.register(name, kind="sas")
    return Shown(papers=laptop.shown(laptop.maker(), name), told=laptop.to_hub)


def by_ca(*, chain: bool = True, verified: bool = True, as_somebody: bool = False) -> Callable[[Bench], Shown]:
    def build(laptop: Bench) -> Shown:
        maker, name = laptop.maker(), laptop.new_name()
        laptop.upload(maker, verified=verified, to="hub")
        laptop.register(name, kind="certificateAuthority")
        issued = laptop.new_name() if as_somebody else name
        return Shown(
            papers=laptop.shown(maker, issued, *([maker.intermediate] if chain else [])), told=laptop.to_hub, name=name
        )

    return build


SITUATIONS = (
    Situation("nothing answers at the hub's name", "endpoint-out-of-reach", None, nobody_there),
    Situation("the id scope is another DPS's", "id-scope-differs", Why.HOST, another_scope),
    Situation("the device was given another hub", "hub-differs", Why.UNKNOWN, another_hub),
    Situation("the certificate has expired", "certificate-expired", Why.DATES, aged(-30, -1)),
    Situation("the certificate is not valid yet", "certificate-not-yet-valid", Why.DATES, aged(2, 30)),
    Situation("the common name is two quotes", "common-name-unusable", Why.COMMON_NAME, named('""')),
    Situation("the common name has a blank", "common-name-unusable", Why.COMMON_NAME, named("has a blank")),
    Situation(
        "the registration id is another name",
        "common-name-differs",
        Why.COMMON_NAME,
        named("sensor-a", registers_as="sensor-b"),
    ),
    Situation(
        "its own enrollment is disabled",
        "enrollment-disabled",
        Why.DISABLED,
        own_disabled,
    ),
    Situation("the device was retired", "enrollment-disabled", Why.DISABLED, was_retired),
    Situation(
        "its own enrollment is of another certificate",
        "enrollment-of-another",
        Why.THUMBPRINT,
        own_of_another,
    ),
    Situation("the device sends no chain", "chain-not-sent", Why.CHAIN, leaf_alone),
    Situation("the CA is not uploaded", "ca-not-uploaded", Why.CA_UNKNOWN, nothing_uploaded),
    Situation("the CA is not verified", "ca-not-verified", Why.CA_UNVERIFIED, not_verified),
    Situation("the intermediate has expired", "ca-out-of-date", Why.DATES, old_intermediate),
    Situation("no enrollment group is for the CA", "no-enrollment-group", Why.ENROLLMENT, no_group),
    Situation("the enrollment group is disabled", "enrollment-group-disabled", Why.DISABLED, group_disabled),
    Situation("no hub is linked to the DPS", "hub-not-linked", Why.NO_HUB, no_hub),
    Situation("the hub does not know the device", "device-unknown", Why.UNKNOWN, not_registered),
    Situation("the device id is in upper case", "case-differs", Why.CASE, upper_case),
    Situation("an operator disabled the device", "device-disabled", Why.DISABLED, disabled),
    Situation("the device is disabled, and DPS sends it on", "device-disabled", Why.DISABLED, disabled_behind_dps),
    Situation("the certificate was renewed", "thumbprint-differs", Why.THUMBPRINT, rolled),
    Situation("the hub knows the device by a key", "authenticates-otherwise", Why.KIND, by_key),
    Situation("known by its CA, and no chain", "chain-not-sent", Why.CHAIN, by_ca(chain=False)),
    Situation("known by its CA, which is not verified", "ca-not-verified", Why.CA_UNVERIFIED, by_ca(verified=False)),
    Situation(
        "known by its CA, and another common name", "common-name-differs", Why.COMMON_NAME, by_ca(as_somebody=True)
    ),
)


@pytest.mark.parametrize("situation", SITUATIONS, ids=[s.sentence for s in SITUATIONS])
def test_the_first_cause_is_the_right_one(laptop: Bench, situation: Situation) -> None:
    """
    The device connects with the vendor's SDK and is refused for that very reason; the finding says how to mend it.
    """
    shown = situation.build(laptop)
    try:
        diagnosis = laptop.diagnose(shown)
    finally:
        shown.undo()
    first = diagnosis.findings[0]

    assert (situation.code, True, Verdict.BLOCKED) == (first.code, first.certain, diagnosis.verdict)
    assert first.mend or first.advice
    if situation.why is not None:
        assert diagnosis.connection is not None
        assert not diagnosis.connection.online
        assert f"REFUSED {situation.why}:" in laptop.last_refusal


MENDED = [
    s
    for s in SITUATIONS
    if s.code in {"ca-not-verified", "no-enrollment-group", "device-disabled"} or s.build is was_retired
]


@pytest.mark.parametrize("situation", MENDED, ids=[s.sentence for s in MENDED])
def test_the_command_that_is_named_mends_it(
    laptop: Bench,
    situation: Situation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """
    Word for word, beside the maker's ca.pem; nothing stands in the way then.
    """
    for name, value in laptop.addresses.environment.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIRSTLIGHT_REGIONS_FILE", str(laptop.log_file.parents[1] / "regions.toml"))
    shown = situation.build(laptop)
    (tmp_path / "ca.pem").write_text(laptop.last_maker.root.ca.pem)
    program, *words = shlex.split(laptop.diagnose(shown, connect=False).findings[0].mend[0])
    assert "firstlight" == program

    ran = runner(monkeypatch, capsys)(*words)

    assert 0 == ran.code, ran.said
    mended = laptop.diagnose(shown, connect=False)
    assert (Verdict.HEALTHY, ()) == (mended.verdict, mended.findings)


def test_nothing_stands_in_the_way_of_a_pushed_device(laptop: Bench) -> None:
    """
    In factory shape: its common name is two quotes, and the hub knows its thumbprint.  Nobody says where it goes.
    """
    shown, name = pushed(laptop, '""')
    by_itself = replace(shown, told=Told())

    diagnosis = laptop.diagnose(by_itself)

    assert (Verdict.HEALTHY, (), ()) == (diagnosis.verdict, diagnosis.findings, diagnosis.unread)
    assert name == diagnosis.device
    assert {"device-unknown", "thumbprint-differs", "device-disabled", "connection-refused"} < _seen(diagnosis)


def test_nothing_stands_in_the_way_of_a_device_that_is_known_by_its_ca(laptop: Bench) -> None:
    """
    It sends its chain, up to a CA that the hub has seen proven.
    """
    diagnosis = laptop.diagnose(by_ca()(laptop))

    assert (Verdict.HEALTHY, (), ()) == (diagnosis.verdict, diagnosis.findings, diagnosis.unread)
    assert {"ca-not-verified", "common-name-differs"} < _seen(diagnosis)


@pytest.mark.parametrize("connect", [False, True], ids=["without its key", "with its key"])
def test_nothing_stands_in_the_way_of_a_device_nobody_knows_yet(laptop: Bench, *, connect: bool) -> None:
    """
    Its group and its chain are there; with its key it registers, and is online.
    """
    shown = enrolled(laptop)

    diagnosis = laptop.diagnose(replace(shown, told=Told()), connect=connect)

    assert (Verdict.HEALTHY, (), ()) == (diagnosis.verdict, diagnosis.findings, diagnosis.unread)
    assert {"ca-not-verified", "no-enrollment-group", "hub-not-linked"} < _seen(diagnosis)
    assert connect is (diagnosis.connection is not None)


def test_an_intermediate_of_its_own_makes_a_group(laptop: Bench) -> None:
    """
    The group has the intermediate, the service the root above it, and the device sends the intermediate.
    """
    maker = laptop.maker()
    laptop.upload(maker)
    laptop.enroll_group(laptop.new_name(), intermediate=maker.intermediate)
    shown = Shown(papers=laptop.shown(maker, laptop.new_name(), maker.intermediate), told=laptop.through_dps)

    diagnosis = laptop.diagnose(shown, connect=False)

    assert (Verdict.HEALTHY, ()) == (diagnosis.verdict, diagnosis.findings)


def test_a_renewed_certificate_is_told_to_register_again(laptop: Bench) -> None:
    """
    DPS knows the device: what it has to do is said.  Through DPS that is nothing but a remark.
    """
    before = enrolled(laptop)
    name = str(before.papers.chain[0].common_name)
    laptop.diagnose(before)
    maker = laptop.maker()
    laptop.enroll_group(laptop.upload(maker))
    renewed = Shown(papers=laptop.shown(maker, name, maker.intermediate), name=name)

    direct = laptop.diagnose(replace(renewed, told=laptop.to_hub), connect=False)
    through = laptop.diagnose(replace(renewed, told=laptop.through_dps), connect=False)

    assert ("thumbprint-differs", True) == (direct.findings[0].code, direct.findings[0].certain)
    assert direct.findings[0].advice.startswith("Was it renewed? Then let the device register with the DPS again")
    assert [("thumbprint-differs", False)] == [(finding.code, finding.certain) for finding in through.findings]
    assert Verdict.HEALTHY is through.verdict


def test_what_may_not_be_read_is_said_and_not_guessed(laptop: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The function app may read the hub's devices and no more: the DPS is not known, and the device is.
    """
    for name, value in laptop.addresses.function_environment.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    narrow = Azure(laptop.addresses.subscription)
    shown, name = pushed(laptop)
    laptop.disable(name)

    of_the_hub = laptop.diagnose(shown, connect=False, azure=narrow)
    of_the_dps = laptop.diagnose(replace(enrolled(laptop), told=laptop.through_dps), connect=False, azure=narrow)

    assert ["device-disabled"] == [finding.code for finding in of_the_hub.findings]
    assert (Verdict.UNDECIDED, ()) == (of_the_dps.verdict, of_the_dps.findings)
    (one,) = of_the_dps.unread
    assert one.problem.startswith("could not read the deployment: the identity in use may not do ")
    assert {"id-scope-differs", "ca-not-verified", "no-enrollment-group", "device-disabled"} <= set(one.codes)


@pytest.fixture
def firstlight(
    laptop: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Firstlight:
    for name, value in laptop.addresses.environment.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    run = runner(monkeypatch, capsys)
    trust = ("--proxy", laptop.addresses.proxy_url, "--ca-file", laptop.addresses.ca_file)
    where = ("--cloud", "azure", "--regions-file", laptop.log_file.parents[1] / "regions.toml", *trust)

    def doctor(shown: Papers, *options: object) -> Ran:
        (tmp_path / "device.pem").write_bytes(shown.cert_pem)
        (tmp_path / "device.key").write_bytes(shown.key_pem)
        return run("doctor", "--cert", tmp_path / "device.pem", *where, *options)

    return doctor


def test_the_command_says_what_it_found_and_what_is_fine(laptop: Bench, firstlight: Firstlight, tmp_path: Path) -> None:
    """
    A region of regions.toml, the region's deployment, and the exit status: 0 nothing, 1 something, 2 asked wrongly.
    """
    good, (bad, name) = pushed(laptop)[0], pushed(laptop)
    laptop.disable(name)

    healthy = firstlight(good.papers, "--key", tmp_path / "device.key")
    blocked = firstlight(bad.papers, "--region", REGION)
    told = firstlight(bad.papers, "--json", "--endpoint", laptop.addresses.hub)
    wrong = firstlight(bad.papers, "--region", "nowhere")

    assert (0, 1, 1, 2) == (healthy.code, blocked.code, told.code, wrong.code), healthy.said
    assert healthy.out.endswith("Nothing stands in the way.\n")
    assert "1. The device is switched off in the hub: device-disabled\n" in blocked.out
    assert f"   $ firstlight devices enable {name} --cloud azure --region {REGION}\n" in blocked.out
    assert ("azure", "blocked", "device-disabled") == (
        told.json["cloud"],
        told.json["verdict"],
        told.json["findings"][0]["code"],
    )


def _seen(diagnosis: Diagnosis) -> set[str]:
    return {code for code, _ in diagnosis.fine}
