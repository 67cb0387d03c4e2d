"""
The bucket that takes manifests by upload, and the function that queues their devices.
"""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk import grants
from cdk.device_function import DeviceFunction
from cdk.grants import Grant
from cdk.monitoring import Monitoring
from firstlight.importing.upload import MANIFESTS, REPORTS
from firstlight.queues.sqs_operations import SqsOperation
from firstlight.settings import Settings

# Lambda gives no more.  Ten thousand devices take seconds.
_TIMEOUT = Duration.minutes(15)
_MEMORY_MB = 1769
# The manifest, an inner archive of it, and what is unpacked of that: up to 1 GiB each.
_SCRATCH_MB = 4096
_KEPT = Duration.days(90)
_ANY_NAME = "What uploads and their reports are called is for whoever uploads them to say."


class ManifestBucket(Construct):
    """
    A bucket of which whatever is put below `manifests/` goes through *code* to the queue *queue_arn*, and whose
    reports come to lie below `reports/`.  *settings* are the worker's.

    *plain_http* lets it be reached without TLS, which is for the laptop's AWS only.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        settings: Settings,
        queue_arn: str,
        log_retention_days: int,
        alarm_topic_arn: str,
        plain_http: bool,
    ) -> None:
        super().__init__(scope, id_)
        self.bucket = _bucket(self, plain_http=plain_http)
        self.function = DeviceFunction(
            self,
            "Function",
            code=code,
            handler="lambdas.manifest.handler",
            settings=settings,
            allowed=[
                Grant(
                    actions=("s3:GetObject",),
                    resources=(self.bucket.arn_for_objects(f"{MANIFESTS}*"),),
                    reason=_ANY_NAME,
                ),
                Grant(
                    actions=("s3:PutObject",), resources=(self.bucket.arn_for_objects(f"{REPORTS}*"),), reason=_ANY_NAME
                ),
                Grant(actions=(SqsOperation.SEND.action,), resources=(queue_arn,)),
            ],
            timeout=_TIMEOUT,
            memory_mb=_MEMORY_MB,
            log_retention_days=log_retention_days,
            description="firstlight: queues the devices of uploaded manifests",
        ).function
        resource = self.function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 -- narrows a type
        resource.ephemeral_storage = lambda_.CfnFunction.EphemeralStorageProperty(size=_SCRATCH_MB)
        self._listen()
        watch = Monitoring(self, "Watch", alarm_topic_arn=alarm_topic_arn)
        watch.alarm(
            "Errors", self.function.metric_errors(), description="A manifest ended without a report; see the log."
        )
        watch.show(Manifests=[self.function.metric_invocations(), self.function.metric_errors()])

    def _listen(self) -> None:
        # by EventBridge: a notification of the bucket's own would need the function before the bucket, and back
        events.Rule(
            self,
            "Uploaded",
            description="firstlight: a manifest was uploaded",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [self.bucket.bucket_name]},
                    "object": {"key": [{"prefix": MANIFESTS}]},
                },
            ),
            targets=[targets.LambdaFunction(self.function)],
        )


def _bucket(scope: Construct, *, plain_http: bool) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "Resource",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=not plain_http,
        lifecycle_rules=[
            s3.LifecycleRule(expiration=_KEPT, abort_incomplete_multipart_upload_after=Duration.days(1)),
        ],
        # reports are somebody's, and a bucket that is not empty cannot be deleted anyway
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)  # noqa: S101 -- narrows a type
    # the construct's own way is a function with rights on every bucket
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )
    grants.acknowledge(resource, S1="Who uploaded what is told by the reports; access logs would be a second bucket.")
    if bucket.policy is not None:
        # left behind with its bucket, which must not be open to plain HTTP then
        bucket.policy.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    return bucket
