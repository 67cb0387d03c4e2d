"""
A DynamoDB table with one key, items that expire, and no capacity to plan.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from cdk import grants


class Table(Construct):
    """
    A table whose key is the text *key*, and whose items go some time after the second (since the epoch) in *expires*.

    *name* is only for one that another stack knows by it.  *transient*: what is in it is worthless an hour later,
    so it is not backed up; any other can be restored to each second of the last 35 days, deleted or not.
    """

    def __init__(
        self, scope: Construct, id_: str, *, key: str, expires: str, name: str | None = None, transient: bool = False
    ) -> None:
        super().__init__(scope, id_)
        self.resource = dynamodb.CfnTable(
            self,
            "Resource",
            table_name=name,
            billing_mode="PAY_PER_REQUEST",
            attribute_definitions=[
                dynamodb.CfnTable.AttributeDefinitionProperty(attribute_name=key, attribute_type="S")
            ],
            key_schema=[dynamodb.CfnTable.KeySchemaProperty(attribute_name=key, key_type="HASH")],
            time_to_live_specification=dynamodb.CfnTable.TimeToLiveSpecificationProperty(
                attribute_name=expires, enabled=True
            ),
            point_in_time_recovery_specification=dynamodb.CfnTable.PointInTimeRecoverySpecificationProperty(
                point_in_time_recovery_enabled=not transient
            ),
            sse_specification=dynamodb.CfnTable.SSESpecificationProperty(sse_enabled=True),
        )
        self.resource.apply_removal_policy(RemovalPolicy.DESTROY)
        if transient:
            grants.acknowledge(self.resource, DDB3="What it holds is worthless an hour later.")
        self.name = self.resource.ref
        self.arn = self.resource.attr_arn
