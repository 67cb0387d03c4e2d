import json
from typing import Any

from firstlight.backlog import Message, Worked
from firstlight.errors import CertificateError, QueuedError, RegistryError, SettingsError, ThrottledError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.interop import Reply, Request, error_reply
from firstlight.provision import Outcome
from firstlight.telemetry import Record, Source, event_line, failure_line, lines, work_lines
from tests.factory import NOW, Factory

SOURCE = Source(region="eu-west-1", function="ingest")


def _lines(*outcomes: Outcome, path: str = "/interop", failure: Exception | None = None) -> list[str]:
    request = Request("POST", path, {"authorization": "Bearer secret.secret.secret"}, b"the body")
    record = Record(request, Reply(200, b"[]", {}, outcomes), "id-1", 0.25, failure)
    return list(lines(record, SOURCE, NOW))


def _read(*outcomes: Outcome, path: str = "/interop") -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(*outcomes, path=path)]


def _identity(factory: Factory) -> DeviceIdentity:
    return DeviceIdentity.from_certificate(factory.leaf(serial=0x15FC8EA1), NamingRule(prefix="Infineon_"))


def test_a_device_that_was_provisioned_is_one_line(factory: Factory) -> None:
    """
    What an operator looks for: which one, under which name, how long it took.
    """
    identity = _identity(factory)

    _, device, _ = _read(Outcome("a", identity, "host", throttled=2, seconds=0.0421))

    assert {
        "event": "device",
        "request_id": "id-1",
        "ref": "a",
        "outcome": "provisioned",
        "code": "",
        "message": "",
        "name": "Infineon_15fc8ea1",
        "fingerprint": identity.fingerprint,
        "ms": 42.1,
        "throttled": 2,
    } == device


def test_a_device_that_was_refused_is_one_line_with_the_cause() -> None:
    """
    A code for machines, and the sentence: the reference drops it (A18).
    """
    _, device, _ = _read(Outcome("a", error=CertificateError("Certificate has expired.", hint="Renew it.")))

    assert ("refused", "certificate", "Certificate has expired.") == (
        device["outcome"],
        device["code"],
        device["message"],
    )


def test_a_push_is_one_line_of_metrics(factory: Factory) -> None:
    """
    In CloudWatch's embedded metric format: each metric is declared, and each dimension is there.
    """
    *_, metrics = _read(
        Outcome("a", _identity(factory), "host", throttled=1),
        Outcome("b", error=RegistryError("No."), throttled=3),
        Outcome("c", error=CertificateError("No.")),
        Outcome("d", error=QueuedError.of()),
    )

    directive = metrics["_aws"]["CloudWatchMetrics"][0]
    assert "firstlight" == directive["Namespace"]
    assert {"region": "eu-west-1", "function": "ingest"} == {name: metrics[name] for name in directive["Dimensions"][0]}
    assert {"Provisioned": 1, "Queued": 1, "Refused": 2, "Throttled": 4, "LatencyMs": 250.0} == {
        metric["Name"]: metrics[metric["Name"]] for metric in directive["Metrics"]
    }
    assert int(NOW.timestamp() * 1000) == metrics["_aws"]["Timestamp"]


def test_a_request_is_one_line() -> None:
    """
    And the only one when it carried no entries.
    """
    (line,) = _read()

    assert {
        "event": "request",
        "request_id": "id-1",
        "method": "POST",
        "path": "/interop",
        "status": 200,
        "entries": 0,
        "ms": 250.0,
    } == line


def test_no_secret_and_no_certificate_is_logged(factory: Factory) -> None:
    """
    Not the token, not the body, not a PEM: fingerprints find a certificate as well.
    """
    identity = _identity(factory)

    text = "\n".join(_lines(Outcome("a", identity, "host"), failure=ValueError("secret body")))

    assert not [word for word in ("BEGIN", "secret", "body", identity.pem.split()[2]) if word in text]


