"""
The checks, against a cloud in memory on a clock of the tests' own.
"""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from firstlight.errors import SessionError
from firstlight.jitp.names import is_thing_name
from firstlight.verify.checks import EVERYTHING, FIRST_LIGHT, FORBIDDEN, PAYLOAD, WANTED, Checks, other_than, own_topic
from firstlight.verify.examination import Examination
from firstlight.verify.reasons import Reason, closed
from firstlight.verify.report import Check, MqttVersion, Outcome
from firstlight.verify.retry import CLOUD, Timing

NAME = "dev-1"
OWN = own_topic(NAME)


def error(reason: Reason) -> SessionError:
    return SessionError(f"the cloud said {reason}", reason=reason)


@dataclass
class Cloud:
    """
    A cloud with one device; each rule returns the reason it refuses with, or None.
    """

    connect: Callable[[str, int], Reason | None] = lambda client_id, _: None if client_id == NAME else Reason.CLOSED
    act: Callable[[str, str], Reason | None] = lambda _, topic: None if topic == OWN else Reason.NOT_AUTHORIZED
    delivers: bool = True
    now: float = 0.0
    connects: list[tuple[float, MqttVersion, str]] = field(default_factory=list)
    sessions: int = 0
    said: list[str] = field(default_factory=list)

    def dial(self, version: MqttVersion, client_id: str) -> "Session":
        return Session(self, version, client_id)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def examine(
        self,
        checks: Checks = EVERYTHING,
        *,
        blocked: SessionError | None = None,
        suspicion: SessionError | None = None,
    ) -> dict[tuple[str, str], Check]:
        examination = Examination(
            client_id=NAME,
            dial=self.dial,
            blocked=blocked,
            suspicion=suspicion,
            checks=checks,
            timeout=60,
            answer=10,
            pace=CLOUD,
            timing=Timing(lambda: self.now, self.sleep, lambda: 1.0),
            watch=self.said.append,
        )
        found = asyncio.run(examination.run())
        assert 0 == self.sessions, "a session was left open"
        return {(c.version, c.name): c for c in found}


@dataclass
class Session:
    cloud: Cloud
    version: MqttVersion
    client_id: str
    subscriptions: set[str] = field(default_factory=set)
    open_: bool = False
    held: bool = False

    async def open(self) -> None:
        self.held = True
        self.cloud.sessions += 1
        self.cloud.connects.append((self.cloud.now, self.version, self.client_id))
        self.cloud.now += 0.1
        if reason := self.cloud.connect(self.client_id, len(self.cloud.connects)):
            raise closed() if reason is Reason.CLOSED else error(reason)

    async def subscribe(self, topic: str) -> None:
        self._act("subscribe", topic)
        self.subscriptions.add(topic)

    async def publish(self, topic: str, payload: bytes) -> None:
        assert {"success": "JITP works!"} == json.loads(payload)
        self._act("publish", topic)

    async def receive(self, topic: str, payload: bytes) -> None:
        assert (OWN, PAYLOAD) == (topic, payload)
        if not self.cloud.delivers or topic not in self.subscriptions:
            raise error(Reason.NO_MESSAGE)

    async def close(self) -> None:
        self.cloud.sessions -= self.held
        self.held = False

    def _act(self, verb: str, topic: str) -> None:
        self.cloud.now += 0.1
        if reason := self.cloud.act(verb, topic):
            raise error(reason)


def outcomes(found: dict[tuple[str, str], Check]) -> set[Outcome]:
    return {c.outcome for c in found.values()}


def test_a_well_kept_cloud_passes_everything() -> None:
    """
    Each of the checks runs in each version, in order, and passes.
    """
    found = Cloud().examine()

    names = [c.name for c in (*WANTED, *FORBIDDEN)]
    assert [(v, n) for v in ("5", "3.1.1") for n in names] == list(found)
    assert {Outcome.PASSED} == outcomes(found)


