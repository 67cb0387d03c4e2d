"""
AWS IoT in virtual time: the benchmarks' stub behind the registry's transport, with no socket between them.
"""

import asyncio
import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from benchmarks.stub_limits import HANG, Limits
from benchmarks.stub_operations import operation
from benchmarks.stub_registry import Refused, Registry
from benchmarks.stub_request import Request
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_http import AwsHttp
from firstlight.registries.aws_iot import AwsIotRegistry, Keys, Pacing
from firstlight.registries.aws_operations import Call
from firstlight.registries.sigv4 import Credentials

POLICY = "FirstlightDevice"


class VirtualCloud:
    """
    What `AwsHttp` reaches from now on; *limits* are as in benchmarks.stub_limits, HANG the only fault.  Made on the
    running loop.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
        self.registry = Registry(policies={POLICY})
        self.weather(**limits)
        self.calls: Counter[str] = Counter()
        self.turned_away: Counter[str] = Counter()

        async def send(http: AwsHttp, call: Call, credentials: Credentials, *, until: float) -> Answer:
            return await self._answer(call, until)

        monkeypatch.setattr(AwsHttp, "send", send)

    def weather(self, **limits: Any) -> None:
        """
        Set latency, quotas and faults; what is not named is fine.
        """
        self.limits = Limits(**limits, clock=asyncio.get_running_loop().time)

    def process(self, pacing: Pacing | None = None, *, max_in_flight: int = 256) -> AwsIotRegistry:
        """
        Return a registry that shares nothing with others but the cloud.
        """
        return AwsIotRegistry(
            region="us-east-1",
            policy_name=POLICY,
            credentials=lambda: Keys("test", "test"),
            max_in_flight=max_in_flight,
            pacing=pacing,
        )

    async def _answer(self, call: Call, until: float) -> Answer:
        try:
            async with asyncio.timeout_at(until):
                # There and back.
                await asyncio.sleep(self.limits.latency_ms / 2000)
                if self.limits.fault(call.operation) == HANG:
                    await asyncio.Event().wait()
                answer = self._done(call)
                await asyncio.sleep(self.limits.latency_ms / 2000)
                return answer
        except TimeoutError:
            return Answer.timed_out(call.operation)

    def _done(self, call: Call) -> Answer:
        self.calls[call.operation] += 1
        if not self.limits.admits(call.operation):
            self.turned_away[call.operation] += 1
            return Answer(call.operation, 400, "ThrottlingException", b"{}")
        segments = [unquote(part) for part in call.path.strip("/").split("/")]
        query, document = dict(parse_qsl(call.query)), json.loads(call.body or b"{}")
        _, handle = operation(call.method, segments)
        try:
            done = handle(self.registry, Request(segments, query, call.headers, document))
        except Refused as e:
            return Answer(call.operation, e.status, e.code, json.dumps(e.document).encode())
        return Answer(call.operation, 200, body=json.dumps(done).encode())
