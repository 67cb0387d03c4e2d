"""
The queue of devices that a push could not finish, and the one for what no worker could.
"""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.dead_letters import DeadLetters

# AWS asks for six times the function's time: a batch may wait for its turn, and be tried again, unseen.
_UNSEEN = 6
# Deliveries.  At six minutes each, an operator has an hour to lift what stands in the way.
_MOST_DELIVERIES = 10
# Less than what is put aside is kept, since SQS counts from when a message was first sent.
_WAITING = Duration.days(7)


class OverflowQueue(Construct):
    """
    A queue whose worker has *timeout* for a batch; what came ten times in vain is kept aside for a person.

    *plain_http* lets it be reached without TLS, which is for the laptop's AWS only.
    """

    def __init__(self, scope: Construct, id_: str, *, timeout: Duration, plain_http: bool) -> None:
        super().__init__(scope, id_)
        self.dead_letters = DeadLetters(self, "DeadLetters", plain_http=plain_http).queue
        self.queue = sqs.Queue(
            self,
            "Resource",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=not plain_http,
            retention_period=_WAITING,
            visibility_timeout=Duration.seconds(_UNSEEN * timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_MOST_DELIVERIES),
        )
