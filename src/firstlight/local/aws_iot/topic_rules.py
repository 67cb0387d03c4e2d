"""
Topic rules, for what AWS IoT itself publishes: which of them a message meets, and what they do with it.

Run are the rules whose SQL is `SELECT * FROM '<topic filter>'` and the actions that firstlight's stacks deploy,
which is `lambda`.  What is not run is logged.
"""

import logging
import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

from firstlight.errors import FirstlightError
from firstlight.local.mqtt import Message
from firstlight.local.mqtt.topics import meets

_LOG = logging.getLogger("firstlight.aws_iot.rules")
_EVENTS = "$aws/events/"
_EVERYTHING = re.compile(r"\s*SELECT\s+\*\s+FROM\s+'[^']*'\s*", re.IGNORECASE)
# Each keeps a process of each function busy.
_THREADS = 2
# Seconds that the front door's end may be held up by functions that do not start.
_CLOSING = 2.0


@dataclass(frozen=True, slots=True)
class Rule:
    """
    GetTopicRule: `actions` are as the API has them, `{"lambda": {"functionArn": …}}`.
    """

    name: str
    arn: str
    sql: str
    actions: tuple[Mapping[str, Any], ...]


class Rules(Protocol):
    """
    The topic rules of an account, and what their actions reach.

    Raises:
        RegistryError: a call was refused or did not get through; its sentence says which and why.
    """

    def enabled(self) -> Mapping[str, str]:
        """
        Return name → topic filter of every rule that is not disabled.
        """

    def rule(self, name: str) -> Rule | None: ...

    def invoke(self, rule: Rule, function_arn: str, payload: bytes) -> None:
        """
        Invoke the function as iot.amazonaws.com, on behalf of *rule*; what fails is tried again without a caller.

        Raises:
            RegistryError: also when the function's own policy does not let it.
        """

    def close(self) -> None: ...


class TopicRules:
    """
    `heard` takes every message, at once; those of AWS IoT's own topics are acted upon in threads.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._pool = ThreadPoolExecutor(_THREADS, "aws-iot-rules")
        self._under_way: set[Future[None]] = set()

    def heard(self, message: Message) -> None:
        """
        Act upon *message* soon.
        """
        if message.topic.startswith(_EVENTS):
            acting = self._pool.submit(self.act, message)
            self._under_way.add(acting)
            acting.add_done_callback(self._under_way.discard)

    def act(self, message: Message) -> None:
        """
        Run the actions of every rule that *message* meets.  Raises nothing: a rule has no caller to tell.
        """
        try:
            names = [name for name, pattern in self._rules.enabled().items() if _meets(message.topic, pattern)]
            for name in names:
                rule = self._rules.rule(name)
                if rule is not None:
                    self._run(rule, message)
        except FirstlightError as e:
            _LOG.warning("No topic rule acted upon %s: %s", message.topic, e)
        except Exception:  # noqa: BLE001 -- a surprise in a thread is seen by nobody else
            _LOG.exception("No topic rule acted upon %s", message.topic)

    def close(self) -> None:
        """
        Let what is under way end, if that takes no longer than a device would wait.
        """
        wait(set(self._under_way), timeout=_CLOSING)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._rules.close()

    def _run(self, rule: Rule, message: Message) -> None:
        if not _EVERYTHING.fullmatch(rule.sql):
            _LOG.warning("The topic rule %s is not run here: its SQL is more than SELECT * FROM '…'.", rule.name)
            return
        for action in rule.actions:
            for kind, given in action.items():
                try:
                    self._do(rule, kind, given, message)
                except FirstlightError as e:
                    _LOG.warning("The topic rule %s did not %s: %s", rule.name, kind, e)

    def _do(self, rule: Rule, kind: str, given: Mapping[str, Any], message: Message) -> None:
        if kind != "lambda":
            _LOG.warning("The topic rule %s has the action %s, which is not run here.", rule.name, kind)
            return
        self._rules.invoke(rule, str(given["functionArn"]), message.payload)
        _LOG.info("The topic rule %s invoked %s", rule.name, str(given["functionArn"]).rpartition(":")[2])


def _meets(topic: str, pattern: str) -> bool:
    return meets(topic, pattern, hash_meets_parent=False)
