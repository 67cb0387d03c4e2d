"""
What is sent to SQS, and what its answers mean, against answers that a script gives.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict

from firstlight.errors import FirstlightError, RegistryError, SettingsError, ThrottledError
from firstlight.overflow import Waiting, decode, encode
from firstlight.provision import Outcome
from firstlight.queues import sqs_operations
from firstlight.queues.sqs import SqsQueue
from firstlight.queues.sqs_environment import queue_from
from firstlight.queues.sqs_operations import SqsOperation
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import Patience
from firstlight.registries.aws_credentials import Keys
from firstlight.registries.aws_http import AwsHttp
from firstlight.registries.aws_operations import Call
from firstlight.registries.sigv4 import Credentials
from firstlight.settings import Settings

URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/devices"
QUICK = Patience(attempt=1, base=0.0001, longest=0.0001, failures=3)
Reply = Callable[[dict[str, Any]], dict[str, Any]]


class _Sqs:
    """
    Takes what it is sent, as a script says: a status and code, or a function from the request to the answer.
    """

    def __init__(self, *script: tuple[int, str] | Reply) -> None:
        self.script = list(script)
        self.sent: list[dict[str, Any]] = []
        self.targets: list[str] = []

    async def send(self, call: Call, credentials: Credentials, *, until: float) -> Answer:
        del credentials, until
        await asyncio.sleep(0)
        self.targets.append(call.headers["x-amz-target"])
        request = json.loads(call.body)
        self.sent.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, tuple):
            body = json.dumps({"__type": f"com.amazonaws.sqs#{step[1]}", "message": "No."}).encode()
            return Answer.of(call.operation, step[0], None, body)
        return Answer.of(call.operation, 200, None, json.dumps(step(request)).encode())


def _taken(request: dict[str, Any]) -> dict[str, Any]:
    return {"Successful": [{"Id": e["Id"]} for e in request["Entries"]]}


def _queue(monkeypatch: pytest.MonkeyPatch, sqs: _Sqs) -> SqsQueue:
    monkeypatch.setattr(
        AwsHttp, "send", lambda _, call, credentials, *, until: sqs.send(call, credentials, until=until)
    )
    return SqsQueue(URL, region="", credentials=lambda: Keys("key", "secret"), patience=QUICK)


def _waiting(count: int, *, size: int = 1) -> list[Waiting]:
    return [Waiting(f"r{i}", "P" * size, f"{i:064x}") for i in range(count)]


def _put(queue: SqsQueue, waiting: list[Waiting], seconds: float = 5) -> list[FirstlightError | None]:
    async def put() -> list[FirstlightError | None]:
        return await queue.put(waiting, deadline=asyncio.get_running_loop().time() + seconds)

    return asyncio.run(put())


def test_devices_travel_one_a_message_and_ten_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each message is one a worker can read.
    """
    sqs = _Sqs(_taken)

    said = _put(_queue(monkeypatch, sqs), _waiting(25))

    assert [None] * 25 == said
    assert [10, 10, 5] == [len(request["Entries"]) for request in sqs.sent]
    assert {"AmazonSQS.SendMessageBatch"} == set(sqs.targets)
    bodies = [entry["MessageBody"] for request in sqs.sent for entry in request["Entries"]]
    assert [f"r{i}" for i in range(25)] == [candidate.ref for body in bodies for candidate in decode(body)]


def test_large_messages_travel_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A request may hold 256 KiB.
    """
    sqs = _Sqs(_taken)

    assert [None] * 4 == _put(_queue(monkeypatch, sqs), _waiting(4, size=100_000))
    assert [2, 2] == [len(request["Entries"]) for request in sqs.sent]


def test_only_what_failed_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Of a batch that was taken in part; what is the sender's fault is not repeated.
    """

    def partly(request: dict[str, Any]) -> dict[str, Any]:
        failed = [
            {"Id": "1", "SenderFault": False, "Code": "InternalError"},
            {"Id": "2", "SenderFault": True, "Code": "InvalidMessageContents"},
        ]
        return {"Successful": [{"Id": "0"}], "Failed": failed}

    sqs = _Sqs(partly, _taken)

    first, second, third = _put(_queue(monkeypatch, sqs), _waiting(3))

    assert (None, None) == (first, second)
    assert "InvalidMessageContents" in str(third)
    assert [["0", "1", "2"], ["1"]] == [[e["Id"] for e in request["Entries"]] for request in sqs.sent]


