"""
What is checked on Azure, as data: what must work, and what must fail.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """
    One check.
    """

    name: str
    proves: str


REGISTERED = Step("registered", "Is provisioned through DPS")
ONLINE = Step("online", "Comes online under its own id")
TELEMETRY = Step("telemetry", "Sends a message to the cloud")
TWIN = Step("twin", "Reads its twin")
REPORTED = Step("reported", "Reports a property in its twin")
METHOD = Step("method", "Answers a direct method")
MESSAGE = Step("message", "Receives a message from the cloud")

OTHER_DEVICE = Step("other-device-id", "Cannot connect as another device")
FORGED = Step("forged-certificate", "Nobody connects as it with another certificate")
OTHER_REGISTRATION = Step("other-registration-id", "Cannot be provisioned as another device")
FORGED_REGISTRATION = Step("forged-registration", "Nobody is provisioned as it with another certificate")
LEAF_ALONE = Step("leaf-alone", "Is not provisioned without its chain")


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureChecks:
    """
    Which checks to run.  `chain_needed`: that it is not provisioned without its chain is one of those that must fail.
    """

    wanted: tuple[Step, ...] = (ONLINE, TELEMETRY, TWIN, REPORTED, METHOD, MESSAGE)
    must_fail: bool = True
    chain_needed: bool = False

    def forbidden(self, *, through_dps: bool) -> tuple[Step, ...]:
        if not self.must_fail:
            return ()
        of_hub = (OTHER_DEVICE, FORGED)
        if not through_dps:
            return of_hub
        of_dps = (OTHER_REGISTRATION, FORGED_REGISTRATION)
        return (*of_hub, *of_dps, LEAF_ALONE) if self.chain_needed else (*of_hub, *of_dps)


EVERYTHING = AzureChecks()
# Comes online and sends: enough to see a device online, quick enough for many.
FIRST_LIGHT = AzureChecks(wanted=(ONLINE, TELEMETRY), must_fail=False)
