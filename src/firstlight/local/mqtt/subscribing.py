"""
SUBSCRIBE and UNSUBSCRIBE, filter by filter.
"""

from firstlight.local.mqtt.cloud import Client
from firstlight.local.mqtt.packets import V5, Request, Subscribe, Unsubscribe
from firstlight.local.mqtt.properties import Property
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.router import Router
from firstlight.local.mqtt.session import Session
from firstlight.local.mqtt.topics import SHARED, is_filter, levels
from firstlight.local.mqtt.wire import PacketError

_QOS_2 = 2


def granted(packet: Subscribe, version: int, client: Client, session: Session, router: Router) -> list[Reason]:
    """
    Subscribe to what *client* may have; return one reason for each filter, which for success is the QoS granted.

    Raises:
        PacketError: the packet as a whole is not taken.
    """
    dialect = router.dialect
    if Property.SUBSCRIPTION_IDENTIFIER in packet.properties:
        raise PacketError("a subscription identifier", Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED)
    if len(packet.requests) > dialect.max_filters:
        raise PacketError(f"{len(packet.requests)} topic filters in one SUBSCRIBE", Reason.QUOTA_EXCEEDED)
    if version != V5 and dialect.refuses_qos_2_subscription and any(r.qos == _QOS_2 for r in packet.requests):
        raise PacketError("a subscription with QoS 2", Reason.QOS_NOT_SUPPORTED)
    return [_grant(request, client, session, router) for request in packet.requests]


def revoked(packet: Unsubscribe, session: Session, router: Router) -> list[Reason]:
    """
    Unsubscribe; return one reason for each filter.
    """
    return [
        Reason.SUCCESS if router.unsubscribe(session, name) else Reason.NO_SUBSCRIPTION_EXISTED
        for name in packet.filters
    ]


def _grant(request: Request, client: Client, session: Session, router: Router) -> Reason:
    name, dialect = request.topic_filter, router.dialect
    if name.startswith(SHARED):
        return Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if not is_filter(name) or levels(name) > dialect.max_levels or len(name) > dialect.max_topic:
        return Reason.TOPIC_FILTER_INVALID
    refusal = client.subscribe_refusal(name) or router.subscribe(session, request._replace(qos=min(request.qos, 1)))
    return refusal or Reason(min(request.qos, 1))
