"""
The function app's own code on the laptop, as deployed: at its host name, with its identity, behind its queue.
"""

import base64
import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from firstlight import pki, push
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.local.laptop import Laptop
from firstlight.outputs import AzureOutput
from tests.factory import Factory

PATIENCE = 30.0


@dataclass(frozen=True, kw_only=True)
class App:
    """
    The app as the Cloud ID service meets it, and where it runs.
    """

    azure: AzureAddresses
    maker: Factory
    token: Callable[[], str]
    folder: Path

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """
        Ask the app at its own host name, through the laptop's proxy.
        """
        return requests.request(
            method,
            f"{self.azure.outputs[AzureOutput.INTEROP_URL]}{path}",
            json=body,
            headers={"Authorization": self.token(), **headers},
            proxies={"https": self.azure.proxy_url},
            verify=str(self.azure.ca_file),
            timeout=PATIENCE,
        )

    def certs(self, number: int) -> list[dict[str, str]]:
        leaves = [self.maker.leaf() for _ in range(number)]
        return [{"ref": x.serial, "cert": base64.b64encode(x.pem.encode()).decode()} for x in leaves]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    maker, stranger, key = Factory("Test Maker CA", now=datetime.now(UTC)), Factory("Stranger CA"), pki.new_key()
    (folder / "token.pem").write_bytes(pki.public_pem(key))
    (folder / "ca.pem").write_text(maker.ca.pem + stranger.ca.pem)
    (folder / "regions.toml").write_text(
        '[azure.westeurope]\ntoken_key_file = "token.pem"\ntrusted_issuers = ["ca.pem"]\nhub_sku = "S3"\n'
        'manifest_uploads = true\nmanifest_attributes = ["site"]\n'
    )
    with Laptop(folder / "state", regions=folder / "regions.toml", clouds=("azure",)) as laptop:
        assert laptop.azure is not None
        token = push.bearer(key, laptop.azure.subscription, now=lambda: datetime.now(UTC))
        yield App(azure=laptop.azure, maker=maker, token=token, folder=folder / "state" / "azure")


def test_it_answers_at_its_own_host_name(app: App) -> None:
    """
    With what it is told by its settings: who may push, which issuers are trusted.
    """
    stranger = Factory("Another CA", now=datetime.now(UTC)).leaf()
    known = app.certs(1)
    other = {"ref": "x", "cert": base64.b64encode(stranger.pem.encode()).decode()}

    answers = app.ask("POST", "/interop", {"action": "provision", "certs": [*known, other]}).json()

    assert (200, "OK") == (app.ask("GET", "/").status_code, app.ask("GET", "/auth").text)
    assert 401 == app.ask("GET", "/auth", Authorization="Bearer x").status_code
    assert {"SUCCESS": app.azure.hub, "ERROR": None} == {a["status"]: a.get("endpoint") for a in answers}


def test_what_is_put_off_is_worked_off_by_the_same_app(app: App) -> None:
    """
    202 and PENDING for every device; a moment later each is READY, as the hub itself says.
    """
    certs = app.certs(120)

    reply = app.ask("POST", "/interop", {"action": "provision", "certs": certs}, Prefer="respond-async")
    deadline = time.monotonic() + PATIENCE
    while (found := _statuses(app, certs)) != ["READY"] * 120 and time.monotonic() < deadline:
        time.sleep(0.2)

    assert (202, {"PENDING"}) == (reply.status_code, {a["status"] for a in reply.json()})
    assert ["READY"] * 120 == found
    log = (app.folder / "function" / "function.log").read_text("utf-8")
    assert '"event":"work"' in log
    assert "BEGIN CERTIFICATE" not in log


def _statuses(app: App, certs: list[dict[str, str]]) -> list[str]:
    reply = app.ask("POST", "/interop", {"action": "status", "certs": certs})
    return [entry["status"] for entry in reply.json()]


def test_what_nobody_of_us_wrote_is_laid_aside(app: App) -> None:
    """
    In the poison queue, which is the operator's to read.
    """
    operator = _token(app)
    url = app.azure.queue_url
    text = base64.b64encode(b"hello").decode()
    _storage(
        app, operator, "POST", f"{url}/messages", f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>"
    )

    deadline = time.monotonic() + PATIENCE
    while text not in (said := _storage(app, operator, "GET", f"{url}-poison/messages?peekonly=true").text):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)


