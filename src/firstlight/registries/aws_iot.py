"""
AWS IoT as a registry: many devices at once, before a deadline, however often they are pushed.

Not over boto3, which costs a millisecond of CPU and a thread a call; docs/adr/0002 has the figures.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from firstlight.errors import FirstlightError, RegistryError, SettingsError
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Condition, Sought, Standing
from firstlight.provision import Registration
from firstlight.registries import aws_errors, aws_name
from firstlight.registries.aws_abreast import abreast
from firstlight.registries.aws_account import Account
from firstlight.registries.aws_calls import AwsCalls, Patience, Turn
from firstlight.registries.aws_credentials import CredentialCache, Keys, environment_credentials
from firstlight.registries.aws_device import AwsDevice
from firstlight.registries.aws_extras import NO_EXTRAS, Extras
from firstlight.registries.aws_http import AwsHttp, endpoint_of
from firstlight.registries.aws_inspection import AwsInspection
from firstlight.registries.buckets import Buckets
from firstlight.registries.pacing import Window
from firstlight.registries.quotas import Pacing
from firstlight.registries.sigv4 import Credentials

__all__ = ["AwsIotRegistry", "Credentials", "Extras", "Keys", "Pacing", "Patience", "environment_credentials"]

_POLICY_NAME = re.compile(r"(?!\.+$)[\w+=,.@-]{1,128}", re.ASCII)
_MAX_IN_FLIGHT = 256


class AwsIotRegistry:
    """
    Things, certificates and policies of one account and region.

    Make one per process and keep it: connections, the pace AWS allows, the endpoint and the policy
    are remembered from push to push.  It belongs to the event loop of its first `register`.
    *credentials* is asked about once a minute, in a thread; it may raise FirstlightErrors.
    *device_endpoint* saves asking AWS for the account's own.  *extras* are what each thing is given besides
    its name; none cost a call.  *pacing* is how calls are held back before AWS turns them away.
    """

    def __init__(
        self,
        *,
        region: str,
        policy_name: str,
        credentials: Callable[[], Credentials],
        endpoint_url: str | None = None,
        device_endpoint: str = "",
        extras: Extras = NO_EXTRAS,
        max_in_flight: int = _MAX_IN_FLIGHT,
        patience: Patience | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """
        Raises:
            SettingsError: *policy_name* or *endpoint_url* can be no such thing.
        """
        if not _POLICY_NAME.fullmatch(policy_name):
            raise SettingsError(f"{policy_name!r} is no name of an AWS IoT policy.")
        self._http = AwsHttp(endpoint_url=endpoint_url or endpoint_of("iot", region), region=region, service="iot")
        self._window = Window(max_in_flight)
        cache, patience = CredentialCache(credentials), patience or Patience()
        # Pushes and questions share the account's quotas.
        buckets = Buckets(pacing or Pacing())
        self._calls = AwsCalls(self._http, cache, patience, self._window, buckets)
        # How many devices may be asked about at once says nothing about pushes.
        self._questions = Window(max_in_flight)
        self._asking = AwsCalls(self._http, cache, patience, self._questions, buckets)
        self._account = Account(
            # How often the policy may be asked for says nothing about devices, hence no window.
            AwsCalls(self._http, cache, patience, buckets=buckets),
            region=region,
            policy_name=policy_name,
            device_endpoint=device_endpoint,
            extras=extras,
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
        done = await abreast(devices, self._register, window=self._window, deadline=deadline)
        return done + [Registration(error=aws_errors.not_attempted())] * (len(devices) - len(done))

    async def inspect(self, devices: Sequence[Sought], *, deadline: float) -> list[Standing]:
        """
        See `firstlight.inspection.Inspector`.
        """
        if asyncio.get_running_loop().time() >= deadline:
            return [_unsaid(aws_errors.not_attempted())] * len(devices)
        try:
            await self._account.ask(Turn(deadline))
        except FirstlightError as e:
            return [_unsaid(e)] * len(devices)
        done = await abreast(devices, self._inspect, window=self._questions, deadline=deadline)
        return done + [_unsaid(aws_errors.not_attempted())] * (len(devices) - len(done))

    def refusal(self, device: DeviceIdentity) -> RegistryError | None:
        """
        See `firstlight.overflow.Foreseeing`.
        """
        return aws_name.refusal(device, thing_type=self._account.extras.thing_type)

    async def close(self) -> None:
        """
        Close the connections.
        """
        await self._http.close()

    async def _register(self, identity: DeviceIdentity, turn: Turn) -> Registration:
        clock = asyncio.get_running_loop().time
        entered, endpoint = clock(), ""
        error: FirstlightError | None = None
        try:
            endpoint = await AwsDevice(identity, self._account, self._calls, turn).register()
        except FirstlightError as e:
            error = e
        except Exception as e:  # noqa: BLE001 -- a surprise in one device must not cost the others their answers
            error = aws_errors.surprising(e)
            error.__cause__ = e
        return Registration(endpoint, error, turn.throttled, clock() - entered)

    async def _inspect(self, sought: Sought, turn: Turn) -> Standing:
        try:
            return await AwsInspection(sought, self._account, self._asking, turn, datetime.now(UTC)).standing()
        except FirstlightError as e:
            return _unsaid(e)
        except Exception as e:  # noqa: BLE001 -- as above
            error = aws_errors.surprising(e)
            error.__cause__ = e
            return _unsaid(error)


def _unsaid(error: FirstlightError) -> Standing:
    return Standing(Condition.UNKNOWN, error=aws_errors.of_a_question(error))
