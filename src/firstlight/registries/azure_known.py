"""
Which ids a hub is known to have: while it is short of calls, they are looked at at once and not
created in vain before.

Nothing is believed because of this: an id that has gone is created again, and no SUCCESS is said
without a look.
"""

_MOST = 50_000


class Known:
    """
    A bounded set of device ids; the oldest are forgotten first.
    """

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._ids

    def add(self, device_id: str) -> None:
        if len(self._ids) >= _MOST:
            del self._ids[next(iter(self._ids))]
        self._ids[device_id] = None

    def discard(self, device_id: str) -> None:
        self._ids.pop(device_id, None)
