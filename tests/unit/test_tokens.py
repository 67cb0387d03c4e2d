import asyncio
import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from firstlight.endpoint import interop_from
from firstlight.errors import KeyUnavailableError, SettingsError, UnauthorizedError
from firstlight.interop import Request
from firstlight.registries.memory import MemoryRegistry
from firstlight.settings import Settings
from firstlight.token_keys import UrlKey
from firstlight.tokens import AnyOf, Basic, Bearer, FixedKey, Guard, VerificationKey
from tests.factory import rsa_key

ACCOUNT = "123456789012"
_KEY = ec.generate_private_key(ec.SECP256R1())


def _public(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    claims = {"aud": ACCOUNT, "iat": now, "exp": now + timedelta(minutes=5), **changes}
    return {k: v for k, v in claims.items() if v is not None}


def _token(key: Any = _KEY, algorithm: str = "ES256", **changes: Any) -> str:
    return "Bearer " + jwt.encode(_claims(**changes), key, algorithm=algorithm)


def _bearer(key: Any = _KEY) -> Bearer:
    return Bearer(keys=FixedKey(VerificationKey.from_pem(_public(key))), audience=ACCOUNT)


def _admits(guard: Guard, authorization: str | None) -> bool:
    try:
        asyncio.run(guard.require(authorization))
    except UnauthorizedError:
        return False
    return True


def _reason(guard: Guard, authorization: str | None) -> str:
    with pytest.raises(UnauthorizedError) as caught:
        asyncio.run(guard.require(authorization))
    return str(caught.value)


def test_the_services_token_is_admitted() -> None:
    """
    ES256 with audience, issue time and expiry, as Cloud ID services sign it.
    """
    assert _admits(_bearer(), _token())
    assert _admits(_bearer(), _token().replace("Bearer", "bearer"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": None}, "it has no aud"),
        ({"exp": None}, "it has no exp"),
        ({"iat": None}, "it has no iat"),
        ({"aud": "999999999999"}, "it is for another audience"),
        ({"exp": datetime(2020, 1, 1, tzinfo=UTC)}, "it has expired"),
        ({"iat": datetime(2100, 1, 1, tzinfo=UTC), "exp": datetime(2100, 1, 2, tzinfo=UTC)}, "it is not valid yet"),
        ({"nbf": datetime(2100, 1, 1, tzinfo=UTC)}, "it is not valid yet"),
        ({"exp": datetime(2100, 1, 1, tzinfo=UTC)}, "it lives longer than 86400 s"),
        ({"exp": "soon"}, "it is malformed"),
        ({"exp": "4102444800"}, "it is malformed"),
    ],
)
def test_a1_a_token_must_say_for_whom_since_when_and_until_when(changes: dict[str, Any], reason: str) -> None:
    """
    The audience alone tells the customers of a service apart: a token without it opens every account.
    """
    assert reason in _reason(_bearer(), _token(**changes))


def test_an_honest_clock_may_be_a_minute_off() -> None:
    """
    Just expired and just about to begin are still admitted, within the skew.
    """
    now = datetime.now(UTC)

    assert _admits(_bearer(), _token(iat=now + timedelta(seconds=30)))
    assert _admits(_bearer(), _token(exp=now - timedelta(seconds=30)))


def test_a_clock_may_not_be_more_than_a_minute_off() -> None:
    """
    Each second of skew is one more that a stolen token lives.
    """
    now = datetime.now(UTC)

    assert "it has expired" in _reason(_bearer(), _token(exp=now - timedelta(seconds=90)))
    assert "it is not valid yet" in _reason(_bearer(), _token(iat=now + timedelta(seconds=90)))


def test_a_token_lives_a_day_at_most() -> None:
    """
    From `iat` to `exp`, to the second.
    """
    now = int(datetime.now(UTC).timestamp())

    assert _admits(_bearer(), _token(iat=now, exp=now + 86_400))
    assert "it lives longer than 86400 s" in _reason(_bearer(), _token(iat=now, exp=now + 86_401))


def test_an_operator_may_say_how_long_a_token_lives() -> None:
    """
    The setting reaches the guard.
    """
    settings = Settings(audience=ACCOUNT, token_key=_public(_KEY).decode(), token_max_lifetime=60)
    endpoint = interop_from(settings, MemoryRegistry(), now=lambda: datetime.now(UTC))

    def status(minutes: int) -> int:
        now = datetime.now(UTC)
        headers = {"authorization": _token(iat=now, exp=now + timedelta(minutes=minutes))}
        return asyncio.run(endpoint.answer(Request("GET", "/auth", headers, b""), deadline=0)).status

    assert [200, 401] == [status(1), status(2)]


def test_the_algorithm_is_the_keys_not_the_tokens() -> None:
    """
    Neither `none`, nor the public key used as an HMAC secret, nor another key.
    """
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    payload = base64.urlsafe_b64encode(json.dumps(_claims(iat=1, exp=2**31)).encode()).rstrip(b"=").decode()
    hmac_header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()
    other = ec.generate_private_key(ec.SECP256R1())
    long_key = rsa_key(2048)

    assert not _admits(_bearer(), f"Bearer {header}.{payload}.")
    assert not _admits(_bearer(), f"Bearer {hmac_header}.{payload}.c2lnbmF0dXJl")
    assert not _admits(_bearer(), _token(other))
    assert not _admits(_bearer(), _token(long_key, "RS256"))
    assert _admits(_bearer(long_key), _token(long_key, "RS256"))
    assert not _admits(_bearer(long_key), _token(long_key, "PS256"))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "Missing Authorization Header"),
        ("", "Missing Authorization Header"),
        ("token", "Token invalid"),
        ("Bearer a b", "Token invalid"),
        ("Basic abc", "Authorization Header must contain Bearer Token"),
        ("Bearer abc", "Cannot verify and decode token"),
        ("Bearer " + "a" * 100_000, "Cannot verify and decode token: it is too long"),
        ("Bearer " + base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.x", "Cannot verify and decode token"),
    ],
)
def test_refusals_begin_with_the_references_sentences(header: str | None, reason: str) -> None:
    """
    The service's operators know these sentences.
    """
    assert _reason(_bearer(), header).startswith(reason)


