"""
What a push could not finish, on the laptop's AWS: queued, carried on by the worker, and ready at last.
"""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import aiohttp
import pytest

from firstlight import push
from firstlight.local.addresses import Addresses
from firstlight.overflow import Waiting, encode
from firstlight.push import Answer, Entry
from tests.local.conftest import Site
from tests.local.roles import Role, function_of, listed, role_of
from tests.local.test_laptop_role import CALLED

QUEUED = "queued: provisioning continues, push again or ask for status."
_PATIENCE = 60.0
# Lambda's poller uses these with the function's role; ministack takes messages without asking.
POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


class _Throttling(BaseHTTPRequestHandler):
    """
    An AWS IoT that turns every call away.
    """

    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"message":"Rate exceeded"}'
        self.send_response(429)
        self.send_header("x-amzn-errortype", "ThrottlingException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = handle_any  # noqa: N815 -- the names http.server looks for

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def throttling() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Throttling) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _environment(laptop: Addresses, handler: str, **variables: str) -> Iterator[None]:
    """
    Within, the deployed function has *variables* too.
    """
    functions = laptop.client("lambda")
    name = function_of(laptop, handler)
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before | variables})
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def _push(laptop: Addresses, authorization: push.Authorization, entries: list[Entry]) -> list[Answer]:
    return asyncio.run(push.push(entries, url=laptop.ingest_url, authorization=authorization))


def _ask(
    laptop: Addresses, authorization: push.Authorization, action: str, entries: list[Entry], **headers: str
) -> tuple[int, list[dict[str, Any]]]:
    certs = [{"ref": e.ref, "cert": base64.b64encode(e.certificate).decode()} for e in entries]

    async def ask() -> tuple[int, list[dict[str, Any]]]:
        body = {"action": action, "certs": certs}
        headers["Authorization"] = authorization()
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{laptop.ingest_url}/interop", json=body, headers=headers) as response,
        ):
            return response.status, await response.json()

    return asyncio.run(ask())


def _soon(wanted: Callable[[], bool]) -> bool:
    """
    Return whether *wanted* came true while anybody would wait.
    """
    until = time.monotonic() + _PATIENCE
    while not wanted():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def _statuses(laptop: Addresses, authorization: push.Authorization, entries: list[Entry]) -> set[str]:
    return {entry["status"] for entry in _ask(laptop, authorization, "status", entries)[1]}


@pytest.fixture
def entries(site: Site) -> list[Entry]:
    return [Entry(f"r{i}", site.maker.leaf().pem.encode()) for i in range(12)]


def test_what_a_throttled_push_cannot_finish_is_finished_by_the_worker(
    laptop: Addresses, authorization: push.Authorization, entries: list[Entry], throttling: str
) -> None:
    """
    ERROR "queued: …", then QUEUED, then READY; and pushed again, SUCCESS.
    """
    with _environment(laptop, "lambdas.interop.handler", FIRSTLIGHT_DEADLINE="2", AWS_ENDPOINT_URL_IOT=throttling):
        pushed = _push(laptop, authorization, entries)
        standing = _statuses(laptop, authorization, entries)

    assert [QUEUED] * 12 == [answer.message for answer in pushed]
    assert {"QUEUED"} == standing
    assert _soon(lambda: _statuses(laptop, authorization, entries) == {"READY"})
    assert all(answer.ok for answer in _push(laptop, authorization, entries))


def test_whoever_prefers_not_to_wait_does_not(
    laptop: Addresses, authorization: push.Authorization, entries: list[Entry]
) -> None:
    """
    202 and PENDING at once, READY soon; what can never be is an ERROR at once.
    """
    junk = Entry("junk", b"no certificate")

    status, answers = _ask(laptop, authorization, "provision", [*entries, junk], Prefer="respond-async")

    assert 202 == status
    assert ["PENDING"] * 12 + ["ERROR"] == [answer["status"] for answer in answers]
    assert _soon(lambda: _statuses(laptop, authorization, entries) == {"READY"})


