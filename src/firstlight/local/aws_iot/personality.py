"""
AWS IoT's personality at the front door: the decision at CONNECT, and devices provisioned just in time.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from firstlight.errors import FirstlightError, RegistryError
from firstlight.local.aws_iot import events
from firstlight.local.aws_iot.admission import Newcomer, look_up, refused_at_sight
from firstlight.local.aws_iot.attempts import Attempt, AttemptLog
from firstlight.local.aws_iot.client import AwsClient
from firstlight.local.aws_iot.issuers import signer
from firstlight.local.aws_iot.provisioning import Provisioned, provision
from firstlight.local.aws_iot.registry import ACTIVE, PENDING, Issuer, Registry
from firstlight.local.mqtt import Client, Dialect, Hello, Message, Publisher, Refusal
from firstlight.policies.place import Place

_LOG = logging.getLogger("firstlight.aws_iot")
_T = TypeVar("_T")
# Together not more than a client of boto3 keeps connections; two pools, so that a burst of newcomers does
# not keep known devices waiting.
_READERS, _PROVISIONERS = 4, 6

# "AWS IoT Core message broker and protocol limits and quotas".  A packet may be larger than the 128 KiB of
# its payload by a topic and user properties.
DIALECT = Dialect(
    max_packet=146 * 1024,
    max_payload=128 * 1024,
    max_filters=8,
    max_subscriptions=50,
    max_in_flight=100,
    max_client_id=128,
    topic_aliases=8,
    keep_alive=(30, 1_200),
    session_expiry=3_600,
    hash_meets_parent=False,
    retained_meet_wildcards=False,
    refuses_qos_2_subscription=True,
)


class AwsIot:
    """
    A `firstlight.local.mqtt.Cloud`.  *names* are the host names that devices may ask for.

    *heard* is told every message that a device may publish and every event of AWS IoT's own, in order; *rules*, the
    topic rules, only the latter.
    """

    def __init__(
        self,
        registry: Registry,
        place: Place,
        *,
        names: Iterable[str],
        now: Callable[[], datetime],
        log: AttemptLog | None = None,
        dialect: Dialect = DIALECT,
        heard: Callable[[Message], None] | None = None,
        rules: Callable[[Message], None] | None = None,
    ) -> None:
        self.dialect = dialect
        self.log = log or AttemptLog()
        self._registry = registry
        self._place = place
        self._names = frozenset(name.lower() for name in names)
        self._now = now
        self._heard = heard
        self._hearing = [hear for hear in (heard, rules) if hear is not None]
        self._under_way: dict[str, asyncio.Task[Refusal]] = {}
        self._closing = False

    async def opened(self, publish: Publisher) -> None:
        self._publish = publish
        self._readers = ThreadPoolExecutor(_READERS, "aws-iot-lookup")
        self._provisioners = ThreadPoolExecutor(_PROVISIONERS, "aws-iot-jitp")

    async def admit(self, hello: Hello) -> Client | Refusal:
        if self._closing:
            return Refusal("the front door closes")
        refusal = refused_at_sight(hello, self._names, self._now())
        if refusal is not None or hello.certificate is None:
            return refusal or Refusal("its certificate cannot be read")
        try:
            found = await _in(self._readers, look_up, hello, hello.certificate, self._registry, self._place)
            if isinstance(found, Newcomer):
                return Refusal("the front door closes") if self._closing else await self._introduced(found)
        except FirstlightError as e:
            return Refusal(str(e))
        return found

    async def no_longer_welcome(self, clients: Collection[Client]) -> Iterable[Client]:
        devices = [client for client in clients if isinstance(client, AwsClient)]
        names = frozenset(name for device in devices for name in device.policies)
        try:
            statuses, policies = await _in(self._readers, self._now_valid, names)
            return [device for device in devices if not _still_welcome(device, statuses, policies)]
        except FirstlightError as e:
            _LOG.warning("Could not look who must go: %s", e)
            return []

    def published(self, client: Client, message: Message) -> bool:  # noqa: ARG002 -- the Protocol's signature
        if self._heard is not None:
            self._heard(message)
        # "Basic Ingest": straight to a rule, past the subscribers
        return message.topic.startswith("$aws/rules/")

    def arrived(self, client: Client) -> None:
        """
        Presence events are among what is left out.
        """

    def left(self, client: Client) -> None:
        """
        As `arrived`.
        """

    async def closed(self) -> None:
        self._closing = True
        try:
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
            for pool in (self._readers, self._provisioners):
                await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        finally:
            self.log.close()

    async def _introduced(self, newcomer: Newcomer) -> Refusal:
        # a device that connects again meanwhile waits for the same run
        certificate_id = newcomer.certificate.fingerprint
        task = self._under_way.get(certificate_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._introduce(newcomer))
            self._under_way[certificate_id] = task
            task.add_done_callback(lambda _: self._under_way.pop(certificate_id, None))
        return await asyncio.shield(task)

    async def _introduce(self, newcomer: Newcomer) -> Refusal:
        certificate = newcomer.certificate
        issuer = await _in(self._provisioners, lambda: signer(certificate, self._registry.issuers()))
        if issuer is None:
            return Refusal("its certificate is not registered, and no registered ACTIVE CA signed it")
        if not issuer.auto_registers:
            return Refusal(f"its certificate is not registered, and its CA {issuer.id[:12]}… registers none by itself")
        if not await _in(self._provisioners, self._is_pending, newcomer, issuer):
            return Refusal("its certificate was registered meanwhile; it may connect again")
        event = events.registered(
            certificate.fingerprint, issuer, newcomer.known, account=self._place.account, now=self._now()
        )
        self._publish(event, None)
        for hear in self._hearing:
            hear(event)
        if not (issuer.template_name or issuer.template_body):
            return Refusal("its certificate is PENDING_ACTIVATION; its CA has no provisioning template (JITR)")
        return await self._provision(newcomer, issuer)

    async def _provision(self, newcomer: Newcomer, issuer: Issuer) -> Refusal:
        certificate = newcomer.certificate
        loop = asyncio.get_running_loop()
        began, at = loop.time(), self._now()
        reason = hint = ""
        result = Provisioned("")
        try:
            result = await _in(self._provisioners, provision, certificate, issuer, self._registry, self._place)
        except FirstlightError as e:
            reason, hint = e.message, e.hint
        attempt = Attempt(
            at=at,
            certificate_id=certificate.fingerprint,
            subject=certificate.x509.subject.rfc4514_string(),
            issuer_id=issuer.id,
            template=issuer.template_name or "inline template",
            thing_name=result.thing_name,
            reason=reason,
            hint=hint,
            notes=result.notes,
            milliseconds=round((loop.time() - began) * 1000),
        )
        self.log.add(attempt)
        if reason:
            return Refusal(f"JITP failed: {reason}")
        return Refusal(f"provisioned just in time as {result.thing_name!r}; this first connection is closed")

    def _is_pending(self, newcomer: Newcomer, issuer: Issuer) -> bool:
        if newcomer.known is None and self._registry.register_pending(newcomer.certificate, issuer):
            return True
        # somebody was faster, or it was known before: what it is now decides
        now = self._registry.certificate(newcomer.certificate.fingerprint)
        return now is not None and now.status == PENDING

    def _now_valid(self, names: frozenset[str]) -> tuple[Mapping[str, str], Mapping[str, tuple[str, frozenset[str]]]]:
        policies = {}
        for name in names:
            document = self._registry.policy(name)
            if document is not None:
                policies[name] = (document, self._registry.targets_of(name))
        return self._registry.statuses(), policies


def _still_welcome(
    device: AwsClient, statuses: Mapping[str, str], policies: Mapping[str, tuple[str, frozenset[str]]]
) -> bool:
    if statuses.get(device.certificate.id) != ACTIVE:
        return False
    now = {
        name: policies[name][0]
        for name in device.policies
        if name in policies and device.certificate.arn in policies[name][1]
    }
    if now != device.policies:
        try:
            device.change(now)
        except RegistryError as e:
            _LOG.warning("%s loses its connection: %s", device.name, e)
            return False
        return device.may_connect
    return True


async def _in(pool: ThreadPoolExecutor, call: Callable[..., _T], *arguments: object) -> _T:
    return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
