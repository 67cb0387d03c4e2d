"""
Our signatures are the ones botocore, AWS's own signer, would make.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firstlight.registries.aws_credentials import Keys
from firstlight.registries.sigv4 import Signer, encoded_path, encoded_query

HOST = "iot.eu-west-1.amazonaws.com"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

_text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)
_segments = st.lists(_text.filter(lambda s: s.strip(".") != ""), min_size=1, max_size=4)
_pairs = st.lists(st.tuples(_text.filter(bool), _text), max_size=4, unique_by=lambda pair: pair[0])
_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
_headers = st.dictionaries(st.sampled_from(["content-type", "x-amzn-principal", "x-amz-meta", "accept"]), _values)
_keys = st.builds(
    Keys,
    access_key=st.text("ABCDEF0123456789", min_size=4, max_size=20),
    secret_key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    token=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
)
_moments = st.integers(946_684_800, 4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def _botocores(  # noqa: PLR0917 -- as ours takes them
    method: str, target: str, headers: Mapping[str, str], body: bytes, keys: Keys, at: datetime
) -> dict[str, str]:
    """
    Return what botocore would send, as it signs for real, but at *at*.
    """
    request = AWSRequest(method, f"https://{HOST}{target}", headers=dict(headers), data=body)
    # Any: add_auth, taken apart to use our clock.
    auth: Any = SigV4Auth(BotoCredentials(keys.access_key, keys.secret_key, keys.token or None), "iot", "eu-west-1")
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    auth._modify_request_before_signing(request)  # noqa: SLF001 -- there is no public way to set the time
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    auth._inject_signature_to_request(request, signature)  # noqa: SLF001 -- as above
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    _segments,
    _pairs,
    _headers,
    st.binary(),
    _keys,
    _moments,
)
@example(
    "PUT",
    ["things", "a:b%2F~c d/é", "principals"],
    [],
    {"x-amzn-principal": "arn:aws:iot:x:1:cert/a"},
    b"",
    Keys("A", "s"),
    NOON,
)
@example(
    "GET",
    ["endpoint"],
    [("endpointType", "iot:Data-ATS"), ("a-b", ""), ("a", "x=y&z")],
    {},
    b"",
    Keys("A", "s", "t/+="),
    NOON,
)
@example("POST", ["policies", "a+b=c,d.e@f"], [], {"content-type": "  two   words "}, b"{}", Keys("A", "s"), NOON)
@settings(max_examples=50)
def test_every_request_is_signed_as_botocore_signs_it(  # noqa: PLR0917 -- as `given` gives them
    method: str,
    segments: list[str],
    pairs: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    keys: Keys,
    at: datetime,
) -> None:
    """
    Whatever the path, the query, the headers, the body, the credentials and the time.
    """
    path, query = encoded_path(*segments), encoded_query(pairs)
    target = f"{path}?{query}" if query else path
    signer = Signer(region="eu-west-1", service="iot")

    signed = signer.sign(method, path, query, {**headers, "host": HOST}, body, credentials=keys, at=at.timestamp())

    assert _botocores(method, target, {**headers, "host": HOST}, body, keys, at) == signed


def test_the_vector_of_aws_own_test_suite() -> None:
    """
    `get-vanilla` of the Signature Version 4 test suite.
    """
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
    signer = Signer(region="us-east-1", service="service")

    signed = signer.sign("GET", "/", "", {"host": "example.amazonaws.com"}, b"", credentials=keys, at=at)

    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    assert signed["authorization"].endswith(f", SignedHeaders=host;x-amz-date, Signature={signature}")


def test_one_signer_follows_the_day_and_the_credentials() -> None:
    """
    The signing key it keeps is neither yesterday's nor another user's.
    """
    signer = Signer(region="eu-west-1", service="iot")
    for at in (NOON, NOON + timedelta(days=1), NOON):
        for keys in (Keys("A", "one"), Keys("A", "two"), Keys("B", "one", "token")):
            signed = signer.sign("GET", "/endpoint", "", {"host": HOST}, b"", credentials=keys, at=at.timestamp())

            assert _botocores("GET", "/endpoint", {"host": HOST}, b"", keys, at) == signed


@given(st.text(st.characters(codec="utf-8")))
def test_a_segment_stays_one_segment(name: str) -> None:
    """
    Slashes, colons and percent signs of a name do not become the path's.
    """
    path = encoded_path("things", name, "principals")

    assert ["", "things", name, "principals"] == [unquote(part) for part in path.split("/")]
    assert quote(name, safe="") == path.split("/")[2]


def test_credentials_show_no_secret() -> None:
    """
    Nor does anything that prints them.
    """
    shown = repr(Keys("AKID", "top-secret", "token-secret"))

    assert "AKID" in shown
    assert "secret" not in shown.replace("secret_key", "")
