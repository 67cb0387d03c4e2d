"""
A device that was let in, and what its policies let it do.
"""

from collections.abc import Mapping

from firstlight.local.aws_iot.registry import RegisteredCertificate
from firstlight.local.mqtt import Hello, Reason
from firstlight.policies import variables
from firstlight.policies.iot_policy import Action, Permissions
from firstlight.policies.patterns import Context
from firstlight.policies.place import Place
from firstlight.policies.statements import parse
from firstlight.policies.variables import Thing

_MAX_TOPIC = 256
_MAX_LEVELS = 8
_RULES = "$aws/rules/"
# "Reserved topics", AWS IoT developer guide: where devices may publish; the rest of $… is AWS IoT's own
_RESERVED_FOR_DEVICES = (
    "$aws/things/",
    _RULES,
    "$aws/certificates/create",
    "$aws/provisioning-templates/",
    "$aws/device_location/",
    "$aws/commands/",
)
_RESERVED_TO_HEAR = (*_RESERVED_FOR_DEVICES, "$aws/events/", "$aws/sitewise/")
_MAX_REMEMBERED = 1_000


class AwsClient:
    """
    Answers of the policies are remembered for each topic: a device uses few, again and again.
    """

    def __init__(
        self,
        hello: Hello,
        certificate: RegisteredCertificate,
        policies: Mapping[str, str],
        thing: Thing | None,
        place: Place,
    ) -> None:
        self.certificate = certificate
        self._hello = hello
        self._place = place
        self._thing = thing
        self.policies: Mapping[str, str] = {}
        self.change(policies)

    @property
    def name(self) -> str:
        return f"thing={self._thing.name}" if self._thing else f"certificate={self.certificate.id[:12]}…"

    @property
    def session(self) -> str:
        return self._hello.client_id

    def change(self, policies: Mapping[str, str]) -> None:
        """
        Hold it to *policies* (name → document) from now on.

        Raises:
            RegistryError: one of them is not a policy document.
        """
        hello = self._hello
        values = variables.of_connection(
            hello.client_id, hello.address, self._thing, persistent=hello.persistent, has_will=hello.will is not None
        )
        if hello.certificate is not None:
            values |= variables.of_certificate(hello.certificate)
        statements = [s for name, document in policies.items() for s in parse(document, name)]
        self._permissions = Permissions(statements, Context(values))
        self.policies = dict(policies)
        self._publish: dict[str, Reason] = {}
        self._receive: dict[str, bool] = {}

    @property
    def may_connect(self) -> bool:
        """
        Whether it may connect with its client id, and publish its will if it has one.
        """
        will = self._hello.will
        return self._allow(Action.CONNECT, "client", self._hello.client_id) and (
            will is None or not self.publish_refusal(will.topic, retain=will.retain)
        )

    def publish_refusal(self, topic: str, *, retain: bool) -> Reason:
        refusal = self._publish.get(topic)
        if refusal is None:
            if len(self._publish) >= _MAX_REMEMBERED:
                self._publish.clear()
            refusal = self._publish[topic] = self._publish_refusal(topic)
        if retain and not refusal:
            if topic.startswith("$"):
                return Reason.TOPIC_NAME_INVALID
            if not self._allow(Action.RETAIN_PUBLISH, "topic", topic):
                return Reason.NOT_AUTHORIZED
        return refusal

    def subscribe_refusal(self, topic_filter: str) -> Reason:
        if not _fits(topic_filter) or (topic_filter.startswith("$") and not topic_filter.startswith(_RESERVED_TO_HEAR)):
            return Reason.TOPIC_FILTER_INVALID
        if not self._allow(Action.SUBSCRIBE, "topicfilter", topic_filter):
            return Reason.NOT_AUTHORIZED
        return Reason.SUCCESS

    def may_receive(self, topic: str) -> bool:
        may = self._receive.get(topic)
        if may is None:
            if len(self._receive) >= _MAX_REMEMBERED:
                self._receive.clear()
            may = self._receive[topic] = self._allow(Action.RECEIVE, "topic", topic)
        return may

    def _publish_refusal(self, topic: str) -> Reason:
        if not _fits(topic) or (topic.startswith("$") and not topic.startswith(_RESERVED_FOR_DEVICES)):
            return Reason.TOPIC_NAME_INVALID
        return Reason.SUCCESS if self._allow(Action.PUBLISH, "topic", topic) else Reason.NOT_AUTHORIZED

    def _allow(self, action: Action, kind: str, name: str) -> bool:
        return self._permissions.allow(action, self._place.iot(f"{kind}/{name}"))


def _fits(topic: str) -> bool:
    # the name of a rule does not count ("Basic Ingest")
    counted = topic.removeprefix(_RULES).partition("/")[2] if topic.startswith(_RULES) else topic
    return counted.count("/") < _MAX_LEVELS and len(topic.encode("utf-8")) <= _MAX_TOPIC
