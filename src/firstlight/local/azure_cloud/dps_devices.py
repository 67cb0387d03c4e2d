"""
DPS as devices meet it: who may connect, and the answers to register and to poll.

Source: "Communicate with DPS using the MQTT protocol"; a refusal is answered to the request and not at CONNECT, as
the traces in the SDKs' documentation have it (`$dps/registrations/res/401/`).
"""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from firstlight.errors import SessionError
from firstlight.local.azure_cloud import device_topics
from firstlight.local.azure_cloud.refusals import Why
from firstlight.local.azure_cloud.registration import Claim
from firstlight.local.azure_cloud.world import GLOBAL_DPS_HOST, Assignment, Dps, World
from firstlight.local.mqtt import Hello, Reason

_USERNAME_PARTS = 3
_KEPT = 10_000
# errorCode and message, as DPS has them
_UNAUTHORIZED = (401002, "Unauthorized")
_TOLD = {
    Why.CHAIN: (401002, "CA certificate not found."),
    Why.CA_UNKNOWN: (401002, "CA certificate not found."),
    Why.CA_UNVERIFIED: (401002, "CA certificate not found."),
    Why.COMMON_NAME: (401002, "Invalid certificate."),
    Why.THUMBPRINT: (401002, "Invalid certificate."),
    Why.DATES: (401002, "Invalid certificate."),
}
_NO_HUB = 400209


class DpsClient:
    """
    A device on its way; what it may become, DPS decides when it asks.
    """

    def __init__(self, dps: Dps, claim: Claim) -> None:
        self.dps = dps
        self.claim = claim

    @property
    def name(self) -> str:
        return f"registration={self.claim.registration_id} dps={self.dps.name}"

    @property
    def session(self) -> str:
        return f"{self.dps.host}/{self.claim.registration_id.lower()}"

    def publish_refusal(self, topic: str, *, retain: bool) -> Reason:
        return Reason.SUCCESS if device_topics.dps_request(topic) and not retain else Reason.TOPIC_NAME_INVALID

    def subscribe_refusal(self, topic_filter: str) -> Reason:
        return Reason.SUCCESS if topic_filter == device_topics.DPS_ANSWERS else Reason.NOT_AUTHORIZED

    def may_receive(self, topic: str) -> bool:  # noqa: ARG002 -- the Protocol's signature
        # only ever what is meant for its session alone
        return True


def admit(hello: Hello, world: World) -> DpsClient:
    """
    Return the device that *hello* shows; its certificate is judged when it registers.

    Raises:
        SessionError: it asks for no DPS that is here, or its certificate cannot be read.
    """
    scope, registration_id = _asked_for(hello)
    dps = world.dps_of(scope)
    if dps is None:
        raise SessionError(f"There is no device provisioning service with id scope {scope!r}.", reason=Why.HOST)
    if hello.server_name not in (GLOBAL_DPS_HOST, dps.host):
        raise SessionError(
            f"TLS asked for {hello.server_name!r}, and {dps.name} answers at {GLOBAL_DPS_HOST} and {dps.host}.",
            reason=Why.SERVER_NAME,
        )
    if hello.certificate is None:
        raise SessionError("Its certificate cannot be read.", reason=Why.CERTIFICATE)
    return DpsClient(dps, Claim(registration_id, hello.certificate, hello.chain))


def _asked_for(hello: Hello) -> tuple[str, str]:
    scope, _, rest = (hello.username or "").partition("/registrations/")
    registration_id, _, query = rest.partition("/")
    registration_id = unquote(registration_id)
    if not registration_id or "api-version=" not in query:
        raise SessionError(
            f"The user name {hello.username!r} is not '<id scope>/registrations/<registration id>/api-version=…'.",
            reason=Why.USERNAME,
        )
    if hello.client_id.lower() != registration_id.lower():
        raise SessionError(
            f"The client id {hello.client_id!r} is not the registration id {registration_id!r} of the user name.",
            reason=Why.USERNAME,
        )
    return scope, registration_id


@dataclass
class Operations:
    """
    Registrations that were begun, by operation id, with what each ended in; the oldest are forgotten.
    """

    _ended: "OrderedDict[str, tuple[str, dict[str, Any]]]" = field(default_factory=OrderedDict)

    def begin(self, client: DpsClient, result: dict[str, Any]) -> str:
        operation_id = f"4.{uuid4().hex[:16]}.{uuid4()}"
        self._ended[operation_id] = (client.session, {"operationId": operation_id, **result})
        while len(self._ended) > _KEPT:
            self._ended.popitem(last=False)
        return operation_id

    def ended(self, client: DpsClient, operation_id: str) -> dict[str, Any] | None:
        """
        Return what the operation ended in, if it is one of *client*'s own.
        """
        owner, result = self._ended.get(operation_id, ("", {}))
        return result if owner == client.session else None


def assigned(assignment: Assignment, substatus: str, now: datetime) -> dict[str, Any]:
    """
    Return the end of a registration that went well, in DPS's JSON.
    """
    state = {
        "x509": {},
        "registrationId": assignment.registration_id,
        "createdDateTimeUtc": _utc(now),
        "assignedHub": assignment.hub_host,
        "deviceId": assignment.device_id,
        "status": "assigned",
        "substatus": substatus,
        "lastUpdatedDateTimeUtc": _utc(now),
        "etag": assignment.etag,
    }
    return {"status": "assigned", "registrationState": state}


def no_hub(registration_id: str, error: SessionError, now: datetime) -> dict[str, Any]:
    """
    Return the end of a registration that found no hub.
    """
    state = {
        "registrationId": registration_id,
        "status": "failed",
        "errorCode": _NO_HUB,
        "errorMessage": error.message,
        "lastUpdatedDateTimeUtc": _utc(now),
    }
    return {"status": "failed", "registrationState": state}


def refusal(error: SessionError, now: datetime) -> tuple[int, bytes]:
    """
    Return status and body of the answer to a device that is not let in.
    """
    code, message = _TOLD.get(Why(error.reason), _UNAUTHORIZED)
    return problem(code, message, now)


def problem(code: int, message: str, now: datetime) -> tuple[int, bytes]:
    """
    Return status and body of an answer that is an error; the code begins with the status.
    """
    body = {"errorCode": code, "trackingId": str(uuid4()), "message": message, "timestampUtc": _utc(now)}
    return code // 1000, json.dumps(body).encode()


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
