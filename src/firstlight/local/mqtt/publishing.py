"""
The topics a client publishes to: named, or by an alias it gave them before (MQTT 5 section 3.3.2.3.4).
"""

from firstlight.local.mqtt.cloud import Dialect
from firstlight.local.mqtt.packets import Publish
from firstlight.local.mqtt.properties import Property
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.topics import is_topic, levels
from firstlight.local.mqtt.wire import PacketError

_QOS_2 = 2


class TopicsSaid:
    """
    Of one connection.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._aliases: dict[int, str] = {}

    def of(self, packet: Publish) -> str:
        """
        Return the topic of *packet*, which is one that this cloud takes.

        Raises:
            PacketError: it is not; this ends the connection.
        """
        dialect = self._dialect
        if packet.qos == _QOS_2:
            raise PacketError("a message with QoS 2", Reason.QOS_NOT_SUPPORTED)
        if len(packet.payload) > dialect.max_payload:
            raise PacketError(f"a payload of {len(packet.payload):,} bytes", Reason.PACKET_TOO_LARGE)
        topic = packet.topic
        if packet.properties and Property.TOPIC_ALIAS in packet.properties:
            topic = self._aliased(topic, packet.properties[Property.TOPIC_ALIAS])
        if not is_topic(topic) or levels(topic) > dialect.max_levels or len(topic) > dialect.max_topic:
            raise PacketError(f"the topic {topic[:80]!r} is not one to publish to", Reason.TOPIC_NAME_INVALID)
        return topic

    def _aliased(self, topic: str, alias: int) -> str:
        if not 0 < alias <= self._dialect.topic_aliases:
            raise PacketError(f"the topic alias {alias}", Reason.TOPIC_ALIAS_INVALID)
        if topic:
            self._aliases[alias] = topic
        elif alias not in self._aliases:
            raise PacketError(f"the topic alias {alias} stands for nothing", Reason.PROTOCOL_ERROR)
        return self._aliases[alias]
