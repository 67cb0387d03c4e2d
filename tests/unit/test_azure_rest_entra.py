"""
The laptop's Entra ID: who gets a token, and what is said to who does not.
"""

from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from firstlight.local.azure_cloud.access import Principal
from firstlight.local.azure_cloud.rest import Call, Refusal, Routes
from firstlight.local.azure_cloud.tokens import HUB
from tests.azure_rest import Site


@pytest.fixture
def site() -> Site:
    return Site()


def ask(routes: Routes, method: str, path: str, **call: Any) -> Any:
    handler, names = routes.find(method, path)
    return handler(Call(method=method, host="any", path=path, names=names, **call))


def token(site: Site, *, tenant: str = "", **changes: str) -> Any:
    form = {
        "grant_type": "client_credentials",
        "client_id": site.operator.client_id,
        "client_secret": site.operator.secret,
        "scope": f"{HUB}/.default",
        **changes,
    }
    path = f"/{tenant or site.world.tenant}/oauth2/v2.0/token"
    return ask(site.entra.routes, "POST", path, body=urlencode(form).encode())


def test_a_token_is_signed_by_the_key_that_is_published(site: Site) -> None:
    """
    Audience, principal and tenant are in it, and it lasts an hour.
    """
    (key,) = ask(site.entra.routes, "GET", "/any/discovery/v2.0/keys").body["keys"]
    granted = token(site).body

    claims = jwt.decode(
        granted["access_token"],
        jwt.PyJWK(key).key,
        ["ES256"],
        audience=HUB,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )

    assert (site.operator.object_id, site.world.tenant) == (claims["oid"], claims["tid"])
    assert 3600 == granted["expires_in"] == claims["exp"] - claims["iat"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client_secret": "wrong"}, "AADSTS7000215"),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, "AADSTS700016"),
        ({"scope": "https://graph.microsoft.com/.default"}, "AADSTS500011"),
        ({"grant_type": "password"}, "AADSTS70003"),
        ({"tenant": "00000000-0000-0000-0000-000000000000"}, "AADSTS90002"),
    ],
)
def test_what_is_wrong_has_entras_number(site: Site, changes: dict[str, str], says: str) -> None:
    """
    The numbers are what people look up.
    """
    with pytest.raises(Refusal, match=says):
        token(site, **changes)


def test_a_managed_identity_has_no_client_secret(site: Site) -> None:
    """
    Its secret opens its own endpoint only.
    """
    identity = site.world.directory.enroll(Principal("app", managed="/some/site"))

    with pytest.raises(Refusal, match="AADSTS700016"):
        token(site, client_id=identity.client_id, client_secret=identity.secret)
    query = {"resource": HUB, "api-version": "2019-08-01"}
    headers = {"x-identity-header": identity.secret}
    granted = ask(site.entra.managed_identity, "GET", "/msi/token", query=query, headers=headers).body
    assert identity == site.tokens.principal(f"Bearer {granted['access_token']}", HUB)
    with pytest.raises(Refusal, match="No managed identity"):
        ask(site.entra.managed_identity, "GET", "/msi/token", query={**query, "client_id": "other"}, headers=headers)
