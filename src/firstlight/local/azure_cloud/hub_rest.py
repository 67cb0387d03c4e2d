"""
The IoT Hub service API: identity registry, twins, direct methods, statistics (api-version 2021-04-12).
"""

from typing import Any
from uuid import uuid4

from firstlight.local.azure_cloud import hub_bulk, hub_identity, hub_query, hub_twin
from firstlight.local.azure_cloud.access import Principal
from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal, Routes
from firstlight.local.azure_cloud.throttle import Throttle, registry_rate
from firstlight.local.azure_cloud.tokens import HUB, TokenRefusedError, Tokens
from firstlight.local.azure_cloud.world import Device, Hub, World

_ACTIONS = "Microsoft.Devices/IotHubs"
_MOST_LISTED = 1000
_METHOD_SECONDS = 30.0
_VERSIONS_SINCE = "2018-06-30"


class HubService:
    """
    Answers at every hub's host name.
    """

    def __init__(self, world: World, tokens: Tokens, throttle: Throttle) -> None:
        self._world = world
        self._tokens = tokens
        self._throttle = throttle
        self.routes = Routes()
        for method, path, action, handler in (
            ("POST", "/devices", "devices/write", self._bulk),
            ("GET", "/devices", "devices/read", self._list),
            ("POST", "/devices/query", "twins/read", hub_query.answer),
            ("GET", "/devices/{id}", "devices/read", self._get),
            ("PUT", "/devices/{id}", "devices/write", self._put),
            ("DELETE", "/devices/{id}", "devices/delete", self._delete),
            ("GET", "/twins/{id}", "twins/read", self._twin),
            ("PATCH", "/twins/{id}", "twins/write", self._patch_twin),
            ("PUT", "/twins/{id}", "twins/write", self._replace_twin),
            ("GET", "/statistics/devices", "devices/read", self._statistics),
            ("GET", "/statistics/service", "devices/read", self._service_statistics),
        ):
            self.routes.add(method, path, self._allowed(action, handler))
        self.routes.add("POST", "/twins/{id}/methods", self._method)

    @staticmethod
    def refuse(refusal: Refusal) -> Any:
        """
        Return the body of the hub's errors; the code is also the header `iothub-errorcode`.
        """
        return {
            "Message": f"ErrorCode:{refusal.code};{refusal.message}",
            "ExceptionMessage": f"Tracking ID:{uuid4().hex}-G:0-TimeStamp:laptop",
        }

    def _allowed(self, action: str, handler: Any) -> Handler:
        def answer(call: Call) -> Answer:
            hub = self._authorized(call, action)
            if action.startswith("devices/"):
                self._throttle.take(hub.host, registry_rate(hub))
            answered: Answer = handler(hub, call)
            return answered

        return answer

    def _authorized(self, call: Call, *actions: str) -> Hub:
        hub = self._world.hub_at(call.host)
        if hub is None:
            raise Refusal(404, "IotHubNotFound", f"There is no IoT hub at {call.host}.")
        if call.query.get("api-version", "") < _VERSIONS_SINCE:
            raise Refusal(400, "InvalidProtocolVersion", "The api-version is missing or not supported.")
        try:
            principal = self._tokens.principal(call.headers.get("authorization", ""), HUB)
        except TokenRefusedError as e:
            raise Refusal(401, "IotHubUnauthorizedAccess", f"Unauthorized: {e}") from e
        for action in actions:
            self._require(principal, action, hub, call)
        return hub

    def _require(self, principal: Principal, action: str, hub: Hub, call: Call) -> None:
        if not self._world.directory.allows(principal, f"{_ACTIONS}/{action}", hub.resource_id, data=True):
            raise Refusal(
                401,
                "IotHubUnauthorized",
                f"Principal {principal.object_id} is not authorized for {call.method} on {call.path} "
                "due to no assigned permissions",
            )

    def _bulk(self, hub: Hub, call: Call) -> Answer:
        # "IoT Hub Registry Contributor" has both; a custom role with writes only does not do.
        self._authorized(call, "devices/delete")
        return hub_bulk.change(hub, call.json())

    def _list(self, hub: Hub, call: Call) -> Answer:
        top = call.query.get("top", str(_MOST_LISTED))
        if not top.isdecimal() or not 1 <= int(top) <= _MOST_LISTED:
            raise Refusal(400, "ArgumentInvalid", f"top is 1 to {_MOST_LISTED}.")
        return Answer(200, [hub_identity.shown(device) for device in list(hub.devices.values())[: int(top)]])

    def _get(self, hub: Hub, call: Call) -> Answer:
        return _identity(_device(hub, call))

    def _put(self, hub: Hub, call: Call) -> Answer:
        device_id = hub_identity.require_id(call.names["id"])
        given = call.object()
        if given.get("deviceId", device_id) != device_id:
            raise Refusal(400, "ArgumentInvalid", "The device id of the body is not that of the path.")
        known = hub.devices.get(device_id)
        if call.etag:
            known = _device(hub, call)
            hub_identity.require_match(call.etag, known.etag)
        elif known:
            raise Refusal(409, "DeviceAlreadyExists", f"A device with ID '{device_id}' is already registered.")
        device = known or Device(device_id)
        hub_bulk.put(hub, device, given)
        return _identity(device)

    def _delete(self, hub: Hub, call: Call) -> Answer:
        device = _device(hub, call)
        if not call.etag:
            raise Refusal(412, "PreconditionFailed", "Etag missing: If-Match is required.")
        hub_identity.require_match(call.etag, device.etag)
        hub.tell("deleted", hub.devices.pop(device.id))
        return Answer(204)

    def _twin(self, hub: Hub, call: Call) -> Answer:
        return _twin(_device(hub, call))

    def _patch_twin(self, hub: Hub, call: Call) -> Answer:
        device = _matching_twin(hub, call)
        hub_twin.patch(hub, device, call.object())
        return _twin(device)

    def _replace_twin(self, hub: Hub, call: Call) -> Answer:
        device = _matching_twin(hub, call)
        hub_twin.replace(hub, device, call.object())
        return _twin(device)

    async def _method(self, call: Call) -> Answer:
        hub = self._authorized(call, "directMethods/invoke/action")
        device, asked = _device(hub, call), call.object()
        if not isinstance(name := asked.get("methodName"), str) or not name:
            raise Refusal(400, "ArgumentInvalid", "methodName is missing.")
        invoke = self._world.call_method
        if invoke is None or not device.connected:
            raise Refusal(404, "DeviceNotOnline", f"Timed out waiting for device {device.id} to connect.")
        seconds = float(asked.get("responseTimeoutInSeconds") or _METHOD_SECONDS)
        try:
            status, payload = await invoke(hub, device, name, asked.get("payload"), seconds)
        except TimeoutError as e:
            raise Refusal(504, "GatewayTimeout", "Timed out waiting for the response from device.") from e
        return Answer(200, {"status": status, "payload": payload})

    def _statistics(self, hub: Hub, _call: Call) -> Answer:
        enabled = sum(device.enabled for device in hub.devices.values())
        return Answer(
            200,
            {
                "totalDeviceCount": len(hub.devices),
                "enabledDeviceCount": enabled,
                "disabledDeviceCount": len(hub.devices) - enabled,
            },
        )

    def _service_statistics(self, hub: Hub, _call: Call) -> Answer:
        return Answer(200, {"connectedDeviceCount": sum(device.connected for device in hub.devices.values())})


def _device(hub: Hub, call: Call) -> Device:
    device_id = call.names["id"]
    if device_id not in hub.devices:
        raise Refusal(404, "DeviceNotFound", f"Device {device_id} not registered.")
    return hub.devices[device_id]


def _matching_twin(hub: Hub, call: Call) -> Device:
    device = _device(hub, call)
    if call.etag:
        hub_identity.require_match(call.etag, device.twin.etag)
    return device


def _identity(device: Device) -> Answer:
    return Answer(200, hub_identity.shown(device), {"ETag": f'"{hub_identity.encoded(device.etag)}"'})


def _twin(device: Device) -> Answer:
    return Answer(200, hub_twin.shown(device), {"ETag": f'"{hub_identity.encoded(device.twin.etag)}"'})
