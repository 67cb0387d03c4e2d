"""
From a published message to the sessions that asked for it.
"""

from collections.abc import Callable

from firstlight.local.mqtt.cloud import Dialect, Message
from firstlight.local.mqtt.packets import Request
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.session import Line, Outgoing, Session
from firstlight.local.mqtt.topics import FilterTree, meets

_MAX_REMEMBERED = 10_000
_MAX_RETAINED = 5_000
# MQTT 5, Retain Handling (section 3.8.3.1): as asked for; only a new subscription; never.
_SEND_IF_NEW, _DO_NOT_SEND = 1, 2


class Router:
    """
    All sessions and subscriptions of one front door.  Not thread-safe: it lives on the loop.
    """

    def __init__(self, dialect: Dialect, clock: Callable[[], float]) -> None:
        self.dialect = dialect
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._tree: FilterTree[Session, Request] = FilterTree(hash_meets_parent=dialect.hash_meets_parent)
        self._retained: dict[str, Outgoing] = {}
        # topic → who gets it: devices publish to few topics, again and again
        self._met: dict[str, tuple[tuple[Session, Request], ...]] = {}

    def session(self, client_id: str, *, clean: bool, expiry: int) -> tuple[Session, bool]:
        """
        Return the session called *client_id* and whether it was there before; its old connection is displaced.
        """
        session = self._sessions.get(client_id)
        if session is not None and session.line is not None:
            line, session.line = session.line, None
            line.displaced()
            self._left(session)
        session = self._sessions.get(client_id)
        if session is not None and (clean or self._has_expired(session)):
            self._forget(session)
            session = None
        present = session is not None
        if session is None:
            session = Session(client_id, self.dialect.max_in_flight, self.dialect.max_queued)
            self._sessions[client_id] = session
        session.expiry = expiry
        return session, present

    def leave(self, session: Session, line: Line) -> bool:
        """
        The connection *line* is gone.  Return whether it still was the session's.
        """
        if session.line is not line:
            return False
        session.line = None
        self._left(session)
        return True

    def subscribe(self, session: Session, request: Request) -> Reason:
        """
        Add or replace a subscription and deliver what is retained for it; return SUCCESS or why not.
        """
        name = request.topic_filter
        is_new = name not in session.subscriptions
        if is_new and len(session.subscriptions) >= self.dialect.max_subscriptions:
            return Reason.QUOTA_EXCEEDED
        session.subscriptions[name] = request
        self._tree.put(name, session, request)
        self._met.clear()
        if request.retain_handling != _DO_NOT_SEND and (is_new or request.retain_handling != _SEND_IF_NEW):
            self._deliver_retained(session, request)
        return Reason.SUCCESS

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """
        Return whether there was such a subscription.
        """
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        self._met.clear()
        return self._tree.drop(topic_filter, session)

    def publish(self, message: Message, *, publisher: Session | None = None, only: str | None = None) -> bool:
        """
        Deliver *message* to every session that asked for it, or to the one called *only*; return whether any had.
        """
        if message.retain:
            self._retain(message)
        met = self._of_one(only, message.topic) if only is not None else self._met.get(message.topic)
        if met is None:
            met = self._remember(message.topic)
        if not met:
            return False
        outgoing = Outgoing(message)
        for session, request in met:
            if request.no_local and session is publisher:
                continue
            qos = min(message.qos, request.qos)
            session.deliver(outgoing, qos, retain=message.retain and request.retain_as_published)
        return True

    def expire(self) -> None:
        """
        Forget the sessions whose time is over.
        """
        for session in [s for s in self._sessions.values() if self._has_expired(s)]:
            self._forget(session)

    def _of_one(self, name: str, topic: str) -> tuple[tuple[Session, Request], ...]:
        # not by way of the tree: where a cloud answers each device, all of them have the same few filters
        session = self._sessions.get(name)
        requests = session.subscriptions.values() if session is not None else ()
        wide = self.dialect.hash_meets_parent
        met = [r for r in requests if meets(topic, r.topic_filter, hash_meets_parent=wide)]
        return ((session, max(met, key=lambda r: r.qos)),) if session is not None and met else ()

    def _remember(self, topic: str) -> tuple[tuple[Session, Request], ...]:
        best: dict[Session, Request] = {}
        for session, request in self._tree.matching(topic):
            # overlapping filters: one copy, with the highest QoS (section 3.3.4)
            if session not in best or best[session].qos < request.qos:
                best[session] = request
        if len(self._met) >= _MAX_REMEMBERED:
            self._met.clear()
        met = self._met[topic] = tuple(best.items())
        return met

    def _retain(self, message: Message) -> None:
        if not message.payload:
            self._retained.pop(message.topic, None)
        elif message.topic in self._retained or len(self._retained) < _MAX_RETAINED:
            self._retained[message.topic] = Outgoing(message)

    def _deliver_retained(self, session: Session, request: Request) -> None:
        name = request.topic_filter
        if self.dialect.retained_meet_wildcards and ("+" in name or "#" in name):
            tree: FilterTree[str, None] = FilterTree(hash_meets_parent=self.dialect.hash_meets_parent)
            tree.put(name, name, None)
            found = [o for topic, o in self._retained.items() if any(tree.matching(topic))]
        else:
            found = [self._retained[name]] if name in self._retained else []
        for outgoing in found:
            session.deliver(outgoing, min(outgoing.message.qos, request.qos), retain=True)

    def _has_expired(self, session: Session) -> bool:
        return session.line is None and self._clock() >= session.expires_at

    def _left(self, session: Session) -> None:
        session.expires_at = self._clock() + session.expiry
        if not session.expiry:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        for name in session.subscriptions:
            self._tree.drop(name, session)
        session.subscriptions.clear()
        self._met.clear()
        if self._sessions.get(session.client_id) is session:
            del self._sessions[session.client_id]
