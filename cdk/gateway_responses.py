"""
What the gateway says by itself, in the form of the protocol: `{"error": "<one sentence>"}`.
"""

import json

from aws_cdk import aws_apigateway as apigateway

_SECOND = {"Retry-After": "'1'"}
# API Gateway's own words, already a JSON string.
_ITS_WORDS = '{"error":$context.error.messageString}'
_TYPES = apigateway.ResponseType


def add(api: apigateway.RestApi) -> None:
    """
    Give *api* its responses; all others than these follow DEFAULT_4XX or DEFAULT_5XX.
    """
    _respond(api, "Default4xx", _TYPES.DEFAULT_4_XX, body=_ITS_WORDS)
    _respond(api, "Default5xx", _TYPES.DEFAULT_5_XX, body=_ITS_WORDS)
    _respond(
        api,
        # what the gateway calls any path it does not know
        "UnknownRoute",
        _TYPES.MISSING_AUTHENTICATION_TOKEN,
        status=404,
        body=_sentence("There is no such route; there are GET /, GET /auth and POST /interop."),
    )
    _respond(
        api,
        "TooLarge",
        _TYPES.REQUEST_TOO_LARGE,
        status=413,
        body=_sentence("The body is too large; push fewer certificates at once."),
    )
    _respond(
        api,
        "Throttled",
        _TYPES.THROTTLED,
        status=429,
        body=_sentence("There are too many pushes at once; push again in a second."),
        headers=_SECOND,
    )
    _respond(
        api,
        "Late",
        _TYPES.INTEGRATION_TIMEOUT,
        status=504,
        body=_sentence("The push did not end within 29 seconds; push again, what is registered stays so."),
        headers=_SECOND,
    )


def _respond(
    api: apigateway.RestApi,
    id_: str,
    kind: apigateway.ResponseType,
    *,
    body: str,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> None:
    api.add_gateway_response(
        id_,
        type=kind,
        status_code=None if status is None else str(status),
        response_headers=headers,
        templates={"application/json": body},
    )


def _sentence(text: str) -> str:
    return json.dumps({"error": text}, separators=(",", ":"))
