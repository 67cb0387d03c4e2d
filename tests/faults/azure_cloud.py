"""
An IoT Hub in this process: the benchmarks' stub behind the pipeline of the real adapter, and what is true of it.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import azure.functions as func
import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest

from benchmarks.stub_hub_registry import HubRegistry, Refused, device
from firstlight.endpoint import admission_from
from firstlight.identity import DeviceIdentity
from firstlight.queues import azure_backlog, azure_storage_calls
from firstlight.queues.azure_backlog import StorageBacklog
from firstlight.queues.azure_storage import StorageQueue
from firstlight.registries import azure_http
from firstlight.registries.azure_iot import AzureIotRegistry
from firstlight.settings import Settings
from tests import azure_function
from tests.faults import storage_cloud, weather
from tests.faults.at_least_once import Delivery, Queue
from tests.faults.cloud import CREDENTIALS, Service
from tests.faults.pipeline import Pipeline, Response
from tests.faults.process import current
from tests.faults.storage_cloud import StorageCloud
from tests.faults.wire import Wire

HUB = "hub.invalid"
_ERRORS = {
    weather.THROTTLED: (429, "ThrottlingBacklogTimeout"),
    weather.FAILED: (500, "ServerError"),
    weather.UNAVAILABLE: (503, "ServiceUnavailable"),
    weather.DONE_THEN_500: (500, "ServerError"),
    weather.PARTIAL: (500, "ServerError"),
    weather.EXPIRED: (401, "IotHubUnauthorizedAccess"),
}
_IN_PART = frozenset({weather.PARTIAL, weather.PARTIAL_LOST, weather.PARTIAL_TOLD})


@dataclass
class AzureCloud(Pipeline):
    """
    One hub's registry.
    """

    wire: Wire
    queue: Queue = field(default_factory=lambda: Queue(0))
    registry: HubRegistry = field(default_factory=HubRegistry)
    off: dict[str, str] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)
    settings = Settings(basic_credentials=CREDENTIALS, hub=HUB, queue_url=storage_cloud.URL)
    # A function is called with one message.
    batch = 1
    excused = ("does not accept the token", "is not allowed to this endpoint")

    @contextmanager
    def wired(self) -> Iterator[None]:
        """
        Let every call of the adapters end here, and the function find its process's service.
        """
        storage = StorageCloud(self.wire, self.queue)
        function = worker_function()

        def service() -> tuple[Any, Any, Any]:
            found: Service = current().service
            return found.registry, admission_from(self.settings), self.source(found)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(azure_http, "pipeline", lambda *_, **__: self)
            patch.setattr(azure_storage_calls, "pipeline", lambda *_, **__: storage)
            # One look into an empty queue is as good as twenty.
            patch.setattr(azure_backlog, "_LOOK", 19.0)
            patch.setitem(function.__globals__, "service", service)
            yield

    def new_service(self, *, is_worker: bool) -> Service:
        """
        See `Cloud`.
        """
        # Tokens are the pipeline's, and there is none.
        credential: Any = None
        registry = AzureIotRegistry(hub=HUB, credential=credential)
        return Service(registry, StorageQueue(storage_cloud.URL, credential=credential))

    def source(self, service: Service) -> Any:
        """
        See `Cloud`.
        """
        return StorageBacklog(service.queue)

    async def invoke(self, deliveries: list[Delivery], *, seconds: float) -> None:
        """
        See `Cloud`: a queue trigger, whose host deletes what the function returns from and poisons what fails often.
        """
        for delivery in deliveries:
            try:
                await worker_function()(func.QueueMessage(body=delivery.body.encode()))
            except RuntimeError:
                if delivery.received >= self.queue.most:
                    self.queue.give_up(delivery.receipt)
                else:
                    self.queue.hide(delivery.receipt, 0)
            else:
                self.queue.delete(delivery.receipt)

    async def send(self, request: HttpRequest) -> Response | Exception | None:
        """
        See `Pipeline`.
        """
        segments = [unquote(part) for part in urlsplit(request.url).path.strip("/").split("/")]
        body = json.loads(request.content) if request.content else None
        name = "Bulk" if request.method == "POST" else request.method.capitalize()
        return await self.wire.carry(
            name,
            lambda fault: self._answer(name, segments, body, fault),
            about=lambda: " ".join(segments[1:] or [str(entry["id"]) for entry in body]),
            cannot=frozenset() if name == "Bulk" else _IN_PART,
        )

    def _answer(self, name: str, segments: list[str], body: Any, fault: str) -> Response | Exception:
        done = self._done(name, segments, body, fault) if not fault or fault in weather.DONE else None
        if fault == weather.UNREACHABLE:
            return ServiceRequestError("no connection")
        if fault == weather.LOST:
            return ServiceResponseError("the connection was closed")
        if fault in _ERRORS or done is None:
            status, code = _ERRORS[fault]
            done = status, code, {"Message": f"ErrorCode:{code};injected"}
        status, code, document = done
        return Response(status, {"iothub-errorcode": code} if code else {}, json.dumps(document).encode())

    def _done(self, name: str, segments: list[str], body: Any, fault: str) -> tuple[int, str, Any]:
        if not self.wire.weather.admits("Registry", len(body) if name == "Bulk" else 1):
            return 429, "ThrottlingBacklogTimeout", {"Message": "Wait 10 seconds and try again."}
        try:
            match name, segments:
                case "Bulk", ["devices"]:
                    return self._bulk(body, fault)
                case "Get", ["devices", device_id]:
                    return 200, "", self.registry.get(device_id)
                case _:
                    return 404, "NotFound", {"Message": f"no {name} {'/'.join(segments)}"}
        except Refused as e:
            return e.status, e.code, e.document

    def _bulk(self, entries: list[dict[str, Any]], fault: str) -> tuple[int, str, Any]:
        known = set(self.registry.devices)
        part = self.wire.weather.part(len(entries)) if fault in _IN_PART else len(entries)
        kept = entries[:part]
        if self.wire.weather.is_odd and any(entry["id"] in known for entry in kept):
            # Nothing says that a hub makes the others of a bulk call of which one is there.
            kept = [entry for entry in kept if entry["id"] in known]
        status, document = self.registry.bulk(kept)
        self.made.update(set(self.registry.devices) - known)
        if fault == weather.PARTIAL_TOLD:
            failed = [{"deviceId": e["id"], "errorCode": 500001, "errorStatus": "ServerError"} for e in entries[part:]]
            return 400, "", {**document, "isSuccessful": False, "errors": [*document["errors"], *failed]}
        return status, "", document

    def complete(self, device: DeviceIdentity) -> bool:
        """
        See `Cloud`.
        """
        return self.registry.able().get(device.name) == device.fingerprint.upper()

    def is_anothers(self, device: DeviceIdentity) -> bool:
        """
        See `Cloud`.
        """
        found = self.registry.devices.get(device.name)
        return found is not None and device.fingerprint.upper() != _thumbprint(found)

    def switch_off(self, device: DeviceIdentity, status: str) -> bool:
        """
        See `Cloud`; a hub knows one way to be off.
        """
        found = self.registry.devices.get(device.name)
        if found is None or self.is_anothers(device):
            return False
        found["status"] = self.off[device.fingerprint] = "disabled"
        return True

    def leave(self, device: DeviceIdentity, parts: str) -> None:
        """
        See `Cloud`: a d(evice) as it should be, or one of that name with a s(hared key).
        """
        proof = {"type": "sas"}
        if parts == "d":
            proof = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": device.fingerprint.upper()}}
        self.registry.devices[device.name] = _shown(device.name, proof)

    def half_made(self, devices: list[DeviceIdentity]) -> list[str]:
        """
        See `Cloud`.
        """
        wrong = [f"{name} was made {n} times" for name, n in self.made.items() if n > 1]
        pushed = {d.name for d in devices}
        wrong += [f"{name} was never pushed" for name in self.registry.devices if name not in pushed]
        for one in devices:
            found = self.registry.devices.get(one.name)
            if one.fingerprint in self.off and (found is None or found["status"] != "disabled"):
                wrong.append(f"{one.name} was switched off and is not any more")
        return wrong


@cache
def worker_function() -> Any:
    """
    Return the worker as the Functions host calls it.
    """
    return azure_function.load().work


def _shown(name: str, proof: dict[str, Any]) -> dict[str, Any]:
    return device(name, proof)


def _thumbprint(found: dict[str, Any]) -> str:
    return str(found["authentication"].get("x509Thumbprint", {}).get("primaryThumbprint", ""))
