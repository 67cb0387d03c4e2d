"""
Where: an account and a region, and the ARNs of what is there.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """
    One account (12 digits) in one region.
    """

    account: str
    region: str

    @property
    def partition(self) -> str:
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def iot(self, resource: str) -> str:
        """
        Return the ARN of *resource* ("thing/x") of AWS IoT here.
        """
        return f"arn:{self.partition}:iot:{self.region}:{self.account}:{resource}"
