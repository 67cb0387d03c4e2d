"""
The one door to boto3: clients, credentials, and its errors in one sentence each.

boto3 costs about a millisecond of CPU a call; what is done per certificate does not come through
here (see firstlight.registries.aws_iot).
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import exceptions as aws
from botocore.config import Config

from firstlight.errors import FirstlightError, RegistryError
from firstlight.loopback import is_loopback

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    user_agent_extra="firstlight",
)
# For thousands of calls in a row: botocore then slows down by itself when the service throttles.
_PATIENT = Config(retries={"mode": "adaptive", "total_max_attempts": 10})
# HTTP_PROXY and its like are about other machines.
_DIRECT = Config(proxies={})
# botocore's (key in the file, variable, default, conversion) of what would be read for a profile.
_NO_PROFILE = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
_ARN = re.compile(r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]*):[a-z0-9-]*:\d*:(?P<resource>[^\s\"',]+)")
_LOG_IN = "Log in again, for instance with `aws sso login`, or choose another AWS_PROFILE."


class Credentials(NamedTuple):
    """
    What signs a request; `token` is empty for long-lived keys.
    """

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, …)"


def client(
    service: str,
    *,
    region: str,
    endpoint_url: str | None = None,
    credentials: Credentials | None = None,
    connections: int = 10,
    before: Callable[[str], None] | None = None,
) -> Any:
    """
    Return boto3's client of *service* (its name as in `aws <service>`), for *connections* threads at once.

    Without *endpoint_url* and *credentials* botocore looks where it always does: AWS_ENDPOINT_URL,
    AWS_PROFILE, the instance's role.  With *credentials* no profile and no configuration file is read; a
    loopback *endpoint_url* is reached without a proxy.

    *before* is called with the operation's name ahead of every request, repetitions too, and may hold it back: for
    many calls in a row, which are then repeated more patiently.

    Raises:
        RegistryError: AWS_PROFILE or the configuration files name something that does not exist.
    """
    key, secret, token = credentials or (None, None, None)
    config = _CONFIG.merge(Config(max_pool_connections=connections))
    if before is not None:
        config = config.merge(_PATIENT)
    if _is_here(endpoint_url):
        config = config.merge(_DIRECT)
    with refusals(f"Preparing {service} in {region}"):
        made = _session(credentials).client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token or None,
            config=config,
        )
    if before is not None:
        made.meta.events.register(f"before-send.{service}", _heralding(before))
    return made


def _heralding(before: Callable[[str], None]) -> Callable[..., None]:
    def sending(event_name: str, **_: Any) -> None:
        before(event_name.rpartition(".")[2])

    return sending


def _session(credentials: Credentials | None) -> Any:
    known = None if credentials is None else botocore.session.Session(session_vars=_NO_PROFILE)
    return boto3.session.Session(botocore_session=known)


def _is_here(endpoint_url: str | None) -> bool:
    return endpoint_url is not None and is_loopback(urlsplit(endpoint_url).hostname or "")


def frozen_credentials() -> Callable[[], Credentials]:
    """
    Return a function that answers the credentials of botocore's own chain, renewed before they expire.

    A renewal blocks for one request; every other call only reads.

    Raises:
        RegistryError: there are none; the function raises it when they could not be renewed.
    """
    with refusals("Looking for AWS credentials"):
        found = boto3.session.Session().get_credentials()
        if found is None:
            raise aws.NoCredentialsError

    def current() -> Credentials:
        with refusals("Renewing the AWS credentials"):
            frozen = found.get_frozen_credentials()
            return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")

    return current


@contextmanager
def refusals(doing: str, *, error: type[FirstlightError] = RegistryError) -> Iterator[None]:
    """
    Raise as *error* what botocore raises within; *doing* opens the sentence ("Registering the CA ca.pem").

    A caller that expects an error of the service catches `client.exceptions.<Name>` itself, inside.
    """
    try:
        yield
    except (aws.BotoCoreError, aws.ClientError) as e:
        raise explain(e, doing, error=error) from e


def explain(e: Exception, doing: str, *, error: type[FirstlightError] = RegistryError) -> FirstlightError:
    """
    Return botocore's *e* as *error*: what was being done, what went wrong, and the remedy.
    """
    if isinstance(e, aws.ClientError):
        problem, hint = _refused(e)
    else:
        problem, hint = _not_reached(e)
    return error(f"{doing} failed: {problem}.", hint=hint)


def code_of(e: Exception) -> str:
    """
    Return the service's error code in botocore's *e* ("ThrottlingException"), or "" when no service answered.
    """
    return str(e.response.get("Error", {}).get("Code", "")) if isinstance(e, aws.ClientError) else ""


def _refused(e: aws.ClientError) -> tuple[str, str]:
    code, operation = code_of(e), e.operation_name
    if "AccessDenied" in code or code in {"UnauthorizedOperation", "ForbiddenException", "NotAuthorized"}:
        return f"the credentials in use may not call {operation}", "Allow that action, or use other credentials."
    if code in {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}:
        return "the AWS credentials in use have expired", _LOG_IN
    if code in {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
    }:
        return "AWS does not know the credentials in use", _LOG_IN
    if "Throttl" in code or code in {"TooManyRequestsException", "RequestLimitExceeded"}:
        return f"AWS is throttling {operation}", "Try again in a minute."
    message = _one_line(str(e.response.get("Error", {}).get("Message", "")))
    return f"{operation} answered {code}" + (f", {message}" if message else ""), ""


def _not_reached(e: Exception) -> tuple[str, str]:
    told = getattr(e, "kwargs", {})
    for kinds, problem, hint in _NOT_REACHED:
        if isinstance(e, kinds):
            return _one_line(problem.format_map(_Told(told))), hint
    return _one_line(str(e)), ""


class _Told(dict[str, object]):
    """
    What botocore tells about its error; what it does not tell is "the service".
    """

    def __missing__(self, key: str) -> str:
        return "the service"


def _one_line(message: str) -> str:
    return _without_arns(" ".join(message.split())).rstrip(".")


_Kinds = type[Exception] | tuple[type[Exception], ...]
# The first that fits; what fits none keeps botocore's own sentence.
_NOT_REACHED: tuple[tuple[_Kinds, str, str], ...] = (
    (
        aws.NoCredentialsError,
        "no AWS credentials were found",
        "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    (aws.PartialCredentialsError, "the AWS credentials lack {cred_var}", "Set both halves of the key."),
    (aws.ProfileNotFound, "the AWS profile {profile!r} does not exist", "Set AWS_PROFILE to one that does."),
    (
        (aws.CredentialRetrievalError, aws.SSOError, aws.TokenRetrievalError, aws.LoginError),
        "the AWS credentials could not be had",
        _LOG_IN,
    ),
    (aws.ParamValidationError, "{report}", ""),
    (
        (aws.InvalidRegionError, aws.NoRegionError),
        "{region_name!r} is not the name of a region",
        "Write it as in eu-west-1.",
    ),
    (
        aws.SSLError,
        "{endpoint_url} did not prove who it is",
        "Check AWS_ENDPOINT_URL and AWS_CA_BUNDLE.",
    ),
    (
        (aws.HTTPClientError, aws.ConnectionError),
        "{endpoint_url} cannot be reached",
        "Check the network, the region and AWS_ENDPOINT_URL.",
    ),
)


def _without_arns(message: str) -> str:
    return _ARN.sub(lambda m: "the caller" if m["service"] in {"sts", "iam"} else m["resource"], message)
