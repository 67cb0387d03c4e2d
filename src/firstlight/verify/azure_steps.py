"""
What a device does once it is online on Azure, step by step; half of it needs the hub's own side.
"""

import asyncio
import json
from typing import Any

from firstlight.errors import SessionError
from firstlight.verify import azure_checks as checks
from firstlight.verify.azure_checks import Step
from firstlight.verify.azure_service import Service
from firstlight.verify.azure_session import HubSession
from firstlight.verify.checks import PAYLOAD
from firstlight.verify.notebook import Notebook
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Check, MqttVersion

METHOD = "firstlight-verify"
_GREETING: dict[str, Any] = json.loads(PAYLOAD)


async def perform(
    step: Step, session: HubSession, service: Service | None, notes: Notebook, *, seconds: float
) -> Check:
    """
    Do *step* on *session*; *seconds* is what an answer may take.  SessionError never leaves here.
    """
    began = notes.clock()
    try:
        detail = await _done(step, session, service, seconds)
    except SessionError as e:
        if e.reason == Reason.NO_SERVICE:
            return notes.not_run([step], MqttVersion.V311, e.message, e.reason)[0]
        return notes.failed(step, MqttVersion.V311, began, e)
    return notes.passed(step, MqttVersion.V311, began, detail)


async def _done(step: Step, session: HubSession, service: Service | None, seconds: float) -> str:
    if step is checks.TELEMETRY:
        await session.send(PAYLOAD)
        return "acknowledged"
    if step is checks.TWIN:
        twin = await session.twin()
        return f"desired version {twin['desired']['$version']}, reported version {twin['reported']['$version']}"
    if step is checks.REPORTED:
        return await _report(session)
    if service is None:
        raise SessionError("nothing was given to reach the hub's own side with", reason=Reason.NO_SERVICE)
    if step is checks.METHOD:
        return await _call(session, service)
    return await _message(session, service, seconds)


async def _report(session: HubSession) -> str:
    await session.report({"firstlight": _GREETING})
    reported = (await session.twin())["reported"]
    if reported.get("firstlight") != _GREETING:
        raise SessionError("the twin does not hold what was reported", reason=Reason.REFUSED)
    # what was there only for the check
    await session.report({"firstlight": None})
    return f"version {reported['$version']}, and removed again"


async def _call(session: HubSession, service: Service) -> str:
    calls: list[str] = []

    def answer(name: str, payload: Any) -> Any:
        calls.append(name)
        return {"echo": payload}

    await session.answer_methods(answer)
    answered = await service.invoke(session.hub, session.device_id, METHOD, _GREETING)
    if calls != [METHOD] or answered != {"echo": _GREETING}:
        raise SessionError("the hub brought another answer than the device gave", reason=Reason.REFUSED)
    return METHOD


async def _message(session: HubSession, service: Service, seconds: float) -> str:
    messages = await session.listen()
    await service.send(session.hub, session.device_id, PAYLOAD)
    try:
        async with asyncio.timeout(seconds):
            # others may be waiting from before
            while await messages.get() != PAYLOAD:
                pass
    except TimeoutError as e:
        raise SessionError(f"the message did not come within {seconds:g} s", reason=Reason.NO_MESSAGE) from e
    return "acknowledged"
