"""
The function that hears of uploaded manifests by its own entry point, as the Functions worker calls it.
"""

import asyncio
import json
import logging
from typing import Any

import azure.functions as func
import pytest

from firstlight.errors import RegistryError
from firstlight.importing.objects import Object
from firstlight.importing.run import Tally
from firstlight.settings import Settings
from tests import azure_function


class _Uploads:
    """
    Remembers what it was given, or refuses it.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.taken: list[tuple[Object, str]] = []
        self._error = error

    async def take(self, of: Object, *, to: str, deadline: float) -> Tally:
        del deadline
        if self._error is not None:
            raise self._error
        self.taken.append((of, to))
        return Tally(failed=2)


def _function(monkeypatch: pytest.MonkeyPatch, uploads: _Uploads) -> tuple[Any, Any]:
    monkeypatch.setenv("UploadsQueue__queueServiceUri", "https://contoso.queue.core.windows.net/")
    monkeypatch.setenv("REGION_NAME", "West Europe")
    app = azure_function.load()
    reader = app.module.upload_reader
    reader.service = lambda: uploads
    reader.clients.settings = lambda: Settings(hub="contoso.azure-devices.net")
    return app.functions["uploads"], reader


def _event(name: str) -> str:
    return json.dumps({"subject": f"/blobServices/default/containers/manifests/blobs/{name}", "data": {"url": "x"}})


def _told(function: Any, body: str) -> None:
    asyncio.run(function.get_user_function()(func.QueueMessage(id="1", body=body)))


def test_it_is_there_only_where_manifests_may_be_uploaded() -> None:
    """
    Otherwise there is no queue that it could watch.
    """
    assert {"interop", "worker"} == set(azure_function.load().functions)


def test_it_is_bound_to_the_queue_that_events_go_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As the template has it, and it ends before its host ends it.
    """
    function, reader = _function(monkeypatch, _Uploads())
    (trigger,) = json.loads(str(function))["bindings"]
    template = json.loads((azure_function.FILE.parents[1] / "infra" / "azuredeploy.json").read_text("utf-8"))
    host = json.loads(azure_function.FILE.with_name("host.json").read_text("utf-8"))
    _, minutes, seconds = map(int, host["functionTimeout"].split(":"))

    assert (template["variables"]["uploadsName"], "UploadsQueue") == (trigger["queueName"], trigger["connection"])
    assert reader.SECONDS + 60 <= minutes * 60 + seconds


@pytest.mark.parametrize("name", ["reel.csv", "line 7/reel ü.7z", "a/b/c%20d.csv"])
def test_the_manifest_an_event_names_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """
    By its path, from the app's own account, whatever else the event says; the log has the counts.  Where to is said
    as `firstlight import` says it, which goes on with the report.
    """
    caplog.set_level(logging.INFO, "firstlight")
    uploads = _Uploads()
    function, _ = _function(monkeypatch, uploads)

    _told(function, _event(name))

    assert [(Object("", f"manifests/{name}"), "azure:westeurope:contoso.azure-devices.net")] == uploads.taken
    (line,) = map(json.loads, caplog.messages)
    assert ("manifest", name, 2) == (line["event"], line["manifest"], line["errors"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("hello", None),
        ("{}", None),
        ('{"subject":"/blobServices/default/containers/function-app/blobs/app.zip"}', None),
        (_event("reel.csv"), RegistryError("The account does not take the report.")),
    ],
)
def test_what_has_no_report_stays_in_the_queue(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, body: str, error: Exception | None
) -> None:
    """
    The host lays it aside after a few attempts; the log has a line and nothing of the message.
    """
    caplog.set_level(logging.INFO, "firstlight")
    uploads = _Uploads(error)
    function, _ = _function(monkeypatch, uploads)

    with pytest.raises(RuntimeError, match=r"^The message stays in the queue\.$"):
        _told(function, body)

    assert [] == uploads.taken
    (line,) = map(json.loads, caplog.messages)
    assert "failure" == line["event"]
    assert "hello" not in caplog.text
