"""
The log of devices that came to the laptop's IoT Hubs and DPS: a line each, with the reason the cloud keeps back.
"""

from dataclasses import dataclass
from datetime import datetime

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.local.mqtt.line_log import LineLog


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAttempt:
    """
    `what` is connect or register; `why`, a `Why`, and `reason`, its sentence, are empty when it went well.

    `result` then says what came of it: where a registration was assigned to.
    """

    at: datetime
    what: str
    service: str
    device: str
    certificate: Certificate | None
    result: str = ""
    why: str = ""
    reason: str = ""
    hint: str = ""

    @classmethod
    def refused(
        cls, error: SessionError, *, at: datetime, what: str, service: str, device: str, certificate: Certificate | None
    ) -> "DeviceAttempt":
        return cls(
            at=at,
            what=what,
            service=service,
            device=device,
            certificate=certificate,
            why=str(error.reason),
            reason=error.message,
            hint=error.hint,
        )

    @property
    def accepted(self) -> bool:
        return not self.why

    def __str__(self) -> str:
        end = f"ok {self.result}" if self.accepted else f"REFUSED {self.why}: {self.reason} {self.hint}"
        shown = f"{self.certificate.fingerprint[:16]}…" if self.certificate else "unreadable"
        return (
            f"{self.at:%Y-%m-%dT%H:%M:%SZ} {self.what} {self.device!r} at {self.service}: {end.strip()} "
            f"[certificate {shown}]"
        )


AttemptLog = LineLog[DeviceAttempt]