def test_a_message_that_nobody_of_us_wrote_is_put_aside(laptop: Addresses) -> None:
    """
    After its deliveries, in the dead-letter queue, unharmed.
    """
    sqs = laptop.client("sqs")
    urls = sqs.list_queues()["QueueUrls"]
    (dead,) = [url for url in urls if "-OverflowDeadLetters" in url]
    (queue,) = [url for url in urls if "-Overflow" in url and "DeadLetters" not in url]
    before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout", "RedrivePolicy"])[
        "Attributes"
    ]
    hasty = {**json.loads(before["RedrivePolicy"]), "maxReceiveCount": 2}
    # Ten deliveries, six minutes each, are an hour.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(hasty)})
    try:
        sqs.send_message(QueueUrl=queue, MessageBody="poison")
        found: list[str] = []

        def aside() -> bool:
            messages = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages", [])
            found.extend(message["Body"] for message in messages)
            return "poison" in found

        assert _soon(aside)
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=before)
        sqs.purge_queue(QueueUrl=dead)


@pytest.fixture(scope="module")
def role(laptop: Addresses) -> Role:
    return role_of(laptop, "lambdas.worker.handler")


def test_the_workers_role_is_neither_short_nor_long(role: Role) -> None:
    """
    What a push needs, each proven needed by the ingest function's tests, and of queues its own.
    """
    queues = {
        resource.rpartition(":")[2]
        for statement in role.document["Statement"]
        for resource in listed(statement["Resource"])
        if ":sqs:" in resource
    }

    assert {*CALLED, *POLLING, "sqs:ChangeMessageVisibility", "logs:CreateLogStream", "logs:PutLogEvents"} == (
        role.actions
    )
    assert [True] == ["-Overflow" in queue and "DeadLetters" not in queue for queue in queues]


def _work(role: Role, *pems: str) -> tuple[list[str], str]:
    """
    Give the worker devices; return what it gives back, and its log.
    """
    records = [
        {"messageId": f"m{i}", "receiptHandle": f"no receipt {i}", "body": encode([Waiting(f"r{i}", pem)])}
        for i, pem in enumerate(pems)
    ]
    reply = role.aws.client("lambda").invoke(
        FunctionName=role.function, Payload=json.dumps({"Records": records}), LogType="Tail"
    )
    failures = json.loads(reply["Payload"].read())["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures], base64.b64decode(reply["LogResult"]).decode()


@pytest.fixture(scope="module")
def known(laptop: Addresses, site: Site, authorization: push.Authorization) -> list[str]:
    """
    A device that is registered, and one whose thing an operator has edited since.
    """
    leaves = [site.maker.leaf() for _ in range(2)]
    assert all(a.ok for a in _push(laptop, authorization, [Entry("", leaf.pem.encode()) for leaf in leaves]))
    edit = {"attributes": {"site": "north"}, "merge": True}
    laptop.client("iot").update_thing(thingName=f"Infineon_{leaves[1].serial}", attributePayload=edit)
    return [leaf.pem for leaf in leaves]


def test_with_its_whole_role_the_worker_gives_nothing_back(role: Role, site: Site, known: list[str]) -> None:
    """
    New, known and edited: all are done.
    """
    with role.without("nothing:AtAll"):
        back, _ = _work(role, site.maker.leaf().pem, *known)

    assert [] == back


def test_the_worker_needs_its_action_to_let_a_device_come_again_soon(laptop: Addresses, role: Role, site: Site) -> None:
    """
    With AWS IoT out of reach a device goes back; without the action only the log tells that it comes late.
    """
    action = "sqs:ChangeMessageVisibility"
    with _environment(laptop, "lambdas.worker.handler", AWS_ENDPOINT_URL_IOT="http://127.0.0.1:9"):
        back, log = _work(role, site.maker.leaf().pem)
        with role.without(action):
            also_back, refused = _work(role, site.maker.leaf().pem)

    assert ["m0"] == back == also_back
    # the test made the receipt up
    assert ("ReceiptHandleIsInvalid" in log, action in log, action in refused) == (True, False, True)
