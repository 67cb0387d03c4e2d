"""
boto3's errors come out as one sentence a person can act on.
"""

import pytest
from botocore import exceptions as aws

from firstlight import boto
from firstlight.boto import Credentials
from firstlight.errors import DeploymentError, RegistryError


def refused(code: str, message: str = "") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "RegisterCACertificate")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            aws.NoCredentialsError(),
            (
                "Registering x failed: no AWS credentials were found. "
                "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ),
        ),
        (
            aws.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "Registering x failed: the AWS credentials lack AWS_SECRET_ACCESS_KEY. Set both halves of the key.",
        ),
        (
            aws.ProfileNotFound(profile="factory"),
            "Registering x failed: the AWS profile 'factory' does not exist. Set AWS_PROFILE to one that does.",
        ),
        (
            aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:1/"),
            (
                "Registering x failed: http://127.0.0.1:1/ cannot be reached. "
                "Check the network, the region and AWS_ENDPOINT_URL."
            ),
        ),
        (
            aws.ReadTimeoutError(endpoint_url="https://iot.eu-west-1.amazonaws.com/"),
            (
                "Registering x failed: https://iot.eu-west-1.amazonaws.com/ cannot be reached. "
                "Check the network, the region and AWS_ENDPOINT_URL."
            ),
        ),
        (
            aws.SSLError(endpoint_url="https://localhost:4566/", error="self-signed"),
            (
                "Registering x failed: https://localhost:4566/ did not prove who it is. "
                "Check AWS_ENDPOINT_URL and AWS_CA_BUNDLE."
            ),
        ),
        (
            aws.ParamValidationError(report="Missing required parameter\n  in input: caCertificate"),
            "Registering x failed: Missing required parameter in input: caCertificate.",
        ),
        (
            refused("AccessDeniedException", "User: arn:aws:iam::123456789012:user/eve is not authorized"),
            (
                "Registering x failed: the credentials in use may not call RegisterCACertificate. "
                "Allow that action, or use other credentials."
            ),
        ),
        (
            refused("ExpiredTokenException"),
            (
                "Registering x failed: the AWS credentials in use have expired. "
                "Log in again, for instance with `aws sso login`, or choose another AWS_PROFILE."
            ),
        ),
        (
            refused("ThrottlingException", "Rate exceeded"),
            "Registering x failed: AWS is throttling RegisterCACertificate. Try again in a minute.",
        ),
        (
            refused("InvalidRequestException", "Bad certificate."),
            "Registering x failed: RegisterCACertificate answered InvalidRequestException, Bad certificate.",
        ),
    ],
)
def test_every_error_is_one_sentence_and_a_remedy(error: Exception, sentence: str) -> None:
    """
    What was being done, what went wrong, what to do about it.
    """
    assert sentence == str(boto.explain(error, "Registering x"))


def test_roles_and_accounts_stay_out_of_sentences() -> None:
    """
    A log or a screenshot gives away neither the caller's role nor the account's number.
    """
    message = (
        "Role arn:aws:iam::123456789012:role/deploy may not be passed to arn:aws:iot:eu-west-1:123456789012:cert/ab"
    )

    assert (
        "x failed: RegisterCACertificate answered InvalidRequestException, "
        "Role the caller may not be passed to cert/ab."
        == str(boto.explain(refused("InvalidRequestException", message), "x"))
    )


def test_the_caller_chooses_the_kind_of_error() -> None:
    """
    A deployment fails with the deployment's error, and the cause stays attached.
    """
    cause = refused("LimitExceededException")

    with pytest.raises(DeploymentError) as caught, boto.refusals("Deploying x", error=DeploymentError):
        raise cause

    assert cause is caught.value.__cause__


def test_a_missing_profile_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    boto3 raises this one when the client is made, not when it is used.
    """
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(RegistryError, match="the AWS profile 'nobody' does not exist"):
        boto.client("iot", region="eu-west-1")


def test_credentials_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The registry signs with what botocore's own chain finds.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

    assert ("AKIDEXAMPLE", "secret", "token") == boto.frozen_credentials()()


def test_no_credentials_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """
    A server that cannot sign does not start.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(RegistryError, match="no AWS credentials were found"):
        boto.frozen_credentials()


def test_a_secret_is_never_shown() -> None:
    """
    Credentials in a traceback or a log do not give the key away.
    """
    assert "secret" not in repr(Credentials("AKIDEXAMPLE", "secret", "token"))


def test_code_of_tells_the_service_answer_from_silence() -> None:
    """
    Only a service has an error code.
    """
    assert ("ResourceNotFoundException", "") == (
        boto.code_of(refused("ResourceNotFoundException")),
        boto.code_of(aws.NoCredentialsError()),
    )
