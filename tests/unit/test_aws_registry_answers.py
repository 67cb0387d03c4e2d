"""
What AWS says, as one sentence for whoever pushed.
"""

import json

import pytest

from firstlight.errors import SettingsError
from firstlight.registries import aws_errors
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_environment import registry_from
from firstlight.registries.aws_iot import AwsIotRegistry, Keys, environment_credentials
from firstlight.registries.aws_operations import Operation
from firstlight.settings import Settings

OPERATION = Operation.ATTACH_POLICY
LONG = {"message": "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: iot:AttachPolicy"}


def _answer(status: int, code: str | None, message: str = "") -> Answer:
    return Answer.of(OPERATION, status, code, json.dumps({"message": message}).encode())


@pytest.mark.parametrize(
    ("header", "body", "code"),
    [
        ("ThrottlingException", b"{}", "ThrottlingException"),
        ("ThrottlingException:http://internal.amazon.com/coral/", b"", "ThrottlingException"),
        (None, b'{"__type": "com.amazon.coral.service#ThrottlingException"}', "ThrottlingException"),
        (None, b'{"code": "ForbiddenException", "message": null}', "ForbiddenException"),
        (None, b"<html>Bad gateway</html>", "HTTP 502"),
        (None, b"\xff", "HTTP 502"),
        (None, b"[1]", "HTTP 502"),
    ],
)
def test_the_code_is_found_wherever_aws_puts_it(header: str | None, body: bytes, code: str) -> None:
    """
    In a header, in the body, or nowhere, when something in between answers.
    """
    assert code == Answer.of(OPERATION, 502, header, body).code


def test_a_success_has_no_code() -> None:
    """
    Whatever its headers.
    """
    assert Answer.of(OPERATION, 200, None, b"").ok
    assert not Answer.of(OPERATION, 301, None, b"").ok


@pytest.mark.parametrize(
    ("status", "code", "message", "said"),
    [
        (403, "AccessDeniedException", LONG["message"], "AWS does not allow iot:AttachPolicy here"),
        (403, "ForbiddenException", "", "AWS does not allow iot:AttachPolicy here"),
        (401, "UnauthorizedException", "", "AWS does not allow iot:AttachPolicy here"),
        (403, "InvalidSignatureException", "Signature expired: 2026… is now earlier than 2027…", "clock is wrong"),
        (403, "InvalidSignatureException", "Signature not yet current: …", "clock is wrong"),
        (403, "RequestTimeTooSkewed", "", "clock is wrong"),
        (403, "InvalidSignatureException", "The request signature we calculated does not match", "does not know"),
        (403, "UnrecognizedClientException", "The security token … is invalid.", "does not know the credentials"),
        (403, "ExpiredTokenException", "", "credentials of this endpoint have expired"),
        (410, "LimitExceededException", "Too many policies", "AttachPolicy was refused with LimitExceeded"),
        (400, "CertificateValidationException", "No.", "was refused with CertificateValidationException, No."),
        (400, "InvalidRequestException", "", "AttachPolicy was refused with InvalidRequestException."),
    ],
)
def test_a_refusal_is_one_sentence_with_its_cause(status: int, code: str, message: str, said: str) -> None:
    """
    A missing permission, a wrong clock and wrong credentials are told apart.
    """
    error = aws_errors.refusal(_answer(status, code, message))

    assert error.message.startswith("Failed creating and registering thing: ")
    assert said in error.message
    assert error.message.endswith(".")
    assert "\n" not in error.message


def test_no_arn_and_no_account_leaks() -> None:
    """
    The caller is not the operator.
    """
    message = "Role arn:aws:iam::123456789012:role/x of account 123456789012\nmay not."

    text = str(aws_errors.refusal(_answer(400, "InvalidRequestException", message)))

    assert "123456789012" not in text
    assert "role/x" not in text
    assert "Role … of account … may not." in text


def test_a_long_message_is_cut() -> None:
    """
    One sentence, not a page.
    """
    assert len(str(aws_errors.refusal(_answer(400, "InvalidRequestException", "x" * 5000)))) < 400


def test_the_environments_credentials_are_read_each_time() -> None:
    """
    A Lambda's role sets them; they are named when they are missing.
    """
    env = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    read = environment_credentials(env)
    assert Keys("a", "b") == read()

    env["AWS_SESSION_TOKEN"] = "t"
    assert Keys("a", "b", "t") == read()

    del env["AWS_SECRET_ACCESS_KEY"]
    with pytest.raises(SettingsError, match=r"Not set: AWS_SECRET_ACCESS_KEY\."):
        read()
    with pytest.raises(SettingsError, match=r"Not set: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY\."):
        environment_credentials({})


@pytest.mark.parametrize("wrong", ["", "a/b", "..", "a b", "x" * 129, "ä"])
def test_a_policy_name_that_can_be_none_is_refused_at_once(wrong: str) -> None:
    """
    Before anything is signed for a path it would not survive in.
    """
    with pytest.raises(SettingsError, match="is no name of an AWS IoT policy"):
        AwsIotRegistry(region="eu-west-1", policy_name=wrong, credentials=lambda: Keys("a", "b"))


@pytest.mark.parametrize("wrong", ["localhost:4566", "ftp://x", "https://", "https://h:port"])
def test_an_endpoint_url_that_is_none_is_refused_at_once(wrong: str) -> None:
    """
    AWS_ENDPOINT_URL_IOT is typed by people.
    """
    with pytest.raises(SettingsError, match="is no http or https URL"):
        AwsIotRegistry(region="eu-west-1", policy_name="P", credentials=lambda: Keys("a", "b"), endpoint_url=wrong)


def test_without_a_region_there_is_no_registry() -> None:
    """
    Said when the process starts, not at its first push.
    """
    with pytest.raises(SettingsError, match="AWS_REGION is not set"):
        registry_from(Settings(), {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"})