def test_what_keeps_failing_is_said_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    After as many tries as patience has; an answer that forgets an entry counts as failed.
    """
    failed = {"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}
    sqs = _Sqs(lambda _: failed)

    said = _put(_queue(monkeypatch, sqs), _waiting(2))

    assert 3 == len(sqs.sent)
    assert ["InternalError" in str(said[0]), "did not say why" in str(said[1])] == [True, True]
    assert ["unfinished", "unfinished"] == [error.code for error in said if error]


@pytest.mark.parametrize("trouble", [(400, "RequestThrottled"), (500, "InternalFailure"), (403, "ExpiredToken")])
def test_trouble_that_passes_is_waited_out(monkeypatch: pytest.MonkeyPatch, trouble: tuple[int, str]) -> None:
    """
    Throttled, failed, or credentials expired a moment ago.
    """
    sqs = _Sqs(trouble, trouble, _taken)

    assert [None] == _put(_queue(monkeypatch, sqs), _waiting(1))


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ((400, "RequestThrottled"), "Amazon SQS was still throttling SendMessageBatch"),
        ((500, "InternalFailure"), "Amazon SQS failed at SendMessageBatch"),
        ((403, "AccessDenied"), "Allow sqs:SendMessage to this endpoint's role."),
        ((400, "QueueDoesNotExist"), "SendMessageBatch was refused with QueueDoesNotExist"),
    ],
)
def test_trouble_that_stays_is_said_of_every_device(
    monkeypatch: pytest.MonkeyPatch, trouble: tuple[int, str], words: str
) -> None:
    """
    Nothing is raised, and no device is said to be queued that is not.
    """
    said = _put(_queue(monkeypatch, _Sqs(trouble)), _waiting(12), seconds=0.05)

    assert [True] * 12 == [error is not None and words in str(error) for error in said]


def test_without_time_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each device is said not to be queued.
    """
    sqs = _Sqs(_taken)

    said = _put(_queue(monkeypatch, sqs), _waiting(12), seconds=-1)

    assert [] == sqs.sent
    assert ["not-attempted"] * 12 == [error.code for error in said if error]


def test_odd_answers_cost_no_other_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A surprise is said of the ten devices it is about.
    """
    sqs = _Sqs(lambda _: {"Successful": [7]}, _taken)

    said = _put(_queue(monkeypatch, sqs), _waiting(20))

    assert [10, 10] == [sum(error is not None for error in said), sum(error is None for error in said)]


def test_a_worker_receives_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Ten at most, waiting no longer than SQS does; a message that nobody of us wrote is one too.
    """
    bodies = [encode(_waiting(1)), "{}"]
    messages = [{"ReceiptHandle": f"h{i}", "Body": body} for i, body in enumerate(bodies)]
    sqs = _Sqs(lambda _: {"Messages": messages}, lambda _: {})
    queue = _queue(monkeypatch, sqs)

    ours, strange = asyncio.run(queue.receive(wait=60))

    assert [] == asyncio.run(queue.receive(wait=0.5))
    assert ("h0", "r0") == (ours.handle, ours.candidates[0].ref if ours.candidates else "")
    assert ("h1", None) == (strange.handle, strange.candidates)
    assert [(10, 20), (10, 0)] == [(s["MaxNumberOfMessages"], s["WaitTimeSeconds"]) for s in sqs.sent]


