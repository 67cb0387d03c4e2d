"""
Names of the stack outputs, shared by the stacks, the CLI and the tests.

The ingest stack's are exactly the fields of the Cloud ID console's form, and so are Azure's first two.
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


class ManifestOutput(StrEnum):
    """
    What the ingest stack adds where manifests can be uploaded.
    """

    BUCKET = "ManifestBucket"


class JitpOutput(StrEnum):
    """
    Outputs of the JITP stack.
    """

    TEMPLATE_NAME = "TemplateName"
    POLICY_NAME = "PolicyName"
    ROLE_ARN = "ProvisioningRoleArn"


class AzureOutput(StrEnum):
    """
    Outputs of the Azure template.  The console asks for the first two; our own tools read the rest.
    """

    INTEROP_URL = "interopURL"
    SUBSCRIPTION_ID = "subscriptionId"
    FUNCTION_APP_NAME = "functionAppName"
    HUB_NAME = "hubName"
    HUB_HOST_NAME = "hubHostName"
    DPS_NAME = "dpsName"
    DPS_HOST_NAME = "dpsHostName"
    ID_SCOPE = "idScope"
    QUEUE_URL = "queueUrl"
    MANIFESTS_URL = "manifestsUrl"
