"""
Names of the stack outputs, shared by the stacks, the CLI and the tests.

The ingest stack's are exactly the fields of the Cloud ID console's form.
"""

from enum import StrEnum


class IngestOutput(StrEnum):
    """
    Outputs of the ingest stack.
    """

    ACCOUNT_ID = "AccountId"
    GATEWAY_ID = "GatewayId"
    REGION = "Region"
    STAGE = "Stage"


class JitpOutput(StrEnum):
    """
    Outputs of the JITP stack.
    """

    TEMPLATE_NAME = "TemplateName"
    POLICY_NAME = "PolicyName"
    ROLE_ARN = "ProvisioningRoleArn"
