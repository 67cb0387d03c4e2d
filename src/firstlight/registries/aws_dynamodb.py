"""
Calls to DynamoDB, each repeated until it has an answer or the time is over.

Shapes: botocore's service model `dynamodb/2012-08-10`.
"""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from firstlight.errors import RegistryError, SettingsError
from firstlight.registries import aws_errors
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import AwsCalls, Patience, Turn
from firstlight.registries.aws_credentials import CredentialCache, environment_credentials
from firstlight.registries.aws_http import AwsHttp, endpoint_of
from firstlight.registries.aws_operations import Call
from firstlight.registries.sigv4 import Credentials

_TARGET = "DynamoDB_20120810."
_CONDITION_FAILED = "ConditionalCheckFailedException"


class DynamoOperation(StrEnum):
    """
    What is called, and so what a role must be allowed to do on its table.
    """

    GET_ITEM = "GetItem"
    UPDATE_ITEM = "UpdateItem"
    DELETE_ITEM = "DeleteItem"
    BATCH_WRITE_ITEM = "BatchWriteItem"

    @property
    def service(self) -> str:
        return "DynamoDB"

    @property
    def action(self) -> str:
        return f"dynamodb:{self}"


class DynamoDb:
    """
    The tables of one account and region, by *calls*, which go to DynamoDB.
    """

    def __init__(self, calls: AwsCalls) -> None:
        self._calls = calls

    async def ask(
        self, operation: DynamoOperation, table: str, request: Mapping[str, Any], *, deadline: float
    ) -> Answer:
        """
        Return the answer to *request* about *table*: success, or that its condition does not hold (`refused`).

        Every request here may be repeated without harm.

        Raises:
            UnfinishedError: DynamoDB failed or did not answer before *deadline* (the loop's clock, seconds).
            RegistryError: it refused.
        """
        try:
            answer = await self._calls(_call(operation, request), Turn(deadline))
        except RegistryError as e:
            raise aws_errors.of_a_table(e, table) from e
        if answer.missing:
            raise RegistryError(
                f"The DynamoDB table {table} does not exist here.",
                hint='Deploy the JITP stack of this region with first_connect = "allow-list".',
            )
        if not answer.ok and not refused(answer):
            raise aws_errors.of_a_table(aws_errors.refusal(answer), table)
        return answer


def refused(answer: Answer) -> bool:
    """
    Whether the condition of the request did not hold.
    """
    return answer.code == _CONDITION_FAILED


def dynamodb_from(
    env: Mapping[str, str], *, region: str = "", credentials: Callable[[], Credentials] | None = None
) -> tuple[DynamoDb, AwsHttp]:
    """
    Return DynamoDB of *region* (default AWS_REGION), signing with *credentials* (default those of *env*), and its
    connections, which are to be closed.

    AWS_ENDPOINT_URL_DYNAMODB, or else AWS_ENDPOINT_URL, is where it is looked for, as in AWS's own SDKs.

    Raises:
        SettingsError: the environment holds no region or no credentials, and none were given.
    """
    region = region or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise SettingsError("AWS_REGION is not set.", hint="Set it, or name a region.")
    url = env.get("AWS_ENDPOINT_URL_DYNAMODB") or env.get("AWS_ENDPOINT_URL") or endpoint_of("dynamodb", region)
    http = AwsHttp(endpoint_url=url, region=region, service="dynamodb")
    return DynamoDb(AwsCalls(http, CredentialCache(credentials or environment_credentials(env)), Patience())), http


def _call(operation: DynamoOperation, request: Mapping[str, Any]) -> Call:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{_TARGET}{operation}"}
    body = json.dumps(request, separators=(",", ":")).encode()
    return Call(operation, "POST", "/", headers=headers, body=body)
