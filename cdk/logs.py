"""
Log groups that forget.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


class LogGroup(Construct):
    """
    A log group that keeps lines for *retention_days* (0: for ever) and goes with its stack.

    *name* is only for a group that a service would otherwise make by itself, without retention.
    """

    def __init__(self, scope: Construct, id_: str, *, retention_days: int, name: str | None = None) -> None:
        super().__init__(scope, id_)
        self.resource = logs.CfnLogGroup(
            self, "Resource", log_group_name=name, retention_in_days=retention_days or None
        )
        self.resource.apply_removal_policy(RemovalPolicy.DESTROY)
        # ends in `:*`, the streams of this group, as IAM wants it
        self.arn = self.resource.attr_arn
        self.group = logs.LogGroup.from_log_group_name(self, "Group", self.resource.ref)
