"""
Where events go that a function could not handle.
"""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk import grants


class DeadLetters(Construct):
    """
    A queue that keeps what failed for two weeks, encrypted, for people to read.

    *plain_http* lets it be reached without TLS, which is for the laptop's AWS only.
    """

    def __init__(self, scope: Construct, id_: str, *, plain_http: bool) -> None:
        super().__init__(scope, id_)
        self.queue = sqs.Queue(
            self,
            "Resource",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=not plain_http,
            retention_period=Duration.days(14),
        )
        resource = self.queue.node.default_child
        assert isinstance(resource, sqs.CfnQueue)  # noqa: S101 -- narrows a type
        grants.acknowledge(resource, SQS3="It is the dead-letter queue.")