def test_what_a_caller_sends_cannot_end_a_line_or_flood_a_log() -> None:
    """
    Control and exotic characters are escaped, long texts cut.
    """
    ref = 'a"}\n{"event":"forged"}\r\x1b[31m\u2028\ud800' + "x" * 1000

    _, device, _ = made = _lines(Outcome(ref, error=CertificateError("\n" * 5000)), path="/" + "\n" * 5000)

    assert 3 == len(made)
    assert all(line.isascii() and line.isprintable() and len(line) < 5000 for line in made)
    assert "device" == json.loads(device)["event"]
    assert json.loads(device)["ref"].startswith('a"}\n{"event":"forged"}')
    assert 128 == len(json.loads(device)["ref"])


def test_an_unexpected_error_is_a_line_of_its_type_and_place() -> None:
    """
    Its message might quote what a caller sent; one raised on purpose speaks for itself.
    """
    try:
        {}["-----BEGIN CERTIFICATE-----"]  # type: ignore[index]
    except KeyError as e:
        line = json.loads(failure_line(e, request_id="id-1"))

    assert ("failure", "id-1", "KeyError", "") == (line["event"], line["request_id"], line["type"], line["message"])
    assert line["where"].startswith("test_telemetry.py:")
    assert "Not set: X." == json.loads(failure_line(SettingsError("Not set: X."), request_id=""))["message"]


def test_a_refused_request_has_no_metrics() -> None:
    """
    The gateway counts those already.
    """
    record = Record(Request("GET", "/auth", {}), error_reply(401, "Token invalid"), "id-1", 0.001)

    assert ["request"] == [json.loads(line)["event"] for line in lines(record, SOURCE, NOW)]


def test_other_events_are_lines_too() -> None:
    """
    A start and a stop, in the same form.
    """
    assert {"event": "stopping", "requests": 3} == json.loads(event_line("stopping", {"requests": 3}))


def test_a_queued_device_is_not_called_refused() -> None:
    """
    An alarm on refusals stays quiet for what is merely late.
    """
    _, device, _ = _read(Outcome("a", error=QueuedError.of()))

    assert ("queued", "queued") == (device["outcome"], device["code"])


def test_why_devices_could_not_be_queued_is_a_line_for_each_reason() -> None:
    """
    However many devices it cost: the pusher is told of its devices, the operator of the queue.
    """
    denied = RegistryError("AWS does not allow sqs:SendMessage here.")
    reply = Reply(200, b"[]", {}, unqueued=(denied, denied, RegistryError("The queue is gone.")))
    record = Record(Request("POST", "/interop", {}), reply, "id-1", 0.25)

    said = [json.loads(line) for line in lines(record, SOURCE, NOW)]

    expected = [(2, "AWS does not allow sqs:SendMessage here."), (1, "The queue is gone.")]
    assert expected == [(s["devices"], s["message"]) for s in said if s["event"] == "not-queued"]


def test_a_batch_of_a_worker_is_logged_as_a_push_is() -> None:
    """
    What goes back is queued, and says why; what can never be is refused.
    """
    outcomes = (
        Outcome("a", endpoint="host"),
        Outcome("b", error=ThrottledError("Still throttling.")),
        Outcome("c", error=CertificateError("No.")),
    )
    done, back, strange = Message("1", ()), Message("2", ()), Message("3", None)
    worked = Worked((done,), (back, strange), outcomes)

    batch, *devices, metrics = map(json.loads, work_lines(worked, SOURCE, NOW, request_id="id-1", seconds=0.25))

    assert {"event": "work", "request_id": "id-1", "done": 1, "again": 2, "strange": 1, "ms": 250.0} == batch
    assert ["provisioned", "queued", "refused"] == [device["outcome"] for device in devices]
    assert (1, 1, 1) == (metrics["Provisioned"], metrics["Queued"], metrics["Refused"])
