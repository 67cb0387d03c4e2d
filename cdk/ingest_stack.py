"""
The stack a Cloud ID service pushes to, one per region.
"""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk import ingest_settings
from cdk.device_policy import DevicePolicy
from cdk.ingest_api import IngestApi
from cdk.ingest_function import IngestFunction
from cdk.ingest_monitoring import IngestMonitoring
from cdk.manifest_bucket import ManifestBucket
from cdk.overflow_queue import OverflowQueue
from cdk.worker_function import TIMEOUT, WorkerFunction
from firstlight.outputs import IngestOutput, ManifestOutput
from firstlight.regions import AwsRegion

# The CDK context that is set for the laptop's AWS alone, which speaks plain HTTP.
PLAIN_HTTP = "firstlight:plain_http"


class IngestStack(Stack):
    """
    API, functions, the queue between them, device policy and alarms.

    Its outputs are the fields of the Cloud ID console's form; with *manifest_code*, which makes a bucket for
    manifests, that one's name is another.

    It shares nothing with the JITP stack, so either comes and goes alone.  That is why each has a device
    policy of its own name: a policy with two owners would change, or stay behind, under the other's devices.

    Raises:
        RegionsError: the region's token key file holds no public key.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        region: AwsRegion,
        code: lambda_.Code,
        manifest_code: lambda_.Code | None = None,
        **stack_arguments: Any,
    ) -> None:
        super().__init__(scope, id_, description="firstlight: certificates pushed become devices", **stack_arguments)
        plain_http = bool(self.node.try_get_context(PLAIN_HTTP))
        overflow = OverflowQueue(self, "Overflow", timeout=TIMEOUT, plain_http=plain_http)
        function, worker = self._functions(region, code, overflow)
        api = IngestApi(
            self,
            "Api",
            function=function,
            stage=region.stage,
            throttle_rate=region.throttle_rate,
            throttle_burst=region.throttle_burst,
            log_retention_days=region.log_retention_days,
            account_role=region.api_gateway_account_role,
        )
        IngestMonitoring(
            self,
            "Monitoring",
            function=function,
            worker=worker,
            overflow=overflow,
            stage=api.stage,
            alarm_topic_arn=region.alarm_topic_arn,
        )
        values: dict[str, str] = {
            IngestOutput.ACCOUNT_ID: self.account,
            IngestOutput.GATEWAY_ID: api.api.rest_api_id,
            IngestOutput.REGION: self.region,
            IngestOutput.STAGE: region.stage,
        }
        if manifest_code is not None:
            values[ManifestOutput.BUCKET] = self._manifests(region, manifest_code, overflow, plain_http=plain_http)
        for output, value in values.items():
            CfnOutput(self, output, value=value)

    def _functions(
        self, region: AwsRegion, code: lambda_.Code, overflow: OverflowQueue
    ) -> tuple[lambda_.Function, lambda_.Function]:
        settings = ingest_settings.of(region, account=self.account, queue_url=overflow.queue.queue_url)
        policy = DevicePolicy(self, "DevicePolicy", name=settings.policy_name)
        function = IngestFunction(
            self,
            "Function",
            code=code,
            settings=settings,
            overflow_arn=overflow.queue.queue_arn,
            log_retention_days=region.log_retention_days,
        ).function
        worker = WorkerFunction(
            self,
            "Worker",
            code=code,
            settings=ingest_settings.of_worker(settings),
            queue_arn=overflow.queue.queue_arn,
            concurrency=region.worker_concurrency,
            log_retention_days=region.log_retention_days,
        ).function
        # What a push attaches has to be there before the first one comes.
        function.node.add_dependency(policy)
        worker.node.add_dependency(policy)
        return function, worker

    def _manifests(self, region: AwsRegion, code: lambda_.Code, overflow: OverflowQueue, *, plain_http: bool) -> str:
        settings = ingest_settings.of(region, account=self.account, queue_url=overflow.queue.queue_url)
        return ManifestBucket(
            self,
            "Manifests",
            code=code,
            settings=ingest_settings.of_uploads(region, settings),
            queue_arn=overflow.queue.queue_arn,
            log_retention_days=region.log_retention_days,
            alarm_topic_arn=region.alarm_topic_arn,
            plain_http=plain_http,
        ).bucket.bucket_name
