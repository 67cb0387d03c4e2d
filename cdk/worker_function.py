"""
The Lambda function that works the queue of unfinished devices off, a batch at a time.
"""

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.device_function import DeviceFunction
from cdk.grants import Grant
from cdk.ingest_function import registry_grants
from firstlight.queues.sqs_operations import SqsOperation
from firstlight.settings import Settings

# At the published ten registrations a second two batches of 50 take ten seconds, and pushes may take most
# of the quota meanwhile; so a batch ends in one invocation, and no delivery is spent on waiting.
TIMEOUT = Duration.seconds(60)
_BATCH = 50
# SQS wants one for batches over ten.
_BATCHING_WINDOW = Duration.seconds(1)
_MEMORY_MB = 512
# Lambda's own poller calls these with the function's role.
_POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


class WorkerFunction(DeviceFunction):
    """
    Runs *code*, whose `lambdas.worker.handler` reads *settings* from its environment, for the queue *queue_arn*.

    *concurrency* batches at once, 2 at least, since Lambda does not take less.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        settings: Settings,
        queue_arn: str,
        concurrency: int,
        log_retention_days: int,
    ) -> None:
        queue = Grant(actions=(*_POLLING, SqsOperation.CHANGE_VISIBILITY.action), resources=(queue_arn,))
        super().__init__(
            scope,
            id_,
            code=code,
            handler="lambdas.worker.handler",
            settings=settings,
            allowed=[*registry_grants(Stack.of(scope), settings, inspects=False), queue],
            timeout=TIMEOUT,
            memory_mb=_MEMORY_MB,
            log_retention_days=log_retention_days,
            description="firstlight: carries on what pushes could not finish",
        )
        self.function.add_event_source_mapping(
            "Queue",
            event_source_arn=queue_arn,
            batch_size=_BATCH,
            max_batching_window=_BATCHING_WINDOW,
            max_concurrency=concurrency,
            report_batch_item_failures=True,
        )
