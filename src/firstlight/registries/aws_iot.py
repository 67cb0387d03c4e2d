"""
AWS IoT as a registry: many devices at once, before a deadline, however often they are pushed.

Not over boto3, which costs a millisecond of CPU and a thread a call; docs/adr/0002 has the figures.
"""

import asyncio
import re
from collections.abc import Callable, Sequence

from firstlight.errors import FirstlightError, SettingsError
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registration
from firstlight.registries import aws_errors
from firstlight.registries.aws_account import Account
from firstlight.registries.aws_calls import AwsCalls, Patience, Turn
from firstlight.registries.aws_credentials import CredentialCache, Keys, environment_credentials
from firstlight.registries.aws_device import AwsDevice
from firstlight.registries.aws_http import AwsHttp
from firstlight.registries.pacing import Window
from firstlight.registries.sigv4 import Credentials

__all__ = ["AwsIotRegistry", "Credentials", "Keys", "Patience", "environment_credentials"]

_POLICY_NAME = re.compile(r"(?!\.+$)[\w+=,.@-]{1,128}", re.ASCII)
_MAX_IN_FLIGHT = 256


class AwsIotRegistry:
    """
    Things, certificates and policies of one account and region.

    Make one per process and keep it: connections, the pace AWS allows, the endpoint and the policy
    are remembered from push to push.  It belongs to the event loop of its first `register`.
    *credentials* is asked about once a minute, in a thread; it may raise FirstlightErrors.
    *device_endpoint* saves asking AWS for the account's own.
    """

    def __init__(
        self,
        *,
        region: str,
        policy_name: str,
        credentials: Callable[[], Credentials],
        endpoint_url: str | None = None,
        device_endpoint: str = "",
        max_in_flight: int = _MAX_IN_FLIGHT,
        patience: Patience | None = None,
    ) -> None:
        """
        Raises:
            SettingsError: *policy_name* or *endpoint_url* can be no such thing.
        """
        if not _POLICY_NAME.fullmatch(policy_name):
            raise SettingsError(f"{policy_name!r} is no name of an AWS IoT policy.")
        self._http = AwsHttp(endpoint_url=endpoint_url or _endpoint_url(region), region=region, service="iot")
        self._window = Window(max_in_flight)
        cache, patience = CredentialCache(credentials), patience or Patience()
        self._calls = AwsCalls(self._http, cache, patience, self._window)
        self._account = Account(
            # How often the policy may be asked for says nothing about devices, hence no window.
            AwsCalls(self._http, cache, patience),
            region=region,
            policy_name=policy_name,
            device_endpoint=device_endpoint,
        )

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        """
        See `firstlight.provision.Registry`.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= deadline:
            return [Registration(error=aws_errors.not_attempted())] * len(devices)
        try:
            await self._account.ask(Turn(deadline))
        except FirstlightError as e:
            return [Registration(error=e)] * len(devices)
        running: list[asyncio.Task[Registration]] = []
        async with asyncio.TaskGroup() as group:
            until = self._window.last_entry(now=loop.time(), deadline=deadline)
            while len(running) < len(devices) and await self._entered(until):
                running.append(self._started(group, devices[len(running)], deadline))
        left = len(devices) - len(running)
        return [task.result() for task in running] + [Registration(error=aws_errors.not_attempted())] * left

    async def close(self) -> None:
        """
        Close the connections.
        """
        await self._http.close()

    async def _entered(self, until: float) -> bool:
        if asyncio.get_running_loop().time() > until:
            return False
        if self._window.entered_at_once():
            return True
        try:
            async with asyncio.timeout_at(until):
                await self._window.enter()
        except TimeoutError:
            return False
        return True

    def _started(
        self, group: asyncio.TaskGroup, identity: DeviceIdentity, deadline: float
    ) -> asyncio.Task[Registration]:
        clock = asyncio.get_running_loop().time
        entered, turn = clock(), Turn(deadline)
        task = group.create_task(self._register(identity, turn, entered))
        # A callback, because a task that is cancelled before it runs has no `finally` either.
        task.add_done_callback(lambda _: self._window.leave(entered=entered, now=clock(), throttled=turn.throttled > 0))
        return task

    async def _register(self, identity: DeviceIdentity, turn: Turn, entered: float) -> Registration:
        endpoint = ""
        error: FirstlightError | None = None
        try:
            endpoint = await AwsDevice(identity, self._account, self._calls, turn).register()
        except FirstlightError as e:
            error = e
        except Exception as e:  # noqa: BLE001 -- a surprise in one device must not cost the others their answers
            error = aws_errors.surprising(e)
            error.__cause__ = e
        return Registration(endpoint, error, turn.throttled, asyncio.get_running_loop().time() - entered)


def _endpoint_url(region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://iot.{region}.{suffix}"