def test_done_is_deleted_and_again_is_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In batches of ten, if it is merely late: others wait their time out.  What could not be deleted is said.
    """
    sqs = _Sqs(lambda _: {"Messages": [{"ReceiptHandle": f"h{i}", "Body": ""} for i in range(12)]}, _taken)
    queue = _queue(monkeypatch, sqs)
    messages = asyncio.run(queue.receive(wait=0))

    late = Outcome("r", error=ThrottledError("Still throttling."))
    denied = Outcome("r", error=RegistryError("AWS does not allow iot:CreateThing here."))

    asyncio.run(queue.done(messages))
    asyncio.run(queue.again([*(replace(m, left=(late,)) for m in messages), messages[0]]))
    asyncio.run(queue.again([replace(messages[0], left=(late, denied))]))

    assert ["DeleteMessageBatch"] * 2 + ["ChangeMessageVisibilityBatch"] * 2 == [
        t.split(".")[1] for t in sqs.targets[1:]
    ]
    assert [f"h{i}" for i in range(12)] == [e["ReceiptHandle"] for s in sqs.sent[1:3] for e in s["Entries"]]
    assert {30} == {e["VisibilityTimeout"] for s in sqs.sent[3:] for e in s["Entries"]}
    sqs.script = [lambda _: {"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid"}]}]
    with pytest.raises(FirstlightError, match="DeleteMessageBatch failed for 1 with ReceiptHandleIsInvalid"):
        asyncio.run(queue.done(messages[:1]))


@pytest.mark.parametrize(
    ("delivered", "seconds"), [("1", 30), ("2", 60), ("6", 900), ("10", 900), ("many", 30), (None, 30)]
)
def test_what_comes_again_comes_later_each_time(
    monkeypatch: pytest.MonkeyPatch, delivered: str | None, seconds: int
) -> None:
    """
    So ten deliveries outlast an hour in which AWS fails.
    """
    attributes = {"Attributes": {"ApproximateReceiveCount": delivered}} if delivered else {}
    message = {"ReceiptHandle": "h", "Body": encode(_waiting(1)), **attributes}
    sqs = _Sqs(lambda _: {"Messages": [message]}, _taken)
    queue = _queue(monkeypatch, sqs)
    late = Outcome("r", error=ThrottledError("Still throttling."))

    (received,) = asyncio.run(queue.receive(wait=0))
    asyncio.run(queue.again([replace(received, left=(late,))]))

    assert [seconds] == [entry["VisibilityTimeout"] for entry in sqs.sent[-1]["Entries"]]


def test_no_number_in_a_message_keeps_its_worker_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whoever may send messages may write any; two to the power of this one would take longer than a batch has.
    """
    message = {"ReceiptHandle": "h", "Body": encode(_waiting(1), attempts=10**4000)}
    sqs = _Sqs(lambda _: {"Messages": [message]}, _taken)
    queue = _queue(monkeypatch, sqs)
    late = Outcome("r", error=ThrottledError("Still throttling."))

    (received,) = asyncio.run(queue.receive(wait=0))
    asyncio.run(queue.again([replace(received, left=(late,))]))

    assert [900] == [entry["VisibilityTimeout"] for entry in sqs.sent[-1]["Entries"]]


def test_a_worker_is_told_why_it_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In its own words: it pushed nothing.
    """
    queue = _queue(monkeypatch, _Sqs((403, "AccessDenied")))

    with pytest.raises(FirstlightError, match=r"^Failed working the queue off: AWS does not allow sqs:ReceiveMessage"):
        asyncio.run(queue.receive(wait=0))


@pytest.mark.parametrize("url", ["", "devices", "arn:aws:sqs:eu-west-1:123456789012:devices", "https://example.com/"])
def test_what_is_no_queue_is_said_at_the_start(url: str) -> None:
    """
    Not with the first device.
    """
    env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}

    with pytest.raises(SettingsError):
        queue_from(Settings(queue_url=url), env)


def test_requests_are_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The same URL, the same headers that say what is meant, the same body.
    """
    client = boto3.client("sqs", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    prepared: list[AWSPreparedRequest] = []

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        prepared.append(request)
        return AWSResponse(request.url, 200, HeadersDict({}), _Empty())

    client.meta.events.register("before-send.sqs", send)
    client.send_message_batch(QueueUrl=URL, Entries=[{"Id": "0", "MessageBody": "a"}])
    client.receive_message(
        QueueUrl=URL,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=20,
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )
    client.delete_message_batch(QueueUrl=URL, Entries=[{"Id": "0", "ReceiptHandle": "h"}])
    visible = {"Id": "0", "ReceiptHandle": "h", "VisibilityTimeout": 30}
    client.change_message_visibility_batch(QueueUrl=URL, Entries=[visible])

    ours = [
        sqs_operations.send(URL, {"0": "a"}),
        sqs_operations.receive(URL, seconds=20),
        sqs_operations.delete(URL, ["h"]),
        sqs_operations.change_visibility(URL, {"h": 30}),
    ]
    for call, theirs in zip(ours, prepared, strict=True):
        assert (call.method, json.loads(call.body)) == (theirs.method, json.loads(theirs.body))
        assert theirs.url == f"https://sqs.eu-central-1.amazonaws.com{call.path}"
        for name in ("Content-Type", "X-Amz-Target"):
            assert theirs.headers[name] in (call.headers[name.lower()], call.headers[name.lower()].encode())
    assert set(SqsOperation) == {call.operation for call in ours}


class _Empty:
    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return [b"{}"]
