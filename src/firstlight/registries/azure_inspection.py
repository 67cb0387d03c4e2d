"""
What devices are now, as an IoT Hub itself shows them: looked at one by one, and nothing changed.
"""

from collections.abc import Sequence
from urllib.parse import quote

from firstlight.errors import FirstlightError
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Condition, Sought, Standing
from firstlight.registries import azure_errors, azure_identity
from firstlight.registries.azure_rounds import Entry, Rounds, Site


class AzureInspection(Rounds[Standing]):
    """
    Looks at *devices* before *deadline* (the running loop's clock), at the pace that pushes have to keep as well.
    """

    def __init__(self, site: Site, devices: Sequence[Sought], *, deadline: float) -> None:
        super().__init__(site, [_identity(device) for device in devices], deadline=deadline)
        for entry in self._entries:
            if not entry.identity.name:
                self._fail(entry, azure_errors.nameless())

    async def _round(self, left: list[Entry[Standing]]) -> None:
        await self._all(self._look, left)

    async def _look(self, entry: Entry[Standing]) -> None:
        identity = entry.identity
        answer = await self._answer("GET", f"/devices/{quote(identity.name, safe='')}", [entry])
        if answer is None:
            return
        self._site.pace.taken(1)
        if answer.missing and answer.code not in _NO_DEVICE:
            raise azure_errors.no_registry(self._site.hub)
        if answer.missing:
            entry.result = Standing(Condition.UNKNOWN)
        elif not answer.ok or not isinstance(answer.document, dict):
            self._fail(entry, azure_errors.refusal(answer))
        elif str(answer.document.get("deviceId") or "") != identity.name:
            self._fail(entry, azure_errors.unsettled(identity.name))
        else:
            entry.result = self._standing(azure_identity.missing(answer.document, identity, self._site.preferred))

    def _standing(self, missing: tuple[str, ...]) -> Standing:
        if missing:
            return Standing(Condition.INCOMPLETE, missing)
        return Standing(Condition.READY, endpoint=self._site.hub)

    def _failed(self, entry: Entry[Standing], error: FirstlightError) -> Standing:
        return Standing(Condition.UNKNOWN, error=azure_errors.asking(error) if entry.identity.name else error)


# Another 404 is not of a device: there is no such hub, or no hub at all.
_NO_DEVICE = frozenset({"DeviceNotFound", "404001"})


def _identity(sought: Sought) -> DeviceIdentity:
    return DeviceIdentity(sought.name, "", sought.fingerprint, "", sought.common_name)
