import asyncio
from collections.abc import Sequence
from dataclasses import replace

from firstlight.errors import CertificateError, InactiveError, ThrottledError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.provision import Admission, Candidate, Outcome, Registration, provision
from firstlight.registries.memory import MemoryRegistry
from tests.factory import Factory, at_noon


class _Listening(MemoryRegistry):
    """
    Remembers whom it was asked to register.
    """

    def __init__(self, asked: list[DeviceIdentity]) -> None:
        super().__init__()
        self._asked = asked

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        self._asked += devices
        return await super().register(devices, deadline=deadline)


def _provision(candidates: Sequence[Candidate], registry: MemoryRegistry) -> list[Outcome]:
    admission = Admission(rule=NamingRule())
    return asyncio.run(provision(candidates, registry, admission=admission, now=at_noon, deadline=0))


def _codes(outcomes: Sequence[Outcome]) -> list[str]:
    return [o.error.code if o.error else "ok" for o in outcomes]


def test_every_candidate_is_answered_in_order(factory: Factory) -> None:
    """
    Ten in, ten out, in the same order, each with its own ref.
    """
    candidates = factory.candidates(10)

    outcomes = _provision(candidates, MemoryRegistry())

    assert [c.ref for c in candidates] == [o.ref for o in outcomes]
    assert ["ok"] * 10 == _codes(outcomes)


def test_a_bad_candidate_never_stops_the_rest(factory: Factory) -> None:
    """
    The others do not pay for one.
    """
    registry = MemoryRegistry()
    good = factory.candidates(2)
    bad = [Candidate("no", b"nonsense"), Candidate("pre", error=CertificateError("cut short"))]

    outcomes = _provision([good[0], *bad, good[1]], registry)

    assert ["ok", "certificate", "certificate", "ok"] == _codes(outcomes)
    assert {"01", "02"} == set(registry.devices)


def test_one_certificate_twice_is_one_device_answered_twice(factory: Factory) -> None:
    """
    Z3: an answer per entry, also when refs and certificates repeat.
    """
    registry = MemoryRegistry()
    (candidate,) = factory.candidates(1)

    outcomes = _provision([candidate, Candidate("again", candidate.certificate), candidate], registry)

    assert ["r0", "again", "r0"] == [o.ref for o in outcomes]
    assert ["ok"] * 3 == _codes(outcomes)
    assert 1 == len(registry.devices)


def test_of_one_certificate_twice_the_one_with_attributes_counts(factory: Factory) -> None:
    """
    A worker may find it in a manifest's message and in a push's, in any order.
    """
    (plain,) = factory.candidates(1)
    rich = replace(plain, attributes=(("site", "north"),))

    for both in ([plain, rich], [rich, plain]):
        asked: list[DeviceIdentity] = []
        _provision(both, _Listening(asked))

        assert [rich.attributes] == [device.attributes for device in asked]


def test_a16_of_two_certificates_with_one_serial_one_is_refused(factory: Factory) -> None:
    """
    Serials are unique per issuer only; two owners of a name would be one device too many.
    """
    registry = MemoryRegistry()
    mine, other = factory.leaf(serial=7), Factory(name="Other").leaf(serial=7)

    outcomes = _provision([Candidate("a", mine.pem.encode()), Candidate("b", other.pem.encode())], registry)

    assert ["ok", "name-taken"] == _codes(outcomes)
    assert mine.fingerprint == registry.devices["07"].fingerprint


def test_the_owner_of_a_name_is_found_wherever_it_stands_in_the_push(factory: Factory) -> None:
    """
    A stranger pushed in front of the owner does not lock the owner out.
    """
    registry = MemoryRegistry()
    mine, other = factory.leaf(serial=7), Factory(name="Other").leaf(serial=7)
    _provision([Candidate("a", mine.pem.encode())], registry)

    outcomes = _provision([Candidate("b", other.pem.encode()), Candidate("a", mine.pem.encode())], registry)

    assert ["name-taken", "ok"] == _codes(outcomes)


class _Throttled(MemoryRegistry):
    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        return [Registration(error=ThrottledError("later")) for _ in devices]


def test_a_rival_does_not_take_the_name_of_one_who_was_only_late(factory: Factory) -> None:
    """
    A throttled device may still be the owner, so its rival waits for another push.
    """
    mine, other = factory.leaf(serial=7), Factory(name="Other").leaf(serial=7)

    outcomes = _provision([Candidate("a", mine.pem.encode()), Candidate("b", other.pem.encode())], _Throttled())

    assert ["throttled", "not-attempted"] == _codes(outcomes)


def test_a_replacement_has_its_turn_after_the_one_that_was_switched_off(factory: Factory) -> None:
    """
    Whichever stands first in the push: the order never decides.
    """
    old, new = factory.leaf(serial=7), Factory(name="Other").leaf(serial=7)
    for first, second in ((old, new), (new, old)):
        registry = _Released(old.fingerprint)

        outcomes = _provision([Candidate(c.fingerprint, c.pem.encode()) for c in (first, second)], registry)

        codes = {o.ref: code for o, code in zip(outcomes, _codes(outcomes), strict=True)}
        assert "ok" == codes[new.fingerprint]
        assert codes[old.fingerprint] in {"inactive", "name-taken"}


class _Released(MemoryRegistry):
    """
    A registry in which one certificate is revoked and has given up its name.
    """

    def __init__(self, revoked: str) -> None:
        super().__init__()
        self.revoked = revoked

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        (device,) = devices
        if device.fingerprint == self.revoked:
            return [Registration(error=InactiveError.of("REVOKED"))]
        return await super().register(devices, deadline=deadline)


class _Unreadable(bytes):
    """
    Bytes that break whatever reads them.
    """

    def __getitem__(self, key: object) -> bytes:
        raise RuntimeError


def test_a17_whatever_a_certificate_does_to_its_reader_its_neighbours_are_provisioned(factory: Factory) -> None:
    """
    A fault that nobody thought of is this entry's ERROR, not the push's.
    """
    good = factory.candidates(2)

    outcomes = _provision([good[0], Candidate("odd", _Unreadable(b"x")), good[1]], MemoryRegistry())

    assert ["ok", "certificate", "ok"] == _codes(outcomes)