def test_what_fails_is_put_off_and_costs_the_host_nothing(app: App) -> None:
    """
    An event that names no manifest; what comes after it is read (below), by the same host.
    """
    operator, url = _token(app), f"{app.azure.queue_url.rpartition('/')[0]}/uploads"
    text = base64.b64encode(b"{}").decode()
    _storage(
        app, operator, "POST", f"{url}/messages", f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>"
    )

    deadline = time.monotonic() + PATIENCE
    while "A message of uploads failed" not in (log := (app.folder / "function" / "function.log").read_text("utf-8")):
        assert time.monotonic() < deadline, log
        time.sleep(0.2)
    assert "shutting down" not in log


def test_an_uploaded_manifest_is_queued_reported_and_done(app: App) -> None:
    """
    One row per device in the report: queued, or why not; in the end each device is there, with its tags, one that was
    there before as well.
    """
    operator, leaves = _token(app), [app.maker.leaf() for _ in range(30)]
    known = {"ref": "known", "cert": base64.b64encode(leaves[0].pem.encode()).decode()}
    app.ask("POST", "/interop", {"action": "provision", "certs": [known]})
    rows = [f"{x.serial},g,{base64.b64encode(x.pem.encode()).decode()},Hall {i % 3}" for i, x in enumerate(leaves)]
    stranger = Factory("Another CA", now=datetime.now(UTC)).leaf()
    rows += [f"stranger,g,{base64.b64encode(stranger.pem.encode()).decode()},Hall 9", "broken,g,AAAA,Hall 9"]
    text = "\n".join(["device_id,group_id,certificate,site", *rows])
    where = app.azure.outputs[AzureOutput.MANIFESTS_URL]

    _storage(app, operator, "PUT", f"{where}/reel.csv", text, **{"x-ms-blob-type": "BlockBlob"})
    url = f"{where.removesuffix('manifests')}reports/reel.csv.csv"
    deadline = time.monotonic() + PATIENCE
    while not (reply := _storage(app, operator, "GET", url, good=False)).ok:
        assert time.monotonic() < deadline, reply.text
        time.sleep(0.2)
    report = {row["ref"]: row for row in csv.DictReader(io.StringIO(reply.text))}

    certs = [{"ref": x.serial, "cert": base64.b64encode(x.pem.encode()).decode()} for x in leaves]
    while (found := _statuses(app, certs)) != ["READY"] * 30 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ["READY"] * 30 == found
    assert {"QUEUED"} == {report[x.serial]["status"] for x in leaves}
    # what `firstlight import REPORT --to azure:westeurope` looks for
    assert {f"azure:westeurope:{app.azure.hub}"} == {row["to"] for row in report.values()}
    assert {"ERROR"} == {report[ref]["status"] for ref in ("stranger", "broken")}
    assert "issuer" in report["stranger"]["message"]
    assert {"site": "Hall 1"} == _tags(app, leaves[1].serial)
    while _tags(app, leaves[0].serial) != {"site": "Hall 0"}:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _tags(app: App, device: str) -> Any:
    token = _token(app, "https://iothubs.azure.net/.default")
    return _storage(app, token, "GET", f"https://{app.azure.hub}/twins/{device}?api-version=2021-04-12").json()["tags"]


def _token(app: App, scope: str = "https://storage.azure.com/.default") -> str:
    reply = requests.post(
        f"https://login.microsoftonline.com/{app.azure.tenant}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": app.azure.client_id,
            "client_secret": app.azure.client_secret,
            "scope": scope,
        },
        proxies={"https": app.azure.proxy_url},
        verify=str(app.azure.ca_file),
        timeout=PATIENCE,
    )
    return str(json.loads(reply.text)["access_token"])


def _storage(
    app: App, token: str, method: str, url: str, body: str = "", *, good: bool = True, **headers: str
) -> requests.Response:
    reply = requests.request(
        method,
        url,
        data=body,
        headers={"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03", **headers},
        proxies={"https": app.azure.proxy_url},
        verify=str(app.azure.ca_file),
        timeout=PATIENCE,
    )
    assert reply.ok or not good, reply.text
    return reply
