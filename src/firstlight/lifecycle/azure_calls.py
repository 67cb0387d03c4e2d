"""
Asks an IoT Hub and its provisioning service about devices, at the pace both allow.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from firstlight import azure_clients
from firstlight.azure_clients import DPS_SCOPE, HUB_SCOPE, NOT_FOUND, Answer, Azure, Rest
from firstlight.errors import RegistryError
from firstlight.lifecycle.pace import Pace
from firstlight.regions import AzureRegion

_HUB, _DPS = "api-version=2021-04-12", "api-version=2021-10-01"
# Operations a minute and unit, "IoT Hub quotas and throttling"; those of DPS are of the service.
_REGISTRY_BY_SKU = {"S3": 5000.0}
_REGISTRY, _QUERIES, _QUERIES_S3, _OPERATIONS = 100.0, 20.0, 1000.0, 1000.0
_MINUTE = 60.0
_PAGE = {"x-ms-max-item-count": "1000"}
Pacing = Callable[[str], None]


@dataclass(frozen=True)
class AzureCalls:
    """
    The service APIs of the hub at *hub_host* and, if there is one, of the provisioning service at *dps_host*.

    Every call may raise what azure_clients.refusals turns into one sentence.
    """

    hub: Rest
    hub_host: str
    dps: Rest | None
    pace: Pacing

    def identity(self, name: str) -> dict[str, Any] | None:
        """
        Return the identity of the device called *name*, None if there is none.
        """
        answer = self._hub("GET", _device(name), allowed=(NOT_FOUND,))
        return None if self._missing(answer) else answer.body

    def twin(self, name: str) -> dict[str, Any]:
        """
        Return the twin of the device called *name*, empty if there is none.
        """
        answer = self._hub("GET", f"/twins/{quote(name, safe='')}?{_HUB}", allowed=(NOT_FOUND,))
        return {} if self._missing(answer) else answer.body

    def put_identity(self, identity: Mapping[str, Any]) -> None:
        """
        Write an identity that was read, if nobody else did meanwhile.
        """
        headers = {"If-Match": f'"{identity["etag"]}"'}
        self._hub("PUT", _device(identity["deviceId"]), json_body=dict(identity), headers=headers)

    def delete_identity(self, name: str) -> bool:
        """
        Delete the identity of the device called *name*; return whether there was one.
        """
        answer = self._hub("DELETE", _device(name), headers={"If-Match": "*"}, allowed=(NOT_FOUND,))
        return not self._missing(answer)

    def devices(self, where: str) -> Iterator[dict[str, Any]]:
        """
        Yield the twins for which the condition *where* holds, empty for all; the hub's index follows some seconds late.
        """
        query = {"query": " WHERE ".join(filter(None, ("SELECT * FROM devices", where)))}
        yield from self._pages(
            lambda headers: self._hub("POST", f"/devices/query?{_HUB}", of="query", json_body=query, headers=headers)
        )

    def registration(self, name: str) -> dict[str, Any] | None:
        """
        Return what DPS did for the registration id *name*, None if it did nothing.
        """
        return self._dps_found(f"/registrations/{quote(name, safe='')}")

    def registrations(self, group: str) -> Iterator[dict[str, Any]]:
        """
        Yield what DPS did for the devices of the enrollment group *group*.
        """
        path = f"/registrations/{quote(group, safe='')}/query?{_DPS}"
        yield from self._pages(lambda headers: self._dps("POST", path, headers=headers))

    def enrollments(self) -> Iterator[dict[str, Any]]:
        """
        Yield the individual enrollments.
        """
        query = {"query": "SELECT * FROM enrollments"}
        path = f"/enrollments/query?{_DPS}"
        yield from self._pages(lambda headers: self._dps("POST", path, json_body=query, headers=headers))

    def enrollment(self, name: str) -> dict[str, Any] | None:
        """
        Return the individual enrollment of the registration id *name*, None if there is none.
        """
        return self._dps_found(f"/enrollments/{quote(name, safe='')}")

    def put_enrollment(self, body: Mapping[str, Any], *, etag: str = "") -> None:
        """
        Create an individual enrollment or, with *etag*, change it.
        """
        headers = {"If-Match": etag} if etag else {}
        path = f"/enrollments/{quote(body['registrationId'], safe='')}?{_DPS}"
        self._dps("PUT", path, json_body=dict(body), headers=headers)

    def delete(self, kind: str, name: str) -> bool:
        """
        Delete a registration, an enrollment or an enrollment group: *kind* is the collection in DPS's path.
        """
        answer = self._dps("DELETE", f"/{kind}/{quote(name, safe='')}?{_DPS}", allowed=(NOT_FOUND,))
        return answer.status != NOT_FOUND

    def _dps_found(self, path: str) -> dict[str, Any] | None:
        if self.dps is None:
            return None
        answer = self._dps("GET", f"{path}?{_DPS}", allowed=(NOT_FOUND,))
        return None if answer.status == NOT_FOUND else answer.body

    def _hub(self, method: str, path: str, *, of: str = "registry", **options: Any) -> Answer:
        self.pace(of)
        return self.hub.send(method, path, **options)

    def _dps(self, method: str, path: str, **options: Any) -> Answer:
        assert self.dps is not None  # noqa: S101 -- whoever calls has looked
        self.pace("dps")
        return self.dps.send(method, path, **options)

    def _missing(self, answer: Answer) -> bool:
        if answer.status != NOT_FOUND:
            return False
        if "DeviceNotFound" not in str(answer.body):
            raise RegistryError(f"There is no IoT hub at {self.hub_host}.", hint="Deploy the region first.")
        return True

    @staticmethod
    def _pages(ask: Callable[[dict[str, str]], Answer]) -> Iterator[dict[str, Any]]:
        more = ""
        while True:
            answer = ask(_PAGE | ({"x-ms-continuation": more} if more else {}))
            yield from answer.body or ()
            more = str(answer.headers.get("x-ms-continuation") or "")
            if not more:
                return


def calls_of(azure: Azure, region: AzureRegion, *, hub_host: str, dps_host: str) -> AzureCalls:
    """
    Return the calls of *region*'s hub and provisioning service (empty: it has none), paced by the hub's size.
    """
    registry = _REGISTRY_BY_SKU.get(region.hub_sku, _REGISTRY) * region.hub_units
    queries = (_QUERIES_S3 if region.hub_sku == "S3" else _QUERIES) * region.hub_units
    quotas = {"registry": registry / _MINUTE, "query": queries / _MINUTE, "dps": _OPERATIONS / _MINUTE}
    return AzureCalls(
        hub=azure.rest(f"https://{hub_host}", HUB_SCOPE),
        hub_host=hub_host,
        dps=azure.rest(f"https://{dps_host}", DPS_SCOPE) if dps_host else None,
        pace=Pace(quotas, burst=_MINUTE / 2),
    )


def refusals(doing: str) -> Any:
    """
    Raise as RegistryError what Azure's libraries raise within.
    """
    return azure_clients.refusals(doing, error=RegistryError)


def _device(name: str) -> str:
    return f"/devices/{quote(name, safe='')}?{_HUB}"
