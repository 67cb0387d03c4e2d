import base64
import json
from datetime import timedelta

import jwt
import pytest

from firstlight import pki
from firstlight.errors import UsageError
from firstlight.push import Entry, basic, bearer, interop_url
from firstlight.push.chunks import MAX_BODY, chunks
from tests.factory import NOW, at_noon, rsa_key


@pytest.mark.parametrize(("kind", "algorithm"), [("ec-p256", "ES256"), ("rsa-2048", "RS256")])
def test_a_token_has_what_an_endpoint_requires(kind: str, algorithm: str) -> None:
    """
    The audience, when it was issued, and an end five minutes later.
    """
    key = pki.new_key(kind)

    scheme, token = bearer(key, "123456789012", now=at_noon)().split()

    assert "Bearer" == scheme
    assert algorithm == jwt.get_unverified_header(token)["alg"]
    claims = jwt.decode(
        token, key.public_key(), [algorithm], {"verify_exp": False, "verify_iat": False}, audience="123456789012"
    )
    assert {
        "aud": "123456789012",
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(minutes=5)).timestamp()),
    } == claims


@pytest.mark.parametrize("key", [pki.new_key("ec-p384"), rsa_key(1024)], ids=["P-384", "RSA-1024"])
def test_a_key_no_endpoint_would_believe_is_refused(key: pki.PrivateKey) -> None:
    """
    Before anything is sent.
    """
    with pytest.raises(UsageError, match="token key"):
        bearer(key, "aud", now=at_noon)


def test_a_token_needs_an_audience() -> None:
    """
    It alone tells one customer of the service from another, and the reference does not require it (A1).
    """
    with pytest.raises(UsageError, match="audience"):
        bearer(pki.new_key(), "", now=at_noon)


def test_basic_credentials_are_encoded_as_rfc_7617_says() -> None:
    """
    User, colon, password, in base64.
    """
    assert "Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==" == basic("Aladdin", "open:sesame")()


@pytest.mark.parametrize(("user", "password"), [("", "x"), ("a:b", "x"), ("a", "")])
def test_half_credentials_are_refused(user: str, password: str) -> None:
    """
    A user with a colon could not be told from its password.
    """
    with pytest.raises(UsageError, match="HTTP Basic"):
        basic(user, password)


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("https://h.example/v1", "https://h.example/v1/interop"),
        ("https://h.example/v1/interop", "https://h.example/v1/interop"),
        ("https://h.example/v1/", "https://h.example/v1/interop"),
        ("https://h.example", "https://h.example/interop"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/interop"),
        ("http://[::1]:8080/", "http://[::1]:8080/interop"),
        ("http://localhost/interop/", "http://localhost/interop"),
    ],
)
def test_the_url_may_end_with_interop_or_not(url: str, route: str) -> None:
    """
    The console's form and the stack's outputs differ in that.
    """
    assert route == str(interop_url(url))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("h.example/v1", "is not an http or https URL"),
        ("ftp://h.example", "is not an http or https URL"),
        ("http://[oops", "is not a URL"),
        ("https://me:secret@h.example", "hold no credentials"),
        ("https://h.example/?x=1", "must end with its path"),
        ("http://h.example", "in the clear"),
        ("http://127.0.0.1.h.example", "in the clear"),
        ("http://10.0.0.1", "in the clear"),
    ],
)
def test_a_url_that_must_not_be_pushed_to_is_refused(url: str, sentence: str) -> None:
    """
    Credentials travel over https, or within this machine; the sentence repeats none.
    """
    with pytest.raises(UsageError, match=sentence) as caught:
        interop_url(url)

    assert "secret" not in str(caught.value)


def test_insecure_lets_credentials_travel_in_the_clear() -> None:
    """
    It must be asked for.
    """
    assert "http://h.example/interop" == str(interop_url("http://h.example", insecure=True))


def test_chunks_keep_the_order_and_the_size() -> None:
    """
    No entry is lost between two requests.
    """
    entries = [Entry(f"r{i}", b"pem") for i in range(7)]

    made = list(chunks(entries, 3))

    assert [3, 3, 1] == [len(part) for part, _ in made]
    assert entries == [entry for part, _ in made for entry in part]
    assert [f"r{i}" for i in range(7)] == [c["ref"] for _, body in made for c in json.loads(body)["certs"]]


def test_a_request_is_the_protocols() -> None:
    """
    One action and, per entry, a ref and the base64 of the PEM text.
    """
    ((_, body),) = chunks([Entry('a"\u2028', b"pem")], 100)

    assert {
        "action": "provision",
        "certs": [{"ref": 'a"\u2028', "cert": base64.b64encode(b"pem").decode()}],
    } == json.loads(body)


def test_no_request_is_larger_than_a_lambda_takes() -> None:
    """
    However many certificates the caller wanted in one.
    """
    entries = [Entry(str(i), bytes(200_000)) for i in range(60)]

    made = list(chunks(entries, 10_000))

    assert 4 == len(made)
    assert all(len(body) <= MAX_BODY + 100 for _, body in made)
    assert entries == [entry for part, _ in made for entry in part]
