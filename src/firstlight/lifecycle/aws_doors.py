"""
Closes the doors of a region before its devices are retired: nobody new comes in while they go.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from firstlight import ca_registration
from firstlight.ca_registration import RegisteredCa
from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.rows import Became, Row

_PUSHES = "pushes are refused from now on (reserved concurrency 0)"
_CONNECTS = "nobody new is provisioned when it connects"
_WAITING = "messages of certificates wait in it, and go with the stack: push them again elsewhere"


@dataclass(frozen=True)
class Doors:
    """
    The functions, the queues, the template and the CAs of *place*.  Without *really* it only looks.
    """

    place: AwsPlace
    really: bool

    def close(self) -> Iterator[Row]:
        """
        Yield a row for each door there is, once it is closed.
        """
        aws = self.place.client("lambda")
        for function in self.place.resources("AWS::Lambda::Function"):
            try:
                if self.really:
                    aws.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
            except aws.exceptions.ResourceNotFoundException:
                continue
            yield self._closed(f"function {function}", _PUSHES)
        yield from self._waiting()
        yield from self._template()
        for ca in self.cas():
            if self.really and ca.auto_registration:
                self.place.iot.update_ca_certificate(certificateId=ca.id, newAutoRegistrationStatus="DISABLE")
            yield self._closed(f"CA {ca.subject}", _CONNECTS)

    def cas(self) -> list[RegisteredCa]:
        """
        Return the CAs of the region that are registered: its stack's, those that regions.toml names, and whichever
        run its template.
        """
        name, ours = self.place.region.template_name, self.place.ca_ids
        found = ca_registration.list_registered(self.place.iot)
        return [ca for ca in found if ca.id in ours or ca.provisioning.template_name == name]

    def _waiting(self) -> Iterator[Row]:
        sqs = self.place.client("sqs")
        for queue in self.place.resources("AWS::SQS::Queue"):
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            try:
                counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            except sqs.exceptions.QueueDoesNotExist:
                continue
            if waiting := sum(int(counts.get(name, 0)) for name in names):
                yield Row(f"queue {queue.rpartition('/')[2]}", Became.UNCHANGED, f"{waiting} {_WAITING}.")

    def _template(self) -> Iterator[Row]:
        iot, name = self.place.iot, self.place.region.template_name
        try:
            enabled = iot.describe_provisioning_template(templateName=name).get("enabled")
        except iot.exceptions.ResourceNotFoundException:
            return
        if enabled:
            if self.really:
                iot.update_provisioning_template(templateName=name, enabled=False)
            yield self._closed(f"template {name}", _CONNECTS)

    def _closed(self, name: str, message: str) -> Row:
        return Row(name, Became.DISABLED if self.really else Became.FORESEEN, f"{message}.")