def test_basic_wants_exactly_the_credentials() -> None:
    """
    User and password of the "Other" product cloud.
    """
    guard = Basic("cloud:pa:ss")

    assert _admits(guard, "Basic " + base64.b64encode(b"cloud:pa:ss").decode())
    for wrong in (b"cloud:pa:s", b"cloud:", b"", b"cloud:pa:ss\n", "cloud:pässword".encode()):
        assert not _admits(guard, "Basic " + base64.b64encode(wrong).decode())
    assert not _admits(guard, "Basic ###")
    assert "pa:ss" not in repr(guard)


def test_each_scheme_has_its_own_guard() -> None:
    """
    With both configured a caller may choose, and neither opens the other's door.
    """
    guard = AnyOf({"bearer": _bearer(), "basic": Basic("u:p")})

    assert _admits(guard, _token())
    assert _admits(guard, "Basic dTpw")
    assert "Bearer or Basic" in _reason(guard, "Digest abc")


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        (b"hello", "not a public key"),
        (_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "is a private key"),
        (_public(rsa_key(1024)), "too weak"),
        (_public(ec.generate_private_key(ec.SECP256K1())), "unknown kind"),
    ],
)
def test_an_unusable_key_is_refused_at_the_start(pem: bytes, reason: str) -> None:
    """
    Better no endpoint than one that trusts the wrong thing.
    """
    with pytest.raises(SettingsError, match=re.escape(reason)):
        VerificationKey.from_pem(pem)


class _Service:
    """
    A key server with a switch and a counter.
    """

    def __init__(self) -> None:
        self.up, self.fetches, self.now, self.pem = True, 0, 0.0, _public(_KEY)

    def fetch(self, url: str) -> bytes:
        self.fetches += 1
        if not self.up:
            raise OSError("down")
        return self.pem

    def source(self) -> UrlKey:
        return UrlKey("https://service.example/key.pem", fetch=self.fetch, clock=lambda: self.now)


def test_a9_the_key_is_kept_for_ten_minutes() -> None:
    """
    Seconds, not milliseconds: one fetch serves ten minutes of pushes.
    """
    service = _Service()
    source = service.source()

    async def scenario() -> None:
        for service.now in (0, 1, 300, 599):
            await source.key()
        assert 1 == service.fetches
        service.now = 600
        await asyncio.gather(*(source.key() for _ in range(20)))
        assert 2 == service.fetches

    asyncio.run(scenario())


def test_a10_a_stale_key_serves_while_the_service_is_down() -> None:
    """
    The pusher is not to blame for a key server's bad day.
    """
    service = _Service()
    source = service.source()

    async def scenario() -> None:
        known = await source.key()
        service.up, service.now = False, 600
        assert known is await source.key()
        assert known is await source.key()
        assert 2 == service.fetches

    asyncio.run(scenario())


def test_a10_a_key_never_fetched_is_unavailable_not_unauthorized() -> None:
    """
    503 says "later"; 401 would say "never".
    """
    service = _Service()
    service.pem = b"<html>maintenance</html>"
    source = service.source()

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(KeyUnavailableError):
                await source.key()
        assert 1 == service.fetches
        service.pem, service.now = _public(_KEY), 60
        await source.key()

    asyncio.run(scenario())


def test_a3_a_key_url_is_https() -> None:
    """
    A trust root fetched in the clear is whoever stands in the way.
    """
    for url in ("http://service.example/key.pem", "file:///etc/passwd", "ftp://x/y", "http://127.0.0.1.evil.example/"):
        with pytest.raises(SettingsError, match="not https"):
            UrlKey(url)
