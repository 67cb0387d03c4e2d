"""
What an IoT Hub says, as one sentence for whoever pushed.
"""

import json
from typing import Any

import pytest

from firstlight.errors import SettingsError
from firstlight.registries import azure_errors
from firstlight.registries.azure_answer import Answer
from firstlight.registries.azure_environment import proxy_for, registry_from
from firstlight.registries.azure_iot import AzureIotRegistry
from firstlight.settings import Settings

HUB = "contoso.azure-devices.net"


def _answer(status: int, document: Any = None, code: str = "", retry_after: str = "") -> Answer:
    return Answer.of(status, code, retry_after, b"" if document is None else json.dumps(document).encode())


@pytest.mark.parametrize(
    ("header", "body", "code"),
    [
        ("DeviceNotFound", b"{}", "DeviceNotFound"),
        ("", b'{"Message": "ErrorCode:ThrottlingException;Wait", "ExceptionMessage": "x"}', "ThrottlingException"),
        ("", b'"ErrorCode:ArgumentInvalid;words"', "ArgumentInvalid"),
        ("", b'{"errorCode": 400004, "message": "words"}', "400004"),
        ("", b"<html>Bad request</html>", "HTTP 400"),
        ("", b"\xff", "HTTP 400"),
        ("", b"", "HTTP 400"),
        ("", b"[1]", "HTTP 400"),
    ],
)
def test_the_code_is_found_wherever_the_hub_puts_it(header: str, body: bytes, code: str) -> None:
    """
    In a header, in the words, in a field, or nowhere.
    """
    assert code == Answer.of(400, header, "", body).code


@pytest.mark.parametrize(
    "entry",
    [
        {"errorCode": 409001},
        {"errorCode": "409001"},
        {"errorCode": "DeviceAlreadyExists"},
        {"errorStatus": "ErrorCode:DeviceAlreadyExists;A device with ID 'a' is already registered."},
    ],
)
def test_both_shapes_of_an_error_say_that_a_device_exists(entry: dict[str, Any]) -> None:
    """
    A number and a name are documented.
    """
    result = _answer(400, {"isSuccessful": False, "errors": [{"deviceId": "a", **entry}]}).bulk

    assert result is not None
    assert not result.successful
    assert result.refused["a"].exists


@pytest.mark.parametrize(
    ("status", "document", "successful"),
    [
        (200, {"isSuccessful": True, "errors": [], "warnings": []}, True),
        (200, {"isSuccessful": True, "errors": None}, True),
        (200, {"isSuccessful": True}, True),
        (400, {"isSuccessful": True, "errors": []}, False),
        (200, {"isSuccessful": True, "errors": [{"deviceId": "a"}]}, False),
        (200, {"isSuccessful": False, "errors": []}, False),
        (200, {"isSuccessful": 1, "errors": []}, None),
        (200, {"isSuccessful": True, "errors": "none"}, None),
        (200, {"Message": "fine"}, None),
        (200, [], None),
        (200, None, None),
    ],
)
def test_z1_a_bulk_call_succeeded_only_if_the_hub_says_so(
    status: int, document: Any, *, successful: bool | None
) -> None:
    """
    In as many words: everything else is none of its results, or has to be looked into.
    """
    result = _answer(status, document).bulk

    assert successful == (None if result is None else result.successful)


@pytest.mark.parametrize(
    ("header", "seconds"), [("10", 10.0), ("", None), ("Fri, 20 Nov 2026 12:00:00 GMT", None), ("-1", None)]
)
def test_retry_after_is_read_when_it_is_seconds(header: str, seconds: float | None) -> None:
    """
    A hub mostly leaves it out.
    """
    assert seconds == _answer(429, {}, retry_after=header).retry_after


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_answer(401, {}, "IotHubUnauthorizedAccess"), "does not accept the token"),
        (
            _answer(
                401, {"Message": "ErrorCode:IotHubUnauthorized;Principal p is not authorized for POST on /devices"}
            ),
            "Assign it the role IoT Hub Registry Contributor",
        ),
        (_answer(403, {}, "IotHubUnauthorizedAccess"), azure_errors.ROLE),
        (_answer(403, {}), azure_errors.ROLE),
        (_answer(403, {"Message": "Total number of devices reached"}, "IotHubQuotaExceeded"), "IotHubQuotaExceeded"),
        (Answer.of(200, "", "", b"<html>"), "web pages (HTTP 200)"),
        (Answer.of(301, "", "", b""), "it redirects (HTTP 301)"),
    ],
)
def test_what_is_true_of_every_call_is_told_apart(answer: Answer, said: str) -> None:
    """
    So that it is said once, and not tried device by device.
    """
    error = azure_errors.everywhere(answer, HUB)

    assert error is not None
    assert said in str(error)


@pytest.mark.parametrize(
    "answer", [_answer(200, {}), _answer(400, {}), _answer(404, {}), Answer.of(502, "", "", b"<html>")]
)
def test_what_may_be_one_calls_own_is_not_true_of_all(answer: Answer) -> None:
    """
    A balancer's 502 is a web page and passes.
    """
    assert azure_errors.everywhere(answer, HUB) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer.timed_out(), "the hub contoso.azure-devices.net did not answer in time"),
        (Answer.unreachable(), "the hub contoso.azure-devices.net cannot be reached"),
        (_answer(500, {}, "ServerError"), "the hub contoso.azure-devices.net failed with ServerError"),
    ],
)
def test_what_did_not_end_says_how(answer: Answer, said: str) -> None:
    """
    Every sentence begins as the reference's does.
    """
    sentence = str(azure_errors.unfinished(answer, HUB))

    assert sentence.startswith("Failed creating and registering thing: ")
    assert said in sentence


@pytest.mark.parametrize("hub", ["", "a b", "https://a", "a/b", "-a", "a:b", "a\n"])
def test_a_hub_is_a_host_name(hub: str) -> None:
    """
    Not a URL, and not a connection string.
    """
    with pytest.raises(SettingsError, match="is no host name of an IoT Hub"):
        AzureIotRegistry(hub=hub, credential=object())  # type: ignore[arg-type]


def test_an_environment_without_a_hub_is_refused() -> None:
    """
    Before anything is asked for a token.
    """
    with pytest.raises(SettingsError, match="FIRSTLIGHT_HUB is not set"):
        registry_from(Settings(basic_credentials="a:b"), {})


def test_a_trust_store_that_is_not_there_is_refused() -> None:
    """
    Later it would be an error of every push.
    """
    with pytest.raises(SettingsError, match=r"gone\.pem does not exist"):
        registry_from(Settings(basic_credentials="a:b", hub=HUB), {"SSL_CERT_FILE": "gone.pem"})


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "127.0.0.1,localhost"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost,.azure-devices.net"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, ""),
        ({"HTTP_PROXY": "http://p:1"}, ""),
    ],
)
def test_the_environments_proxy_is_taken_unless_the_hub_is_excepted(env: dict[str, str], proxy: str) -> None:
    """
    Lower case goes first, as in curl.
    """
    assert proxy == proxy_for(HUB, env)
