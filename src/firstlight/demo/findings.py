"""
What the demo saw: one row for each device, one for each thing that was to hold.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """
    One device: how it arrived, what it is called, and whether it published and received.

    `online` is None for a device whose key is not here: it is registered and cannot be connected.
    """

    name: str
    arrived: str
    online: bool | None
    seen: str
    cloud: str = "AWS"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was to hold, and what was seen.
    """

    what: str
    held: bool
    seen: str
    cloud: str = "AWS"


@dataclass(slots=True)
class Findings:
    """
    Everything the demo saw, in order.
    """

    devices: list[DeviceRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    # The folder to look in when something did not hold.
    logs: str = ""

    def note(self, what: str, seen: str, *, held: bool, cloud: str = "AWS") -> None:
        """
        Add one finding.
        """
        self.findings.append(Finding(what, held, seen, cloud))

    @property
    def held(self) -> bool:
        """
        Whether everything held and every device with a key is online.
        """
        return all(f.held for f in self.findings) and all(d.online is not False for d in self.devices)
