"""
What every first connect of a region shares: its template, and the CAs whose devices it takes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import JitpError
from firstlight.first_connect import operations
from firstlight.registries import aws_errors
from firstlight.registries.aws_calls import AwsCalls, Turn

_T = TypeVar("_T")
# Seconds.  The quota of either question is ten a second for the whole account.
_REMEMBERED = 60.0


class Source:
    """
    Asks AWS IoT, and remembers an answer for a minute.  A failure is not kept.
    """

    def __init__(self, calls: AwsCalls, template_name: str) -> None:
        self._calls = calls
        self._template_name = template_name
        self._known: dict[str, tuple[float, Any]] = {}

    async def template(self, turn: Turn) -> str:
        """
        Return the body of the region's template, whether it is enabled or not: that is a switch of JITP's.

        Raises:
            JitpError: there is none.
            RegistryError: AWS IoT refused, failed, or was not done in time.
        """
        return await self._remembered("", lambda: self._template(turn))

    async def ca(self, ca_id: str, turn: Turn) -> Certificate:
        """
        Return the CA certificate *ca_id*, which may bring devices into this region.

        Raises:
            JitpError: it may not: it is not registered or switched off, or has a template of its own.
            RegistryError: as `template`.
        """
        return await self._remembered(ca_id, lambda: self._ca(ca_id, turn))

    async def _template(self, turn: Turn) -> str:
        answer = await self._calls(operations.describe_template(self._template_name), turn)
        if answer.missing:
            raise JitpError(
                f"The provisioning template {self._template_name} does not exist.", hint="Deploy the JITP stack again."
            )
        if not answer.ok:
            raise aws_errors.refusal(answer)
        return str(answer.document().get("templateBody") or "")

    async def _ca(self, ca_id: str, turn: Turn) -> Certificate:
        answer = await self._calls(operations.describe_ca(ca_id), turn)
        if not answer.ok and not answer.missing:
            raise aws_errors.refusal(answer)
        found = answer.document().get("certificateDescription") or {}
        if found.get("status") != "ACTIVE" or found.get("autoRegistrationStatus") != "ENABLE":
            raise JitpError("Its CA is not registered, not ACTIVE, or does not register devices any more.")
        config = answer.document().get("registrationConfig") or {}
        # Ours may still be named by a CA from before it had an allow-list: no call of AWS IoT takes that away.
        if config.get("templateBody") or config.get("templateName", self._template_name) != self._template_name:
            raise JitpError("Its CA has a provisioning template of its own, which is to provision it.")
        return certificates.load(str(found.get("certificatePem") or "").encode("ascii"))

    async def _remembered(self, what: str, ask: Callable[[], Awaitable[_T]]) -> _T:
        clock = asyncio.get_running_loop().time
        known = self._known.get(what)
        if known is not None and clock() - known[0] < _REMEMBERED:
            answer: _T = known[1]
            return answer
        at, found = clock(), await ask()
        self._known[what] = (at, found)
        return found
