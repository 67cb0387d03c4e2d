"""
What is checked, as data: what must work, and what must fail.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from firstlight.verify.report import MqttVersion

PAYLOAD = json.dumps({"success": "JITP works!"}).encode()
_MAX_NAME = 128
_SUFFIX = "-other"


class Verb(StrEnum):
    """
    What a device tries.
    """

    CONNECT = "connect"
    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    RECEIVE = "receive"


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Something a device must be able to do.  The four happen on one connection, in order.
    """

    name: str
    verb: Verb
    proves: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """
    Something a device must not be able to do, tried on a connection of its own.

    `topic` may hold `{other}`, another device's name; for CONNECT it is the client id.
    """

    name: str
    verb: Verb
    topic: str
    proves: str

    def aim(self, client_id: str) -> str:
        """
        Return what the device called *client_id* tries it on.
        """
        return self.topic.format(other=other_than(client_id))


WANTED = (
    Wanted("online", Verb.CONNECT, "Comes online under its own name"),
    Wanted("subscribe", Verb.SUBSCRIBE, "Subscribes to its own topic"),
    Wanted("publish", Verb.PUBLISH, "Publishes on its own topic"),
    Wanted("receive", Verb.RECEIVE, "Receives what it published"),
)
FORBIDDEN = (
    Forbidden("other-client-id", Verb.CONNECT, "{other}", "Cannot connect as another device"),
    Forbidden("other-publish", Verb.PUBLISH, "firstlight/{other}/verify", "Cannot publish to another device"),
    Forbidden("other-telemetry", Verb.PUBLISH, "dt/{other}/verify", "Cannot forge another's telemetry"),
    Forbidden("other-subscribe", Verb.SUBSCRIBE, "firstlight/{other}/verify", "Cannot listen to another device"),
    Forbidden("other-commands", Verb.SUBSCRIBE, "cmd/{other}/verify", "Cannot read another's commands"),
    Forbidden("everything", Verb.SUBSCRIBE, "#", "Cannot listen to everything"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """
    Which checks to run: the wanted ones in each of `versions`, and after them the forbidden ones.
    """

    versions: tuple[MqttVersion, ...] = (MqttVersion.V5, MqttVersion.V311)
    must_fail: bool = True

    @property
    def forbidden(self) -> tuple[Forbidden, ...]:
        return FORBIDDEN if self.must_fail else ()


EVERYTHING = Checks()
# Connect, publish, receive, once: enough to see a device online, quick enough for many.
FIRST_LIGHT = Checks(versions=(MqttVersion.V5,), must_fail=False)


def own_topic(client_id: str) -> str:
    """
    Return the topic on which a device talks to itself.
    """
    return f"firstlight/{client_id}/verify"


def other_than(client_id: str) -> str:
    """
    Return a legal thing name which is not *client_id* and, as far as it fits, begins with it.

    So a policy that ends in a wildcard where the name should end is seen through.
    """
    stem = client_id[: _MAX_NAME - len(_SUFFIX)]
    other = stem + _SUFFIX
    return other if other != client_id else stem + "_other"
