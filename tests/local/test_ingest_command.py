"""
`firstlight ingest serve` and `firstlight push`, as an operator starts them.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from firstlight import pki
from tests.factory import Factory
from tests.local.ingesting import PATIENCE, head

FACTORY = Factory(now=datetime.now(UTC))
FIRSTLIGHT = (sys.executable, "-c", "from firstlight.cli import main; main()")
# Nothing of the environment that runs the tests, but where programs are.
PLAIN = {"PATH": os.environ.get("PATH", ""), "COLUMNS": "200", "AWS_EC2_METADATA_DISABLED": "true"}
BASIC = {**PLAIN, "FIRSTLIGHT_BASIC_CREDENTIALS": "me:secret"}


def _run(*arguments: object, env: dict[str, str] = BASIC) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FIRSTLIGHT, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@contextmanager
def _serving(*arguments: object, env: dict[str, str] = BASIC) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """
    Serve on a free port and yield the URL that the one line on stdout names.
    """
    command = [*FIRSTLIGHT, "ingest", "serve", "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line, process.communicate()[1]
            yield line.split()[2], process
        finally:
            if process.poll() is None:
                process.terminate()


@pytest.fixture
def reel(tmp_path: Path) -> Path:
    """
    A folder of three devices and a CA that got among them.
    """
    folder = tmp_path / "reel"
    folder.mkdir()
    for name in ("a", "b", "c"):
        pki.write_certificate(folder / f"{name}.pem", FACTORY.leaf())
    pki.write_certificate(folder / "z-ca.pem", FACTORY.ca)
    return folder


def test_a_rehearsal_needs_no_cloud(reel: Path) -> None:
    """
    Serve, push, and see a row for each certificate; 1 says that one was refused.
    """
    with _serving("--cloud", "memory") as (url, _):
        pushed = _run("push", reel, "--url", url)

    assert 1 == pushed.returncode
    assert "3 SUCCESS, 1 ERROR" in pushed.stdout
    assert "Certificate is a CA certificate, not a device's." in pushed.stdout
    assert ["a.pem", "b.pem", "c.pem", "z-ca.pem"] == [
        word for line in pushed.stdout.splitlines() for word in line.split() if word.endswith(".pem")
    ]


def test_devices_can_be_asked_about(reel: Path) -> None:
    """
    READY once they are pushed, with 0; a rehearsal has no queue, so it answers at once whatever is preferred.
    """
    (reel / "z-ca.pem").unlink()
    with _serving("--cloud", "memory") as (url, _):
        before = _run("push", reel, "--url", url, "--status")
        pushed = _run("push", reel, "--url", url, "--async", "--json")
        after = _run("push", reel, "--url", url, "--status")

    assert (1, 0, 0) == (before.returncode, pushed.returncode, after.returncode)
    assert "0 READY, 3 UNKNOWN, 0 ERROR" in before.stdout
    assert "0 PENDING, 3 SUCCESS, 0 ERROR" in pushed.stderr
    assert "3 READY, 0 ERROR" in after.stdout
    assert 3 == after.stdout.count("memory.invalid")


def test_answers_come_as_json(reel: Path) -> None:
    """
    Nothing else is on stdout then; 0 says that all succeeded.
    """
    with _serving("--cloud", "memory") as (url, _):
        pushed = _run("push", reel / "a.pem", reel / "b.pem", "--url", f"{url}/interop", "--json", "--chunk", 1)

    assert 0 == pushed.returncode
    assert [
        {"ref": ref, "source": f"{ref}.pem", "status": "SUCCESS", "endpoint": "memory.invalid", "topic": "iqs"}
        for ref in ("a", "b")
    ] == json.loads(pushed.stdout)


def test_tokens_and_tls_go_together(reel: Path, tmp_path: Path) -> None:
    """
    As a Cloud ID service does it, against a certificate of the operator's own CA.
    """
    key = pki.new_key()
    pki.write_key(tmp_path / "token.key", key)
    (tmp_path / "token.pem").write_bytes(pki.public_pem(key))
    certificate, server_key = pki.server_certificate(["127.0.0.1"], ca=FACTORY.ca, ca_key=FACTORY.key, now=FACTORY.now)
    pki.write_certificate(tmp_path / "server.pem", certificate)
    pki.write_key(tmp_path / "server.key", server_key)
    env = {**PLAIN, "FIRSTLIGHT_AUDIENCE": "123456789012", "FIRSTLIGHT_TOKEN_KEY_FILE": str(tmp_path / "token.pem")}
    tls = ("--tls-cert", tmp_path / "server.pem", "--tls-key", tmp_path / "server.key")

    with _serving("--cloud", "memory", *tls, env=env) as (url, _):
        push = ("push", reel / "a.pem", "--url", url, "--token-key", tmp_path / "token.key", "--audience")
        trusting = _run(*push, "123456789012", "--trust", reel / "z-ca.pem", env=PLAIN)
        doubting = _run(*push, "123456789012", env=PLAIN)
        another = _run(*push, "210987654321", "--trust", reel / "z-ca.pem", env=PLAIN)

    assert url.startswith("https://")
    assert [0, 1, 1] == [pushed.returncode for pushed in (trusting, doubting, another)]
    assert "did not prove over TLS who it is" in doubting.stdout
    assert "it is for another audience" in another.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(number: signal.Signals) -> None:
    """
    Exit status 0, one line on stdout, and JSON on stderr.
    """
    with _serving("--cloud", "memory") as (_, process):
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)

    assert (0, "") == (process.returncode, out)
    assert ["stopping", "stopped"] == [json.loads(line)["event"] for line in err.splitlines()]


def test_a_second_signal_ends_the_server_at_once() -> None:
    """
    Without waiting for what is in flight.
    """
    with _serving("--cloud", "memory") as (url, process):
        at = urlsplit(url)
        with socket.create_connection((at.hostname, at.port)) as upload:
            upload.sendall(head("POST", "/interop", Content_Length=100, Expect="100-continue"))
            assert b"HTTP/1.1 100" == upload.recv(1000)[:12]
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            assert "stopping" == json.loads(process.stderr.readline())["event"]
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)

    assert 1 == process.returncode


class _Aws(BaseHTTPRequestHandler):
    """
    AWS IoT with a policy that allows nothing.
    """

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = b'{"message": "not authorized"}'
        self.send_response(403)
        self.send_header("x-amzn-ErrorType", "AccessDeniedException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET  # noqa: N815 -- the names are the base class's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as the base class has it
        pass


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IOT"])
def test_aws_is_reached_where_the_environment_says(reel: Path, variable: str) -> None:
    """
    With the credentials of botocore's chain; what AWS refuses is the ERROR of each entry.
    """
    asked: list[str] = []
    aws = ThreadingHTTPServer(("127.0.0.1", 0), type("Aws", (_Aws,), {"asked": asked}))
    thread = Thread(target=aws.serve_forever)
    thread.start()
    env = {
        **BASIC,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x",
        variable: f"http://127.0.0.1:{aws.server_port}",
    }
    try:
        with _serving("--cloud", "aws", env=env) as (url, _):
            pushed = _run("push", reel / "a.pem", "--url", url)
    finally:
        aws.shutdown()
        thread.join()
        aws.server_close()

    assert 1 == pushed.returncode
    assert "0 SUCCESS, 1 ERROR" in pushed.stdout
    assert asked


@pytest.mark.parametrize(
    ("arguments", "env", "status", "sentence"),
    [
        (["--cloud", "memory"], PLAIN, 2, "FIRSTLIGHT_BASIC_CREDENTIALS must be set"),
        (["--cloud", "memory", "--host", "0.0.0.0"], BASIC, 2, "Credentials would travel to 0.0.0.0 in the clear"),
        (["--cloud", "memory", "--host", "192.0.2.1", "--behind-proxy"], BASIC, 2, "Cannot listen on 192.0.2.1 port 0"),
        (["--cloud", "memory", "--tls-cert", "server.pem"], BASIC, 2, "--tls-cert and --tls-key belong together"),
        (["--cloud", "memory", "--tls-cert", "no.pem", "--tls-key", "no.key"], BASIC, 2, "no.pem cannot be read"),
        (["--cloud", "aws"], BASIC, 2, "AWS needs a region. Give --region, or set AWS_REGION."),
        (["--cloud", "aws", "--region", "eu-west-1"], BASIC, 1, "no AWS credentials were found"),
        (["--cloud", "azure"], BASIC, 2, "FIRSTLIGHT_HUB is not set. It is the host name of the IoT Hub"),
        (
            ["--cloud", "azure"],
            {**BASIC, "FIRSTLIGHT_HUB": "https://x"},
            2,
            "'https://x' is no host name of an IoT Hub",
        ),
        (["--cloud", "moon"], BASIC, 2, "'moon' is not one of 'aws', 'azure', 'memory'"),
    ],
)
def test_a_server_that_cannot_serve_does_not_start(
    tmp_path: Path, arguments: list[str], env: dict[str, str], status: int, sentence: str
) -> None:
    """
    One sentence on stderr, no traceback.
    """
    done = _run("ingest", "serve", "--port", "0", *arguments, env={**env, "HOME": str(tmp_path)})

    assert (status, "") == (done.returncode, done.stdout)
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.pem", "--url", "http://127.0.0.1:9", "--basic", "me:password"], "gone.pem cannot be read"),
        (["a.pem", "--url", "http://127.0.0.1:9"], "A push needs credentials."),
        (["a.pem", "--url", "http://127.0.0.1:9", "--basic", "me"], "HTTP Basic needs a user without a colon"),
        (["a.pem", "--url", "http://127.0.0.1:9", "--basic", "me:gone"], "The password file gone cannot be read."),
        (["a.pem", "--url", "http://192.0.2.1", "--basic", "me:password"], "travel to 192.0.2.1 in the clear"),
        (["a.pem", "--url", "http://127.0.0.1:9", "--token-key", "gone.key"], "gone.key"),
        (["a.pem", "--url", "http://127.0.0.1:9", "--token-key", "x", "--basic", "me:x"], "exclude each other"),
        (
            ["a.pem", "--url", "http://127.0.0.1:9", "--basic", "me:password", "--trust", "password"],
            "no CA certificate",
        ),
        (["a.pem", "--url", "https://[", "--basic", "me:password"], "is not a URL"),
        (["--url", "http://127.0.0.1:9"], "Missing argument 'FILE...'"),
    ],
)
def test_a_push_that_was_asked_wrongly_ends_with_2(reel: Path, arguments: list[str], sentence: str) -> None:
    """
    One sentence on stderr, no traceback, nothing sent.
    """
    (reel / "password").write_text("secret\n")

    done = subprocess.run(
        [*FIRSTLIGHT, "push", *arguments], env=PLAIN, cwd=reel, capture_output=True, text=True, timeout=30, check=False
    )

    assert (2, "") == (done.returncode, done.stdout)
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_is_an_error_of_each_entry(reel: Path) -> None:
    """
    The answer is no: 1, with the reason.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        pushed = _run("push", reel / "a.pem", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert 1 == pushed.returncode
    assert "The server cannot be reached: Connection refused." in pushed.stdout
