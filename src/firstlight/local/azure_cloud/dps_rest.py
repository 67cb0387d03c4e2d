"""
The DPS service API: enrollments, enrollment groups, registrations (api-version 2021-10-01).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from firstlight.local.azure_cloud import dps_enrollment
from firstlight.local.azure_cloud.dps_enrollment import GROUP, INDIVIDUAL
from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal, Routes
from firstlight.local.azure_cloud.throttle import Throttle
from firstlight.local.azure_cloud.tokens import DPS, TokenRefusedError, Tokens
from firstlight.local.azure_cloud.world import Dps, Enrollment, World

_ACTIONS = "Microsoft.Devices/provisioningServices"
_MOST_GROUPS = 100
_MOST_IN_BULK = 10
# Operations a minute, "IoT Hub Device Provisioning Service quotas"
_RATE = 1000
_VERSIONS = ("2021-06-01", "2021-10-01")
_QUERY = re.compile(r"\s*select\s+\*(\s+from\s+\w+)?\s*", re.IGNORECASE)


class DpsService:
    """
    Answers at every device provisioning service's host name.
    """

    def __init__(self, world: World, tokens: Tokens, throttle: Throttle) -> None:
        self._world = world
        self._tokens = tokens
        self._throttle = throttle
        self.routes = Routes()
        for path, key in (("/enrollmentGroups", GROUP), ("/enrollments", INDIVIDUAL)):
            kind = "enrollmentGroups" if key == GROUP else "enrollments"
            # before {id}: "query" would be one
            self._add("POST", f"{path}/query", f"{kind}/read", self._with(key, self._query))
            self._add("GET", f"{path}/{{id}}", f"{kind}/read", self._with(key, self._get))
            self._add("PUT", f"{path}/{{id}}", f"{kind}/write", self._with(key, self._put))
            self._add("DELETE", f"{path}/{{id}}", f"{kind}/delete", self._with(key, self._delete))
        self._add("POST", "/enrollments", "enrollments/write", self._bulk)
        self._add("POST", "/registrations/{id}/query", "registrationStates/read", self._registrations)
        self._add("GET", "/registrations/{id}", "registrationStates/read", self._registration)
        self._add("DELETE", "/registrations/{id}", "registrationStates/delete", self._forget)

    @staticmethod
    def refuse(refusal: Refusal) -> Any:
        """
        Return the body of the service's errors.
        """
        return {"errorCode": refusal.code, "trackingId": str(uuid4()), "message": refusal.message}

    def _add(self, method: str, path: str, action: str, handler: Callable[[Dps, Call], Answer]) -> None:
        def answer(call: Call) -> Answer:
            return handler(self._authorized(call, action), call)

        allowed: Handler = answer
        self.routes.add(method, path, allowed)

    def _authorized(self, call: Call, action: str) -> Dps:
        dps = next((d for d in self._world.services.values() if d.host == call.host), None)
        if dps is None:
            raise Refusal(404, 404001, f"There is no device provisioning service at {call.host}.")
        if (version := call.query.get("api-version")) not in _VERSIONS:
            raise Refusal(400, 400001, f"Unknown api version {version}.")
        try:
            principal = self._tokens.principal(call.headers.get("authorization", ""), DPS)
        except TokenRefusedError as e:
            raise Refusal(401, 401003, f"Unauthorized: {e}") from e
        if not self._world.directory.allows(principal, f"{_ACTIONS}/{action}", dps.resource_id, data=True):
            raise Refusal(
                401,
                401003,
                f"Principal {principal.object_id} is not authorized for {call.method} on {call.path} "
                "due to no assigned permissions",
            )
        self._throttle.take(dps.host, _RATE)
        return dps

    @staticmethod
    def _with(key: str, handler: Callable[[Dps, Call, str], Answer]) -> Callable[[Dps, Call], Answer]:
        return lambda dps, call: handler(dps, call, key)

    def _get(self, dps: Dps, call: Call, key: str) -> Answer:
        name = call.names["id"]
        known = _known(dps, key).get(name.lower())
        if known is None:
            raise Refusal(404, 404201, f"Enrollment {name} not found.")
        return _shown(known, key)

    def _put(self, dps: Dps, call: Call, key: str) -> Answer:
        new = dps_enrollment.read(dps, {key: call.names["id"], **call.object()}, key)
        if new.id != call.names["id"].lower():
            raise Refusal(400, 400004, "The id of the body is not that of the path.")
        known = _known(dps, key)
        if key == GROUP and new.id not in known and len(known) >= _MOST_GROUPS:
            raise Refusal(403, 403001, f"A service takes {_MOST_GROUPS} enrollment groups at most.")
        return _shown(dps_enrollment.put(known, new, call.etag), key)

    def _delete(self, dps: Dps, call: Call, key: str) -> Answer:
        dps_enrollment.delete(_known(dps, key), call.names["id"], call.etag)
        return Answer(204)

    def _query(self, dps: Dps, call: Call, key: str) -> Answer:
        if not _QUERY.fullmatch(str(call.object().get("query", ""))):
            raise Refusal(400, 400004, "The laptop's DPS answers SELECT * only.")
        return _page(call, [dps_enrollment.shown(one, key) for one in _known(dps, key).values()])

    def _bulk(self, dps: Dps, call: Call) -> Answer:
        given = call.object()
        entries = given.get("enrollments") or []
        if not 1 <= len(entries) <= _MOST_IN_BULK:
            raise Refusal(400, 400004, f"A bulk operation takes 1 to {_MOST_IN_BULK} enrollments.")
        errors = []
        for entry in entries:
            try:
                _change(dps, given.get("mode", "create"), entry)
            except Refusal as refusal:
                name = entry.get(INDIVIDUAL)
                errors.append({INDIVIDUAL: name, "errorCode": refusal.code, "errorStatus": refusal.message})
        return Answer(200, {"isSuccessful": not errors, "errors": errors})

    def _registrations(self, dps: Dps, call: Call) -> Answer:
        group = call.names["id"].lower()
        if group not in dps.groups:
            raise Refusal(404, 404201, f"Enrollment {group} not found.")
        found = [a for a in dps.assignments.values() if a.enrollment.lower() == group]
        return _page(call, [dps_enrollment.registration(a) for a in found])

    def _registration(self, dps: Dps, call: Call) -> Answer:
        name = call.names["id"].lower()
        dps_enrollment.require_match(dps.assignments.get(name), name, "*")
        return Answer(200, dps_enrollment.registration(dps.assignments[name]))

    def _forget(self, dps: Dps, call: Call) -> Answer:
        name = call.names["id"].lower()
        dps_enrollment.require_match(dps.assignments.get(name), name, call.etag or "*")
        del dps.assignments[name]
        return Answer(204)


def _known(dps: Dps, key: str) -> dict[str, Enrollment]:
    return dps.groups if key == GROUP else dps.enrollments


def _change(dps: Dps, mode: str, entry: dict[str, Any]) -> None:
    etag = "*" if mode == "update" else str(entry.get("etag") or "").strip('"')
    match mode:
        case "create":
            dps_enrollment.put(dps.enrollments, dps_enrollment.read(dps, entry, INDIVIDUAL), "")
        case "update" | "updateIfMatchETag":
            dps_enrollment.put(dps.enrollments, dps_enrollment.read(dps, entry, INDIVIDUAL), etag or "none")
        case "delete":
            dps_enrollment.delete(dps.enrollments, str(entry.get(INDIVIDUAL)), etag)
        case _:
            raise Refusal(400, 400004, f"Mode {mode} is not supported.")


def _shown(enrollment: Enrollment, key: str) -> Answer:
    return Answer(200, dps_enrollment.shown(enrollment, key), {"ETag": f'"{enrollment.etag}"'})


def _page(call: Call, items: Sequence[dict[str, Any]]) -> Answer:
    """
    Return the page that the call's headers ask for; a continuation token is where the next one begins.
    """
    size = call.headers.get("x-ms-max-item-count", "") or str(max(1, len(items)))
    start = call.headers.get("x-ms-continuation", "") or "0"
    if not size.isdecimal() or not start.isdecimal() or int(size) < 1:
        raise Refusal(400, 400004, "x-ms-max-item-count or x-ms-continuation is wrong.")
    end = int(start) + int(size)
    headers = {"x-ms-continuation": str(end)} if end < len(items) else {}
    return Answer(200, list(items[int(start) : end]), headers)