def test_first_light_is_one_connection() -> None:
    cloud = Cloud()
    found = cloud.examine(FIRST_LIGHT)

    assert [c.name for c in WANTED] == [name for _, name in found]
    assert [(0.0, MqttVersion.V5, NAME)] == cloud.connects


def test_every_forbidden_thing_has_a_connection_of_its_own() -> None:
    cloud = Cloud()
    cloud.examine(Checks(versions=(MqttVersion.V311,)))

    assert 1 + len(FORBIDDEN) == len(cloud.connects)


def test_connects_of_one_client_id_keep_apart() -> None:
    """
    AWS IoT takes one CONNECT a second from a client id.
    """
    cloud = Cloud()
    cloud.examine()
    times = [at for at, _, client_id in cloud.connects if client_id == NAME]

    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 1.1 - 1e-9


def test_the_first_connect_of_a_new_device_is_closed() -> None:
    """
    Just-in-time provisioning: closed, tried again, online; the report has both attempts and so has whoever watches.
    """
    cloud = Cloud(connect=lambda client_id, n: Reason.CLOSED if n == 1 or client_id != NAME else None)
    found = cloud.examine()

    online = found["5", "online"]
    assert [Reason.CLOSED, ""] == [a.reason for a in online.attempts]
    assert "closed by the cloud before CONNACK: just-in-time provisioning" in online.attempts[0].detail
    assert "on attempt 2" in online.detail
    assert "at once" == found["3.1.1", "online"].detail
    assert "MQTT 5, dev-1, attempt 1: closed by the cloud before CONNACK" in cloud.said[0]
    assert {Outcome.PASSED} == outcomes(found)


def test_a_device_that_never_comes_online() -> None:
    """
    It is tried until the time is up; the other version gets its one try; nothing else is run.
    """
    cloud = Cloud(connect=lambda *_: Reason.CLOSED)
    found = cloud.examine()

    assert Reason.CLOSED == found["5", "online"].reason
    assert len(found["5", "online"].attempts) > 3
    assert 1 == len(found["3.1.1", "online"].attempts)
    assert {Outcome.NOT_RUN} == outcomes({k: c for k, c in found.items() if c.name != "online"})
    assert 60 <= cloud.now < 75


@pytest.mark.parametrize("verb", ["subscribe", "publish"])
def test_a_policy_that_is_too_narrow(verb: str) -> None:
    """
    What comes after it on the same connection is not run; what must fail still is.
    """
    found = Cloud(act=lambda v, topic: None if topic == OWN and v != verb else Reason.NOT_AUTHORIZED).examine()

    assert (Outcome.FAILED, Reason.NOT_AUTHORIZED) == (found["5", verb].outcome, found["5", verb].reason)
    assert f"{verb} failed" == found["5", "receive"].detail
    assert {Outcome.PASSED} == {found[v, c.name].outcome for v in ("5", "3.1.1") for c in FORBIDDEN}


def test_a_policy_without_receive() -> None:
    """
    The cloud acknowledges and stays silent: only the missing message tells.
    """
    found = Cloud(delivers=False).examine()

    assert {"receive"} == {c.name for c in found.values() if c.outcome is not Outcome.PASSED}
    assert Reason.NO_MESSAGE == found["5", "receive"].reason


def test_a_policy_that_is_too_wide_is_caught() -> None:
    """
    `*` on `*`: everything works, and so every check that must fail says no.
    """
    found = Cloud(connect=lambda *_: None, act=lambda *_: None).examine()

    assert {Outcome.PASSED} == {found[v, c.name].outcome for v in ("5", "3.1.1") for c in WANTED}
    assert {(Outcome.FAILED, Reason.ALLOWED)} == {
        (found[v, c.name].outcome, found[v, c.name].reason) for v in ("5", "3.1.1") for c in FORBIDDEN
    }


