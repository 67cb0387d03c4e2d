"""
Where the credentials of a signature come from, and how long they are believed.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firstlight.errors import SettingsError
from firstlight.registries import aws_errors
from firstlight.registries.sigv4 import Credentials

# Seconds.  Whoever renews credentials does it minutes before the old ones expire.
_BELIEVED = 60.0
# Seconds in which credentials that AWS calls expired are not asked for again.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Keys:
    """
    Credentials as they are.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


def environment_credentials(env: Mapping[str, str]) -> Callable[[], Keys]:
    """
    Return a function that reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of *env*.

    Raises:
        SettingsError: the first two are not set, now; the function raises it when they are not, then.
    """

    def read() -> Keys:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        missing = [name for name in names if not env.get(name)]
        if missing:
            raise SettingsError(f"Not set: {', '.join(missing)}.", hint="In a Lambda its role sets them.")
        return Keys(env[names[0]], env[names[1]], env.get("AWS_SESSION_TOKEN", ""))

    read()
    return read


class CredentialCache:
    """
    Asks a provider, which may block while it renews, in a thread, and not for every request.
    """

    def __init__(self, provider: Callable[[], Credentials]) -> None:
        self._provider = provider
        self._known: Credentials | None = None
        self._asked_at = 0.0
        self._asking = asyncio.Lock()

    async def current(self, *, until: float, older_than: float = _BELIEVED) -> Credentials:
        """
        Return credentials that were asked for less than *older_than* seconds ago.

        Raises:
            FirstlightError: whatever the provider raises; or it did not answer *until* then (the loop's clock).
        """
        clock = asyncio.get_running_loop().time
        if self._known is not None and clock() - self._asked_at < older_than:
            return self._known
        try:
            async with asyncio.timeout_at(until), self._asking:
                # Another call may have asked while this one waited.
                if self._known is None or clock() - self._asked_at >= older_than:
                    self._known = await asyncio.to_thread(self._provider)
                    self._asked_at = clock()
                return self._known
        except TimeoutError:
            raise aws_errors.no_credentials() from None

    async def renew(self, *, until: float) -> None:
        """
        Ask anew, because AWS said that the known ones have expired.

        Raises:
            FirstlightError: as `current`.
        """
        await self.current(until=until, older_than=_PAUSE)
