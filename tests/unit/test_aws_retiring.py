"""
What retiring does where AWS IoT is slower, or stricter, than the laptop's.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from firstlight.lifecycle.aws_retire import Retiring
from firstlight.lifecycle.rows import Became, Which

PLACE = "arn:aws:iot:eu-west-1:123456789012"
ID = "ab" * 32


class StateError(ClientError):
    pass


class ConflictError(ClientError):
    pass


class AttachedError(ClientError):
    pass


class MissingError(ClientError):
    pass


class _Exceptions:
    CertificateStateException = StateError
    DeleteConflictException = ConflictError
    InvalidRequestException = AttachedError
    ResourceNotFoundException = MissingError


def refused(kind: type[ClientError], code: str) -> ClientError:
    return kind({"Error": {"Code": code, "Message": "No"}}, "Operation")


@dataclass
class StrictIot:
    """
    AWS IoT with one device, whose certificate has *status*; it sees *late* times that something is still attached.
    """

    status: str = "REVOKED"
    late: int = 0
    calls: list[str] = field(default_factory=list)
    exceptions: Any = _Exceptions

    def describe_thing(self, *, thingName: str) -> Any:  # noqa: N803 -- as boto3 has it
        return {"thingName": thingName, "thingArn": f"{PLACE}:thing/{thingName}", "attributes": {"certificateId": ID}}

    def describe_certificate(self, **_: str) -> Any:
        return {"certificateDescription": {"status": self.status, "certificateArn": f"{PLACE}:cert/{ID}"}}

    def update_certificate(self, **_: str) -> None:
        raise refused(StateError, "CertificateStateException")

    def delete_certificate(self, **_: str) -> None:
        self._attached(ConflictError, "DeleteConflictException")
        self.calls.append("delete_certificate")

    def delete_thing(self, **_: str) -> None:
        self._attached(AttachedError, "InvalidRequestException")
        self.calls.append("delete_thing")

    def detach_thing_principal(self, **_: str) -> None:
        self.calls.append("detach_thing_principal")

    def get_paginator(self, operation: str) -> Any:
        page = {"principals": [f"{PLACE}:cert/{ID}"], "things": ["dev"], "policies": []}
        return SimpleNamespace(paginate=lambda **_: [page])

    def _attached(self, kind: type[ClientError], code: str) -> None:
        self.late -= 1
        if self.late >= 0:
            raise refused(kind, code)


@pytest.mark.parametrize("forget", [False, True])
def test_what_is_revoked_already_is_retired_all_the_same(*, forget: bool) -> None:
    """
    AWS IoT never changes the status of a REVOKED certificate, not even to the same.
    """
    iot = StrictIot()

    row = Retiring(iot, forget=forget, really=True)(Which("dev"))

    assert (Became.RETIRED, (ID,)) == (row.became, row.certificates)
    assert ["detach_thing_principal", *(["delete_certificate"] if forget else []), "delete_thing"] == iot.calls


def test_a_status_that_cannot_be_left_is_an_error() -> None:
    """
    Nothing is detached from a certificate that may still be used.
    """
    iot = StrictIot(status="PENDING_TRANSFER")

    row = Retiring(iot, forget=False, really=True)(Which("dev"))

    assert (Became.ERROR, []) == (row.became, iot.calls)
    assert "CertificateStateException" in row.message


def test_detaching_is_waited_for() -> None:
    """
    DetachThingPrincipal is asynchronous: certificate and thing count as attached for some seconds more.
    """
    slept: list[float] = []

    row = Retiring(StrictIot(late=4), forget=True, really=True, sleep=slept.append)(Which("dev"))
    never = Retiring(StrictIot(late=100), forget=True, really=True, sleep=slept.append)(Which("dev"))

    assert (Became.RETIRED, [1.0, 2.0, 4.0, 8.0]) == (row.became, slept[:4])
    assert (Became.ERROR, (f"detached {ID}",)) == (never.became, never.done)