@pytest.mark.parametrize(
    ("let", "caught"),
    [
        (f"firstlight/{NAME}", {"other-publish", "other-subscribe"}),
        ("dt/", {"other-telemetry"}),
        ("cmd/", {"other-commands"}),
        ("#", {"everything"}),
    ],
)
def test_one_hole_is_one_failed_check(let: str, caught: set[str]) -> None:
    """
    A wildcard behind the device's own name is a hole too: another device's name may begin with it.
    """
    found = Cloud(
        act=lambda _, topic: None if topic.startswith(let) or topic == OWN else Reason.NOT_AUTHORIZED
    ).examine()

    assert caught == {c.name for c in found.values() if c.outcome is Outcome.FAILED}


def test_hanging_up_is_a_refusal() -> None:
    """
    MQTT 3.1.1 has no other way to refuse a publish.
    """
    found = Cloud(act=lambda _, topic: None if topic == OWN else Reason.CUT).examine()

    assert {Outcome.PASSED} == outcomes(found)


def test_a_connection_that_was_going_anyway_is_no_refusal() -> None:
    """
    A cloud that cuts every later connection at its first packet has refused nothing in particular.
    """
    acted = 0

    def act(_: str, __: str) -> Reason | None:
        nonlocal acted
        acted += 1
        return Reason.CUT if acted > 2 else None

    found = Cloud(act=act).examine(Checks(versions=(MqttVersion.V311,)))

    forbidden = [found["3.1.1", c.name] for c in FORBIDDEN if c.name != "other-client-id"]
    assert {(Outcome.FAILED, Reason.UNDECIDED)} == {(c.outcome, c.reason) for c in forbidden}


@pytest.mark.parametrize("reason", [Reason.NO_ANSWER, Reason.SDK])
def test_silence_is_no_refusal(reason: Reason) -> None:
    """
    A check that must fail passes only if the cloud said no.
    """
    found = Cloud(
        connect=lambda client_id, _: None if client_id == NAME else reason,
        act=lambda _, topic: None if topic == OWN else reason,
    ).examine()

    assert {(Outcome.FAILED, Reason.UNDECIDED)} == {
        (found[v, c.name].outcome, found[v, c.name].reason) for v in ("5", "3.1.1") for c in FORBIDDEN
    }


def test_what_blocks_everybody_is_said_without_connecting() -> None:
    cloud = Cloud()
    found = cloud.examine(blocked=error(Reason.PORT))

    assert [] == cloud.connects
    assert {Reason.PORT} == {c.reason for c in found.values() if c.name == "online"}
    assert {Outcome.FAILED, Outcome.NOT_RUN} == outcomes(found)


def test_what_the_sdk_finds_before_mqtt_holds_for_both_versions() -> None:
    cloud = Cloud(connect=lambda *_: Reason.TLS)
    found = cloud.examine()

    assert 1 == len(cloud.connects)
    assert {Reason.TLS} == {c.reason for c in found.values() if c.name == "online"}


def test_a_suspicion_explains_a_vague_failure() -> None:
    """
    Of a server it does not trust the SDK says nothing for a while; we know why, and do not try again.
    """
    cloud = Cloud(connect=lambda *_: Reason.NO_ANSWER)
    found = cloud.examine(suspicion=error(Reason.UNTRUSTED))

    assert Reason.UNTRUSTED == found["5", "online"].reason
    assert 1 == len(cloud.connects)


def test_a_suspicion_is_forgotten_when_the_sdk_knows_better() -> None:
    assert {Outcome.PASSED} == outcomes(Cloud().examine(suspicion=error(Reason.UNTRUSTED)))


@pytest.mark.parametrize("name", [NAME, "a" * 128, "x-other", "b" * 122 + "-other"])
def test_the_other_device_is_another_with_a_legal_name(name: str) -> None:
    other = other_than(name)

    assert other != name
    assert is_thing_name(other)
    assert other.startswith(name[:120])
