"""
`firstlight ingest work`, as an operator starts it, with a queue of the laptop's AWS.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from firstlight.local.addresses import Addresses
from firstlight.overflow import Waiting
from firstlight.push import ASYNC, Entry, basic, push
from firstlight.queues.sqs import SqsQueue
from tests.local import processes
from tests.local.conftest import Site

FIRSTLIGHT = (sys.executable, "-c", "from firstlight.cli import main; main()")


@pytest.fixture
def queue_url(laptop: Addresses) -> Iterator[str]:
    """
    A queue that nobody else works off.
    """
    sqs = laptop.client("sqs")
    url = sqs.create_queue(QueueName="by-hand", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    yield str(url)
    sqs.delete_queue(QueueUrl=url)


def _environment(laptop: Addresses, queue_url: str) -> dict[str, str]:
    known = {name: value for name, value in laptop.environment.items() if value is not None}
    return {"PATH": os.environ.get("PATH", ""), **known, "FIRSTLIGHT_QUEUE_URL": queue_url}


def _put(laptop: Addresses, site: Site, queue_url: str, *, count: int) -> None:
    waiting = [Waiting(f"r{i}", (leaf := site.maker.leaf()).pem, leaf.fingerprint) for i in range(count)]

    async def put() -> None:
        queue = SqsQueue(
            queue_url, region=laptop.region, credentials=lambda: laptop.credentials, endpoint_url=laptop.endpoint_url
        )
        said = await queue.put(waiting, deadline=asyncio.get_running_loop().time() + 10)
        await queue.close()
        assert [None] * count == said

    asyncio.run(put())


def _left(laptop: Addresses, queue_url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = laptop.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_a_queue_is_emptied_once(laptop: Addresses, site: Site, queue_url: str) -> None:
    """
    Twelve devices in two batches; what nobody of us wrote stays, and exit status 1 says that something did.
    """
    _put(laptop, site, queue_url, count=12)
    laptop.client("sqs").send_message(QueueUrl=queue_url, MessageBody="poison")

    done = subprocess.run(
        [*FIRSTLIGHT, "ingest", "work", "--cloud", "aws", "--once", "--batches", "1"],
        env=_environment(laptop, queue_url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (1, "12 done, 1 back in the queue.\n") == (done.returncode, done.stdout), done.stderr
    assert 1 == _left(laptop, queue_url)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert ["provisioned"] * 12 == [line["outcome"] for line in lines if line["event"] == "device"]
    assert 1 == sum(line["strange"] for line in lines if line["event"] == "work")


def test_a_worker_goes_on_until_it_is_told_to_stop(laptop: Addresses, site: Site, queue_url: str) -> None:
    """
    Devices that come later are done too; SIGTERM ends it with 0.
    """
    command = [*FIRSTLIGHT, "ingest", "work", "--cloud", "aws"]
    with subprocess.Popen(
        command, env=_environment(laptop, queue_url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None
        assert "working" == json.loads(worker.stderr.readline())["event"]
        try:
            _put(laptop, site, queue_url, count=3)
            assert processes.soon(lambda: _left(laptop, queue_url) == 0)
        finally:
            worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=30)

    assert (0, "3 done, 0 back in the queue.\n") == (worker.returncode, out)


def test_a_server_of_ones_own_leaves_to_the_queue_what_need_not_be_waited_for(
    laptop: Addresses, site: Site, queue_url: str
) -> None:
    """
    PENDING is said of what is in the queue.
    """
    entries = [Entry(f"r{i}", site.maker.leaf().pem.encode()) for i in range(3)]
    environment = _environment(laptop, queue_url) | {"FIRSTLIGHT_BASIC_CREDENTIALS": "me:secret"}
    command = [*FIRSTLIGHT, "ingest", "serve", "--cloud", "aws", "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[2]
            answers = asyncio.run(push(entries, url=url, authorization=basic("me", "secret"), asked=ASYNC))
        finally:
            server.terminate()

    assert ["PENDING"] * 3 == [answer.status for answer in answers]
    assert 3 == _left(laptop, queue_url)
